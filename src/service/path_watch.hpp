#pragma once
// PathWatch: what a path leads to, and a watch on everything that this depends on.
//
//   PathWatch way("/var/log/app.log", PathWatch::Last::follow);
//   const UniqueFd file = way.walk(watcher);  // empty: not there
//   ... later, with the news of the watcher ...
//   if (way.concerned(news)) { walk again }
//
// Thread safety: the thread of its wait. Design: docs/design/autowait.md.

#include "service/file_events.hpp"
#include "service/unique_fd.hpp"

#include <span>
#include <string>
#include <vector>

namespace rouse::detail {

class PathWatch {
 public:
  enum class Last { follow, as_it_stands };  ///< If the last component is a symbolic link.

  /// A relative path belongs to the working directory of now. Throws std::invalid_argument if it is
  /// empty or has a NUL, std::system_error if the working directory is gone.
  PathWatch(std::string path, Last last);

  /// Walks the path, and watches each directory on it for the next component. Returns an O_PATH
  /// descriptor of what it leads to, or nothing if that does not exist. The watches of an earlier
  /// walk are dropped. Throws std::system_error naming the path: EACCES, ELOOP, ENAMETOOLONG,
  /// EMFILE.
  UniqueFd walk(FileWatcher& watcher);

  /// Whether a walk may lead elsewhere by now.
  bool concerned(std::span<const FileNews> news) const noexcept;

  /// Whether the last walk could watch all of it, on file systems that tell of all changes. If not,
  /// it is to be walked again now and then.
  bool is_told() const noexcept { return told_; }

  /// Absolute.
  const std::string& path() const noexcept { return path_; }

  /// Throws std::system_error naming the path.
  [[noreturn]] void fail(int error) const;

 private:
  void watch(FileWatcher& watcher, int directory, const std::string& name);

  const std::string path_;
  const Last last_;
  bool told_ = true;
  std::vector<FileWatch> watches_;
};

/// Whether what was looked up is not there: the reason may be any part of its path.
bool means_absent(int error) noexcept;

/// Whether the file system of `fd` tells of all changes by inotify.
bool tells_changes(int fd) noexcept;

/// Watches the inode of `fd`, an O_PATH descriptor too. Nothing if that may not be watched, or its
/// file system does not tell of all changes: a server that is gone must not hold up all waits.
std::optional<FileWatch> watch_inode(FileWatcher& watcher, int fd, std::uint32_t mask,
                                     std::string_view only = {});

}  // namespace rouse::detail
