#include "display.hpp"

#include <algorithm>
#include <cstdint>

namespace health {
namespace {

constexpr bool is_continuation(char byte) noexcept {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

struct Character {
  std::size_t length = 1;
  bool shown = false;  ///< Valid UTF-8 and harmless.
};

bool harmless(std::uint32_t c) noexcept {
  const bool control = c < 0x20 || (c >= 0x7F && c < 0xA0);
  const bool separator = c == 0x2028 || c == 0x2029;
  const bool direction = (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) ||
                         c == 0x200E || c == 0x200F || c == 0x061C;
  const bool invisible =
      (c >= 0x200B && c <= 0x200D) || (c >= 0x2060 && c <= 0x2064) || c == 0xFEFF;
  return !control && !separator && !direction && !invisible;
}

// The character that `text`, which is not empty, begins with.
Character first_character(std::string_view text) noexcept {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {1, harmless(lead)};
  std::size_t length = 0;
  std::uint32_t c = 0;
  if (lead >= 0xC2 && lead < 0xE0) {
    length = 2;
    c = lead & 0x1FU;
  } else if (lead >= 0xE0 && lead < 0xF0) {
    length = 3;
    c = lead & 0x0FU;
  } else if (lead >= 0xF0 && lead < 0xF5) {
    length = 4;
    c = lead & 0x07U;
  } else {
    return {};
  }
  if (text.size() < length) return {};
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(text[i])) return {};
    c = c << 6 | (static_cast<unsigned char>(text[i]) & 0x3FU);
  }
  const bool overlong = (length == 3 && c < 0x800) || (length == 4 && c < 0x10000);
  const bool surrogate = c >= 0xD800 && c < 0xE000;
  if (overlong || surrogate || c > 0x10FFFF) return {};
  return {length, harmless(c)};
}

}  // namespace

std::string printable(std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    const Character character = first_character(text);
    if (character.shown) {
      shown += text.substr(0, character.length);
    } else {
      for (const char byte : text.substr(0, character.length)) {
        const auto value = static_cast<unsigned char>(byte);
        shown += {'\\', 'x', digits[value >> 4], digits[value & 0x0F]};
      }
    }
    text.remove_prefix(character.length);
  }
  return shown;
}

std::size_t columns(std::string_view text) noexcept {
  return text.size() - static_cast<std::size_t>(std::ranges::count_if(text, is_continuation));
}

std::string cut(std::string_view text, std::size_t width) {
  if (columns(text) <= width) return std::string(text);
  if (width == 0) return {};
  std::size_t end = 0;
  for (std::size_t kept = 1; kept < width; ++kept) {
    ++end;
    while (end < text.size() && is_continuation(text[end])) ++end;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

std::string exact_text(std::chrono::milliseconds d) {
  using namespace std::chrono_literals;
  if (d.count() != 0) {
    if (d % 24h == 0ms) return std::to_string(d / 24h) + "d";
    if (d % 1h == 0ms) return std::to_string(d / 1h) + "h";
    if (d % 1min == 0ms) return std::to_string(d / 1min) + "m";
  }
  if (d % 1s == 0ms) return std::to_string(d / 1s) + "s";
  return std::to_string(d.count()) + "ms";
}

}  // namespace health
