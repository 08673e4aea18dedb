#include "service/process_search.hpp"

#include "rouse/detail/thread_name.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace rouse::detail {
namespace {

std::string_view last_component(std::string_view path) noexcept {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

// Without links, "." and ".."; empty if there is no such file.
std::string real_path(const std::string& path) {
  struct Free {
    void operator()(char* text) const noexcept { std::free(text); }
  };
  const std::unique_ptr<char, Free> real(::realpath(path.c_str(), nullptr));
  return real ? std::string(real.get()) : std::string();
}

std::string absolute_path(const std::string& path) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (error) throw std::system_error(error, "rouse: process " + printable(path));
  return absolute.lexically_normal();
}

void add_once(std::vector<std::string>& texts, std::string text) {
  if (!text.empty() && !std::ranges::count(texts, text)) texts.push_back(std::move(text));
}

}  // namespace

ProcessMatcher::ProcessMatcher(const std::string& path)
    : path_(path.find('/') == std::string::npos ? path : absolute_path(path)),
      name_(last_component(path_)) {
  if (name_.empty() || path.find('\0') != std::string::npos) {
    throw std::invalid_argument("rouse: process '" + printable(path) +
                                "' is not the name of a file");
  }
}

ProcessMatcher::ProcessMatcher(ProcessPredicate predicate) : predicate_(std::move(predicate)) {
  if (!predicate_) throw std::invalid_argument("rouse: process: the predicate is empty");
}

void ProcessMatcher::refresh() {
  if (is_only_a_name()) return;
  // An executable that was deleted has no real path, but its directory may have one.
  const std::string directory = path_.substr(0, path_.size() - name_.size());
  const std::string real_directory = real_path(directory);
  directories_ = {directory == "/" ? directory : directory.substr(0, directory.size() - 1)};
  add_once(directories_, real_directory);
  paths_ = {path_};
  if (!real_directory.empty()) {
    add_once(paths_, real_directory + (real_directory == "/" ? "" : "/") + name_);
  }
  add_once(paths_, real_path(path_));
}

std::optional<ProcessInfo> ProcessMatcher::match(const ProcessEntry& process) const {
  if (predicate_) {
    std::optional<ProcessInfo> info = process.info();
    if (info && !predicate_(*info)) info.reset();
    return info;
  }
  const bool is_meant = is_only_a_name() ? is_named(process) : is_at_path(process);
  return is_meant ? process.info() : std::nullopt;
}

bool ProcessMatcher::is_named(const ProcessEntry& process) const {
  return process.name() == name_ || last_component(process.executable()) == name_ ||
         last_component(process.first_word()) == name_;
}

bool ProcessMatcher::is_at_path(const ProcessEntry& process) const {
  if (std::ranges::count(paths_, process.executable())) return true;
  const std::string word = process.first_word();
  if (std::ranges::count(paths_, word)) return true;
  return last_component(word) == name_ &&
         std::ranges::count(directories_, process.working_directory());
}

std::string ProcessMatcher::describe() const {
  return predicate_ ? "process that the predicate accepts" : "process " + printable(path_);
}

Look ProcessSearch::look(ProcessMatcher& matcher, const Accepts& accepts, Extent extent) {
  constexpr int piece = 200;
  if (!walk_) {
    matcher.refresh();
    walk_.emplace();
  }
  for (int i = 0; extent == Extent::all || i < piece; ++i) {
    const std::optional<ProcessEntry> process = walk_->next();
    if (!process) {
      walk_.reset();
      return Look::no;
    }
    const std::optional<ProcessInfo> info = matcher.match(*process);
    if (info && accepts(*process, *info)) {
      walk_.reset();
      return Look::yes;
    }
  }
  return Look::more;
}

}  // namespace rouse::detail
