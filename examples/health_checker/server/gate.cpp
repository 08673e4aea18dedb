#include "server/gate.hpp"

#include "display.hpp"

#include <algorithm>
#include <cstddef>
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

Gate::Gate(std::string address, std::string token)
    : address_(std::move(address)),
      token_(std::move(token)),
      loopback_(address_ == "::1" || address_.starts_with("127.")) {}

bool Gate::knows_host(const std::optional<std::string>& host) const {
  if (!loopback_ || !host) return true;
  const std::string name = lower(without_port(*host));
  return name == "localhost" || name == "127.0.0.1" || name == "::1" || name == address_;
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
