#include "service/wait_loop.hpp"

#include <algorithm>
#include <string_view>

namespace rouse::detail {

FileWatcher& WaitLoop::Slot::files() {
  if (!watcher) {
    watcher.emplace(loop.hint_, state.describe());
    if (!loop.member_) loop.member_.emplace(FileEvents::instance().lead(), loop.hint_);
  }
  return *watcher;
}

WaitLoop::WaitLoop(std::span<const Condition> conditions, Until until, Deadline deadline,
                   const std::stop_token& stop)
    : until_(until),
      deadline_(deadline),
      stop_(stop),
      name_(conditions.size() == 1 ? conditions.front().state_->wait_name()
            : until_ == Until::any ? "wait_until_any"
                                   : "wait_until_all") {
  for (const Condition& each : conditions) slots_.emplace_back(*this, *each.state_);
}

WaitStatus WaitLoop::run() {
  std::optional<WaitStatus> ended;
  for (;;) {
    if (look_at_due()) return WaitStatus::ready;
    if (ended) return *ended;
    ended = block();
    if (ended == WaitStatus::stopped) return WaitStatus::stopped;
  }
}

// The thread may be busy with a look for long: somebody else leads meanwhile.
bool WaitLoop::look_at_due() {
  ++turn_;
  const auto due = [](const Slot& slot) { return slot.due; };
  if (member_ && std::ranges::any_of(slots_, due)) member_->resign();
  for (Slot& slot : slots_) {
    if (!slot.due) continue;
    look(slot);
    if (slot.holds && until_ == Until::any) return true;
  }
  return until_ == Until::all && recheck();
}

void WaitLoop::look(Slot& slot) {
  slot.due = false;
  slot.looked_in = turn_;
  slot.fds.clear();
  slot.next = Deadline::never();
  const Look found = slot.state.look(slot);
  slot.holds = found == Look::yes;
  slot.due = found == Look::more;
}

// Whether all hold, now and not one after the other: who was found to hold earlier is looked at
// once more when the last one is.
bool WaitLoop::recheck() {
  const auto holds = [](const Slot& slot) { return slot.holds; };
  if (!std::ranges::all_of(slots_, holds)) return false;
  for (Slot& slot : slots_) {
    if (slot.looked_in != turn_) look(slot);
  }
  return std::ranges::all_of(slots_, holds);
}

// Whether a stop or the deadline has come, without blocking. Descriptors that never run dry must
// not hide them.
std::optional<WaitStatus> WaitLoop::glance() {
  switch (hint_.wait({}, {name_, 0}, Deadline::past(), stop_)) {
    case WaitStatus::stopped:
      return WaitStatus::stopped;
    case WaitStatus::ready:
    case WaitStatus::timeout:
      break;
  }
  if (!deadline_.expired()) return std::nullopt;
  mark_due(true);
  return WaitStatus::timeout;
}

std::optional<WaitStatus> WaitLoop::block() {
  (void)hint_.take();
  if (const auto ended = glance()) return ended;
  mark_due(false);
  if (std::ranges::any_of(slots_, [](const Slot& slot) { return slot.due; })) return std::nullopt;

  fds_.clear();
  Deadline until = deadline_;
  for (const Slot& slot : slots_) {
    if (slot.holds) continue;
    fds_.insert(fds_.end(), slot.fds.begin(), slot.fds.end());
    until = std::min(until, slot.next);
  }
  const bool leads = member_ && member_->take();
  FileEvents* const events = leads ? &FileEvents::instance() : nullptr;
  const std::size_t own = fds_.size();
  if (leads) {
    fds_.resize(own + FileEvents::polled);
    events->poll(std::span(fds_).subspan(own).first<FileEvents::polled>());
  }

  const WaitStatus status = hint_.wait(fds_, {name_, 0}, until, stop_);
  ++turn_;  // what was found before may have changed
  if (leads && status == WaitStatus::ready) {
    const auto shared = std::span(fds_).subspan(own).first<FileEvents::polled>();
    if (std::ranges::any_of(shared, [](const ::pollfd& each) { return each.revents != 0; })) {
      events->dispatch(shared);
    }
  }
  auto polled = fds_.cbegin();
  for (Slot& slot : slots_) {
    if (slot.holds) continue;
    for (std::size_t i = 0; i < slot.fds.size(); ++i) slot.due |= (polled++)->revents != 0;
  }
  if (status == WaitStatus::stopped) return status;
  const bool timeout = status == WaitStatus::timeout && deadline_.expired();
  mark_due(timeout);
  if (!timeout) return std::nullopt;
  return status;
}

// At the last time whatever is looked at by the clock is due, whatever the clock says, unless that
// has just been done.
void WaitLoop::mark_due(bool last_time) {
  time_is_over_ = last_time;
  for (Slot& slot : slots_) {
    if (slot.holds) continue;
    const bool at_last = last_time && !slot.next.is_never() && slot.looked_in != turn_;
    slot.due = slot.due || slot.has_news() || slot.next.expired() || at_last;
  }
}

}  // namespace rouse::detail
