#pragma once
// ManualClock: time that goes on when a test says so, for programs that use a DelayExecutor.
//
/// @code
///   rouse::ManualClock clock;
///   rouse::DelayExecutor executor({.clock = &clock});
///   int calls = 0;
///   executor.run_every(1min, [&] { ++calls; });
///   clock.advance(1min);
///   (void)executor.pool().wait_idle();  // calls is 1
/// @endcode
//
// Thread safety: any thread. Ordering: what happened before advance() is visible to the calls that
//   it makes due.
// Lifetime: outlives the executors that use it.

#include "rouse/detail/deadline.hpp"

#include <chrono>
#include <cstdint>
#include <memory>

namespace rouse {
namespace detail {

class TimerQueue;

}  // namespace detail

class [[gnu::visibility("default")]] ManualClock {
 public:
  /// Stands at `calendar`, and at some later time than 0 of the steady clock. Throws
  /// std::bad_alloc.
  explicit ManualClock(std::chrono::system_clock::time_point calendar = {});
  ~ManualClock();
  ManualClock(const ManualClock&) = delete;
  ManualClock& operator=(const ManualClock&) = delete;

  [[nodiscard]] std::chrono::steady_clock::time_point now() const noexcept;
  [[nodiscard]] std::chrono::system_clock::time_point calendar() const noexcept;

  /// It is `d` later, all at once. When it returns, what is due has been handed to the pools, or is
  /// being handed by whoever makes a timer at this moment.
  template <class Rep, class Period>
  void advance(const std::chrono::duration<Rep, Period>& d) noexcept {
    advance_ns(detail::saturated_ns(d));
  }

  /// The calendar is set, forward or back; the steady clock stays. Returns as advance().
  void set_calendar(std::chrono::system_clock::time_point calendar) noexcept;

 private:
  friend class detail::TimerQueue;

  void advance_ns(std::int64_t ns) noexcept;

  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace rouse
