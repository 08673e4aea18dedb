#include "detail/usable_cpus.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace rouse::detail {
namespace {

// --- affinity ------------------------------------------------------------------------------------

unsigned cpus_in_affinity() noexcept {
  // Room for 65,536 CPUs: the kernel refuses a mask that is smaller than its own.
  std::array<cpu_set_t, 64> mask{};
  if (::sched_getaffinity(::getpid(), sizeof mask, mask.data()) != 0) {
    return std::thread::hardware_concurrency();
  }
  return static_cast<unsigned>(CPU_COUNT_S(sizeof mask, mask.data()));
}

// --- text ----------------------------------------------------------------------------------------

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t end = text.find(separator); end != std::string_view::npos;
       end = text.find(separator)) {
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  parts.push_back(text);
  return parts;
}

bool has_item(std::string_view list, std::string_view item) {
  const std::vector<std::string_view> items = split(list, ',');
  return std::ranges::find(items, item) != items.end();
}

// Empty unless all of it is a number above 0: "max" and -1 stand for no quota.
std::optional<std::uint64_t> positive_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value == 0) return std::nullopt;
  return value;
}

// --- files ---------------------------------------------------------------------------------------

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::string first_line_of(const std::string& path) {
  std::string line;
  std::getline(std::ifstream(path), line);
  return line;
}

unsigned whole_cpus(std::string_view quota, std::string_view period) {
  const auto allowed = positive_number(quota);
  const auto out_of = positive_number(period);
  if (!allowed || !out_of) return no_cpu_quota;
  const std::uint64_t cpus = *allowed / *out_of + (*allowed % *out_of != 0 ? 1 : 0);
  return static_cast<unsigned>(std::min<std::uint64_t>(cpus, no_cpu_quota));
}

unsigned quota_in_directory(const std::string& directory) {
  const std::string version_2 = first_line_of(directory + "/cpu.max");
  const std::vector<std::string_view> words = split(version_2, ' ');
  return std::min(words.size() == 2 ? whole_cpus(words[0], words[1]) : no_cpu_quota,
                  whole_cpus(first_line_of(directory + "/cpu.cfs_quota_us"),
                             first_line_of(directory + "/cpu.cfs_period_us")));
}

// --- where the files are -------------------------------------------------------------------------

// A hierarchy of cgroups: the one of version 2, or the one of version 1 that has the quotas.
enum class Hierarchy { none, version_1, version_2 };

struct Membership {
  Hierarchy hierarchy = Hierarchy::none;
  std::string_view cgroup;
};

// A line of /proc/self/cgroup: "0::/user.slice", or "4:cpu,cpuacct:/user.slice". A colon in the
// path is part of it.
Membership membership(std::string_view line) {
  const std::size_t first = line.find(':');
  const std::size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
  if (second == line.npos) return {};
  const std::string_view controllers = line.substr(first + 1, second - first - 1);
  const std::string_view cgroup = line.substr(second + 1);
  if (line.substr(0, first) == "0" && controllers.empty()) return {Hierarchy::version_2, cgroup};
  if (has_item(controllers, "cpu")) return {Hierarchy::version_1, cgroup};
  return {};
}

struct Mount {
  Hierarchy hierarchy = Hierarchy::none;
  std::string cgroup;  // which of the hierarchy is at the mount point
  std::string point;
};

// The kernel writes blanks and backslashes in paths as three octal digits: "\040".
std::string unescape(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    unsigned value = 0;
    const std::string_view digits = text.substr(1, 3);
    if (text.front() == '\\' && digits.size() == 3 &&
        std::from_chars(digits.data(), digits.data() + 3, value, 8).ptr == digits.data() + 3) {
      result += static_cast<char>(value);
      text.remove_prefix(4);
    } else {
      result += text.front();
      text.remove_prefix(1);
    }
  }
  return result;
}

// A line of /proc/self/mountinfo: "31 23 0:28 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw".
// There may be any number of words before the dash.
Mount mount(std::string_view line) {
  const std::vector<std::string_view> words = split(line, ' ');
  const auto dash = std::ranges::find(words, "-");
  if (dash - words.begin() < 5 || words.end() - dash < 4) return {};
  Hierarchy hierarchy = Hierarchy::none;
  if (dash[1] == "cgroup2") hierarchy = Hierarchy::version_2;
  if (dash[1] == "cgroup" && has_item(dash[3], "cpu")) hierarchy = Hierarchy::version_1;
  return {hierarchy, unescape(words[3]), unescape(words[4])};
}

// From the mount point, whose quota counts too, down to the cgroup. A cgroup that is not below what
// is mounted cannot be seen.
unsigned quota_in_mount(std::string_view root, const Mount& mount, std::string_view cgroup) {
  const std::string_view mounted = mount.cgroup == "/" ? "" : std::string_view(mount.cgroup);
  if (!cgroup.starts_with(mounted)) return no_cpu_quota;
  cgroup.remove_prefix(mounted.size());
  const std::vector<std::string_view> names = split(cgroup, '/');
  if (!names.front().empty() || std::ranges::find(names, "..") != names.end()) {
    return no_cpu_quota;
  }
  std::string directory = std::string(root) + mount.point;
  unsigned quota = quota_in_directory(directory);
  for (const std::string_view name : names) {
    if (name.empty()) continue;
    directory.append("/").append(name);
    quota = std::min(quota, quota_in_directory(directory));
  }
  return quota;
}

}  // namespace

unsigned cpu_quota(std::string_view root) noexcept try {
  const std::string self = std::string(root) + "/proc/self/";
  const std::vector<std::string> memberships = lines_of(self + "cgroup");
  unsigned quota = no_cpu_quota;
  for (const std::string& mount_line : lines_of(self + "mountinfo")) {
    const Mount mounted = mount(mount_line);
    if (mounted.hierarchy == Hierarchy::none) continue;
    for (const std::string& line : memberships) {
      const auto [hierarchy, cgroup] = membership(line);
      if (hierarchy != mounted.hierarchy) continue;
      quota = std::min(quota, quota_in_mount(root, mounted, cgroup));
    }
  }
  return quota;
} catch (const std::exception&) {
  return no_cpu_quota;
}

unsigned usable_cpus(std::string_view root) noexcept {
  return std::max(1U, std::min(cpus_in_affinity(), cpu_quota(root)));
}

}  // namespace rouse::detail
