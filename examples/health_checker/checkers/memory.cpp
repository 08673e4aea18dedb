#include "checkers/memory.hpp"

#include "checkers/fd.hpp"
#include "checkers/kinds.hpp"
#include "checkers/text.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <stdexcept>
#include <utility>

namespace health {
namespace {

struct Memory {
  std::uint64_t total = 0;  // bytes
  std::uint64_t available = 0;

  [[nodiscard]] double percent() const {
    return total == 0 ? 0 : 100 * static_cast<double>(available) / static_cast<double>(total);
  }
};

std::optional<std::uint64_t> parse_number(std::string_view text) {
  text = trimmed(text);
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc{} ? std::optional(value) : std::nullopt;
}

/// The number behind `key` at the beginning of a line.
std::optional<std::uint64_t> find_number(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.starts_with(key)) return parse_number(line.substr(key.size()));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return std::nullopt;
}

Memory of_machine(const std::string& meminfo) {
  const std::optional<std::string> text = read_small_file(meminfo);
  if (!text) throw_errno("read " + meminfo);
  const auto total = find_number(*text, "MemTotal:");
  const auto available = find_number(*text, "MemAvailable:");
  if (!total || !available) throw std::runtime_error(meminfo + " is not as expected");
  return {.total = *total * 1024, .available = *available * 1024};
}

/// Nothing if the group has no limit of its own.
std::optional<Memory> of_group(const std::string& group) {
  const auto number = [&](const char* name) -> std::optional<std::uint64_t> {
    const auto text = read_small_file(group + name);
    return text ? parse_number(*text) : std::nullopt;  // "max" is no number
  };
  const auto limit = number("/memory.max");
  const auto used = number("/memory.current");
  if (!limit || !used) return std::nullopt;
  // The page cache that the kernel gives back first is as good as free.
  const std::string stat = read_small_file(group + "/memory.stat").value_or("");
  const std::uint64_t cache = find_number(stat, "inactive_file ").value_or(0);
  const std::uint64_t needed = *used - std::min(cache, *used);
  return Memory{.total = *limit, .available = *limit - std::min(needed, *limit)};
}

/// The path of the own group below the root: "/system.slice/health.service".
std::string own_group_path(const std::string& own_cgroup) {
  const std::string text = read_small_file(own_cgroup).value_or("");
  constexpr std::string_view prefix = "0::";  // version 2
  std::size_t begin = text.starts_with(prefix) ? 0 : text.find("\n0::");
  if (begin == std::string::npos) return "";
  begin = text.find("0::", begin) + prefix.size();
  std::string path = text.substr(begin, text.find('\n', begin) - begin);
  // A group above the mounted tree, as it may be in a container, has no path here.
  if (path == "/" || path.find("/..") != std::string::npos) path.clear();
  return path;
}

}  // namespace

MemoryChecker::MemoryChecker(MemoryOptions options) : options_(std::move(options)) {}

CheckResult MemoryChecker::check(std::stop_token) {
  Memory scarcest = of_machine(options_.meminfo);
  const char* whose = "";
  // A limit of any group above counts as well.
  for (std::string path = own_group_path(options_.own_cgroup);;) {
    const std::optional<Memory> group = of_group(options_.cgroup_root + path);
    if (group && group->percent() < scarcest.percent()) {
      scarcest = *group;
      whose = " (limit of the control group)";
    }
    if (path.empty()) break;
    path.erase(path.rfind('/'));
  }
  return verdict(options_.available.grade(scarcest.percent()),
                 number_text(scarcest.percent(), 0) + "% available, " +
                     bytes_text(scarcest.available) + " of " + bytes_text(scarcest.total) + whose,
                 {{"available", scarcest.percent(), "%"},
                  {"available_bytes", static_cast<double>(scarcest.available), "B"}});
}

std::unique_ptr<BaseChecker> make_memory(Settings& settings) {
  MemoryOptions options;
  options.available.warning = settings.percent("warning", options.available.warning);
  options.available.critical = settings.percent("critical", options.available.critical);
  if (options.available.warning < options.available.critical) {
    settings.error_at("warning", "'warning' must not be below 'critical': both are free shares");
  }
  return std::make_unique<MemoryChecker>(std::move(options));
}

}  // namespace health
