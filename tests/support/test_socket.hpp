#pragma once
// TestSocket: a socket on a port of this machine.
//
//   TestSocket server({.family = AF_INET6, .address = "::1"});   // listens
//   connect_to("::1", server.port());

#include "support/child_process.hpp"
#include "support/fail.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstdint>
#include <cstring>

namespace rouse::test {

struct TestSocketOptions {
  int type = SOCK_STREAM;  ///< A stream, or a datagram socket.
  int family = AF_INET;
  const char* address = "127.0.0.1";  ///< Of the family.
  std::uint16_t port = 0;             ///< 0: any that is free.
  bool v6_only = false;
  bool listens = true;       ///< If it is a stream.
  bool shares_port = false;  ///< SO_REUSEPORT
};

class TestSocket {
 public:
  /// Throws std::system_error.
  explicit TestSocket(const TestSocketOptions& options = {})
      : fd_(::socket(options.family, options.type | SOCK_CLOEXEC, 0)) {
    set(SOL_SOCKET, SO_REUSEADDR, options.type == SOCK_STREAM);
    set(SOL_SOCKET, SO_REUSEPORT, options.shares_port);
    if (options.family == AF_INET6) set(IPPROTO_IPV6, IPV6_V6ONLY, options.v6_only);
    Address address(options.family, options.address, options.port);
    if (::bind(fd_.get(), address.get(), address.size) != 0) fail("bind");
    if (options.type == SOCK_STREAM && options.listens) listen();
    if (::getsockname(fd_.get(), address.get(), &address.size) != 0) fail("getsockname");
    port_ = address.port();
  }

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] std::uint64_t inode() const {
    struct ::stat status {};
    if (::fstat(fd_.get(), &status) != 0) fail("fstat");
    return status.st_ino;
  }
  void connect(int family, const char* address, std::uint16_t port) {
    Address peer(family, address, port);
    if (::connect(fd_.get(), peer.get(), peer.size) != 0) fail("connect");
  }
  void listen() {
    if (::listen(fd_.get(), 1) != 0) fail("listen");
  }
  void close() { fd_.reset(); }

 private:
  struct Address {
    Address(int family, const char* text, std::uint16_t port) {
      if (family == AF_INET) {
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        size = sizeof v4;
        if (::inet_pton(AF_INET, text, &v4.sin_addr) != 1) fail("inet_pton");
      } else {
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        size = sizeof v6;
        if (::inet_pton(AF_INET6, text, &v6.sin6_addr) != 1) fail("inet_pton");
      }
    }
    ::sockaddr* get() noexcept { return reinterpret_cast<::sockaddr*>(&v6); }
    std::uint16_t port() const noexcept { return ntohs(v6.sin6_port); }  // in the same place

    union {
      ::sockaddr_in6 v6{};
      ::sockaddr_in v4;
    };
    ::socklen_t size = 0;
  };

  void set(int level, int option, int value) {
    if (::setsockopt(fd_.get(), level, option, &value, sizeof value) != 0) fail("setsockopt");
  }

  FileDescriptor fd_;
  std::uint16_t port_ = 0;
};

}  // namespace rouse::test
