#pragma once
// WaitStatus: how a wait ended; Stopped: the exception of a wait that had to produce a value.
//
/// @code
///   rouse::Event work;
///   while (work.wait_for(10s) == rouse::WaitStatus::timeout) {
///     // ten quiet seconds: flush, then wait again; a stop or the event ends the loop
///   }
/// @endcode

#include <stdexcept>

namespace rouse {

/// How a wait ended. If several hold at once the first in this order is told: ready, a raised
/// exception (thrown), stopped, timeout. A stop that lost to ready stays pending: the next wait
/// returns it.
///
/// Compare with `== timeout` or `!= timeout` in loops, never ignore it: after a stop every further
/// wait returns at once, and a loop that does not look runs hot.
enum class [[nodiscard]] WaitStatus{
    ready,    ///< What was waited for has happened.
    stopped,  ///< A stop was requested: by the token given, or by the thread's ambient stop.
    timeout,  ///< The time given has passed.
};

/// A value was asked for (a result, a buffer, a lock guard) and the wait for it was stopped.
///
/// Where it leaves a thread's `run` after a stop was requested it counts as an orderly end.
class [[gnu::visibility("default")]] Stopped : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  Stopped() : std::runtime_error("rouse: stopped") {}
};

/// "ready", "stopped" or "timeout".
constexpr const char* to_string(WaitStatus status) noexcept {
  switch (status) {
    case WaitStatus::ready:
      return "ready";
    case WaitStatus::stopped:
      return "stopped";
    case WaitStatus::timeout:
      return "timeout";
  }
  return "?";
}

}  // namespace rouse
