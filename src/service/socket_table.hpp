#pragma once
// SocketTable: who holds a port, as the kernel's sock_diag tells it, or else /proc/net.
//
//   for (const BoundSocket& socket : sockets_on_port(Protocol::tcp, 8080)) ...
//
// Of the network namespace of the calling thread. Cost: a question for each of IPv4 and IPv6, which
// the kernel answers within the call; it does not block.

#include "rouse/service/condition.hpp"

#include <netinet/in.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rouse::detail {

/// An address of IPv6, or one of IPv4 in its mapped form (::ffff:a.b.c.d).
struct IpAddress {
  static IpAddress v4(std::uint32_t in_order_of_networks) noexcept;
  /// Nothing if `text` is no numeric address.
  static std::optional<IpAddress> parse(const std::string& text);

  bool is_v4() const noexcept;
  /// Stands for all addresses of its family.
  bool is_any() const noexcept;

  friend bool operator==(const IpAddress& a, const IpAddress& b) noexcept;

  ::in6_addr bytes{};
};

/// A TCP socket that listens, or a UDP socket that is bound.
struct BoundSocket {
  IpAddress address;
  bool v6_only = false;  ///< On all of IPv6, it does not have all of IPv4 as well.
  std::uint64_t inode = 0;

  bool serves(AddressFamily family) const noexcept;
  bool serves(const IpAddress& wanted) const noexcept;
};

/// Throws std::system_error that names the port if neither source can be read.
std::vector<BoundSocket> sockets_on_port(Protocol protocol, std::uint16_t port);

/// The two sources. Nothing if the kernel does not answer as it should: refused in a sandbox,
/// without the module, or cut off.
std::optional<std::vector<BoundSocket>> ask_sock_diag(Protocol protocol, std::uint16_t port);
/// It does not tell which sockets are v6_only: they are taken for what the system makes them unless
/// told otherwise (/proc/sys/net/ipv6/bindv6only). It is no snapshot: one that is there may be
/// missed at the very moment in which others end.
std::vector<BoundSocket> read_proc_net(Protocol protocol, std::uint16_t port);

}  // namespace rouse::detail
