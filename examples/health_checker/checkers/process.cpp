#include "checkers/process.hpp"

#include "checkers/fd.hpp"
#include "checkers/grade.hpp"
#include "checkers/kinds.hpp"
#include "checkers/text.hpp"
#include "checkers/wait.hpp"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace health {
namespace {

constexpr std::size_t kernel_name_length = 15;

std::optional<std::int64_t> parse_pid(std::string_view text) {
  std::int64_t pid = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), pid);
  const bool whole = parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
  return whole && pid > 0 ? std::optional(pid) : std::nullopt;
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

/// One process, read from /proc. It may vanish between any two reads: then it does not match.
class Process {
 public:
  Process(const std::string& proc, std::int64_t pid) : folder_(proc + "/" + std::to_string(pid)) {}

  [[nodiscard]] bool matches(const ProcessOptions& wanted) {
    return read_stat() && (wanted.process.empty() || has_name(wanted.process)) &&
           (wanted.path.empty() || executable() == wanted.path) &&
           (wanted.command.empty() || command_line().find(wanted.command) != std::string::npos);
  }

 private:
  /// False if it is gone or only a zombie.
  bool read_stat() {
    // "12 (a name) of) it) S 1 ...": the last parenthesis ends the name.
    const auto stat = read_small_file(folder_ + "/stat", 4096);
    if (!stat) return false;
    const std::size_t open = stat->find('(');
    const std::size_t close = stat->rfind(')');
    if (open == std::string::npos || close == std::string::npos || close + 2 >= stat->size()) {
      return false;
    }
    name_ = stat->substr(open + 1, close - open - 1);
    const char state = (*stat)[close + 2];
    return state != 'Z' && state != 'X';
  }

  [[nodiscard]] bool has_name(const std::string& wanted) const {
    if (name_ == wanted) return true;
    const std::string file = executable();
    if (!file.empty()) return base_name(file) == wanted;
    // Another user's: there is only the kernel's name, which is cut.
    return wanted.size() > kernel_name_length && name_ == wanted.substr(0, kernel_name_length);
  }

  /// Empty for another user's process and for a kernel thread.
  [[nodiscard]] std::string executable() const {
    std::array<char, 4096> buffer;
    const ssize_t got = ::readlink((folder_ + "/exe").c_str(), buffer.data(), buffer.size());
    if (got <= 0) return {};
    std::string file(buffer.data(), static_cast<std::size_t>(got));
    // Replaced on disk by an update, and still running.
    constexpr std::string_view deleted = " (deleted)";
    if (file.ends_with(deleted)) file.resize(file.size() - deleted.size());
    return file;
  }

  [[nodiscard]] std::string command_line() const {
    std::string line = read_small_file(folder_ + "/cmdline").value_or("");
    std::ranges::replace(line, '\0', ' ');
    return line;
  }

  const std::string folder_;
  std::string name_;
};

std::vector<std::int64_t> all_pids(const std::string& proc) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(proc.c_str()), &::closedir);
  if (!folder) throw_errno("list " + proc);
  std::vector<std::int64_t> pids;
  while (const dirent* entry = ::readdir(folder.get())) {
    if (const auto pid = parse_pid(entry->d_name)) pids.push_back(*pid);
  }
  return pids;
}

CheckResult critical(std::string message) { return verdict(Status::critical, std::move(message)); }

}  // namespace

ProcessChecker::ProcessChecker(ProcessOptions options) : options_(std::move(options)) {}

CheckResult ProcessChecker::check(std::stop_token) {
  std::vector<std::int64_t> pids;
  if (options_.pid_file.empty()) {
    pids = all_pids(options_.proc);
  } else {
    // No such file: it is not running, which may be what is wanted.
    const auto text = read_small_file(options_.pid_file, 64);
    if (!text && errno != ENOENT) return critical(options_.pid_file + ": " + error_text(errno));
    if (text) {
      const auto pid = parse_pid(trimmed(*text));
      if (!pid) return critical(options_.pid_file + " holds no process number");
      pids.push_back(*pid);
    }
  }

  counted_.clear();
  for (const std::int64_t pid : pids) {
    throw_if_stopped();
    if (Process(options_.proc, pid).matches(options_)) counted_.push_back(pid);
  }
  const auto count = static_cast<std::int64_t>(counted_.size());
  std::string message = count == 0   ? "not running"
                        : count == 1 ? "running (pid " + std::to_string(counted_[0]) + ")"
                                     : std::to_string(count) + " running";
  CheckResult result =
      verdict(Status::ok, std::move(message), {{"count", static_cast<double>(count), ""}});
  if (count < options_.min || count > options_.max) {
    result.status = Status::critical;
    if (count != 0) {
      result.message += count < options_.min ? ", fewer than " + std::to_string(options_.min)
                                             : ", more than " + std::to_string(options_.max);
    }
  }
  return result;
}

std::optional<std::vector<rouse::Condition>> ProcessChecker::new_events() {
  // A process that ends is seen by the kernel's word; more than these, by the period.
  constexpr std::size_t most_watched = 32;
  if (armed_ && watched_ == counted_) return std::nullopt;
  std::vector<rouse::Condition> events;
  for (const std::int64_t pid : counted_) {
    if (events.size() == most_watched) break;
    events.push_back(rouse::until::process_gone(static_cast<pid_t>(pid)));
  }
  armed_ = true;
  watched_ = counted_;
  return events;
}

std::unique_ptr<BaseChecker> make_process(Settings& settings) {
  ProcessOptions options;
  options.process = settings.text("process", "");
  options.path = settings.text("path", "");
  options.command = settings.text("command", "");
  options.pid_file = settings.text("pid_file", "");
  if ((options.process + options.path + options.command + options.pid_file).empty()) {
    settings.error_at("process",
                      "give at least one of 'process', 'path', 'command' and 'pid_file'");
  }
  constexpr std::int64_t most = 1'000'000;
  options.min = settings.integer("min", options.min, 0, most);
  if (settings.has("max")) options.max = settings.integer("max", most, 0, most);
  if (options.min > options.max) settings.error_at("max", "'max' is smaller than 'min'");
  return std::make_unique<ProcessChecker>(std::move(options));
}

}  // namespace health
