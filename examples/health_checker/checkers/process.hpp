#pragma once
// process: whether a program runs, and how often.
//
//   process = "nginx"                # of the executable or, as ps shows it, of the process
//   path = "/usr/sbin/nginx"         # the executable; seen only where /proc may be read (own
//                                    # processes, or all as root)
//   command = "worker --queue=mail"  # somewhere in its command line
//   pid_file = "/run/nginx.pid"      # only the process named there
//   min = 1                          # how many; default: at least one
//   max = 10                         # default: any number
//
// At least one of the first four; a process counts that agrees with all that are given.
// Has an event: the end of one of those that count, up to 32 of them.

#include "base_checker.hpp"

#include <atomic>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace health {

struct ProcessOptions {
  std::string process = {};
  std::string path = {};
  std::string command = {};
  std::string pid_file = {};
  std::int64_t min = 1;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  std::string proc = "/proc";
};

class ProcessChecker : public BaseChecker {
 public:
  explicit ProcessChecker(ProcessOptions options);
  CheckResult check(std::stop_token stop) override;
  std::optional<std::vector<rouse::Condition>> new_events() override;
  void noticed() override { armed_ = false; }
  void lost(const std::string& /*why*/) override { armed_ = false; }

 private:
  const ProcessOptions options_;
  std::vector<std::int64_t> counted_;  // pids, in the last run
  std::vector<std::int64_t> watched_;
  std::atomic<bool> armed_{false};
};

}  // namespace health
