#pragma once
// command: runs a program that follows the rules of Nagios plug-ins: exit code 0 to 3 is the
// status, the first line of output the message, and behind a bar in it stand figures.
//
//   argv = ["/usr/lib/nagios/plugins/check_users", "-w", "5"]    # either this
//   shell = "test -e /var/run/reboot-required && exit 1; exit 0"  # or this, for /bin/sh
//   time_limit = "8s"   # then it is asked to end and the check is critical; default: none but the
//                       # check's timeout, at which it has only 50 ms to end
//   grace = "2s"        # from TERM to KILL after the time limit

#include "base_checker.hpp"
#include "checkers/child.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace health {

struct CommandOptions {
  std::vector<std::string> argv;
  std::optional<std::chrono::milliseconds> time_limit;
  std::chrono::milliseconds grace{2000};
  std::size_t output_cap = 64 * 1024;  ///< Bytes; what is beyond is read and dropped.
};

class CommandChecker : public BaseChecker {
 public:
  explicit CommandChecker(CommandOptions options);
  CheckResult check(std::stop_token stop) override;

 private:
  const CommandOptions options_;
  Child unkillable_;  // of an earlier check
};

}  // namespace health
