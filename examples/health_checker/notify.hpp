#pragma once
// Notify: tells systemd, or whoever else holds the socket, how the program is (sd_notify(3)).
//
//   Notify notify;                       // before there are threads: it takes the environment over
//   notify.send("READY=1\nSTATUS=12 checks");
//   if (const auto period = notify.watchdog()) every(*period / 2, [&] { notify.send("WATCHDOG=1");
//   });
//
// One datagram to $NOTIFY_SOCKET, without libsystemd: the protocol is stable and that is all of it.
// Thread safety: send() and the others from any thread.

#include "checkers/fd.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <optional>
#include <string_view>

namespace health {

class Notify {
 public:
  /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID and removes them: the commands that checks
  /// run must not speak in our name.
  Notify();

  /// Never blocks. Nothing happens where nobody listens.
  void send(std::string_view state) noexcept;

  /// After how long without a WATCHDOG=1 the program is taken for dead; nothing if it is not.
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog() const noexcept {
    return watchdog_;
  }

 private:
  Fd socket_;
  sockaddr_un address_{};
  socklen_t length_ = 0;
  std::optional<std::chrono::microseconds> watchdog_;
};

}  // namespace health
