#pragma once
// BaseChecker: one thing that is looked at, again and again. Derive, implement check(), done.
//
// A checker knows nothing of threads, periods or configuration files, so a test calls check() as it
// is. It waits only through rouse (or in a child process), so that a stop ends it wherever it is.

#include "rouse/service/condition.hpp"

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace health {

/// In the order of Nagios' exit codes.
enum class Status { ok = 0, warning = 1, critical = 2, unknown = 3 };

const char* to_string(Status status) noexcept;

/// A number that a check measured: "latency" 12.5 "ms".
struct Figure {
  std::string name;
  double value = 0;
  std::string unit;
};

struct CheckResult {
  Status status = Status::unknown;
  std::string message = {};  ///< One line for people; may hold bytes of the target, unescaped.
  std::chrono::nanoseconds duration{};  ///< Filled in by whoever runs the check.
  std::vector<Figure> figures = {};
};

class BaseChecker {
 public:
  virtual ~BaseChecker() = default;

  /// Looks once. The caller has bound its stop and its timeout to this thread (this_thread::Bind of
  /// a StopScope with a deadline), so waits need no deadline of their own; `stop` is that scope's
  /// token. A check whose wait was stopped throws rouse::Stopped, and the caller knows why. What is
  /// wrong with the target is a result; an exception means that the check itself is broken (the
  /// caller makes it `unknown`).
  virtual CheckResult check(std::stop_token stop) = 0;

  /// What makes it worthwhile to run the check before its time: it runs at once when one of them
  /// holds. Asked at the start and after each run. Nothing: what was said last still counts. Some:
  /// these are waited for instead, until one of them holds; none of them: the period is all there
  /// is.
  virtual std::optional<std::vector<rouse::Condition>> new_events() { return std::nullopt; }

  /// One of them has held. Called before the run that follows, and perhaps during another one.
  virtual void noticed() {}
  /// They cannot be waited for, and are given up: the next new_events() may try again.
  virtual void lost(const std::string& /*why*/) {}
};

}  // namespace health
