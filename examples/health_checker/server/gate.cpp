#include "server/gate.hpp"

#include "display.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

namespace health {
namespace {

// "[::1]:80" and "::1" are the address ::1.
std::string_view without_port(std::string_view host) noexcept {
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    return end == std::string_view::npos ? host : host.substr(1, end - 1);
  }
  const bool port = std::ranges::count(host, ':') == 1;
  return port ? host.substr(0, host.find(':')) : host;
}

// One of IPv4 as mapped to IPv6, so that two ways to write an address are equal.
std::optional<in6_addr> parse_address(const std::string& text) {
  in6_addr address{};
  in_addr v4{};
  if (::inet_pton(AF_INET6, text.c_str(), &address) == 1) return address;
  if (::inet_pton(AF_INET, text.c_str(), &v4) != 1) return std::nullopt;
  address.s6_addr[10] = address.s6_addr[11] = 0xFF;
  std::memcpy(&address.s6_addr[12], &v4, sizeof v4);
  return address;
}

bool is_loopback(const in6_addr& address) noexcept {
  return IN6_IS_ADDR_LOOPBACK(&address) ||
         (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127);
}

bool equal(const in6_addr& a, const in6_addr& b) noexcept {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

bool equal_in_constant_time(std::string_view given, std::string_view expected) noexcept {
  std::size_t different = given.size() ^ expected.size();
  for (std::size_t i = 0; i < given.size(); ++i) {
    // volatile: or the loop may be left when the answer is known.
    const volatile char wanted = expected[i % expected.size()];
    different |= static_cast<unsigned char>(given[i] ^ wanted);
  }
  return different == 0;
}

}  // namespace

Gate::Gate(const std::string& address, std::string token)
    : address_(parse_address(address)),
      token_(std::move(token)),
      loopback_(address_ && is_loopback(*address_)) {}

bool Gate::knows_host(const std::optional<std::string>& host) const {
  if (!loopback_ || !host) return true;
  const std::string name = lower(without_port(*host));
  if (name == "localhost" || name == "127.0.0.1" || name == "::1") return true;
  const std::optional<in6_addr> address = parse_address(name);
  return address && equal(*address, *address_);
}

bool Gate::admits(std::string_view authorization) const noexcept {
  if (token_.empty()) return true;
  constexpr std::string_view scheme = "bearer ";
  std::size_t matching = 0;
  while (matching < scheme.size() && matching < authorization.size() &&
         (authorization[matching] | 0x20) == scheme[matching]) {
    ++matching;
  }
  if (matching < scheme.size()) return false;
  authorization.remove_prefix(scheme.size());
  return equal_in_constant_time(authorization, token_);
}

}  // namespace health
