#include "checkers/socket.hpp"

#include "rouse/wait/fd.hpp"

#include "checkers/wait.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>

#include <chrono>
#include <cstring>
#include <vector>

namespace health {
namespace {

// RFC 8305 recommends it.
constexpr std::chrono::milliseconds head_start{250};

/// A connect to a free port of this machine may pick that very port as its own and so find itself.
bool connected_to_itself(int fd) {
  sockaddr_storage own{};
  sockaddr_storage peer{};
  socklen_t own_length = sizeof own;
  socklen_t peer_length = sizeof peer;
  return ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &own_length) == 0 &&
         ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_length) == 0 &&
         own_length == peer_length && std::memcmp(&own, &peer, own_length) == 0;
}

/// The connects to several addresses that are under way.
class Connecting {
 public:
  explicit Connecting(std::span<const Address> addresses) : rest_(addresses) {}

  Fd run() {
    Fd connected;
    while (!connected) {
      if (!rest_.empty()) {
        connected = start(rest_.front());
        rest_ = rest_.subspan(1);
      } else if (polled_.empty()) {
        throw TargetError(failures_.empty() ? "no address to connect to" : failures_);
      }
      if (!connected && !polled_.empty()) connected = wait();
    }
    return connected;
  }

 private:
  /// The connection, if it is there at once.
  Fd start(const Address& address) {
    Fd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd && errno != EAFNOSUPPORT) throw_errno("make a socket");
    if (fd && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage),
                        address.length) == 0) {
      return finish(std::move(fd), address, 0);
    }
    if (errno == EINPROGRESS) {
      polled_.push_back({fd.get(), POLLOUT, 0});
      attempts_.push_back({std::move(fd), &address});
      return {};
    }
    return finish({}, address, errno);
  }

  /// Until one of them has ended, or the next is to be started.
  Fd wait() {
    const rouse::WaitStatus status =
        rest_.empty() ? rouse::wait_fds(polled_) : rouse::wait_fds_for(polled_, head_start);
    if (status == rouse::WaitStatus::timeout) return {};
    require_ready(status);
    for (std::size_t i = polled_.size(); i-- > 0;) {
      if (polled_[i].revents == 0) continue;
      Attempt ended = std::move(attempts_[i]);
      polled_.erase(polled_.begin() + static_cast<std::ptrdiff_t>(i));
      attempts_.erase(attempts_.begin() + static_cast<std::ptrdiff_t>(i));
      int error = 0;
      socklen_t length = sizeof error;
      ::getsockopt(ended.fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
      if (Fd connected = finish(std::move(ended.fd), *ended.address, error)) return connected;
    }
    return {};
  }

  Fd finish(Fd fd, const Address& address, int error) {
    if (error == 0 && connected_to_itself(fd.get())) error = ECONNREFUSED;
    if (error == 0) return fd;
    failures_ += (failures_.empty() ? "" : "; ") + address.to_string() + ": " + error_text(error);
    return {};
  }

  struct Attempt {
    Fd fd;
    const Address* address;
  };

  std::span<const Address> rest_;
  std::vector<Attempt> attempts_;
  std::vector<pollfd> polled_;  // of the attempts, in their order
  std::string failures_;
};

}  // namespace

std::string Address::to_string() const {
  char text[INET6_ADDRSTRLEN] = "?";
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(v4.sin_port));
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6.sin6_port));
}

Socket Socket::connect(std::span<const Address> addresses) {
  return Socket(Connecting(addresses).run());
}

std::size_t Socket::read(std::span<char> buffer) {
  for (;;) {
    // The peer may send without end: a wait that is ready does not see the stop.
    throw_if_stopped();
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno == EAGAIN) {
      require_ready(rouse::wait_readable(fd_.get()));
    } else if (errno != EINTR) {
      throw TargetError("reading: " + error_text(errno));
    }
  }
}

void Socket::write_all(std::string_view data) {
  while (!data.empty()) {
    throw_if_stopped();
    const ssize_t sent = ::send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      data.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      require_ready(rouse::wait_writable(fd_.get()));
    } else if (errno != EINTR) {
      throw TargetError("writing: " + error_text(errno));
    }
  }
}

}  // namespace health
