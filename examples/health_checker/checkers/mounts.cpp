#include "checkers/mounts.hpp"

#include "checkers/fd.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <optional>
#include <sstream>
#include <string_view>

namespace health {
namespace {

constexpr std::array<std::string_view, 24> local_kinds = {
    "bcachefs", "btrfs",    "cgroup", "cgroup2", "devpts",  "devtmpfs", "exfat",   "ext2",
    "ext3",     "ext4",     "f2fs",   "iso9660", "jfs",     "mqueue",   "overlay", "proc",
    "ramfs",    "squashfs", "sysfs",  "tmpfs",   "tracefs", "vfat",     "xfs",     "zfs"};

/// The kernel writes blanks and backslashes in paths as \040 and \134.
std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                 (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

/// Mount points and the kinds of their file systems; of several at one place the last one, which is
/// on top.
std::map<std::string, std::string> read_mounts(const std::string& mountinfo) {
  std::map<std::string, std::string> mounts;
  const auto text = read_small_file(mountinfo, 4 * 1024 * 1024);
  std::istringstream lines(text.value_or(""));
  // "36 35 98:0 /root /mount/point rw,noatime shared:1 - ext3 /dev/root rw"
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string skipped;
    std::string point;
    std::string kind;
    fields >> skipped >> skipped >> skipped >> skipped >> point;
    while (fields >> skipped && skipped != "-") {
    }
    if (fields >> kind) mounts[unescaped(point)] = kind;
  }
  return mounts;
}

void push_parts(std::deque<std::string>& parts, std::string_view path) {
  std::deque<std::string> first;
  while (!path.empty()) {
    const std::size_t length = std::min(path.find('/'), path.size());
    if (length > 0) first.emplace_back(path.substr(0, length));
    path.remove_prefix(std::min(length + 1, path.size()));
  }
  parts.insert(parts.begin(), first.begin(), first.end());
}

std::optional<std::string> read_link(const std::string& path) {
  std::array<char, 4096> target;
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  if (length < 0) return std::nullopt;
  return std::string(target.data(), static_cast<std::size_t>(length));
}

}  // namespace

bool may_hang(const std::string& path, const std::string& mountinfo) {
  const auto mounts = read_mounts(mountinfo);
  const auto is_strange = [&](const std::string& folder) {
    const auto mount = mounts.find(folder.empty() ? "/" : folder);
    return mount != mounts.end() &&
           std::ranges::find(local_kinds, mount->second) == local_kinds.end();
  };
  // A relative path starts in a directory that nobody has looked at.
  if (!path.starts_with('/') || !mounts.contains("/") || is_strange("")) return true;

  // As the kernel walks it: part after part, a link replaced by where it points to. Nothing is
  // looked at before its mount is known to be local.
  std::string reached;
  std::deque<std::string> parts;
  push_parts(parts, path);
  constexpr int most_links = 40;  // as the kernel allows
  int links = 0;
  while (!parts.empty()) {
    const std::string part = std::move(parts.front());
    parts.pop_front();
    if (part == ".") continue;
    if (part == "..") {
      reached.erase(std::min(reached.rfind('/'), reached.size()));
      continue;
    }
    const std::string next = reached + "/" + part;
    if (is_strange(next)) return true;
    const auto target = read_link(next);
    if (!target) {
      reached = next;
      continue;
    }
    if (++links > most_links) return false;  // the call fails at once, with ELOOP
    if (target->starts_with('/')) reached.clear();
    push_parts(parts, *target);
  }
  return false;
}

}  // namespace health
