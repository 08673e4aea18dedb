#pragma once
// resolve: the addresses of a host name, by a look-up that a stop and the check's timeout end.
//
/// @code
///   const std::vector<Address> addresses = resolve("www.example.org", 80);
///   Socket socket = Socket::connect(addresses);
/// @endcode
//
// Not getaddrinfo: nothing ends that. c-ares asks the servers of /etc/resolv.conf and /etc/hosts,
// not other services of nsswitch.conf (mdns, LDAP).
// Thread safety: any thread; each call has its own sockets, and reads the configuration anew.

#include "checkers/socket.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace health {

struct ResolverOptions {
  /// "192.0.2.1" or "192.0.2.1:5353"; empty: those of the system.
  std::vector<std::string> servers;
};

/// At least one address, at most 16, the best first (RFC 6724). An address in `host` is itself.
/// Throws TargetError, std::system_error, rouse::Stopped.
std::vector<Address> resolve(const std::string& host, std::uint16_t port,
                             const ResolverOptions& options = {});

}  // namespace health
