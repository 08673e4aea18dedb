#pragma once
// PseudoTerminal: a terminal for a program under test, with the test in place of the person.
//
//   PseudoTerminal terminal;
//   ChildProcess child({"/bin/sh"}, {.terminal = terminal.slave()});
//   ASSERT_TRUE(terminal.wait_for(child, [&] { return terminal.screen().shows("$"); }));
//   terminal.type("exit\n");
//
// Thread safety: one thread.

#include "support/child_process.hpp"
#include "support/fail.hpp"
#include "support/vt_screen.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

namespace rouse::test {

class PseudoTerminal {
 public:
  explicit PseudoTerminal(unsigned short columns = 100, unsigned short rows = 24)
      : screen_(columns, rows) {
    int master = -1;
    int slave = -1;
    const winsize size{rows, columns, 0, 0};
    if (::openpty(&master, &slave, nullptr, nullptr, &size) != 0) fail("openpty");
    master_ = FileDescriptor(master);
    slave_ = FileDescriptor(slave);
    for (const int fd : {master, slave}) {
      if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) fail("fcntl");
    }
    if (::fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK) != 0) fail("fcntl");
  }

  /// What the program has; it stays open here, so that what was set can be read afterwards.
  [[nodiscard]] int slave() const noexcept { return slave_.get(); }
  [[nodiscard]] int master() const noexcept { return master_.get(); }

  void type(std::string_view keys) {
    if (::write(master_.get(), keys.data(), keys.size()) != static_cast<ssize_t>(keys.size())) {
      fail("write");
    }
  }

  void resize(unsigned short columns, unsigned short rows) {
    const winsize size{rows, columns, 0, 0};
    screen_.resize(columns, rows);
    if (::ioctl(master_.get(), TIOCSWINSZ, &size) != 0) fail("TIOCSWINSZ");
  }

  /// Shows what the program has written. Never blocks.
  void read() {
    char bytes[4096];
    for (ssize_t count; (count = ::read(master_.get(), bytes, sizeof bytes)) > 0;) {
      output_.append(bytes, static_cast<std::size_t>(count));
      screen_.feed({bytes, static_cast<std::size_t>(count)});
    }
  }

  /// Shows it until `done`, which a driver's thread may make a moment later. False at the deadline.
  [[nodiscard]] bool read_until(const std::function<bool()>& done) {
    for (;;) {
      read();
      if (done()) return true;
      ::pollfd ready{master_.get(), POLLIN, 0};
      const auto limit = std::chrono::milliseconds(child_limit);
      if (::poll(&ready, 1, static_cast<int>(limit.count())) == 0) return false;
    }
  }

  /// The same of a child. False also if the child has ended without it.
  [[nodiscard]] bool wait_for(ChildProcess& child, const std::function<bool()>& done) {
    const int fd = master_.get();
    return child.wait_until([&] { return read(), done(); }, child_limit, {&fd, 1});
  }
  [[nodiscard]] bool wait_for(ChildProcess& child, std::string_view text) {
    return wait_for(child, [&] { return screen_.shows(text); });
  }

  [[nodiscard]] const VtScreen& screen() const noexcept { return screen_; }
  /// All bytes that were read.
  [[nodiscard]] const std::string& output() const noexcept { return output_; }

  /// The terminal's settings.
  [[nodiscard]] termios settings() const {
    termios now{};
    if (::tcgetattr(slave_.get(), &now) != 0) fail("tcgetattr");
    return now;
  }

 private:
  FileDescriptor master_;
  FileDescriptor slave_;
  VtScreen screen_;
  std::string output_;
};

inline bool same_settings(const termios& a, const termios& b) noexcept {
  return a.c_iflag == b.c_iflag && a.c_oflag == b.c_oflag && a.c_cflag == b.c_cflag &&
         a.c_lflag == b.c_lflag && std::memcmp(a.c_cc, b.c_cc, sizeof a.c_cc) == 0;
}

}  // namespace rouse::test
