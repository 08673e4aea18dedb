#pragma once
// Url: the parts of "https://host:port/path?query" that a request needs.

#include <cstdint>
#include <string>
#include <string_view>

namespace health {

struct Url {
  bool tls = false;  ///< https
  std::string host;  ///< An IPv6 address without its brackets.
  std::uint16_t port = 80;
  std::string target = "/";  ///< Path and query.

  /// The Host header.
  [[nodiscard]] std::string host_header() const;
  /// Whether the two are of one server: scheme, host and port.
  [[nodiscard]] bool same_origin(const Url& other) const;
};

/// Throws std::invalid_argument, which says what is wrong: another scheme, a user name, white
/// space.
Url parse_url(std::string_view text);

/// Where `from` is redirected to by `location`: all of a URL, or what is different (RFC 3986, 5.2).
/// Throws std::invalid_argument.
Url redirected(const Url& from, std::string_view location);

}  // namespace health
