#pragma once
// Event: a flag that threads wait for, Python's threading.Event with a stop (manual reset).
//
/// @code
///   rouse::Event done;
///   std::jthread worker([&](std::stop_token stop) {
///     const rouse::WaitStatus status = done.wait_for(1h, stop);  // ends at set(), stop, or 1 h
///     (void)status;
///   });
///   done.set();
/// @endcode
//
// Thread safety: all functions may be called from any thread at any time, but not from a signal
//   handler (SignalStop is for that).
// Ordering: what happened before set() is visible after a wait that it ended, after a wait or
//   is_set() that found the event set, and after a clear() that took it back. set() publishes also
//   when the event is set already.
// Lifetime: may be destroyed as soon as a wait has returned, also while the set() that ended that
//   wait has not returned yet: it no longer touches the event. Nobody may be waiting.
// Cost: 4 bytes; no allocation per wait; set() without waiters is one compare-and-swap, is_set()
//   one load. Design: docs/design/wait_core.md.

#include "rouse/detail/deadline.hpp"
#include "rouse/detail/os.hpp"
#include "rouse/wait/wait_status.hpp"

#include <chrono>
#include <cstdint>
#include <stop_token>

namespace rouse {

class [[gnu::visibility("default")]] Event {
 public:
  explicit constexpr Event(bool set = false) noexcept : word_(set ? set_word_ : unset_word_) {}

  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  /// Sets the event and releases everybody who waits now, also if clear() follows at once.
  void set() noexcept {
    // No look before it: that would cost a second trip of the cache line between two CPUs.
    std::uint32_t seen = unset_word_;
    while (seen != waited_word_) {
      // Release also from set to set: each setter publishes what it did before.
      if (word_.compare_exchange_weak(seen, set_word_, std::memory_order_release,
                                      std::memory_order_relaxed)) {
        return;
      }
    }
    set_and_wake();
  }

  /// Takes a set() back. Who waited at that set() is released all the same.
  void clear() noexcept {
    // Acquire: a consumer that clears, then looks for work, sees what every set() it took back
    // published. With waiters there is nothing to take back.
    std::uint32_t seen = set_word_;
    word_.compare_exchange_strong(seen, unset_word_, std::memory_order_acquire,
                                  std::memory_order_relaxed);
  }

  /// Whether it is set. Never blocks.
  [[nodiscard]] bool is_set() const noexcept {
    return word_.load(std::memory_order_acquire) == set_word_;
  }

  /// Blocks until the event is set (`ready`), or `stop` or the thread's ambient stop is requested
  /// (`stopped`). A set event is `ready` even if a stop was requested. Throws what was raised at
  /// the thread, and std::bad_alloc in a thread's first wait, if it would block.
  WaitStatus wait(std::stop_token stop = {}) {
    return is_set() ? WaitStatus::ready : wait_slow(detail::Deadline::never(), stop);
  }

  /// As wait(), but at most for `d` (`timeout`). Negative is zero, duration::max() is for ever.
  template <class Rep, class Period>
  WaitStatus wait_for(const std::chrono::duration<Rep, Period>& d, std::stop_token stop = {}) {
    return is_set() ? WaitStatus::ready : wait_slow(detail::Deadline::after(d), stop);
  }

  /// As wait(), but at most until `t`, on t's clock.
  template <class Clock, class Duration>
  WaitStatus wait_until(const std::chrono::time_point<Clock, Duration>& t,
                        std::stop_token stop = {}) {
    if (is_set()) return WaitStatus::ready;
    return detail::wait_until_on(t, [&](detail::Deadline d) { return wait_slow(d, stop); });
  }

 private:
  friend class EventWait;

  static constexpr std::uint32_t unset_word_ = 0;
  static constexpr std::uint32_t set_word_ = 1;
  static constexpr std::uint32_t waited_word_ = 2;  // not set, and the parking table may know nodes

  void set_and_wake() noexcept;
  WaitStatus wait_slow(detail::Deadline deadline, const std::stop_token& stop);

  detail::Atomic<std::uint32_t> word_;
};

}  // namespace rouse
