#include "service/process_table.hpp"

#include "service/proc_file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <string_view>
#include <system_error>
#include <utility>

namespace rouse::detail {
namespace {

// What /proc answers for a process that has ended, and for what is not for this user.
bool process_went(int error) noexcept { return error == ENOENT || error == ESRCH; }
bool may_not_see(int error) noexcept { return error == EACCES || error == EPERM; }

// For read(): the kernel gives as much at once as there is.
constexpr std::size_t one_read = 1;
constexpr std::size_t all_of_it = static_cast<std::size_t>(-1);

[[noreturn]] void cannot_read_process(::pid_t pid, const char* file) {
  throw std::system_error(errno, std::generic_category(),
                          "rouse: process " + std::to_string(pid) + ": cannot read /proc/" +
                              std::to_string(pid) + '/' + file);
}

// The whole of `text` as a number.
template <class Number>
bool parse_number(std::string_view text, Number& number) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// Takes what is before the next space or the end.
std::string_view take_field(std::string_view& text) noexcept {
  const std::string_view field = text.substr(0, text.find(' '));
  text.remove_prefix(field.size() < text.size() ? field.size() + 1 : text.size());
  return field;
}

// Null behind the last one. A process that ends makes its directories end.
const ::dirent* next_entry(const OpenDirectory& directory) {
  errno = 0;
  const ::dirent* const entry = ::readdir(directory.get());
  if (entry == nullptr && errno != 0 && !process_went(errno)) {
    throw std::system_error(errno, std::generic_category(),
                            "rouse: cannot read a directory of /proc");
  }
  return entry;
}

std::string_view before_nul(std::string_view text) noexcept {
  return text.substr(0, text.find('\0'));
}

}  // namespace

std::optional<ProcessStatus> parse_process_status(std::string_view text) {
  // Nothing behind the name has a bracket; the name may hold anything.
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (close == std::string_view::npos || open >= close) return std::nullopt;
  ProcessStatus status;
  status.name = text.substr(open + 1, close - open - 1);
  text.remove_prefix(close + 1);
  if (!text.empty()) text.remove_prefix(1);
  const std::string_view state = take_field(text);
  if (state.size() != 1) return std::nullopt;
  status.state = state[0];
  constexpr int threads_field = 20;
  constexpr int start_time_field = 22;
  for (int field = 4; field <= start_time_field; ++field) {
    const std::string_view value = take_field(text);
    if (field == threads_field && !parse_number(value, status.threads)) return std::nullopt;
    if (field == start_time_field && !parse_number(value, status.start_time)) return std::nullopt;
  }
  return status;
}

std::optional<ProcessEntry> ProcessEntry::open(::pid_t pid) {
  return open_in(AT_FDCWD, ("/proc/" + std::to_string(pid)).c_str(), pid);
}

std::optional<ProcessEntry> ProcessEntry::open_in(int proc, const char* name, ::pid_t pid) {
  UniqueFd directory(::openat(proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (directory) return ProcessEntry(pid, std::move(directory));
  if (process_went(errno) || may_not_see(errno)) return std::nullopt;
  cannot_read_process(pid, "");
}

std::string ProcessEntry::read(const char* file, std::size_t at_least) const {
  std::string text;
  if (!read_proc_file(directory_.get(), file, text, at_least)) {
    if (!process_went(errno) && !may_not_see(errno)) cannot_read_process(pid_, file);
    text.clear();
  }
  return text;
}

std::string ProcessEntry::read_link(const char* link) const {
  std::array<char, PATH_MAX> target;
  const ssize_t size = ::readlinkat(directory_.get(), link, target.data(), target.size());
  if (size < 0) {
    // A path that is too long for the kernel to tell it is nobody's.
    if (!process_went(errno) && !may_not_see(errno) && errno != ENAMETOOLONG) {
      cannot_read_process(pid_, link);
    }
    return {};
  }
  std::string_view path(target.data(), static_cast<std::size_t>(size));
  constexpr std::string_view deleted = " (deleted)";
  if (path.ends_with(deleted)) path.remove_suffix(deleted.size());
  return std::string(path);
}

std::optional<ProcessStatus> ProcessEntry::status() const {
  return parse_process_status(read("stat", one_read));
}

std::string ProcessEntry::name() const {
  std::string name = read("comm", one_read);
  if (name.ends_with('\n')) name.pop_back();
  return name;
}

std::string ProcessEntry::executable() const { return read_link("exe"); }
std::string ProcessEntry::working_directory() const { return read_link("cwd"); }

std::vector<std::string> ProcessEntry::command_line() const {
  const std::string text = read("cmdline", all_of_it);
  std::vector<std::string> words;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view word = before_nul(rest);
    words.emplace_back(word);
    rest.remove_prefix(word.size() < rest.size() ? word.size() + 1 : rest.size());
  }
  return words;
}

std::string ProcessEntry::first_word() const {
  std::string text = read("cmdline", one_read);
  const std::string_view word = before_nul(text);
  if (word.size() >= PATH_MAX) return {};
  text.resize(word.size());
  return text;
}

std::optional<::pid_t> ProcessEntry::thread_group() const {
  const std::string text = read("status", one_read);
  constexpr std::string_view label = "\nTgid:\t";  // names in this file have no newline
  const std::size_t found = text.find(label);
  if (found == std::string::npos) return std::nullopt;
  std::string_view value = std::string_view(text).substr(found + label.size());
  ::pid_t group = 0;
  if (!parse_number(value.substr(0, value.find('\n')), group)) return std::nullopt;
  return group;
}

std::vector<std::uint64_t> ProcessEntry::socket_inodes() const {
  std::vector<std::uint64_t> inodes;
  UniqueFd directory(::openat(directory_.get(), "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) {
    if (process_went(errno)) return inodes;
    cannot_read_process(pid_, "fd");
  }
  const OpenDirectory entries(::fdopendir(directory.get()));
  if (!entries) cannot_read_process(pid_, "fd");
  const int fd = directory.release();
  while (const ::dirent* const entry = next_entry(entries)) {
    std::array<char, 64> target;
    const ssize_t size = ::readlinkat(fd, entry->d_name, target.data(), target.size());
    if (size < 0 && may_not_see(errno)) cannot_read_process(pid_, "fd");
    if (size <= 0) continue;
    std::string_view name(target.data(), static_cast<std::size_t>(size));
    constexpr std::string_view socket = "socket:[";
    std::uint64_t inode = 0;
    if (name.starts_with(socket) && name.ends_with(']') &&
        parse_number(name.substr(socket.size(), name.size() - socket.size() - 1), inode)) {
      inodes.push_back(inode);
    }
  }
  return inodes;
}

std::optional<ProcessInfo> ProcessEntry::info() const {
  std::optional<ProcessStatus> status = this->status();
  if (!status || status->ended()) return std::nullopt;
  ProcessInfo info;
  info.pid = pid_;
  info.start_time = status->start_time;
  info.name = std::move(status->name);
  info.executable = executable();
  info.command_line = command_line();
  info.working_directory = working_directory();
  return info;
}

ProcessWalk::ProcessWalk() : proc_(::opendir("/proc")) {
  if (!proc_) throw std::system_error(errno, std::generic_category(), "rouse: cannot read /proc");
}

std::optional<ProcessEntry> ProcessWalk::next() {
  while (const ::dirent* const entry = next_entry(proc_)) {
    ::pid_t pid = 0;
    if (!parse_number(std::string_view(entry->d_name), pid)) continue;
    if (auto process = ProcessEntry::open_in(::dirfd(proc_.get()), entry->d_name, pid)) {
      return process;
    }
  }
  return std::nullopt;
}

}  // namespace rouse::detail
