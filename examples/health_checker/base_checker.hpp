#pragma once
// BaseChecker: one thing that is looked at, again and again. Derive, implement check(), done.
//
// A checker knows nothing of threads, periods or configuration files, so a test calls check() as it
// is. It waits only through rouse (or in a child process), so that a stop ends it wherever it is.

#include <chrono>
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
};

}  // namespace health
