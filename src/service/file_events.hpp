#pragma once
// FileEvents: the process's inotify instance, and FileWatcher, the share of one condition.
//
//   FileWatcher watcher(hint, "a file app.log in /var/log");  // the hint of the thread that waits
//   const auto watch = watcher.watch("/var/log", IN_CREATE | IN_MOVED_TO, "app.log");
//   ... look, then block until the hint ...
//   for (const FileNews& news : watcher.take()) ...
//
// Who leads (Lead) polls the descriptors and calls dispatch().
// Thread safety: FileEvents: any thread. A watcher: the thread of its hint.
// Design: docs/design/autowait.md.

#include "rouse/wait/wait_hint.hpp"

#include "service/lead.hpp"
#include "service/unique_fd.hpp"

#include <sys/inotify.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

struct pollfd;

namespace rouse::detail {

/// One subscription of a watcher. No other one of the process ever has the same number.
using FileWatch = std::uint64_t;

/// A hint that something has happened.
struct FileNews {
  FileWatch watch;
  std::uint32_t mask = 0;
  std::string name = {};  ///< Of the entry, if a directory is watched.

  /// Instead of a watch: news were lost. All watches of the watcher have been dropped: watch and
  /// look again.
  static constexpr FileWatch everything = UINT64_MAX;
};

class FileWatcher;

class FileEvents {
 public:
  /// Made when the program, or the shared library, is loaded.
  static FileEvents& instance();

  FileEvents(const FileEvents&) = delete;
  FileEvents& operator=(const FileEvents&) = delete;

  Lead& lead() noexcept { return lead_; }

  /// What the leader polls: these two entries.
  static constexpr std::size_t polled = 2;
  void poll(std::span<::pollfd, polled> fds) const noexcept;
  /// Leader, when one of them is ready: reads what has come and hints at whom it concerns.
  void dispatch(std::span<const ::pollfd, polled> fds) noexcept;

 private:
  friend class FileWatcher;

  struct Subscription {
    FileWatcher* watcher;
    FileWatch watch;
    std::uint32_t mask;
    std::string only;  // the name it is about; empty: all
  };
  class Wakes;

  FileEvents() noexcept;
  ~FileEvents() = delete;  // threads may wait while the program ends

  void open();
  void tell(const ::inotify_event& event, std::string_view name, Wakes& wakes) noexcept;
  void tell_everybody(Wakes& wakes) noexcept;
  void end_if_unused(int number) noexcept;
  void forget_after_fork() noexcept;

  Lead lead_;
  mutable std::mutex mutex_;  // of what follows, and of the watchers' news
  UniqueFd inotify_;
  UniqueFd mounts_;  // /proc/self/mountinfo: a mount can change what a path leads to
  // By the kernel's number. In no order, so that one of a thousand is removed at once.
  std::unordered_map<int, std::vector<Subscription>> subscriptions_;
  std::vector<FileWatcher*> watchers_;
  FileWatch next_watch_ = 0;
  Atomic<std::uint32_t> forks_{0};
  int fork_error_ = 0;  // why forks are not noticed
};

class FileWatcher {
 public:
  /// `about` names what is waited for, in errors. Throws std::system_error if the kernel's limits
  /// are reached.
  FileWatcher(WaitHint& hint, std::string about);
  ~FileWatcher();

  FileWatcher(const FileWatcher&) = delete;
  FileWatcher& operator=(const FileWatcher&) = delete;

  /// Watches the inode that `path` leads to for the events of `mask`; of a directory's entries only
  /// for the one called `only`, unless that is empty. Whatever the mask, the end of the watch
  /// (IN_IGNORED) is news. Nothing if the inode may not be watched or is not there. Throws
  /// std::system_error where the kernel's limit of watches is reached.
  std::optional<FileWatch> watch(const char* path, std::uint32_t mask, std::string_view only = {});
  /// Nothing happens if it has ended.
  void unwatch(FileWatch watch) noexcept;

  /// Whether there is something to take.
  bool has_news() const noexcept;
  /// Either some news, or one that says `everything`.
  std::vector<FileNews> take();

 private:
  friend class FileEvents;

  static constexpr std::size_t max_news_ = 256;  // more are one `everything`

  struct Place {
    int number;         // the kernel's
    std::size_t index;  // among those who are subscribed to it
  };

  // Under the mutex of the events:
  void join();
  void add(FileWatch watch, const ::inotify_event& event, std::string_view name) noexcept;
  void lose_news() noexcept;
  void drop_watches() noexcept;
  void drop(Place place) noexcept;

  FileEvents& events_;
  WaitHint& hint_;
  const std::string about_;
  std::unordered_map<FileWatch, Place> watches_;
  std::vector<FileNews> news_;
  bool lost_ = false;
  Atomic<bool> has_news_{false};
  std::uint32_t forks_ = 0;  // of the process, when it joined
};

}  // namespace rouse::detail
