#include "checkers/url.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace health {
namespace {

std::uint16_t parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) {
    throw std::invalid_argument("the port must be a number from 1 to 65535");
  }
  return port;
}

}  // namespace

std::string Url::host_header() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != 80) text += ":" + std::to_string(port);
  return text;
}

Url parse_url(std::string_view text) {
  constexpr std::string_view scheme = "http://";
  if (text.starts_with("https://")) throw std::invalid_argument("https is not supported");
  if (!text.starts_with(scheme)) throw std::invalid_argument("must begin with http://");
  // White space and control bytes would end the request line early.
  if (std::ranges::any_of(text, [](unsigned char c) { return c <= ' ' || c >= 0x7f; })) {
    throw std::invalid_argument("must be ASCII without blanks: encode other bytes as %xx");
  }
  text.remove_prefix(scheme.size());
  text = text.substr(0, text.find('#'));

  Url url;
  const std::size_t authority_end = std::min(text.find_first_of("/?"), text.size());
  std::string_view authority = text.substr(0, authority_end);
  const std::string_view rest = text.substr(authority_end);
  if (!rest.empty()) url.target = (rest[0] == '?' ? "/" : "") + std::string(rest);

  if (authority.find('@') != std::string_view::npos) {
    throw std::invalid_argument("user names are not supported");
  }
  std::size_t host_end = std::min(authority.find(':'), authority.size());
  if (authority.starts_with('[')) {
    const std::size_t bracket = authority.find(']');
    if (bracket == std::string_view::npos) throw std::invalid_argument("']' is missing");
    url.host = authority.substr(1, bracket - 1);
    host_end = bracket + 1;
  } else {
    url.host = authority.substr(0, host_end);
  }
  if (url.host.empty()) throw std::invalid_argument("the host is missing");
  const std::string_view after_host = authority.substr(host_end);
  if (!after_host.empty()) {
    if (after_host[0] != ':') throw std::invalid_argument("only ':' and a port may follow ']'");
    url.port = parse_port(after_host.substr(1));
  }
  return url;
}

}  // namespace health
