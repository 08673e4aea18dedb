#pragma once
// autowait: wait until a file, a line of a log, a process or a port is there, or gone.
//
/// @code
///   if (rouse::wait_until_port_used(8080, {.timeout = 30s}) != rouse::WaitStatus::ready) {
///     throw std::runtime_error("the server does not come up");
///   }
///   const auto found = rouse::wait_until_line_matches("server.log", "version ([0-9.]+)");
///   if (found.status == rouse::WaitStatus::ready) {
///     const std::string& version = found.groups[1];
///   }
/// @endcode
//
// Each returns at once if what it waits for holds already. Else it blocks until it does (`ready`),
// `stop` or the thread's ambient stop is requested (`stopped`), or `timeout` has passed, which is
// 10 s unless the options say otherwise. It throws what was raised at the thread, and
// std::system_error where the system fails, naming the path, process or port.
// What is looked for, with all its details, is said at the condition of the same name
// (condition.hpp): wait_until_x(...) waits for until::x(...).
// Thread safety: all of it may be called from any thread. Waits for files share one inotify
//   instance, which stays open until the program ends.
// Cost: what has events wakes nobody while nothing happens. A wait makes a few allocations and
//   system calls before it blocks, and keeps a watch per directory of its path.
// Design: docs/design/autowait.md.

#include "rouse/service/condition.hpp"
#include "rouse/wait/wait_any.hpp"
#include "rouse/wait/wait_status.hpp"

#include <initializer_list>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace rouse {

/// How a wait for a file ended, and what it found. Compares as its status.
struct FileFound {
  WaitStatus status = WaitStatus::timeout;
  std::string path;  ///< Empty unless ready.

  operator WaitStatus() const noexcept { return status; }  // NOLINT: implicit
};

struct LineFound {
  WaitStatus status = WaitStatus::timeout;
  std::string line;                 ///< Without its end; empty unless ready.
  std::vector<std::string> groups;  ///< What matched, then the groups of the pattern.

  operator WaitStatus() const noexcept { return status; }  // NOLINT: implicit
};

struct ProcessFound {
  WaitStatus status = WaitStatus::timeout;
  ProcessInfo process;  ///< Pid 0 unless ready.

  operator WaitStatus() const noexcept { return status; }  // NOLINT: implicit
};

/// How a wait for several conditions ended. Compares as its status.
struct AllReady {
  WaitStatus status = WaitStatus::timeout;
  std::vector<std::size_t> missing;  ///< Those that did not hold when it ended, in order.

  operator WaitStatus() const noexcept { return status; }  // NOLINT: implicit
};

struct WaitOptions {
  WaitTime timeout = std::chrono::seconds(10);
};

/// Blocks until one of `conditions` holds; `index` says which, the first in order if several do. If
/// there are none, it waits for the stop or the timeout. Precondition: no condition is given twice.
[[nodiscard, gnu::visibility("default")]] AnyReady wait_until_any(
    std::span<const Condition> conditions, WaitOptions options = {}, std::stop_token stop = {});
[[nodiscard]] inline AnyReady wait_until_any(std::initializer_list<Condition> conditions,
                                             WaitOptions options = {}, std::stop_token stop = {}) {
  return wait_until_any(std::span(conditions.begin(), conditions.size()), options, std::move(stop));
}

/// Blocks until all of `conditions` hold: what held earlier is looked at again when the last of
/// them does, but for lines, which have been written once and for all. If there are none it is
/// ready at once.
[[nodiscard, gnu::visibility("default")]] AllReady wait_until_all(
    std::span<const Condition> conditions, WaitOptions options = {}, std::stop_token stop = {});
[[nodiscard]] inline AllReady wait_until_all(std::initializer_list<Condition> conditions,
                                             WaitOptions options = {}, std::stop_token stop = {}) {
  return wait_until_all(std::span(conditions.begin(), conditions.size()), options, std::move(stop));
}

/// Blocks until `condition` holds.
[[gnu::visibility("default")]] WaitStatus wait_until(const Condition& condition,
                                                     WaitOptions options = {},
                                                     std::stop_token stop = {});
/// Blocks until `predicate()` is true.
[[gnu::visibility("default")]] WaitStatus wait_until(std::function<bool()> predicate,
                                                     PredicateOptions options = {},
                                                     std::stop_token stop = {});

[[nodiscard, gnu::visibility("default")]] FileFound wait_until_file_exists(
    std::string directory, std::string glob, FileOptions options = {}, std::stop_token stop = {});
[[gnu::visibility("default")]] WaitStatus wait_until_file_gone(std::string path,
                                                               FileOptions options = {},
                                                               std::stop_token stop = {});
/// From now on; to hear of every change, wait for one until::file_changed() again and again.
[[gnu::visibility("default")]] WaitStatus wait_until_file_changed(std::string path,
                                                                  FileOptions options = {},
                                                                  std::stop_token stop = {});
[[gnu::visibility("default")]] WaitStatus wait_until_file_stable(std::string path,
                                                                 WaitTime quiet_time,
                                                                 FileOptions options = {},
                                                                 std::stop_token stop = {});
[[nodiscard, gnu::visibility("default")]] LineFound wait_until_line_matches(
    std::string file, std::string pattern, LineOptions options = {}, std::stop_token stop = {});

[[nodiscard, gnu::visibility("default")]] ProcessFound wait_until_process_exists(
    std::string path, ProcessOptions options = {}, std::stop_token stop = {});
[[nodiscard, gnu::visibility("default")]] ProcessFound wait_until_process_exists(
    ProcessPredicate predicate, ProcessOptions options = {}, std::stop_token stop = {});
[[gnu::visibility("default")]] WaitStatus wait_until_process_gone(::pid_t pid,
                                                                  ProcessOptions options = {},
                                                                  std::stop_token stop = {});
[[gnu::visibility("default")]] WaitStatus wait_until_process_gone(const ProcessInfo& process,
                                                                  ProcessOptions options = {},
                                                                  std::stop_token stop = {});
[[gnu::visibility("default")]] WaitStatus wait_until_process_gone(std::string path,
                                                                  ProcessOptions options = {},
                                                                  std::stop_token stop = {});

[[gnu::visibility("default")]] WaitStatus wait_until_port_used(int port, PortOptions options = {},
                                                               std::stop_token stop = {});
[[gnu::visibility("default")]] WaitStatus wait_until_port_free(int port, PortOptions options = {},
                                                               std::stop_token stop = {});
[[nodiscard, gnu::visibility("default")]] ProcessFound wait_until_process_uses_ports(
    std::string path, std::vector<int> ports, PortOptions options = {}, std::stop_token stop = {});
[[nodiscard, gnu::visibility("default")]] ProcessFound wait_until_process_uses_ports(
    ::pid_t pid, std::vector<int> ports, PortOptions options = {}, std::stop_token stop = {});

/// Blocks until no process is left that `path` finds, and `ports` are free.
[[gnu::visibility("default")]] WaitStatus wait_until_process_killed(std::string path,
                                                                    std::vector<int> ports,
                                                                    PortOptions options = {},
                                                                    std::stop_token stop = {});
[[gnu::visibility("default")]] WaitStatus wait_until_process_killed(::pid_t pid,
                                                                    std::vector<int> ports,
                                                                    PortOptions options = {},
                                                                    std::stop_token stop = {});

}  // namespace rouse
