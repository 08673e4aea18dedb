#pragma once
// sleep_for, sleep_until: a sleep that a stop request ends.
//
/// @code
///   while (rouse::sleep_for(10s) == rouse::WaitStatus::timeout) {
///     // every ten seconds, until this thread is asked to stop
///   }
/// @endcode
//
// Thread safety: any thread. Returns `timeout` when it slept to the end, `stopped` when `stop` or
// the thread's ambient stop was requested (also before the call, also for a sleep of zero).

#include "rouse/detail/deadline.hpp"
#include "rouse/wait/wait_status.hpp"

#include <chrono>
#include <stop_token>

namespace rouse {
namespace detail {
[[gnu::visibility("default")]] WaitStatus sleep(Deadline deadline, const std::stop_token& stop);
}

/// Blocks for `d`. Negative is zero, duration::max() sleeps until stopped.
template <class Rep, class Period>
WaitStatus sleep_for(const std::chrono::duration<Rep, Period>& d, std::stop_token stop = {}) {
  return detail::sleep(detail::Deadline::after(d), stop);
}

/// Blocks until `t`, on t's clock (a system_clock that is set back lengthens the sleep).
template <class Clock, class Duration>
WaitStatus sleep_until(const std::chrono::time_point<Clock, Duration>& t,
                       std::stop_token stop = {}) {
  return detail::wait_until_on(t, [&](detail::Deadline d) { return detail::sleep(d, stop); });
}

}  // namespace rouse
