#pragma once
// log: whether a line that must not be there is written to a log file.
//
//   file = "/var/log/app.log"       # followed as it grows and is rotated; may come later
//   pattern = "(ERROR|FATAL) .*"    # RE2, anywhere in the line
//   severity = "critical"           # or "warning"
//   hold = "5m"                     # for how long a line counts; default: 1m
//
// A line is reported when it is written, not at the next period: the check has an event. Only what
// is written while the program runs counts. `fall` is 1 unless the check says otherwise: a line
// that was written once will not be written again to be confirmed.

#include "base_checker.hpp"

#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>

namespace health {

struct LogLineOptions {
  std::string file;
  std::string pattern;
  Status severity = Status::critical;
  std::chrono::milliseconds hold{60'000};
};

class LogLineChecker : public BaseChecker {
 public:
  /// Throws std::invalid_argument, with RE2's reason, for a bad pattern.
  explicit LogLineChecker(LogLineOptions options);
  CheckResult check(std::stop_token stop) override;
  std::optional<std::vector<rouse::Condition>> new_events() override;
  void noticed() override;
  void lost(const std::string& why) override;

 private:
  using Clock = std::chrono::steady_clock;

  const LogLineOptions options_;
  std::optional<rouse::LineCondition> condition_;

  std::mutex mutex_;  // of what follows
  bool armed_ = false;
  std::string trouble_;  // why it cannot be followed
  std::string line_;     // the last that was noticed
  Clock::time_point when_;
  std::size_t count_ = 0;  // since the last result without one
};

}  // namespace health
