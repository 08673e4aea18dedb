#include "service/path_watch.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace rouse::detail {
namespace {

constexpr std::uint32_t way_events = IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM;

// As many as the kernel follows.
constexpr int max_links = 40;

std::string absolute(std::string path) {
  if (path.empty()) throw std::invalid_argument("rouse: the path to wait for is empty");
  if (path.find('\0') != std::string::npos) {
    throw std::invalid_argument("rouse: the path to wait for has a NUL");
  }
  if (path.front() == '/') return path;
  const std::unique_ptr<char, decltype(&std::free)> directory(::getcwd(nullptr, 0), &std::free);
  if (directory == nullptr) {
    throw std::system_error(errno, std::generic_category(),
                            "rouse: the working directory, for the path " + path);
  }
  return std::string(directory.get()) + "/" + path;
}

// What is still to be walked, the next component last.
void push_components(std::vector<std::string>& rest, std::string_view path) {
  const std::size_t before = rest.size();
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, end);
    if (!name.empty() && name != ".") rest.emplace_back(name);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  std::reverse(rest.begin() + static_cast<std::ptrdiff_t>(before), rest.end());
}

bool is_proc(int fd) noexcept {
  struct statfs status {};
  return ::fstatfs(fd, &status) == 0 && status.f_type == PROC_SUPER_MAGIC;
}

}  // namespace

PathWatch::PathWatch(std::string path, Last last) : path_(absolute(std::move(path))), last_(last) {}

void PathWatch::fail(int error) const {
  throw std::system_error(error, std::generic_category(), "rouse: waiting for " + path_);
}

void PathWatch::watch(FileWatcher& watcher, int directory, const std::string& name) {
  const auto watch = watch_inode(watcher, directory, way_events, name);
  if (watch) {
    watches_.push_back(*watch);
  } else {
    told_ = false;
  }
}

UniqueFd PathWatch::walk(FileWatcher& watcher) {
  // The new ones first: what is watched in both is not told anew by the kernel.
  const std::vector<FileWatch> old = std::exchange(watches_, {});
  told_ = true;
  UniqueFd at;
  const auto go_to_root = [&] {
    at.reset(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!at) fail(errno);
  };
  const auto walk_on = [&]() -> bool {
    std::vector<std::string> rest;
    push_components(rest, path_);
    go_to_root();
    int links = 0;
    while (!rest.empty()) {
      const std::string name = std::move(rest.back());
      rest.pop_back();
      const bool last = rest.empty();
      // Before it is looked up. What ".." leads to is seen where the directory itself was entered.
      if (name != "..") watch(watcher, at.get(), name);
      struct stat status {};
      UniqueFd next;
      const auto open_next = [&](int flags) {
        next.reset(::openat(at.get(), name.c_str(), O_PATH | O_CLOEXEC | flags));
        if (next && ::fstat(next.get(), &status) != 0) fail(errno);
        if (!next && !means_absent(errno)) fail(errno);
        return static_cast<bool>(next);
      };
      if (!open_next(O_NOFOLLOW)) return false;
      const bool follow = S_ISLNK(status.st_mode) && !(last && last_ == Last::as_it_stands);
      if (follow && ++links > max_links) fail(ELOOP);
      if (follow && is_proc(at.get())) {
        // It may lead into another mount namespace, where its text means something else.
        if (!open_next(0)) return false;
      } else if (follow) {
        std::array<char, PATH_MAX> target;
        const ::ssize_t length = ::readlinkat(next.get(), "", target.data(), target.size());
        if (length < 0) fail(errno);
        const std::string_view link(target.data(), static_cast<std::size_t>(length));
        push_components(rest, link);
        if (link.starts_with('/')) go_to_root();
        continue;
      }
      if (!last && !S_ISDIR(status.st_mode)) return false;
      at = std::move(next);
    }
    told_ = tells_changes(at.get()) && told_;
    return true;
  };
  const bool found = walk_on();
  for (const FileWatch watch : old) watcher.unwatch(watch);
  return found ? std::move(at) : UniqueFd();
}

bool PathWatch::concerned(std::span<const FileNews> news) const noexcept {
  return std::ranges::any_of(news, [this](const FileNews& each) {
    return each.watch == FileNews::everything || std::ranges::count(watches_, each.watch) != 0;
  });
}

bool means_absent(int error) noexcept {
  // ESRCH: of a process in /proc that has just ended.
  return error == ENOENT || error == ENOTDIR || error == ESRCH;
}

bool tells_changes(int fd) noexcept {
  struct statfs status {};
  if (::fstatfs(fd, &status) != 0) return false;
  // Local ones, whose only writers are this kernel's. Others are changed from elsewhere, or have
  // files that nobody writes (/proc).
  switch (static_cast<std::uint32_t>(status.f_type)) {
    case EXT4_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
    case TMPFS_MAGIC:
    case RAMFS_MAGIC:
    case OVERLAYFS_SUPER_MAGIC:
    case MSDOS_SUPER_MAGIC:
    case EXFAT_SUPER_MAGIC:
    case ISOFS_SUPER_MAGIC:
    case SQUASHFS_MAGIC:
    case EROFS_SUPER_MAGIC_V1:
    case UDF_SUPER_MAGIC:
    case HUGETLBFS_MAGIC:
    case 0x2fc12fc1:  // ZFS
    case 0x3153464a:  // JFS
    case 0x52654973:  // ReiserFS
    case 0xca451a4e:  // bcachefs
    case 0x5346544e:  // NTFS
    case 0x7366746e:  // NTFS3
      return true;
    default:
      return false;
  }
}

std::optional<FileWatch> watch_inode(FileWatcher& watcher, int fd, std::uint32_t mask,
                                     std::string_view only) {
  if (!tells_changes(fd)) return std::nullopt;
  // By the descriptor, so that it is this inode and no other.
  std::array<char, 32> path;
  std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", fd);
  return watcher.watch(path.data(), mask, only);
}

}  // namespace rouse::detail
