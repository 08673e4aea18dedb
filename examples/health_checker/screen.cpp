#include "screen.hpp"

#include "rouse/wait/fd.hpp"
#include "rouse/wait/shield.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <exception>
#include <utility>

namespace health {
namespace {

using Clock = std::chrono::steady_clock;

// With a terminal that takes nothing.
constexpr std::chrono::milliseconds patience{300};

// Non-blocking belongs to the open file, which we share with the shell that started us; so the
// terminal is opened once more. It may be somebody else's (su): then writes can block.
Fd open_again(int fd) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  Fd again(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!again) again = Fd(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!again) throw_errno("dup");
  return again;
}

// False if it has gone, has not taken all by then, or a stop was requested.
bool write(int fd, std::string_view text, Clock::time_point limit) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      if (rouse::wait_writable_until(fd, limit) != rouse::WaitStatus::ready) return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

Screen::Screen(int output, int log)
    : output_(output),
      colours_(colours_wanted(output)),
      own_output_(open_again(output)),
      own_log_(open_again(log)),
      arrived_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!arrived_) throw_errno("eventfd");
}

Screen::~Screen() { close(); }

void Screen::add_line(std::string_view line) {
  if (wait_in_line(line) || given_up_) return;
  const rouse::Shield shield;  // what a check says that is stopped is of interest too
  if (!write(own_log_.get(), line, Clock::now() + patience)) given_up_ = true;
}

bool Screen::wait_in_line(std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  if (waiting_.size() + line.size() > most_waiting) {
    ++left_out_;
    return true;
  }
  if (waiting_.empty()) {
    // It cannot fail: the count is at most one.
    constexpr std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(arrived_.get(), &one, sizeof one);
  }
  waiting_ += line;
  return true;
}

bool Screen::is_closed() {
  const std::lock_guard lock(mutex_);
  return closed_;
}

std::string Screen::take_waiting() {
  const std::lock_guard lock(mutex_);
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t drained = ::read(arrived_.get(), &count, sizeof count);
  std::string lines = std::exchange(waiting_, {});
  if (const std::size_t left_out = std::exchange(left_out_, 0); left_out != 0) {
    lines += "... " + std::to_string(left_out) + " lines left out\n";
  }
  return lines;
}

void Screen::draw(std::string_view above, const Frame& frame) {
  std::string lines = take_waiting();
  lines += above;
  // What a terminal does not take that has gone, or before a stop, is lost.
  (void)write(own_output_.get(), painter_.paint(lines, frame, size().columns),
              Clock::time_point::max());
}

void Screen::close() noexcept {
  if (is_closed()) return;
  // A stop that has been requested must not cut off what is left to say.
  const rouse::Shield shield;
  const auto limit = Clock::now() + patience;
  try {
    for (bool closed = false; !closed;) {
      const std::string text = painter_.paint(take_waiting(), {}, size().columns);
      if (!write(own_output_.get(), text, limit)) given_up_ = true;
      const std::lock_guard lock(mutex_);
      closed = closed_ = given_up_ || waiting_.empty();
    }
  } catch (const std::exception&) {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
}

}  // namespace health
