#include "exec/watch.hpp"

#include <algorithm>

namespace rouse::detail {

// Under the lock.
void Watch::publish(std::int64_t next) noexcept {
  next_.store(next, std::memory_order_seq_cst);
  guarded_.store(std::min(guards_[0].until, guards_[1].until), std::memory_order_seq_cst);
}

bool Watch::lower(std::int64_t at) noexcept {
  const LockGuard guard(lock_);
  if (!open_ || at >= next()) return false;
  publish(at);
  return at < guarded_.load(std::memory_order_relaxed);
}

void Watch::begin_ring() noexcept {
  const LockGuard guard(lock_);
  publish(never);
}

std::int64_t Watch::guard(unsigned worker) noexcept {
  const LockGuard guard(lock_);
  const std::int64_t deadline = next();
  if (deadline == never) return never;
  const auto [first, second] = std::minmax_element(
      guards_.begin(), guards_.end(), [](Guard a, Guard b) { return a.until < b.until; });
  std::int64_t until = deadline;
  if (deadline >= first->until) {
    if (second->until != never) return never;
    until = saturated_sum(deadline, grace_ns);
  }
  *second = {until, worker};
  publish(deadline);
  return until;
}

void Watch::leave(unsigned worker) noexcept {
  const LockGuard guard(lock_);
  for (Guard& each : guards_) {
    if (each.worker == worker) each = {};
  }
  publish(next());
}

void Watch::set_open(bool open) noexcept {
  const LockGuard guard(lock_);
  open_ = open;
  publish(never);
}

}  // namespace rouse::detail
