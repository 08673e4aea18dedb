#include "results.hpp"

#include "checkers/grade.hpp"

#include <algorithm>
#include <shared_mutex>
#include <string_view>
#include <utility>

namespace health {

void Results::add(std::string name, std::string type, std::string group, bool awaited) {
  auto entry = std::make_unique<Entry>();
  entry->row = {.name = name, .type = std::move(type), .group = std::move(group)};
  entry->awaited = awaited;
  {
    const std::lock_guard guard(lock_);
    entry->version = arranged_ = ++version_;
    entries_.emplace_back();
    try {
      by_name_.emplace(std::move(name), entry.get());
    } catch (...) {
      entries_.pop_back();
      throw;
    }
    entries_.back() = std::move(entry);
  }
  tell();
}

void Results::remove(std::string_view name) {
  {
    const std::lock_guard guard(lock_);
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) return;
    const Entry* const entry = found->second;
    by_name_.erase(found);
    std::erase_if(entries_, [&](const auto& each) { return each.get() == entry; });
    arranged_ = ++version_;
  }
  tell();
}

void Results::arrange(const std::vector<std::string>& names) {
  std::map<std::string_view, std::size_t> places;
  for (const std::string& name : names) places.emplace(name, places.size());
  const auto place = [&](const std::unique_ptr<Entry>& entry) {
    const auto found = places.find(entry->row.name);
    return found == places.end() ? places.size() : found->second;
  };
  {
    const std::lock_guard guard(lock_);
    std::ranges::stable_sort(entries_, {}, place);
    arranged_ = ++version_;
  }
  tell();
}

void Results::update(std::string_view name, Status state, CheckResult last,
                     const rouse::Id128& run) {
  const auto now = std::chrono::steady_clock::now();
  {
    const std::lock_guard guard(lock_);
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) return;
    Entry& entry = *found->second;
    Row& row = entry.row;
    if (row.state != state) row.since = now;
    row.state = state;
    entry.history.add(now, last.status, last.duration);
    row.last = std::move(last);
    row.when = now;
    row.run = run;
    ++row.runs;
    entry.version = ++version_;
  }
  tell();
}

std::vector<Row> Results::rows() const {
  std::uint64_t seen = 0;
  return changes_since(seen).rows;
}

Results::Changes Results::changes_since(std::uint64_t& seen) const {
  Changes changes;
  const std::shared_lock guard(lock_);
  if (seen < arranged_) {
    changes.all = true;
    changes.rows.reserve(entries_.size());
  }
  for (const auto& entry : entries_) {
    if (changes.all || entry->version > seen) changes.rows.push_back(entry->row);
  }
  seen = version_;
  return changes;
}

bool Results::all_have_run() const {
  const std::shared_lock guard(lock_);
  return std::ranges::all_of(
      entries_, [](const auto& each) { return !each->awaited || each->row.state.has_value(); });
}

std::optional<Row> Results::row(std::string_view name) const {
  const std::shared_lock guard(lock_);
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return std::nullopt;
  return found->second->row;
}

std::vector<History::Bucket> Results::history(std::string_view name) const {
  const std::shared_lock guard(lock_);
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return {};
  return found->second->history.until(std::chrono::steady_clock::now());
}

void Results::tell() {
  const std::lock_guard guard(subscribers_mutex_);
  for (Subscription* const subscriber : subscribers_) subscriber->changed_.set();
}

Results::Subscription::Subscription(Results& results) : results_(results) {
  const std::lock_guard guard(results_.subscribers_mutex_);
  results_.subscribers_.push_back(this);
}

Results::Subscription::~Subscription() {
  const std::lock_guard guard(results_.subscribers_mutex_);
  std::erase(results_.subscribers_, this);
}

rouse::WaitStatus Results::Subscription::wait() {
  const rouse::WaitStatus status = changed_.wait();
  // Before the caller looks: what changes from now on is told again.
  if (status == rouse::WaitStatus::ready) changed_.clear();
  return status;
}

rouse::WaitStatus Results::Subscription::wait_for(std::chrono::nanoseconds d) {
  const rouse::WaitStatus status = changed_.wait_for(d);
  if (status == rouse::WaitStatus::ready) changed_.clear();
  return status;
}

std::string state_text(const Row& row) {
  if (!row.state) return "-";
  const std::string state = to_string(*row.state);
  if (*row.state == row.last.status) return state;
  return state + " (now " + to_string(row.last.status) + ")";
}

Status worst(const std::vector<Row>& rows) noexcept {
  Status status = Status::ok;
  for (const Row& row : rows) status = worse(status, row.state.value_or(Status::unknown));
  return status;
}

}  // namespace health
