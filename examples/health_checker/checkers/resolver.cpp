#include "checkers/resolver.hpp"

#include "rouse/wait/fd.hpp"

#include "checkers/wait.hpp"

#include <ares.h>
#include <netdb.h>
#include <poll.h>

#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>

namespace health {
namespace {

constexpr std::size_t most_addresses = 16;

[[noreturn]] void throw_ares(const std::string& what, int status) {
  throw std::runtime_error(what + ": " + ::ares_strerror(status));
}

struct Lookup {
  bool done = false;
  int status = ARES_SUCCESS;
  std::vector<Address> addresses;

  static void finished(void* self, int status, int, ares_addrinfo* found) {
    static_cast<Lookup*>(self)->take(status, found);
  }

  // Called by C code: no exception may leave it, so there is room for all addresses already.
  void take(int ended, ares_addrinfo* found) noexcept {
    done = true;
    status = ended;
    if (found == nullptr) return;
    for (auto* node = found->nodes; node != nullptr; node = node->ai_next) {
      if (node->ai_addrlen > sizeof(sockaddr_storage)) continue;
      if (addresses.size() == most_addresses) break;
      Address& address = addresses.emplace_back();
      std::memcpy(&address.storage, node->ai_addr, node->ai_addrlen);
      address.length = node->ai_addrlen;
    }
    ::ares_freeaddrinfo(found);
  }
};

class Channel {
 public:
  explicit Channel(const ResolverOptions& options) {
    static const int library = ::ares_library_init(ARES_LIB_INIT_ALL);
    if (library != ARES_SUCCESS) throw_ares("start c-ares", library);
    ares_options none{};
    const int status = ::ares_init_options(&channel_, &none, 0);
    if (status != ARES_SUCCESS) throw_ares("start a look-up", status);
    std::string servers;
    for (const std::string& server : options.servers) {
      servers += (servers.empty() ? "" : ",") + server;
    }
    if (servers.empty()) return;
    if (const int set = ::ares_set_servers_ports_csv(channel_, servers.c_str());
        set != ARES_SUCCESS) {
      ::ares_destroy(channel_);
      throw_ares("use the DNS servers " + servers, set);
    }
  }
  ~Channel() { ::ares_destroy(channel_); }  // ends what is under way: callbacks are called
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  void start(const std::string& host, std::uint16_t port, Lookup& lookup) {
    ares_addrinfo_hints hints{};
    hints.ai_flags = ARES_AI_NUMERICSERV;
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    ::ares_getaddrinfo(channel_, host.c_str(), std::to_string(port).c_str(), &hints,
                       &Lookup::finished, &lookup);
  }

  /// Waits for the next event of its sockets or its timers, and handles it.
  void turn() {
    std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
    std::array<pollfd, ARES_GETSOCK_MAXNUM> polled{};
    const auto wanted =
        static_cast<unsigned>(::ares_getsock(channel_, sockets.data(), ARES_GETSOCK_MAXNUM));
    std::size_t count = 0;
    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
      const bool reads = ARES_GETSOCK_READABLE(wanted, i) != 0;
      const bool writes = ARES_GETSOCK_WRITABLE(wanted, i) != 0;
      if (!reads && !writes) continue;
      polled[count++] = {sockets[i],
                         static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)), 0};
    }

    // A server that floods keeps the sockets ready.
    throw_if_stopped();
    const std::span<pollfd> used = std::span(polled).first(count);
    timeval timer{};
    const timeval* next = ::ares_timeout(channel_, nullptr, &timer);
    const rouse::WaitStatus status =
        next == nullptr ? rouse::wait_fds(used)
                        : rouse::wait_fds_for(used, std::chrono::seconds(next->tv_sec) +
                                                        std::chrono::microseconds(next->tv_usec));
    if (status == rouse::WaitStatus::timeout) {
      ::ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
      return;
    }
    require_ready(status);
    for (const pollfd& socket : used) {
      // An error is found by reading.
      if (socket.revents == 0) continue;
      const bool writes = (socket.revents & POLLOUT) != 0;
      const bool reads = (socket.revents & ~POLLOUT) != 0;
      ::ares_process_fd(channel_, reads ? socket.fd : ARES_SOCKET_BAD,
                        writes ? socket.fd : ARES_SOCKET_BAD);
    }
  }

 private:
  ares_channel channel_ = nullptr;
};

/// Of "192.0.2.1" and "fe80::1%eth0"; nothing for a name. c-ares asks its servers for both.
std::optional<Address> parse_address(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;  // looks nothing up
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
    return std::nullopt;
  }
  Address address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.length = found->ai_addrlen;
  ::freeaddrinfo(found);
  return address;
}

}  // namespace

std::vector<Address> resolve(const std::string& host, std::uint16_t port,
                             const ResolverOptions& options) {
  if (const auto literal = parse_address(host, port)) return {*literal};

  Lookup lookup;  // before the channel, whose destructor may call it back
  lookup.addresses.reserve(most_addresses);
  Channel channel(options);
  channel.start(host, port, lookup);
  while (!lookup.done) channel.turn();

  if (lookup.status == ARES_ENOMEM) throw std::bad_alloc();
  if (lookup.status == ARES_ECONNREFUSED) {
    // Also what c-ares says when it cannot make a socket: if that is the reason, name it.
    const Fd probe(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!probe) throw_errno("make a socket");
  }
  if (lookup.status != ARES_SUCCESS || lookup.addresses.empty()) {
    throw TargetError(
        "look up " + host + ": " +
        (lookup.status == ARES_SUCCESS ? "no address" : ::ares_strerror(lookup.status)));
  }
  return std::move(lookup.addresses);
}

}  // namespace health
