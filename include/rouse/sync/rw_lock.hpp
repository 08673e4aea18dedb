#pragma once
// RWLock: one writer or many readers, with waits that end; readers scale, and neither side starves.
//
/// @code
///   rouse::RWLock lock;
///   std::map<std::string, int> prices;
///   {
///     const rouse::WriteGuard guard(lock);  // throws Stopped if the thread is stopped meanwhile
///     prices["tea"] = 3;
///   }
///   try {
///     const rouse::ReadGuard guard(lock, 100ms);
///     const auto tea = prices.find("tea");
///   } catch (const std::system_error&) {  // std::errc::timed_out: a writer is slow
///   }
///   if (lock.try_lock_for(1s, rouse::this_thread::stop_token()) == rouse::WaitStatus::ready) {
///     const std::unique_lock guard(lock, std::adopt_lock);  // the standard's guards work too
///   }
/// @endcode
//
// Meets the standard's SharedTimedMutex: std::unique_lock, std::shared_lock and std::scoped_lock
// work. Forms without a token ignore stops and raised exceptions, as the standard's callers expect;
// those with one obey it and the thread's ambient stop, and throw what was raised at the thread.
// Thread safety: all functions, any thread; who has locked unlocks. Not recursive.
// Ordering: what happened before an unlock is visible after a later lock, but for two readers.
// Fairness: threads that run compete, for some microseconds (milliseconds on a busy CPU); then they
//   sleep. While somebody has slept for a millisecond those who sleep are served by the next writer
//   that unlocks: all readers, and the first writer. So from then on a reader waits for one writer
//   at most, and a writer for those that are asleep before it, with one phase of readers before
//   each. A writer that gives up lets in the readers that it held back.
// Lifetime: may be destroyed by whoever had it last, as soon as that unlock has returned, even if
//   unlocks of others have not returned yet: they no longer touch it.
// Cost: 8 bytes, and 16 KiB for all locks of a program together. Reading alone is two atomic
//   operations on the lock; once readers have met, each works on a cache line of its own, for up to
//   256 threads. Design: docs/design/rw_lock.md.
// Misuse ends the program with a message in debug builds of the library (not of its user): unlock
//   without a lock, an untimed lock of what this thread has locked already, destruction of a lock
//   that is held. Otherwise it is undefined. A timed form only times out.

#include "rouse/detail/deadline.hpp"
#include "rouse/detail/os.hpp"
#include "rouse/wait/wait_status.hpp"

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <utility>

namespace rouse {

class [[gnu::visibility("default")]] RWLock {
 public:
  constexpr RWLock() noexcept = default;
  ~RWLock();

  RWLock(const RWLock&) = delete;
  RWLock& operator=(const RWLock&) = delete;

  /// Blocks until no other thread has it, then has it exclusively. Throws std::bad_alloc if it
  /// blocks and this thread has never waited before; so do all forms that may block.
  void lock() {
    if (!try_lock_alone()) (void)lock_slow(detail::Deadline::never(), nullptr);
  }

  /// The same, and `stopped` if `stop` or the thread's ambient stop is requested first. Throws what
  /// was raised at the thread. A lock that is free is `ready` whatever was requested.
  WaitStatus lock(std::stop_token stop) {
    return try_lock_alone() ? WaitStatus::ready : lock_slow(detail::Deadline::never(), &stop);
  }

  /// Never blocks. Returns whether it has the lock. May be false although nobody has it, while
  /// another thread tries at the same moment.
  [[nodiscard]] bool try_lock() noexcept { return try_lock_alone() || try_lock_slow(); }

  /// As lock(), but blocks at most for `d`, or until `t` on t's clock. Returns whether it has it.
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& d) {
    return try_lock_alone() || lock_slow(detail::Deadline::after(d), nullptr) == WaitStatus::ready;
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_until(const std::chrono::time_point<Clock, Duration>& t) {
    return try_lock_alone() || detail::wait_until_on(t, [&](detail::Deadline d) {
                                 return lock_slow(d, nullptr);
                               }) == WaitStatus::ready;
  }

  /// As lock(stop), but blocks at most for `d` (`timeout`), or until `t` on t's clock.
  template <class Rep, class Period>
  WaitStatus try_lock_for(const std::chrono::duration<Rep, Period>& d, std::stop_token stop) {
    return try_lock_alone() ? WaitStatus::ready : lock_slow(detail::Deadline::after(d), &stop);
  }
  template <class Clock, class Duration>
  WaitStatus try_lock_until(const std::chrono::time_point<Clock, Duration>& t,
                            std::stop_token stop) {
    if (try_lock_alone()) return WaitStatus::ready;
    return detail::wait_until_on(t, [&](detail::Deadline d) { return lock_slow(d, &stop); });
  }

  /// Gives an exclusive lock up; wakes all readers that sleep, and the writer that has slept
  /// longest. Never blocks. Precondition: this thread has it exclusively.
  void unlock() noexcept {
    std::uint32_t seen = word_.load(std::memory_order_relaxed);
    if (((seen | checks_) & queued_) != 0 ||
        !word_.compare_exchange_strong(seen, seen & ~writer_, std::memory_order_release,
                                       std::memory_order_relaxed)) {
      unlock_slow();
    }
  }

  /// Blocks until no writer has it or is next; then shares it with other readers.
  void lock_shared() {
    if (!try_share_alone()) (void)lock_shared_slow(detail::Deadline::never(), nullptr);
  }

  /// The same, and `stopped` if `stop` or the thread's ambient stop is requested first. Throws what
  /// was raised at the thread.
  WaitStatus lock_shared(std::stop_token stop) {
    return try_share_alone() ? WaitStatus::ready
                             : lock_shared_slow(detail::Deadline::never(), &stop);
  }

  /// Never blocks. Returns whether it has the lock: false if a writer has it or waits to be next,
  /// or while another thread tries to lock or to upgrade at the same moment.
  [[nodiscard]] bool try_lock_shared() noexcept {
    return try_share_alone() || try_lock_shared_slow();
  }

  /// As lock_shared(), but blocks at most for `d`, or until `t` on t's clock. Returns whether it
  /// has it.
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_shared_for(const std::chrono::duration<Rep, Period>& d) {
    return try_share_alone() ||
           lock_shared_slow(detail::Deadline::after(d), nullptr) == WaitStatus::ready;
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_shared_until(const std::chrono::time_point<Clock, Duration>& t) {
    return try_share_alone() || detail::wait_until_on(t, [&](detail::Deadline d) {
                                  return lock_shared_slow(d, nullptr);
                                }) == WaitStatus::ready;
  }

  /// As lock_shared(stop), but blocks at most for `d` (`timeout`), or until `t` on t's clock.
  template <class Rep, class Period>
  WaitStatus try_lock_shared_for(const std::chrono::duration<Rep, Period>& d,
                                 std::stop_token stop) {
    return try_share_alone() ? WaitStatus::ready
                             : lock_shared_slow(detail::Deadline::after(d), &stop);
  }
  template <class Clock, class Duration>
  WaitStatus try_lock_shared_until(const std::chrono::time_point<Clock, Duration>& t,
                                   std::stop_token stop) {
    if (try_share_alone()) return WaitStatus::ready;
    return detail::wait_until_on(t, [&](detail::Deadline d) { return lock_shared_slow(d, &stop); });
  }

  /// Gives a shared lock up. Never blocks. Precondition: this thread shares it.
  void unlock_shared() noexcept {
    if (((word_.load(std::memory_order_relaxed) | checks_) & spread_) != 0) {
      unlock_shared_slow();
    } else if (last_of_drained(word_.fetch_sub(one_reader_, std::memory_order_release))) {
      wake_writer();
    }
  }

  /// From shared to exclusive, if this thread is the only reader, once, and no writer waits to be
  /// next. Never blocks: two readers that waited for each other would for ever. If false it still
  /// shares the lock; false also while another thread tries to lock or to upgrade at the same
  /// moment. Precondition: this thread shares it.
  [[nodiscard]] bool try_upgrade() noexcept;

  /// From exclusive to shared, without a moment between; readers that sleep come in too. Never
  /// blocks. Precondition: this thread has it exclusively.
  void downgrade() noexcept;

 private:
  class Wait;

  // The word; docs/design/rw_lock.md says who changes what.
  static constexpr std::uint32_t writer_ = 1;    // a thread has it exclusively, or will as soon as
                                                 // the readers have left
  static constexpr std::uint32_t queued_ = 2;    // the parking table may know who waits for that
  static constexpr std::uint32_t draining_ = 4;  // the writer sleeps until the count is zero
  static constexpr std::uint32_t spread_ = 8;    // readers may be in slots
  static constexpr std::uint32_t one_reader_ = 16;

  // 0; in debug builds of the library all ones, a word that no lock has: the short paths below then
  // lead to those that check.
  static const std::uint32_t checks_;

  bool try_lock_alone() noexcept { return try_alone(writer_); }
  bool try_share_alone() noexcept { return try_alone(one_reader_); }
  bool try_alone(std::uint32_t as) noexcept {
    // The look first: where others are, an attempt would only take the cache line from them.
    std::uint32_t seen = word_.load(std::memory_order_relaxed) | checks_;
    return seen == 0 && word_.compare_exchange_strong(seen, as, std::memory_order_acquire,
                                                      std::memory_order_relaxed);
  }
  static bool last_of_drained(std::uint32_t before) noexcept {
    return (before & draining_) != 0 && before < 2 * one_reader_;
  }

  // Without a token they obey nothing but the deadline.
  WaitStatus lock_slow(detail::Deadline deadline, const std::stop_token* stop);
  WaitStatus lock_shared_slow(detail::Deadline deadline, const std::stop_token* stop);
  WaitStatus wait_shared(detail::Deadline deadline, const std::stop_token* stop);
  bool try_lock_slow() noexcept;
  bool try_lock_shared_slow() noexcept;
  void unlock_slow() noexcept;
  void unlock_shared_slow() noexcept;

  bool share_in_slot(std::uint32_t & seen) noexcept;
  bool share(std::uint32_t seen) noexcept;
  bool become_writer() noexcept;
  bool in_slots() const noexcept;
  void hand_over(std::uint32_t stay) noexcept;
  void wake_writer() noexcept;
  // What a writer waits for that sleeps until the count is zero. No object that is waited for has
  // an odd address: who left last wakes by it, when the lock may be gone and another thing be
  // there.
  const void* drained_key() const noexcept { return reinterpret_cast<const char*>(this) + 1; }

  detail::Atomic<std::uint32_t> word_{0};
  std::uint32_t searches_ = 0;  // the writer's: how many looked at the slots since `spread`
};

namespace detail {
[[noreturn, gnu::visibility("default")]] void throw_not_locked(WaitStatus status,
                                                               const char* for_what);
}

/// Has a lock shared while it lives.
class [[nodiscard]] ReadGuard {
 public:
  /// Blocks as RWLock::lock_shared(stop). Throws Stopped.
  explicit ReadGuard(RWLock& lock, std::stop_token stop = {})
      : ReadGuard(lock, lock.lock_shared(std::move(stop))) {}
  /// As RWLock::try_lock_shared_for(wait_time, stop). Throws std::system_error
  /// (std::errc::timed_out) and Stopped.
  template <class Rep, class Period>
  ReadGuard(RWLock& lock, const std::chrono::duration<Rep, Period>& wait_time,
            std::stop_token stop = {})
      : ReadGuard(lock, lock.try_lock_shared_for(wait_time, std::move(stop))) {}
  ~ReadGuard() { lock_.unlock_shared(); }

  ReadGuard(const ReadGuard&) = delete;
  ReadGuard& operator=(const ReadGuard&) = delete;

 private:
  ReadGuard(RWLock& lock, WaitStatus status) : lock_(lock) {
    if (status != WaitStatus::ready) detail::throw_not_locked(status, "reading");
  }

  RWLock& lock_;
};

/// Has a lock exclusively while it lives.
class [[nodiscard]] WriteGuard {
 public:
  /// Blocks as RWLock::lock(stop). Throws Stopped.
  explicit WriteGuard(RWLock& lock, std::stop_token stop = {})
      : WriteGuard(lock, lock.lock(std::move(stop))) {}
  /// As RWLock::try_lock_for(wait_time, stop). Throws std::system_error (std::errc::timed_out) and
  /// Stopped.
  template <class Rep, class Period>
  WriteGuard(RWLock& lock, const std::chrono::duration<Rep, Period>& wait_time,
             std::stop_token stop = {})
      : WriteGuard(lock, lock.try_lock_for(wait_time, std::move(stop))) {}
  ~WriteGuard() { lock_.unlock(); }

  WriteGuard(const WriteGuard&) = delete;
  WriteGuard& operator=(const WriteGuard&) = delete;

 private:
  WriteGuard(RWLock& lock, WaitStatus status) : lock_(lock) {
    if (status != WaitStatus::ready) detail::throw_not_locked(status, "writing");
  }

  RWLock& lock_;
};

}  // namespace rouse
