#include "checkers/text.hpp"

#include <array>
#include <charconv>

namespace health {

std::string number_text(double value, int digits) {
  // Room for the largest double (309 digits) and what follows the point.
  std::array<char, 340> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                 std::chars_format::fixed, digits);
  return end.ec == std::errc{} ? std::string(buffer.data(), end.ptr) : "?";
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return number_text(value, unit == 0 ? 0 : 1) + " " + units[unit];
}

std::string duration_text(std::chrono::nanoseconds duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  if (seconds < 1) return number_text(seconds * 1e3, seconds < 0.01 ? 1 : 0) + " ms";
  if (seconds < 120) return number_text(seconds, 1) + " s";
  if (seconds < 7200) return number_text(seconds / 60, 1) + " min";
  if (seconds < 172'800) return number_text(seconds / 3600, 1) + " h";
  return number_text(seconds / 86'400, 1) + " d";
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n\v\f";
  const std::size_t first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

std::string first_line(std::string_view text, std::size_t most) {
  text = trimmed(text);
  return std::string(trimmed(text.substr(0, text.find('\n')).substr(0, most)));
}

}  // namespace health
