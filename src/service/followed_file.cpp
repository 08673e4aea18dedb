#include "service/followed_file.hpp"

#include "service/path_watch.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

namespace rouse::detail {
namespace {

constexpr std::uint32_t followed_events =
    IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVE_SELF | IN_DELETE_SELF;

// To look for the beginning of a line.
constexpr std::size_t piece_backwards = 64 * 1024;

[[noreturn]] void fail_to_follow(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), "rouse: " + what);
}

// How long ago the file was changed, by the calendar; of long times only that they are long.
std::int64_t age_ns(const struct ::stat& status) noexcept {
  constexpr std::int64_t second = 1'000'000'000;
  ::timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const auto seconds = std::clamp<std::int64_t>(now.tv_sec - status.st_ctim.tv_sec, -1000, 1000);
  return std::max<std::int64_t>(seconds * second + (now.tv_nsec - status.st_ctim.tv_nsec), 0);
}

}  // namespace

FollowedFile::FollowedFile(const UniqueFd& entry, const std::string& path, std::size_t max_line)
    : path_(path), max_line_(max_line), lines_(max_line) {
  struct ::stat status {};
  if (::fstat(entry.get(), &status) != 0) fail(errno);
  // Before it is opened: that of a FIFO or a device may block, or do something.
  if (!S_ISREG(status.st_mode)) {
    fail_to_follow(S_ISDIR(status.st_mode) ? EISDIR : ENOTSUP, path + " is no regular file");
  }
  const std::string link = "/proc/self/fd/" + std::to_string(entry.get());
  fd_.reset(::open(link.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!fd_) fail(errno);
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

bool FollowedFile::is(const struct ::stat& status) const noexcept {
  // Open as it is, nobody else has its number.
  return status.st_dev == device_ && status.st_ino == inode_;
}

void FollowedFile::start_at_end() {
  const auto size = static_cast<std::uint64_t>(status().st_size);
  offset_ = find_line_of(size);
  old_ = size;
  before_size_ = static_cast<std::size_t>(std::min<std::uint64_t>(offset_, before_.size()));
  if (read_at(offset_ - before_size_, std::span(before_).first(before_size_)) != before_size_) {
    begin_anew();
  }
}

// Where the line begins that goes on at `end`; `end` if it is too long, and to be passed over.
std::uint64_t FollowedFile::find_line_of(std::uint64_t end) {
  const std::uint64_t first = end - std::min<std::uint64_t>(end, max_line_);
  const auto buffer = std::make_unique_for_overwrite<char[]>(piece_backwards);
  for (std::uint64_t at = end; at > first;) {
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(at - first, piece_backwards));
    at -= size;
    const std::string_view piece(buffer.get(), read_at(at, {buffer.get(), size}));
    const std::size_t newline = piece.rfind('\n');
    if (newline != std::string_view::npos) return at + newline + 1;
  }
  if (first == 0) return 0;
  lines_.pass_over();
  return end;
}

void FollowedFile::begin_wait() noexcept {
  watch_.reset();
  closed_ = false;
  first_look_ = true;
}

bool FollowedFile::watch(FileWatcher& watcher) {
  if (!watch_) {
    watch_ = watch_inode(watcher, fd_.get(), followed_events);
    told_ = watch_.has_value();
  }
  return told_;
}

void FollowedFile::unwatch(FileWatcher& watcher) noexcept {
  if (watch_) watcher.unwatch(*watch_);
  watch_.reset();
}

void FollowedFile::hear(const FileNews& news) noexcept {
  if (news.watch == FileNews::everything) {
    watch_.reset();
    closed_ = false;
  } else if (news.watch == watch_) {
    if ((news.mask & IN_MODIFY) != 0) closed_ = false;
    if ((news.mask & IN_CLOSE_WRITE) != 0) closed_ = true;
    if ((news.mask & IN_IGNORED) != 0) watch_.reset();
  }
}

std::optional<std::string_view> FollowedFile::line() {
  if (!line_) line_ = lines_.next(unread_);
  return line_;
}

bool FollowedFile::read(std::span<char> buffer) {
  const std::string_view bytes = read_continuation(buffer);
  unread_ = bytes.substr(before_size_);
  const bool full = bytes.size() == buffer.size();
  if (!unread_.empty()) {
    offset_ += unread_.size();
    before_size_ = std::min(bytes.size(), before_.size());
    std::memcpy(before_.data(), bytes.end() - before_size_, before_size_);
    end_left_ = false;
    note_growth();
  }
  first_look_ = first_look_ && full;
  return full;
}

// What was read before the offset, and what follows now.
std::string_view FollowedFile::read_continuation(std::span<char> buffer) {
  for (;;) {
    const std::uint64_t offset = offset_ - before_size_;
    const std::string_view bytes(buffer.data(), read_at(offset, buffer));
    if (bytes.starts_with(std::string_view(before_.data(), before_size_))) {
      if (bytes.size() == before_size_) return bytes;
      // What was read may be the file as it was, and behind that as it is since it was truncated
      // and written again. If it still begins as it did, nothing of that has happened.
      std::array<char, compared> again;
      const std::string_view first = bytes.substr(0, compared);
      const std::size_t size = read_at(offset, std::span(again).first(first.size()));
      if (first == std::string_view(again.data(), size)) return bytes;
    }
    begin_anew();
  }
}

void FollowedFile::begin_anew() noexcept {
  offset_ = 0;
  before_size_ = 0;
  old_ = 0;
  lines_.reset();
}

// At the first look the file may have been quiet for long. Another machine's calendar says nothing.
void FollowedFile::note_growth() noexcept {
  std::int64_t quiet_so_far = 0;
  struct ::stat status {};
  if (first_look_ && told_ && ::fstat(fd_.get(), &status) == 0) {
    quiet_so_far = age_ns(status);
  }
  quiet_at_ = Deadline::after_ns(saturated_ns(quiet_time) - quiet_so_far);
}

std::optional<std::string_view> FollowedFile::end(bool given_up) const noexcept {
  if (!has_end() || !(given_up || closed_ || quiet_at_.expired())) return std::nullopt;
  return lines_.unterminated();
}

Deadline FollowedFile::end_due() const noexcept {
  return has_end() && !quiet_at_.expired() ? quiet_at_ : Deadline::never();
}

bool FollowedFile::has_end() const noexcept {
  return !end_left_ && offset_ > old_ && !lines_.unterminated().empty();
}

struct ::stat FollowedFile::status() const {
  struct ::stat status {};
  if (::fstat(fd_.get(), &status) != 0) fail(errno);
  return status;
}

// As much as there is; less than the buffer holds only at the end of the file.
std::size_t FollowedFile::read_at(std::uint64_t offset, std::span<char> buffer) const {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const ::ssize_t got = ::pread(fd_.get(), buffer.data() + done, buffer.size() - done,
                                  static_cast<::off_t>(offset + done));
    if (got > 0) {
      done += static_cast<std::size_t>(got);
    } else if (got == 0 || errno == EAGAIN) {
      break;
    } else if (errno != EINTR) {
      fail(errno);
    }
  }
  return done;
}

void FollowedFile::fail(int error) const { fail_to_follow(error, "reading " + path_); }

}  // namespace rouse::detail
