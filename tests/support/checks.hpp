#pragma once
// How the tests of the health-checker's kinds run a check: bound to a scope as CheckerThread does
// it, with a stop that comes when the test says, and with the time that the end took.

#include "rouse/wait/stop_scope.hpp"
#include "rouse/wait/this_thread.hpp"
#include "rouse/wait/wait_status.hpp"

#include "base_checker.hpp"
#include "support/processes.hpp"

#include <chrono>
#include <concepts>
#include <functional>
#include <optional>
#include <thread>

namespace rouse::test {

/// A check that hangs longer has failed its test.
inline constexpr std::chrono::seconds long_enough{20};

/// How soon a check ends at a stop or its timeout: generous, for the machine may be busy.
inline constexpr std::chrono::milliseconds at_once{3000};

/// The result, or nothing if the check was stopped.
inline std::optional<health::CheckResult> run_check(health::BaseChecker& checker,
                                                    std::chrono::milliseconds timeout) {
  StopScope scope = StopScope::with_deadline(timeout);
  this_thread::Bind bind(scope);
  try {
    return checker.check(scope.token());
  } catch (const Stopped&) {
    return std::nullopt;
  }
}

/// The result of a check that has all the time it needs.
inline health::CheckResult run_check(health::BaseChecker& checker) {
  auto result = run_check(checker, long_enough);
  if (result) return *std::move(result);
  health::CheckResult late;
  late.message = "the check did not end";
  return late;
}

struct StoppedCheck {
  bool stopped = false;
  std::chrono::nanoseconds after{};  ///< From the stop to the end of the check.
};

/// Runs a check and stops it when `under_way()` returns, which is when it surely waits, or will.
template <std::invocable F>
StoppedCheck stop_check(health::BaseChecker& checker, F under_way) {
  StopScope scope = StopScope::with_deadline(long_enough);
  std::chrono::steady_clock::time_point stopped_at;
  std::thread stopper([&] {
    under_way();
    stopped_at = std::chrono::steady_clock::now();
    scope.request_stop();
  });
  StoppedCheck outcome;
  try {
    this_thread::Bind bind(scope);
    (void)checker.check(scope.token());
  } catch (const Stopped&) {
    outcome.stopped = scope.reason().kind == StopReason::requested;
  }
  const auto ended_at = std::chrono::steady_clock::now();
  stopper.join();
  outcome.after = ended_at - stopped_at;
  return outcome;
}

/// For what has no event to wait for: asks again and again, for at most `long_enough`.
template <std::predicate F>
bool becomes_true(F condition) {
  const auto end = std::chrono::steady_clock::now() + long_enough;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::yield();
  }
  return true;
}

/// Whether no child process is left once `destroy` has destroyed the checkers that ran them. On a
/// busy machine a killed process may outlive a checker's patience; who owns it reaps it later.
template <std::invocable F>
bool leaves_no_child(F destroy) {
  const bool ended = becomes_true([] { return count_running_children() == 0; });
  destroy();
  return ended && count_children() == 0;
}

}  // namespace rouse::test
