#pragma once
// Address, Stream, Socket: TCP connections whose every wait ends at a stop and at the check's
// timeout.
//
// Thread safety: one thread at a time.
// Errors: what is wrong with the target is a TargetError; what is wrong here (no descriptor left)
// is a std::system_error; a stop is rouse::Stopped.

#include "checkers/fd.hpp"

#include <sys/socket.h>

#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace health {

/// What is wrong with the target of a check, in words for its message.
class TargetError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;

  /// "127.0.0.1:80", "[::1]:80".
  [[nodiscard]] std::string to_string() const;
};

/// Bytes to and from a peer, with TLS (tls_stream.hpp) or without.
class Stream {
 public:
  virtual ~Stream() = default;

  /// Some bytes of what the peer sends; 0 when it has closed.
  virtual std::size_t read(std::span<char> buffer) = 0;
  virtual void write_all(std::string_view data) = 0;

 protected:
  Stream() = default;
  Stream(Stream&&) = default;
  Stream& operator=(Stream&&) = default;
};

class Socket final : public Stream {
 public:
  /// Takes over a connection, which does not block.
  explicit Socket(Fd connected) noexcept : fd_(std::move(connected)) {}

  /// Connects to whichever of `addresses` answers first. They are tried in their order, the next
  /// one when the last has failed or has not answered for 250 ms.
  static Socket connect(std::span<const Address> addresses);

  std::size_t read(std::span<char> buffer) override;
  void write_all(std::string_view data) override;

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  Fd fd_;
};

}  // namespace health
