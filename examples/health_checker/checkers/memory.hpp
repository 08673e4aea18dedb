#pragma once
// memory: how much memory is available, of the machine or, where that is scarcer, of the control
// group (version 2) that this program runs in, as in a container.
//
//   warning = "10%"   # available share; default: 10%
//   critical = "5%"   # default: 5%

#include "base_checker.hpp"
#include "checkers/grade.hpp"

#include <string>

namespace health {

struct MemoryOptions {
  Floor available = {.warning = 10, .critical = 5};  ///< Per cent.
  std::string meminfo = "/proc/meminfo";
  std::string own_cgroup = "/proc/self/cgroup";
  std::string cgroup_root = "/sys/fs/cgroup";
};

class MemoryChecker : public BaseChecker {
 public:
  explicit MemoryChecker(MemoryOptions options);
  CheckResult check(std::stop_token stop) override;

 private:
  const MemoryOptions options_;
};

}  // namespace health
