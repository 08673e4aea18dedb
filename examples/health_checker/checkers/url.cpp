#include "checkers/url.hpp"

#include "display.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <vector>

namespace health {
namespace {

constexpr std::uint16_t http_port = 80;
constexpr std::uint16_t https_port = 443;

std::uint16_t parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) {
    throw std::invalid_argument("the port must be a number from 1 to 65535");
  }
  return port;
}

// White space and control bytes would end the request line early.
void require_plain(std::string_view text) {
  if (std::ranges::any_of(text, [](unsigned char c) { return c <= ' ' || c >= 0x7f; })) {
    throw std::invalid_argument("must be ASCII without blanks: encode other bytes as %xx");
  }
}

void parse_authority(std::string_view authority, Url& url) {
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
}

/// A path without its "." and "..", which never lead above the root.
std::string without_dots(std::string_view path) {
  std::vector<std::string_view> kept;
  bool ends_in_folder = true;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    path.remove_prefix(end);
    ends_in_folder = part.empty() || part == "." || part == "..";
    if (part == ".." && !kept.empty()) kept.pop_back();
    // Empty parts count, but for the last, which is the slash at the end.
    if (part != "." && part != ".." && !(part.empty() && path.empty())) kept.push_back(part);
  }
  std::string clean;
  for (const std::string_view part : kept) clean += "/" + std::string(part);
  return ends_in_folder ? clean + "/" : clean;
}

}  // namespace

std::string Url::host_header() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != (tls ? https_port : http_port)) text += ":" + std::to_string(port);
  return text;
}

bool Url::same_origin(const Url& other) const {
  return tls == other.tls && port == other.port && lower(host) == lower(other.host);
}

Url parse_url(std::string_view text) {
  Url url;
  const std::size_t scheme_end = text.find("://");
  const std::string scheme = lower(text.substr(0, std::min(scheme_end, text.size())));
  if (scheme_end == std::string_view::npos || (scheme != "http" && scheme != "https")) {
    throw std::invalid_argument("must begin with http:// or https://");
  }
  require_plain(text);
  url.tls = scheme == "https";
  url.port = url.tls ? https_port : http_port;
  text.remove_prefix(scheme_end + 3);
  text = text.substr(0, text.find('#'));

  const std::size_t authority_end = std::min(text.find_first_of("/?"), text.size());
  const std::string_view rest = text.substr(authority_end);
  if (!rest.empty()) url.target = (rest[0] == '?' ? "/" : "") + std::string(rest);
  parse_authority(text.substr(0, authority_end), url);
  return url;
}

Url redirected(const Url& from, std::string_view location) {
  location = location.substr(0, location.find('#'));
  if (location.starts_with("//")) {
    return parse_url((from.tls ? "https:" : "http:") + std::string(location));
  }
  const std::size_t scheme_end = location.find(':');
  if (scheme_end < location.find_first_of("/?")) return parse_url(location);

  require_plain(location);
  Url to = from;
  const std::string_view old_path = std::string_view(from.target).substr(0, from.target.find('?'));
  const std::size_t query_begin = std::min(location.find('?'), location.size());
  const std::string_view path = location.substr(0, query_begin);
  const std::string_view query = location.substr(query_begin);
  if (path.empty()) {
    to.target = query.empty() ? from.target : std::string(old_path) + std::string(query);
    return to;
  }
  // Relative to the folder of what was asked for.
  const std::string base(path[0] == '/' ? "" : old_path.substr(0, old_path.rfind('/') + 1));
  to.target = without_dots(base + std::string(path)) + std::string(query);
  return to;
}

}  // namespace health
