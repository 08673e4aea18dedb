#pragma once
// SignalStop: a StopScope that is stopped by signals, such as SIGINT and SIGTERM.
//
/// @code
///   #include <rouse/rouse.hpp>
///
///   int main() {
///     rouse::SignalStop signals({SIGINT, SIGTERM});  // before any other thread
///     rouse::this_thread::Bind bind(signals);
///     (void)rouse::sleep_for(std::chrono::milliseconds(1));  // a signal would end it at once
///   }
/// @endcode
//
// The signals are blocked in the constructing thread, and with it in all threads it starts later,
// and read by a thread of its own from a signalfd: no code runs in a signal handler.
// Thread safety: as StopScope. Construct it first in main and destroy it on the same thread:
// threads
//   that exist before it still take the signals in the ordinary, deadly way. Programs that are
//   started (exec) inherit the blocked signals unless their mask is reset.
// Reason: StopReason::signal, with the signal's number as its code.

#include "rouse/wait/stop_scope.hpp"

#include <csignal>
#include <initializer_list>
#include <memory>

namespace rouse {

/// What a signal does that comes when the scope is stopped already.
enum class SecondSignal {
  exit,    ///< Ends the process at once, without destructors, with 128 + the signal's number.
  kill,    ///< Does what the signal does by default.
  ignore,  ///< Nothing: the shutdown takes as long as it takes.
};

struct SignalStopOptions {
  SecondSignal second = SecondSignal::exit;
};

class [[gnu::visibility("default")]] SignalStop : public StopScope {
 public:
  /// Throws std::system_error if the signals cannot be taken over (an invalid number, no
  /// descriptor, no thread); then the signal mask is as it was.
  explicit SignalStop(std::initializer_list<int> signals, SignalStopOptions options = {});

  /// Handles what was sent before, then unblocks the signals that the constructor blocked.
  ~SignalStop();

 private:
  struct [[gnu::visibility("hidden")]] Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rouse
