#include "support/loopback_server.hpp"

#include "rouse/wait/fd.hpp"
#include "rouse/wait/this_thread.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>

namespace rouse::test {
namespace {

/// A socket bound to a free port of 127.0.0.1.
int bound_socket(std::uint16_t& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    throw std::runtime_error("cannot bind a port of 127.0.0.1");
  }
  port = ntohs(address.sin_port);
  return fd;
}

}  // namespace

bool LoopbackServer::Connection::send(std::string_view data) {
  while (!data.empty()) {
    const ssize_t sent = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      data.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN || wait_writable(fd_) != WaitStatus::ready) {
      return false;
    }
    if (this_thread::stop_token().stop_requested()) return false;
  }
  return true;
}

std::string LoopbackServer::Connection::receive() {
  std::array<char, 4096> buffer;
  if (wait_readable(fd_) != WaitStatus::ready) return {};
  const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
  return got > 0 ? std::string(buffer.data(), static_cast<std::size_t>(got)) : std::string();
}

std::string LoopbackServer::Connection::receive_until(std::string_view end) {
  std::string all;
  while (all.find(end) == std::string::npos) {
    const std::string some = receive();
    if (some.empty()) break;
    all += some;
  }
  return all;
}

void LoopbackServer::Connection::wait_for_close() {
  while (!receive().empty()) {
  }
}

void LoopbackServer::Connection::reset_on_close() {
  const linger none{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

LoopbackServer::LoopbackServer(Handler handler) : handler_(std::move(handler)) {
  listener_ = bound_socket(port_);
  if (::listen(listener_, 64) != 0) throw std::runtime_error("cannot listen on 127.0.0.1");
  thread_ = std::jthread([this](std::stop_token stop) {
    this_thread::Bind bind(std::move(stop));
    serve();
  });
}

LoopbackServer::~LoopbackServer() {
  thread_.request_stop();
  thread_.join();
  ::close(listener_);
}

std::string LoopbackServer::url(std::string_view target) const {
  return "http://127.0.0.1:" + std::to_string(port_) + std::string(target);
}

void LoopbackServer::serve() {
  while (wait_readable(listener_) == WaitStatus::ready) {
    connected_.set();
    if (handler_ == nullptr) return;
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) continue;
    Connection connection(fd);
    handler_(connection);
    ::close(fd);
  }
}

ClosedPort::ClosedPort() : fd_(bound_socket(port_)) {}
ClosedPort::~ClosedPort() { ::close(fd_); }

}  // namespace rouse::test
