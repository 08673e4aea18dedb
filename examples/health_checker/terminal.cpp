#include "terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <system_error>

namespace health {
namespace {

std::string_view variable(const char* name) noexcept {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

// Set by a signal handler.
std::atomic<bool> continued{false};
static_assert(std::atomic<bool>::is_always_lock_free);

bool has_cursor(int fd) noexcept {
  const std::string_view kind = variable("TERM");
  return ::isatty(fd) == 1 && !kind.empty() && kind != "dumb";
}

}  // namespace

TerminalSize terminal_size(int fd) noexcept {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

bool in_foreground(int fd) noexcept {
  const pid_t group = ::tcgetpgrp(fd);
  return group < 0 || group == ::getpgrp();  // below 0: not the one that controls us
}

bool is_interactive(int input, int output) noexcept {
  return has_cursor(input) && has_cursor(output) && in_foreground(input);
}

bool colours_wanted(int fd) noexcept { return has_cursor(fd) && variable("NO_COLOR").empty(); }

RawTerminal::RawTerminal(int fd) : fd_(fd) {
  if (::tcgetattr(fd_, &before_) != 0) {
    throw std::system_error(errno, std::generic_category(), "tcgetattr");
  }
  raw_ = before_;
  raw_.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | IEXTEN);
  raw_.c_cc[VMIN] = 1;
  raw_.c_cc[VTIME] = 0;
  struct sigaction note {};
  note.sa_handler = [](int) { continued = true; };
  note.sa_flags = SA_RESTART;
  ::sigaction(SIGCONT, &note, &continued_before_);
  apply();
}

RawTerminal::~RawTerminal() {
  // Not TCSADRAIN: a terminal that is held up must not hold us up.
  if (in_foreground(fd_)) ::tcsetattr(fd_, TCSANOW, &before_);
  ::sigaction(SIGCONT, &continued_before_, nullptr);
}

bool RawTerminal::apply() noexcept {
  const bool was_stopped = continued.exchange(false);
  termios now{};
  if (::tcgetattr(fd_, &now) != 0 || now.c_lflag == raw_.c_lflag) return was_stopped;
  return ::tcsetattr(fd_, TCSANOW, &raw_) == 0 || was_stopped;
}

}  // namespace health
