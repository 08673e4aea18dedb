#include "server/listener.hpp"

#include "rouse/wait/fd.hpp"
#include "rouse/wait/sleep.hpp"

#include "display.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <stdexcept>

namespace health {
namespace {

constexpr int backlog = 128;
// What the kernel keeps for a client that does not read.
constexpr int send_buffer = 256 * 1024;

Address listening_address(const std::string& text, std::uint16_t port) {
  Address address;
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    address.length = sizeof v4;
  } else if (::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    address.length = sizeof v6;
  } else {
    throw std::invalid_argument("'" + printable(text) + "' is not an IP address");
  }
  return address;
}

void set_option(int fd, int level, int option, int value, const char* what) {
  if (::setsockopt(fd, level, option, &value, sizeof value) != 0) throw_errno(what);
}

}  // namespace

Listener::Listener(const std::string& address, std::uint16_t port) {
  Address own = listening_address(address, port);
  const std::string what = "listen on " + own.to_string();
  fd_ = Fd(::socket(own.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd_) throw_errno("make a socket");
  set_option(fd_.get(), SOL_SOCKET, SO_REUSEADDR, 1, "set SO_REUSEADDR");
  // What is accepted inherits these.
  set_option(fd_.get(), SOL_SOCKET, SO_SNDBUF, send_buffer, "set SO_SNDBUF");
  set_option(fd_.get(), IPPROTO_TCP, TCP_NODELAY, 1, "set TCP_NODELAY");
  if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&own.storage), own.length) != 0 ||
      ::listen(fd_.get(), backlog) != 0 ||
      ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&own.storage), &own.length) != 0) {
    throw_errno(what);
  }
  port_ = own.storage.ss_family == AF_INET
              ? ntohs(reinterpret_cast<const sockaddr_in&>(own.storage).sin_port)
              : ntohs(reinterpret_cast<const sockaddr_in6&>(own.storage).sin6_port);
  address_ = own.to_string();
}

std::optional<Listener::Accepted> Listener::accept() {
  constexpr std::chrono::milliseconds pause{100};
  while (rouse::wait_readable(fd_.get()) == rouse::WaitStatus::ready) {
    Address peer;
    peer.length = sizeof peer.storage;
    Fd fd(::accept4(fd_.get(), reinterpret_cast<sockaddr*>(&peer.storage), &peer.length,
                    SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) return Accepted{std::move(fd), peer};
    const int error = errno;
    if (error == EBADF || error == EINVAL) throw_errno("accept a connection", error);
    // Other errors are of that connection: it has gone already.
    const bool exhausted =
        error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
    if (exhausted && rouse::sleep_for(pause) == rouse::WaitStatus::stopped) break;
  }
  return std::nullopt;
}

}  // namespace health
