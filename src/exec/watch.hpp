#pragma once
// Watch: which of the workers that sleep wakes up for the next deadline.
//
// The first guard sleeps until the next deadline. A second one sleeps a little longer (`grace_ns`),
// for the case that the first is then busy with a call that lasts: so a worker that makes a call
// need not wake another for the watch. Short calls that come close together cost one wake-up each,
// and one more in each grace; those that are further apart two. A deadline that comes up behind a
// call that lasts may be late by the grace, once: then the second guard has taken over.
//
// A deadline without a guard is work like a queued job: whoever brings it calls
// Roster::work_added(), and who lies down does so before it looks for work, which begins with
// guard().
//
// Thread safety: any thread. Design: docs/design/timers.md.

#include "rouse/detail/deadline.hpp"
#include "rouse/detail/lock.hpp"
#include "rouse/detail/os.hpp"

#include <array>
#include <cstdint>

namespace rouse::detail {

class Watch {
 public:
  static constexpr std::int64_t never = INT64_MAX;
  static constexpr std::int64_t grace_ns = 1'000'000;

  /// The next deadline, or a time before it.
  std::int64_t next() const noexcept { return next_.load(std::memory_order_relaxed); }

  /// Whether no sleeper wakes up for the next deadline, or within the grace.
  bool unguarded() const noexcept {
    return saturated_sum(next_.load(std::memory_order_seq_cst), grace_ns) <
           guarded_.load(std::memory_order_seq_cst);
  }

  /// When the first guard wakes up.
  std::int64_t guarded_until() const noexcept { return guarded_.load(std::memory_order_relaxed); }

  /// There is a deadline at `at`. True if nobody wakes up for it in time; then call work_added().
  [[nodiscard]] bool lower(std::int64_t at) noexcept;

  /// Somebody sees to all that is due: from here on there is none, until refresh() or lower().
  void begin_ring() noexcept;
  /// Sets the next deadline to what `read` returns; whoever makes one earlier calls lower()
  /// afterwards.
  template <class Read>
  void refresh(Read read) noexcept {
    const LockGuard guard(lock_);
    publish(open_ ? read() : never);
  }

  /// The worker lies down: the time at which it is to wake up, or `never`.
  std::int64_t guard(unsigned worker) noexcept;
  /// It has been woken, or leaves.
  void leave(unsigned worker) noexcept;

  /// Closed: there are no deadlines.
  void set_open(bool open) noexcept;

 private:
  struct Guard {
    std::int64_t until = never;
    unsigned worker = 0;
  };

  void publish(std::int64_t next) noexcept;

  Lock lock_;
  bool open_ = false;
  std::array<Guard, 2> guards_;
  // Changed under the lock. What the first guard sleeps until.
  Atomic<std::int64_t> next_{never};
  Atomic<std::int64_t> guarded_{never};
};

}  // namespace rouse::detail
