#pragma once
// What the tests of child processes look at: who is left, and which descriptors are open.

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace rouse::test {

struct ProcessFacts {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t group = 0;
  char state = '?';
};

inline std::vector<ProcessFacts> all_processes() {
  std::vector<ProcessFacts> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename();
    if (!std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; })) continue;
    std::ifstream file(entry.path() / "stat");
    std::string stat;
    std::getline(file, stat);
    const std::size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos) continue;  // it has just ended
    ProcessFacts facts;
    facts.pid = static_cast<pid_t>(std::stol(name));
    std::sscanf(stat.c_str() + name_end + 1, " %c %d %d", &facts.state, &facts.parent,
                &facts.group);
    found.push_back(facts);
  }
  return found;
}

/// Children of this process, zombies included.
inline std::size_t count_children() {
  return static_cast<std::size_t>(
      std::ranges::count(all_processes(), ::getpid(), &ProcessFacts::parent));
}

/// A zombie does not run: it waits to be reaped.
inline bool runs(const ProcessFacts& process) {
  return process.state != 'Z' && process.state != 'X';
}

inline std::size_t count_running_children() {
  return static_cast<std::size_t>(std::ranges::count_if(
      all_processes(),
      [](const ProcessFacts& process) { return process.parent == ::getpid() && runs(process); }));
}

/// Whether a process of the group still runs.
inline bool group_runs(pid_t group) {
  return std::ranges::any_of(all_processes(), [&](const ProcessFacts& process) {
    return process.group == group && runs(process);
  });
}

/// Open descriptors, but for the eventfds that threads keep for their waits.
inline std::size_t count_descriptors() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    const auto target = std::filesystem::read_symlink(entry.path(), ignored);
    if (target != "anon_inode:[eventfd]") ++count;
  }
  return count;
}

}  // namespace rouse::test
