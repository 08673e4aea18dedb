#include "exec/roster.hpp"

#include "rouse/wait/shield.hpp"

#include <algorithm>

namespace rouse::detail {

// Under the lock. The workers that are to read `crowded_` find it before their next job.
void Roster::change(std::uint64_t difference) noexcept {
  const std::uint64_t now = word_.fetch_add(difference, std::memory_order_seq_cst) + difference;
  const bool crowded = unpack(now).awake > limit_.load(std::memory_order_relaxed);
  if (crowded != crowded_.load(std::memory_order_relaxed)) {
    crowded_.store(crowded, std::memory_order_relaxed);
  }
}

void Roster::list(Sleeper& sleeper) noexcept {
  sleeper.listed_ = true;
  sleeper.above_ = nullptr;
  sleeper.below_ = top_;
  if (top_ != nullptr) top_->above_ = &sleeper;
  top_ = &sleeper;
}

void Roster::unlist(Sleeper& sleeper) noexcept {
  sleeper.listed_ = false;
  (sleeper.above_ != nullptr ? sleeper.above_->below_ : top_) = sleeper.below_;
  if (sleeper.below_ != nullptr) sleeper.below_->above_ = sleeper.above_;
}

// Under the lock.
void Roster::hint_all() noexcept {
  for (Sleeper* each = top_; each != nullptr; each = each->below_) each->hint_.set();
}

void Roster::set_limits(unsigned stay, unsigned limit) noexcept {
  const LockGuard guard(lock_);
  stay_ = stay;
  limit_.store(limit, std::memory_order_relaxed);
  change(0);
  hint_all();
}

bool Roster::call_worker() noexcept {
  Sleeper* called = nullptr;
  {
    const LockGuard guard(lock_);
    if (!one_more(word_.load(std::memory_order_relaxed))) return false;
    if (top_ == nullptr) {
      change(awake_ + searching_);
      return true;
    }
    called = top_;
    unlist(*called);
    change(awake_ + searching_ - asleep_);
  }
  // A worker lives as long as its pool: the hint may come when it is awake again.
  called->hint_.set();
  return false;
}

void Roster::start_failed() noexcept {
  Sleeper* instead = nullptr;
  {
    const LockGuard guard(lock_);
    instead = top_;
    if (instead == nullptr) {
      change(std::uint64_t{0} - awake_ - searching_);
      return;
    }
    unlist(*instead);
    change(std::uint64_t{0} - asleep_);
  }
  instead->hint_.set();
}

void Roster::add_worker() noexcept {
  const LockGuard guard(lock_);
  change(awake_ + searching_);
}

bool Roster::start_searching(unsigned most) noexcept {
  std::uint64_t seen = word_.load(std::memory_order_relaxed);
  while (unpack(seen).searching < most) {
    // Relaxed: who sees this and wakes nobody comes before the end of the search, and that before
    // the last look.
    if (word_.compare_exchange_weak(seen, seen + searching_, std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

bool Roster::end_searching() noexcept {
  return unpack(word_.fetch_sub(searching_, std::memory_order_seq_cst)).searching == 1;
}

bool Roster::lie_down_if_crowded(Sleeper& sleeper) noexcept {
  const LockGuard guard(lock_);
  if (unpack(word_.load(std::memory_order_relaxed)).awake <=
      limit_.load(std::memory_order_relaxed)) {
    return false;
  }
  list(sleeper);
  change(asleep_ - awake_);
  return true;
}

void Roster::lie_down(Sleeper& sleeper, bool was_searching) noexcept {
  const LockGuard guard(lock_);
  list(sleeper);
  change(asleep_ - awake_ - (was_searching ? searching_ : 0));
}

bool Roster::get_up(Sleeper& sleeper) noexcept {
  const LockGuard guard(lock_);
  if (!sleeper.listed_) return true;
  if (unpack(word_.load(std::memory_order_relaxed)).awake >=
      limit_.load(std::memory_order_relaxed)) {
    return false;
  }
  unlist(sleeper);
  change(awake_ + searching_ - asleep_);
  return true;
}

Roster::Woken Roster::sleep(Sleeper& sleeper, std::int64_t idle_ns, Deadline alarm) noexcept {
  const Deadline idle = Deadline::after_ns(idle_ns);
  const Shield shield;
  for (bool idled = false, alarmed = false;;) {
    bool may_leave = false;
    {
      const LockGuard guard(lock_);
      if (!sleeper.listed_) return Woken::for_work;
      const Counts counts = unpack(word_.load(std::memory_order_relaxed));
      may_leave = counts.threads() > stay_;
      const bool needed = counts.awake < limit_.load(std::memory_order_relaxed);
      if (dismissed_ && needed) {
        unlist(sleeper);
        change(awake_ - asleep_);
        return Woken::dismissed;
      }
      if (dismissed_ || (idled && may_leave)) {
        unlist(sleeper);
        change(std::uint64_t{0} - asleep_);
        return Woken::surplus;
      }
      if (alarmed) return Woken::alarm;
      sleeper.hint_.clear();
    }
    const Deadline end = may_leave ? std::min(idle, alarm) : alarm;
    if (sleeper.hint_.wait_until(end.time_point()) == WaitStatus::timeout) {
      idled = end == idle;
      alarmed = end == alarm;
    } else {
      idled = idle.expired();
    }
  }
}

void Roster::leave() noexcept {
  const LockGuard guard(lock_);
  change(std::uint64_t{0} - awake_);
}

void Roster::block() noexcept {
  const LockGuard guard(lock_);
  change(blocked_ - awake_);
}

void Roster::unblock() noexcept {
  const LockGuard guard(lock_);
  change(awake_ - blocked_);
}

void Roster::dismiss() noexcept {
  const LockGuard guard(lock_);
  dismissed_ = true;
  hint_all();
}

void Roster::recall() noexcept {
  const LockGuard guard(lock_);
  dismissed_ = false;
}

}  // namespace rouse::detail
