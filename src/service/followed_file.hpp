#pragma once
// FollowedFile: the lines of an open file, which grows or is truncated meanwhile.
//
//   FollowedFile file(entry, "/var/log/app.log", max_line);  // an O_PATH descriptor
//   bool more = true;
//   while (more) {
//     while (const auto line = file.line()) ..., file.take_line();
//     more = file.read(buffer);
//   }
//   if (const auto end = file.end(false)) ...  // what has no end of line, but counts as one
//
// It reads only what is new. That the file was truncated shows by its size, or by the bytes before
// those that are new: they are no longer what was read. It is read from its beginning then. Who
// truncates it, and writes as much and the same at this place again, is not noticed.
// Thread safety: the thread of its wait. Design: docs/design/autowait.md.

#include "rouse/detail/deadline.hpp"

#include "service/file_events.hpp"
#include "service/line_follower.hpp"
#include "service/unique_fd.hpp"

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct stat;

namespace rouse::detail {

class FollowedFile {
 public:
  /// A line without an end counts as a line once nothing was added to it for so long.
  static constexpr std::chrono::milliseconds quiet_time{100};

  /// Opens what `entry`, an O_PATH descriptor, stands for. Throws std::system_error naming `path`
  /// if that is no regular file, which is not opened then, or may not be read.
  FollowedFile(const UniqueFd& entry, const std::string& path, std::size_t max_line);

  FollowedFile(const FollowedFile&) = delete;
  FollowedFile& operator=(const FollowedFile&) = delete;

  bool is(const struct ::stat& status) const noexcept;

  /// Only what is written from here on counts, with the beginning of its line, unless that has
  /// max_line bytes already.
  void start_at_end();

  /// A wait begins: nothing is watched, and nobody has said who wrote last.
  void begin_wait() noexcept;
  /// False if the file cannot be watched.
  bool watch(FileWatcher& watcher);
  void unwatch(FileWatcher& watcher) noexcept;
  void hear(const FileNews& news) noexcept;
  /// Whether a writer has closed the file since it was written to last.
  bool closed() const noexcept { return closed_; }

  /// The next of the lines that were read, the same one until it is taken. Empty if there is none.
  std::optional<std::string_view> line();
  void take_line() noexcept { line_.reset(); }
  /// Whether lines may be left of what was read. They lie in the buffer.
  bool has_unread() const noexcept { return line_ || !unread_.empty(); }

  /// Reads what has come. Returns whether the buffer was too small for all of it. Precondition:
  /// line() is empty, and the buffer is larger than what is compared.
  bool read(std::span<char> buffer);
  static constexpr std::size_t compared = 64;

  /// What has no end of line, if it counts as a line and was not left: the file is given up, a
  /// writer has closed it, or it is quiet.
  std::optional<std::string_view> end(bool given_up) const noexcept;
  /// What follows on the line is one of its own.
  void take_end() noexcept { lines_.take_unterminated(); }
  /// It goes on, and counts when it has grown.
  void leave_end() noexcept { end_left_ = true; }
  /// When it will count if nothing comes; never if it does already, or not at all.
  Deadline end_due() const noexcept;

 private:
  [[noreturn]] void fail(int error) const;
  std::size_t read_at(std::uint64_t offset, std::span<char> buffer) const;
  std::string_view read_continuation(std::span<char> buffer);
  void begin_anew() noexcept;
  void note_growth() noexcept;
  struct ::stat status() const;
  bool has_end() const noexcept;
  std::uint64_t find_line_of(std::uint64_t end);

  const std::string path_;
  const std::size_t max_line_;
  UniqueFd fd_;
  ::dev_t device_ = 0;
  ::ino_t inode_ = 0;

  std::uint64_t offset_ = 0;  // of what was not read
  std::array<char, compared> before_{};
  std::size_t before_size_ = 0;  // of what was read before the offset
  std::uint64_t old_ = 0;        // what has its end here or before does not count

  std::string_view unread_;
  std::optional<std::string_view> line_;
  LineFollower lines_;
  Deadline quiet_at_ = Deadline::past();
  bool end_left_ = false;
  bool first_look_ = true;  // of this wait

  std::optional<FileWatch> watch_;
  bool told_ = false;  // of all changes, while it is watched
  bool closed_ = false;
};

}  // namespace rouse::detail
