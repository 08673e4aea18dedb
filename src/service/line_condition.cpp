#include "service/line_condition.hpp"

#include "rouse/detail/thread_name.hpp"

#include "service/followed_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <re2/re2.h>

namespace rouse {
namespace detail {
namespace {

// A stop is looked for in between.
constexpr std::size_t bytes_per_look = std::size_t{1} << 20U;
// Of a wait without a time, most logs are looked at as a whole.
constexpr std::size_t bytes_of_last_look = std::size_t{16} << 20U;

// Most looks find a line or two.
constexpr std::size_t small_buffer = std::size_t{8} << 10U;
constexpr std::size_t large_buffer = std::size_t{128} << 10U;

std::unique_ptr<const re2::RE2> compiled(const std::string& pattern) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  auto result = std::make_unique<const re2::RE2>(pattern, options);
  if (!result->ok()) {
    throw std::invalid_argument("rouse: line_matches: bad pattern '" + printable(pattern) +
                                "': " + printable(result->error()));
  }
  return result;
}

std::size_t checked_max_line(std::size_t max_line) {
  if (max_line == 0) {
    throw std::invalid_argument("rouse: line_matches: max_line must be more than zero");
  }
  return max_line;
}

}  // namespace

LineState::LineState(std::string file, const std::string& pattern, const LineOptions& options)
    : pattern_(compiled(pattern)),
      max_line_(checked_max_line(options.max_line)),
      interval_(checked_interval("line_matches", options.interval.nanoseconds())),
      way_(std::move(file), PathWatch::Last::follow) {
  if (options.from == LineStart::end) open_end();
}

LineState::~LineState() = default;

void LineState::open_end() {
  const UniqueFd entry(::open(way_.path().c_str(), O_PATH | O_CLOEXEC));
  if (entry) {
    take_newest(entry);
    files_.back()->start_at_end();
  } else if (errno != ENOENT && errno != ENOTDIR) {
    throw std::system_error(errno, std::generic_category(), "rouse: reading " + way_.path());
  }
}

void LineState::begin() {
  walked_ = false;
  found_ = false;
  line_.clear();
  groups_.clear();
  for (const auto& file : files_) file->begin_wait();
}

void LineState::end() noexcept {
  if (unread_file() == nullptr) free_buffer();
}

Look LineState::look(Sources& sources) {
  if (found_) return Look::yes;
  follow(sources);
  FollowedFile* const unread = unread_file();
  if (unread != nullptr && find_line(*unread)) return Look::yes;

  std::size_t left = sources.is_last() ? bytes_of_last_look : bytes_per_look;
  for (auto at = files_.begin(); at != files_.end();) {
    FollowedFile& file = **at;
    if (const Look found = look_at(file, left); found != Look::no) return found;
    const auto newer = static_cast<std::size_t>(files_.end() - at) - 1;
    const bool given_up = newer >= newer_files || (newer > 0 && file.closed());
    const bool found = find_end(file, given_up);
    if (given_up) {
      file.unwatch(sources.files());
      at = files_.erase(at);
    } else {
      sources.look_again(file.end_due());
      ++at;
    }
    if (found) return Look::yes;
  }
  free_buffer();
  return Look::no;
}

// Watches the path and the files before anything is read.
void LineState::follow(Sources& sources) {
  FileWatcher& watcher = sources.files();
  const std::vector<FileNews> news = watcher.take();
  for (const auto& file : files_) {
    for (const FileNews& each : news) file->hear(each);
  }
  if (!walked_ || way_.concerned(news) || !way_.is_told()) {
    walked_ = false;
    if (const UniqueFd entry = way_.walk(watcher)) take_newest(entry);
    walked_ = true;
  }
  bool told = way_.is_told();
  for (const auto& file : files_) told = file->watch(watcher) && told;
  if (!told) sources.look_again(Deadline::after(interval_));
}

// It may be one that was the newest before: a link can be switched to and fro.
void LineState::take_newest(const UniqueFd& entry) {
  struct ::stat status {};
  if (::fstat(entry.get(), &status) != 0) {
    throw std::system_error(errno, std::generic_category(), "rouse: reading " + way_.path());
  }
  const auto known =
      std::ranges::find_if(files_, [&](const auto& file) { return file->is(status); });
  if (known == files_.end()) {
    files_.push_back(std::make_unique<FollowedFile>(entry, way_.path(), max_line_));
  } else {
    std::rotate(known, known + 1, files_.end());
  }
}

// No once the file has been read to its end.
Look LineState::look_at(FollowedFile& file, std::size_t& left) {
  for (bool more = true; more;) {
    if (left == 0) return Look::more;
    if (buffer_.empty()) buffer_.resize(small_buffer);
    more = file.read(buffer_);
    left -= std::min(left, buffer_.size());
    if (find_line(file)) return Look::yes;
    if (more) buffer_.resize(large_buffer);
  }
  return Look::no;
}

bool LineState::find_line(FollowedFile& file) {
  while (const auto line = file.line()) {
    const bool found = matches(*line);
    file.take_line();
    if (found) return true;
  }
  return false;
}

bool LineState::find_end(FollowedFile& file, bool given_up) {
  const auto end = file.end(given_up);
  if (!end) return false;
  const bool found = matches(*end);
  if (found) {
    file.take_end();
  } else {
    file.leave_end();
  }
  return found;
}

bool LineState::matches(std::string_view line) {
  const re2::StringPiece text(line.data(), line.size());
  // Without the groups it takes a fraction of the time.
  const auto search = [&](re2::StringPiece* parts, int count) {
    return pattern_->Match(text, 0, text.size(), re2::RE2::UNANCHORED, parts, count);
  };
  if (!search(nullptr, 0)) return false;
  std::vector<re2::StringPiece> parts(
      static_cast<std::size_t>(pattern_->NumberOfCapturingGroups()) + 1);
  if (!search(parts.data(), static_cast<int>(parts.size()))) return false;
  std::vector<std::string> groups(parts.size());
  std::ranges::transform(parts, groups.begin(),
                         [](const re2::StringPiece& part) { return part.as_string(); });
  line_ = line;
  groups_ = std::move(groups);
  found_ = true;
  return true;
}

FollowedFile* LineState::unread_file() noexcept {
  const auto unread =
      std::ranges::find_if(files_, [](const auto& file) { return file->has_unread(); });
  return unread == files_.end() ? nullptr : unread->get();
}

// Thousands of waits that block need none.
void LineState::free_buffer() noexcept { std::vector<char>().swap(buffer_); }

std::string LineState::describe() const {
  return "a line with '" + printable(pattern_->pattern()) + "' in " + way_.path();
}

}  // namespace detail

LineCondition::LineCondition(std::shared_ptr<detail::LineState> state) noexcept
    : Condition(state), line_(state.get()) {}

const std::string& LineCondition::line() const noexcept { return line_->line(); }

const std::vector<std::string>& LineCondition::groups() const noexcept { return line_->groups(); }

LineCondition until::line_matches(std::string file, std::string pattern, LineOptions options) {
  return LineCondition(std::make_shared<detail::LineState>(std::move(file), pattern, options));
}

}  // namespace rouse
