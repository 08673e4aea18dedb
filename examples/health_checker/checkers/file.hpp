#pragma once
// file: whether a file is there, and of the right kind, age and size.
//
//   path = "/var/backups/db.dump"
//   state = "exists"     # or "absent": then nothing may be there
//   kind = "any"         # or "regular", "directory"
//   max_age = "25h"      # since its last change; default: any
//   min_size = "1MiB"    # default: any
//   max_size = "10GiB"
//
// Has an event: that the file comes or goes, unless it is on a network file system.

#include "base_checker.hpp"
#include "checkers/child_call.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace health {

struct FileOptions {
  enum class Kind { any, regular, directory };

  std::string path;
  bool absent = false;
  Kind kind = Kind::any;
  std::optional<std::chrono::milliseconds> max_age = {};
  std::optional<std::uint64_t> min_size = {};
  std::optional<std::uint64_t> max_size = {};
};

/// What stat(2) says.
struct FileFacts {
  int error = 0;  ///< errno, or 0.
  FileOptions::Kind kind = FileOptions::Kind::any;
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;  ///< Since 1970.
};

/// Follows symbolic links. Async-signal-safe.
FileFacts look_at_file(const char* path);

class FileChecker : public BaseChecker {
 public:
  /// A test gives a `look` that hangs, and has it made in a child as on a network file system.
  explicit FileChecker(FileOptions options, FileFacts (*look)(const char*) = &look_at_file,
                       ChildCall::Where where = ChildCall::Where::as_needed);
  CheckResult check(std::stop_token stop) override;
  std::optional<std::vector<rouse::Condition>> new_events() override;
  void noticed() override { armed_ = false; }
  void lost(const std::string& /*why*/) override { armed_ = false; }

 private:
  [[nodiscard]] CheckResult judge(const FileFacts& facts) const;

  const FileOptions options_;
  FileFacts (*const look_)(const char*);
  ChildCall call_;
  std::optional<bool> there_;               // at the last look
  std::optional<rouse::Condition> change_;  // since before that look
  std::optional<bool> armed_for_;
  std::atomic<bool> armed_{false};  // waits for the file to go, or to come, as armed_for_ says
};

}  // namespace health
