#include "line_output.hpp"

#include "rouse/wait/fd.hpp"
#include "rouse/wait/shield.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <string>

namespace health {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

Fd open_again(int fd) noexcept {
  struct stat info {};
  Fd again;
  // Not a regular file: it would be written from its beginning.
  if (::fstat(fd, &info) == 0 && (S_ISCHR(info.st_mode) || S_ISFIFO(info.st_mode))) {
    char path[32];
    std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    again = Fd(::open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  }
  // A socket cannot be opened, nor can what is somebody else's (su): then writes can block.
  if (!again) again = Fd(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  return again;
}

bool write_until(int fd, std::string_view text, Clock::time_point limit) {
  while (!text.empty()) {
    // What is writable has room for so much: also a write that can block does not.
    if (rouse::wait_writable_until(fd, limit) != rouse::WaitStatus::ready) return false;
    const std::string_view piece = text.substr(0, PIPE_BUF);
    const ssize_t count = ::write(fd, piece.data(), piece.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno != EINTR && errno != EAGAIN) {
      return false;
    }
  }
  return true;
}

void LineOutput::write(std::string_view line) {
  if (!fd_) return;
  const rouse::Shield shield;
  const auto now = Clock::now();
  if (left_out_ == 0) {
    if (!write_until(fd_.get(), line, now + output_patience)) ++left_out_;
    return;
  }
  const std::string text =
      "... " + std::to_string(left_out_) + " lines left out\n" + std::string(line);
  if (write_until(fd_.get(), text, now)) {
    left_out_ = 0;
  } else {
    ++left_out_;
  }
}

}  // namespace health
