#pragma once
// load: the load average per CPU that this program may use.
//
//   window = "5m"    # or "1m", "15m"
//   warning = 2.0    # per CPU; default: 2
//   critical = 4.0   # default: 4

#include "base_checker.hpp"
#include "checkers/grade.hpp"

#include <string>

namespace health {

struct LoadOptions {
  enum class Window { one = 0, five = 1, fifteen = 2 };  ///< Minutes; the field of the file.

  Window window = Window::five;
  Ceiling per_cpu = {.warning = 2, .critical = 4};
  std::string loadavg = "/proc/loadavg";
  unsigned cpus = 0;  ///< 0: those that this thread may run on.
};

class LoadChecker : public BaseChecker {
 public:
  explicit LoadChecker(LoadOptions options);
  CheckResult check(std::stop_token stop) override;

 private:
  const LoadOptions options_;
};

}  // namespace health
