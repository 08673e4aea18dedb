#pragma once
// Url: the parts of "http://host:port/path?query" that a plain request needs.

#include <cstdint>
#include <string>
#include <string_view>

namespace health {

struct Url {
  std::string host;  ///< An IPv6 address without its brackets.
  std::uint16_t port = 80;
  std::string target = "/";  ///< Path and query.

  /// The Host header.
  [[nodiscard]] std::string host_header() const;
};

/// Throws std::invalid_argument, which says what is wrong: https, a user name, white space.
Url parse_url(std::string_view text);

}  // namespace health
