#pragma once
// Numbers, sizes and times as people read them; lines of text from elsewhere.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace health {

/// number_text(12.345, 1) is "12.3", whatever the locale.
std::string number_text(double value, int digits);

/// "512 B", "1.5 GiB".
std::string bytes_text(std::uint64_t bytes);

/// "350 ms", "12.3 s", "5.0 min", "3.0 h", "2.0 d".
std::string duration_text(std::chrono::nanoseconds duration);

/// In milliseconds, for figures.
inline double milliseconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

/// Without white space at both ends.
std::string_view trimmed(std::string_view text);

/// The first line that is not blank, trimmed, and at most `most` bytes of it.
std::string first_line(std::string_view text, std::size_t most = 1024);

}  // namespace health
