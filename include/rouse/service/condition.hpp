#pragma once
// Condition: something outside of the program that a thread can wait for.
//
/// @code
/// #include <rouse/service/autowait.hpp>
///   auto started = rouse::until::line_matches("server.log", "listening on port ([0-9]+)",
///                                             {.from = rouse::LineStart::end});
///   auto crashed = rouse::until::process_gone(4711);
///   const rouse::AnyReady first = rouse::wait_until_any({started, crashed}, {.timeout = 30s});
///   if (first.status == rouse::WaitStatus::ready && first.index == 0) {
///     const std::string& port = started.groups()[1];
///   }
/// @endcode
//
// A Condition is a handle: copies mean the same condition, and what a wait has found is read from
// any of them. Made once, it can be waited for again: line_matches then goes on behind the line it
// has found, the others look anew.
// Thread safety: distinct conditions: any thread. One condition: one wait at a time, and what it
// has
//   found is read after the wait.
// Lifetime: what it refers to (an Event, what a predicate captures) lives as long as its waits.
// Which are woken by events: files and lines by inotify, but for file systems that do not tell
//   (NFS and other network file systems, FUSE, /proc, ...) and directories that may not be read;
//   process_gone by pidfd; event_set by the event. Ports and processes that appear have no event
//   that everybody may hear: they are looked at again after 1 ms, then after twice that, up to
//   `interval`. A process that appears is told at once where the kernel lets the program listen to
//   its process events (connector_in_use()). What no event tells is seen after `interval`: that a
//   process works in another directory or has rewritten its command line, and for
//   process_gone(path) that it has executed another program.
// Calls that cannot be ended: open and stat on a network file system whose server is gone.

#include "rouse/detail/deadline.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace rouse {

class Event;

namespace detail {
class ConditionState;
class FileState;
class LineState;
class ProcessState;
class WaitLoop;
}  // namespace detail

/// A duration, saturated: hours::max() is for ever, what is negative is zero.
class WaitTime {
 public:
  template <class Rep, class Period>
  constexpr WaitTime(const std::chrono::duration<Rep, Period>& d) noexcept  // NOLINT: implicit
      : ns_(detail::saturated_ns(d)) {
    if (ns_ < 0) ns_ = 0;
  }

  constexpr std::chrono::nanoseconds nanoseconds() const noexcept {
    return std::chrono::nanoseconds(ns_);
  }

 private:
  std::int64_t ns_;
};

// `timeout` is for the wait_until_... functions of autowait.hpp; a Condition has none. `interval`
// is how often what has no event is looked at again. An interval of zero or less is an error
// (std::invalid_argument).

struct FileOptions {
  bool recursive = false;  ///< Also in the directories below, but not through symbolic links.
  WaitTime timeout = std::chrono::seconds(10);
  WaitTime interval = std::chrono::milliseconds(500);
};

enum class LineStart : std::uint8_t {
  start,  ///< What the file has now counts.
  end,    ///< Only what is written after the condition was made.
};

struct LineOptions {
  LineStart from = LineStart::start;
  std::size_t max_line = 64 * 1024;  ///< In bytes; of a longer line only this much is looked at.
  WaitTime timeout = std::chrono::seconds(10);
  WaitTime interval = std::chrono::milliseconds(500);
};

struct ProcessOptions {
  WaitTime timeout = std::chrono::seconds(10);
  WaitTime interval = std::chrono::milliseconds(500);
};

enum class Protocol : std::uint8_t { tcp, udp };
enum class AddressFamily : std::uint8_t { any, v4, v6 };

struct PortOptions {
  Protocol protocol = Protocol::tcp;
  AddressFamily family = AddressFamily::any;
  std::string address = {};  ///< Numeric; empty: any. Who listens on all addresses uses each.
  WaitTime timeout = std::chrono::seconds(10);
  WaitTime interval = std::chrono::milliseconds(500);
};

struct PredicateOptions {
  WaitTime timeout = std::chrono::seconds(10);
  WaitTime interval = std::chrono::milliseconds(500);
};

/// A process as /proc shows it. What may not be read of another user's process is empty.
struct ProcessInfo {
  ::pid_t pid = 0;
  std::uint64_t start_time = 0;  ///< In clock ticks since boot; with the pid it is unique.
  std::string name;              ///< At most 15 bytes, as the kernel keeps it.
  std::string executable;
  std::vector<std::string> command_line;
  std::string working_directory;
};
using ProcessPredicate = std::function<bool(const ProcessInfo&)>;

class [[gnu::visibility("default")]] Condition {
 public:
  /// Made by the functions of namespace until.
  [[gnu::visibility("hidden")]] explicit Condition(
      std::shared_ptr<detail::ConditionState> state) noexcept;

  /// What is waited for, for people: "a file *.pid in /run".
  std::string describe() const;

 private:
  friend class detail::WaitLoop;

  std::shared_ptr<detail::ConditionState> state_;
};

class [[gnu::visibility("default")]] FileCondition : public Condition {
 public:
  [[gnu::visibility("hidden")]] explicit FileCondition(
      std::shared_ptr<detail::FileState> state) noexcept;
  /// What the last wait found; empty if it did not.
  const std::string& path() const noexcept;

 private:
  detail::FileState* file_;
};

class [[gnu::visibility("default")]] LineCondition : public Condition {
 public:
  [[gnu::visibility("hidden")]] explicit LineCondition(
      std::shared_ptr<detail::LineState> state) noexcept;
  /// What the last wait found, without its end of line; empty if it did not.
  const std::string& line() const noexcept;
  /// The part of the line that matched, then the groups of the pattern in order. A group that took
  /// no part is empty.
  const std::vector<std::string>& groups() const noexcept;

 private:
  detail::LineState* line_;
};

class [[gnu::visibility("default")]] ProcessCondition : public Condition {
 public:
  [[gnu::visibility("hidden")]] explicit ProcessCondition(
      std::shared_ptr<detail::ProcessState> state) noexcept;
  /// What the last wait found; pid 0 if it did not.
  const ProcessInfo& process() const noexcept;

 private:
  detail::ProcessState* process_;
};

namespace until {

// --- files ---------------------------------------------------------------------------------------

/// An entry of `directory` whose name matches `glob` (as in a shell: *, ?, [...], a backslash
/// before what is meant literally, no '/', and a leading '.' only by itself). The directory need
/// not exist yet, and may be renamed or replaced. Any kind of entry counts, a symbolic link as it
/// stands, also one that points nowhere; links in `directory` itself are followed. Throws
/// std::invalid_argument for a glob that is empty, has a '/' or ends in a backslash;
/// std::system_error while waiting in a directory that may not be entered, or read if `glob` is a
/// pattern. Directories below it that may not be read are passed over until they may.
[[gnu::visibility("default")]] FileCondition file_exists(std::string directory, std::string glob,
                                                         FileOptions options = {});

/// Nothing is called `path`. A symbolic link that points nowhere is still there.
[[gnu::visibility("default")]] Condition file_gone(std::string path, FileOptions options = {});

/// The file is not what it was when the condition was made or, later, when a wait for it found it
/// changed: its content, size or attributes are others, it was replaced, or it came or went.
/// Symbolic links are followed. Several changes are one if nobody waits meanwhile. Throws
/// std::system_error, also here, where the path may not be followed.
[[gnu::visibility("default")]] Condition file_changed(std::string path, FileOptions options = {});

/// The file exists and has not been changed (size, content, attributes) or replaced for
/// `quiet_time`, which counts from its last change. Symbolic links are followed.
[[gnu::visibility("default")]] Condition file_stable(std::string path, WaitTime quiet_time,
                                                     FileOptions options = {});

/// A line of `file` in which the RE2 `pattern` is found. The file is followed as it grows, through
/// rotation (rename and create) and truncation, and need not exist yet; see docs/guide/autowait.md
/// for lines without an end, long lines and bytes that are no text. Throws std::invalid_argument
/// for a pattern that RE2 refuses, with its reason; std::system_error for a file that cannot be
/// read or is not a regular one: while waiting, and with LineStart::end also here.
[[gnu::visibility("default")]] LineCondition line_matches(std::string file, std::string pattern,
                                                          LineOptions options = {});

// --- processes -----------------------------------------------------------------------------------
//
// As /proc shows them: what it hides from this user (hidepid) does not exist, and of another user's
// process it tells the name and the command line only. The calling process counts as any other.

/// A process of which one of these holds: `path` is its executable; it is the first word of its
/// command line; or the last component of that word is the name of `path`, and the process works in
/// the directory of `path`. Without a '/' it is a name: of the executable, of the command line's
/// first word, or the kernel's. A script is found by its name only: what runs is its interpreter.
/// Symbolic links in `path` are followed at each look; a relative `path` is taken where the program
/// works when the condition is made. Zombies have ended. Throws std::invalid_argument if `path`
/// names no file.
[[gnu::visibility("default")]] ProcessCondition process_exists(std::string path,
                                                               ProcessOptions options = {});
/// A process for which `predicate` is true.
[[gnu::visibility("default")]] ProcessCondition process_exists(ProcessPredicate predicate,
                                                               ProcessOptions options = {});

/// The process that has this pid when the condition is made has ended; at once if there is none.
/// Throws std::invalid_argument if `pid` is not positive, std::system_error if it is a thread's.
/// Keeps a descriptor until the process has ended. Kernels without pidfds (before 5.3) have it
/// looked at every `interval`.
[[gnu::visibility("default")]] Condition process_gone(::pid_t pid, ProcessOptions options = {});
/// Exactly this process has ended, though its pid may be another's by now.
[[gnu::visibility("default")]] Condition process_gone(const ProcessInfo& process,
                                                      ProcessOptions options = {});
/// No process is left that process_exists(path) would find.
[[gnu::visibility("default")]] Condition process_gone(std::string path,
                                                      ProcessOptions options = {});

/// Whether processes that appear are told by the kernel's process connector, and not looked for: it
/// takes CAP_NET_ADMIN, and the first namespaces of users, processes and networks.
[[gnu::visibility("default")]] bool connector_in_use();

// --- ports ---------------------------------------------------------------------------------------
//
// Those of the calling thread's network namespace, as the kernel's sock_diag tells them. Where that
// is refused, as in some sandboxes, /proc/net is read, which does not tell whether a socket on all
// of IPv6 serves IPv4 as well: it is then taken for what the system makes it (bindv6only).

/// Somebody listens on the TCP port, or has bound the UDP port. Throws std::invalid_argument for a
/// port of 0 or above 65535, and for an address that is not numeric or not of the family.
[[gnu::visibility("default")]] Condition port_used(int port, PortOptions options = {});
/// Nobody does.
[[gnu::visibility("default")]] Condition port_free(int port, PortOptions options = {});
/// One process that process_exists(path) would find, or has the pid, uses all of `ports`; it may
/// share them with others. Of another user's process that cannot be known without privilege:
/// std::system_error, once all of them are used.
[[gnu::visibility("default")]] ProcessCondition process_uses_ports(std::string path,
                                                                   std::vector<int> ports,
                                                                   PortOptions options = {});
[[gnu::visibility("default")]] ProcessCondition process_uses_ports(::pid_t pid,
                                                                   std::vector<int> ports,
                                                                   PortOptions options = {});

// --- anything ------------------------------------------------------------------------------------

/// `predicate` returns true; it is called in the waiting thread, every `interval`. What it throws
/// leaves the wait.
[[gnu::visibility("default")]] Condition holds(std::function<bool()> predicate,
                                               PredicateOptions options = {});

/// `event` is set.
[[gnu::visibility("default")]] Condition event_set(Event& event);

}  // namespace until
}  // namespace rouse
