#include "server/target.hpp"

#include <algorithm>
#include <cstddef>

namespace health {
namespace {

bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// As forms encode it: '+' is a blank.
std::string decoded(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i] == '+' ? ' ' : text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) throw Refusal(400, "a '%' without two hex digits");
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (is_control(c)) throw Refusal(400, "a control character");
    plain += c;
  }
  return plain;
}

void check_path(std::string_view path) {
  if (path.empty() || path.front() != '/') throw Refusal(400, "not a path");
  const bool odd = std::ranges::any_of(
      path, [](char c) { return is_control(c) || c == '%' || c == '\\' || c == '#'; });
  // With a '/' behind it a ".." at the end is found as well.
  const std::string closed = std::string(path) + "/";
  if (odd || path.find("//") != std::string_view::npos || closed.find("/./") != std::string::npos ||
      closed.find("/../") != std::string::npos) {
    throw Refusal(400, "a path that is not plain");
  }
}

}  // namespace

std::vector<std::string> Target::values(std::string_view name) const {
  std::vector<std::string> found;
  for (const auto& [key, value] : parameters) {
    if (key == name) found.push_back(value);
  }
  return found;
}

Target parse_target(std::string_view text) {
  if (text.size() > longest_target) throw Refusal(414, "a target that is too long");
  const std::size_t question = text.find('?');
  Target target{.path = std::string(text.substr(0, question)), .parameters = {}};
  check_path(target.path);
  std::string_view rest =
      question == std::string_view::npos ? std::string_view() : text.substr(question + 1);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    target.parameters.emplace_back(decoded(pair.substr(0, equals)),
                                   decoded(pair.substr(std::min(equals + 1, pair.size()))));
  }
  return target;
}

}  // namespace health
