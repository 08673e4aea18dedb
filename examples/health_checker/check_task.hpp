#pragma once
// CheckTask: a check and what it remembers from run to run. An engine decides when it runs.
//
//   CheckTask task(std::move(check), [](const Report& report) { ... });
//   if (task.run(Asked::by_the_clock)) next = task.recheck_after().value_or(check.period);
//
// Thread safety: one run at a time; config(), noticed(), lost() and retire() from any
// thread.

#include "rouse/resource/id128.hpp"

#include "config.hpp"
#include "state_tracker.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <vector>

namespace health {

/// Why a check runs.
enum class Asked { by_the_clock, by_an_event, by_somebody };

/// What a run of a check has brought.
struct Report {
  const CheckConfig& check;
  const CheckResult& result;
  rouse::Id128 run = {};              ///< Greater than that of any earlier run, of whichever check.
  Status state = Status::unknown;     ///< By the rise and fall thresholds.
  std::optional<Status> before = {};  ///< The state before this run; empty at the first.
  int against = 0;                    ///< How many results in a row speak against the state, ...
  int needed = 0;                     ///< ... and how many of them change it.
  Asked asked = Asked::by_the_clock;
};
using OnReport = std::function<void(const Report&)>;

/// Events may come faster than a check should run: from one run by an event to the next.
inline constexpr std::chrono::milliseconds event_pause{100};

class CheckTask {
 public:
  CheckTask(CheckConfig check, OnReport on_report);

  /// Runs the check, bound by its timeout and by this thread's stop, and reports. False if it was
  /// stopped: then there is no report.
  bool run(Asked asked);

  /// By how much the last run was longer than its timeout; zero if it was not.
  [[nodiscard]] std::chrono::nanoseconds overrun() const noexcept { return overrun_; }

  /// No report from now on, whatever still runs.
  void retire() noexcept { retired_ = true; }

  /// When to look again without waiting for the period: while a change of the state is neither
  /// confirmed nor gone.
  [[nodiscard]] std::optional<std::chrono::milliseconds> recheck_after() const noexcept;

  [[nodiscard]] const CheckConfig& config() const noexcept { return check_; }

  /// See BaseChecker. Not during a run.
  [[nodiscard]] std::optional<std::vector<rouse::Condition>> new_events() {
    return check_.checker->new_events();
  }
  /// During a run, too.
  void noticed() { check_.checker->noticed(); }
  void lost(const std::string& why) { check_.checker->lost(why); }

 private:
  const CheckConfig check_;
  const OnReport on_report_;
  StateTracker tracker_;
  std::chrono::nanoseconds overrun_{0};
  std::atomic<bool> retired_{false};
};

}  // namespace health
