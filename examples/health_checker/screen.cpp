#include "screen.hpp"

#include "rouse/wait/shield.hpp"

#include "line_output.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <utility>

namespace health {
namespace {

using Clock = std::chrono::steady_clock;

Fd opened_again(int fd) {
  Fd again = open_again(fd);
  if (!again) throw_errno("dup");
  return again;
}

}  // namespace

Screen::Screen(int output, int log)
    : output_(output),
      colours_(colours_wanted(output)),
      own_output_(opened_again(output)),
      own_log_(opened_again(log)),
      arrived_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!arrived_) throw_errno("eventfd");
}

Screen::~Screen() { close(); }

void Screen::add_line(std::string_view line) {
  if (wait_in_line(line) || given_up_) return;
  const rouse::Shield shield;  // what a check says that is stopped is of interest too
  if (!write_until(own_log_.get(), line, Clock::now() + output_patience)) given_up_ = true;
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
  (void)write_until(own_output_.get(), painter_.paint(lines, frame, size().columns),
                    Clock::time_point::max());
}

void Screen::close() noexcept {
  if (is_closed()) return;
  // A stop that has been requested must not cut off what is left to say.
  const rouse::Shield shield;
  const auto limit = Clock::now() + output_patience;
  try {
    for (bool closed = false; !closed;) {
      const std::string text = painter_.paint(take_waiting(), {}, size().columns);
      if (!write_until(own_output_.get(), text, limit)) given_up_ = true;
      const std::lock_guard lock(mutex_);
      // Others may log faster than it is shown.
      closed = closed_ = given_up_ || waiting_.empty() || Clock::now() >= limit;
    }
  } catch (const std::exception&) {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
}

}  // namespace health
