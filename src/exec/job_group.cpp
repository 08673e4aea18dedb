#include "rouse/exec/job_group.hpp"

#include <algorithm>
#include <stdexcept>

namespace rouse::detail {

JobGroup::JobGroup(JobState& combined, Ends ends, std::span<JobState* const> members)
    : combined_(combined), ends_(ends), members_(members.size()) {
  if (ends == Ends::with_first && members.empty()) {
    throw std::invalid_argument("rouse: when_any() of no jobs would never end");
  }
  for (std::size_t i = 0; i < members.size(); ++i) {
    members_[i].group = this;
    members_[i].job = members[i];
  }
}

PoolLink JobGroup::link_of(std::span<JobState* const> members) noexcept {
  for (const JobState* const member : members) {
    if (member->link().anchor != nullptr) return member->link();
  }
  return {};
}

void JobGroup::start() noexcept {
  (void)combined_.claim(JobState::no_worker);
  for (Member& member : members_) {
    if (first() != none_ && ends_ == Ends::with_first) break;
    present_.fetch_add(1, std::memory_order_relaxed);
    member.watched = member.watch.start(member.job->end());
    if (!member.watched) ended(member);
  }
  if (ends_ == Ends::with_all) {
    leave();
  } else {
    finish_first();
  }
}

// In the thread that ends the member's job, or starts the group.
void JobGroup::ended(Member& member) noexcept {
  JobGroup& group = *member.group;
  auto none = none_;
  const auto index = static_cast<std::size_t>(&member - group.members_.data());
  if (group.first_.compare_exchange_strong(none, index, std::memory_order_relaxed) &&
      group.ends_ == Ends::with_first) {
    group.finish_first();
  }
  group.leave();
}

// The members are the user's again when the job has ended: no watch may be left on them. Whoever
// comes last, start() or the first end, takes the others back.
void JobGroup::finish_first() noexcept {
  if (first_steps_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  for (Member& member : members_) {
    // Not the last of those present: finish_first() itself is.
    if (member.watched && member.watch.cancel()) present_.fetch_sub(1, std::memory_order_relaxed);
  }
  leave();
}

void JobGroup::leave() noexcept {
  if (present_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  JobState& combined = combined_;
  (void)combined.run();
  combined.release();
}

void JobGroup::help() {
  const auto begun = [](const Member& member) { return !member.job->is_queued(); };
  if (ends_ == Ends::with_first && std::ranges::any_of(members_, begun)) return;
  // The last was queued last: if it was here, nobody else has to come across it any more.
  for (auto member = members_.rbegin(); member != members_.rend(); ++member) {
    if (combined_.end().is_set()) return;
    member->job->help();
  }
}

void JobGroup::request_stop() noexcept {
  // First those that wait for a worker: one that is stopped would begin with them.
  for (Member& member : members_) {
    if (member.job->is_queued()) (void)member.job->request_stop();
  }
  for (Member& member : members_) (void)member.job->request_stop();
}

}  // namespace rouse::detail
