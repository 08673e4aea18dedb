#pragma once
// Listener: a listening TCP socket.
//
// Thread safety: one thread accepts; port() and address() from any.

#include "checkers/fd.hpp"
#include "checkers/socket.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace health {

class Listener {
 public:
  /// `address` is "127.0.0.1", "::1", "0.0.0.0", ...; port 0 is any free one. Throws
  /// std::invalid_argument if it is no address, std::system_error if it cannot be listened on.
  Listener(const std::string& address, std::uint16_t port);

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// "127.0.0.1:80"
  [[nodiscard]] const std::string& address() const noexcept { return address_; }

  struct Accepted {
    Fd fd;
    Address peer;
  };
  /// Waits for the next connection; nothing at the thread's stop. Out of descriptors it waits a
  /// little for some to be closed.
  std::optional<Accepted> accept();

  /// Who connects from here on is refused. Not while another thread accepts.
  void close() noexcept { fd_.reset(); }

 private:
  Fd fd_;
  std::uint16_t port_ = 0;
  std::string address_;
};

}  // namespace health
