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

#include "base_checker.hpp"

#include <cstdint>
#include <limits>
#include <string>

namespace health {

struct ProcessOptions {
  std::string process;
  std::string path;
  std::string command;
  std::string pid_file;
  std::int64_t min = 1;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  std::string proc = "/proc";
};

class ProcessChecker : public BaseChecker {
 public:
  explicit ProcessChecker(ProcessOptions options);
  CheckResult check(std::stop_token stop) override;

 private:
  const ProcessOptions options_;
};

}  // namespace health
