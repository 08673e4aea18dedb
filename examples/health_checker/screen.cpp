#include "screen.hpp"

#include "rouse/wait/fd.hpp"
#include "rouse/wait/shield.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <exception>
#include <utility>

namespace health {
namespace {

// Non-blocking belongs to the open file, which we share with the shell that started us; so the
// terminal is opened once more. It may be somebody else's (su): then writes can block.
Fd open_again(int fd) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  Fd again(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!again) again = Fd(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!again) throw_errno("dup");
  return again;
}

}  // namespace

Screen::Screen(int output, int log)
    : output_(output),
      log_(log),
      colours_(colours_wanted(output)),
      own_(open_again(output)),
      arrived_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!arrived_) throw_errno("eventfd");
}

Screen::~Screen() { close(); }

void Screen::add_line(std::string_view line) {
  if (wait_in_line(line)) return;
  // If it has gone there is nobody to tell.
  [[maybe_unused]] const ssize_t written = ::write(log_, line.data(), line.size());
}

bool Screen::wait_in_line(std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  if (waiting_.size() + line.size() > most_waiting) {
    ++left_out_;
    return true;
  }
  const bool first = waiting_.empty();
  waiting_ += line;
  constexpr std::uint64_t one = 1;
  // It cannot fail: the count is at most one.
  if (first) [[maybe_unused]]
    const ssize_t written = ::write(arrived_.get(), &one, sizeof one);
  return true;
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
  write(painter_.paint(lines, frame, size().columns), Clock::time_point::max());
}

void Screen::close() noexcept {
  // A stop that has been requested must not cut off what is left to say.
  const rouse::Shield shield;
  const auto limit = Clock::now() + std::chrono::milliseconds(500);
  try {
    bool taken = true;
    for (bool closed = false; !closed;) {
      const std::string lines = take_waiting();
      if (taken) taken = write(painter_.paint(lines, {}, size().columns), limit);
      const std::lock_guard lock(mutex_);
      closed = closed_ = !taken || waiting_.empty();
    }
  } catch (const std::exception&) {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
}

bool Screen::write(std::string_view text, Clock::time_point limit) {
  while (!text.empty()) {
    const ssize_t count = ::write(own_.get(), text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      if (rouse::wait_writable_until(own_.get(), limit) != rouse::WaitStatus::ready) return false;
    } else if (errno != EINTR) {
      return false;  // it has gone
    }
  }
  return true;
}

}  // namespace health
