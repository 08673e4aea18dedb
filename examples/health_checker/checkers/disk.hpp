#pragma once
// disk: how full the file system is that a path is on.
//
//   path = "/"
//   warning = "85%"          # used share, as df shows it; default: 90%
//   critical = "95%"         # default: 95%
//   inode_warning = "90%"    # used share of the inodes, where the file system counts them
//   inode_critical = "95%"
//
// To give free shares, write 100 minus them.

#include "base_checker.hpp"
#include "checkers/child_call.hpp"
#include "checkers/grade.hpp"

#include <cstdint>
#include <string>

namespace health {

struct DiskOptions {
  std::string path;
  Ceiling used = {.warning = 90, .critical = 95};  ///< Per cent.
  Ceiling inodes_used = {.warning = 90, .critical = 95};
};

/// What statvfs(3) says. Bytes and inodes.
struct DiskFacts {
  int error = 0;  ///< errno, or 0.
  std::uint64_t used = 0;
  std::uint64_t available = 0;  ///< To everybody but root.
  std::uint64_t inodes = 0;     ///< 0 where they are not counted.
  std::uint64_t inodes_available = 0;
};

/// Async-signal-safe.
DiskFacts look_at_disk(const char* path);

class DiskChecker : public BaseChecker {
 public:
  /// A test gives a `look` that hangs, and has it made in a child as on a network file system.
  explicit DiskChecker(DiskOptions options, DiskFacts (*look)(const char*) = &look_at_disk,
                       ChildCall::Where where = ChildCall::Where::as_needed);
  CheckResult check(std::stop_token stop) override;

 private:
  [[nodiscard]] CheckResult judge(const DiskFacts& facts) const;

  const DiskOptions options_;
  DiskFacts (*const look_)(const char*);
  ChildCall call_;
};

}  // namespace health
