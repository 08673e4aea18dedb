#pragma once
// What /proc says of processes.
//
//   ProcessWalk walk;
//   while (const auto process = walk.next()) {
//     if (process->name() == "nginx") return process->info();
//   }
//
// A process may end at any moment, and its pid become another's. What is read of a ProcessEntry is
// of one and the same process; when that has ended it is empty. So is what this user may not read.
// What /proc hides from this user (hidepid) does not exist. Our own process counts as any other.
// Throws std::system_error where the system fails, for lack of descriptors for instance.
// Cost: info() some twenty system calls, the others one to four.

#include "rouse/service/condition.hpp"

#include "service/open_directory.hpp"
#include "service/unique_fd.hpp"

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rouse::detail {

/// From /proc/PID/stat.
struct ProcessStatus {
  std::string name;
  char state = '?';
  long threads = 0;
  std::uint64_t start_time = 0;

  /// A first thread that has ended is a zombie too as long as others of its process run.
  bool ended() const noexcept {
    return state == 'X' || state == 'x' || (state == 'Z' && threads <= 1);
  }
};

/// Nothing if `text` is no such line.
std::optional<ProcessStatus> parse_process_status(std::string_view text);

class ProcessEntry {
 public:
  /// Nothing if there is no such process (or thread).
  static std::optional<ProcessEntry> open(::pid_t pid);

  ::pid_t pid() const noexcept { return pid_; }

  std::optional<ProcessStatus> status() const;
  /// What the kernel calls it: at most 15 bytes.
  std::string name() const;
  std::string executable() const;
  std::string working_directory() const;
  std::vector<std::string> command_line() const;
  /// The command line's first word; empty if it is longer than a path may be.
  std::string first_word() const;
  /// The process that this is a thread of; for a process itself, its pid.
  std::optional<::pid_t> thread_group() const;
  /// Of its descriptors that are sockets. Throws std::system_error if they may not be seen.
  std::vector<std::uint64_t> socket_inodes() const;

  /// All of it. Nothing if the process has ended.
  std::optional<ProcessInfo> info() const;

 private:
  friend class ProcessWalk;
  ProcessEntry(::pid_t pid, UniqueFd directory) noexcept
      : pid_(pid), directory_(std::move(directory)) {}
  static std::optional<ProcessEntry> open_in(int proc, const char* name, ::pid_t pid);

  std::string read(const char* file, std::size_t at_least) const;
  std::string read_link(const char* link) const;

  ::pid_t pid_;
  UniqueFd directory_;
};

/// All processes, one after the other. Who comes or goes meanwhile is seen or not.
class ProcessWalk {
 public:
  ProcessWalk();
  /// Nothing behind the last one.
  std::optional<ProcessEntry> next();

 private:
  OpenDirectory proc_;
};

}  // namespace rouse::detail
