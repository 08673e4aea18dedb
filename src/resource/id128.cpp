#include "rouse/resource/id128.hpp"

#include "rouse/detail/thread_name.hpp"

#include <cstddef>
#include <ostream>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace rouse {

std::ostream& operator<<(std::ostream& stream, const Id128& id) {
  char text[32];
  id.to_hex(text);
  return stream << std::string_view(text, sizeof text);
}

void detail::throw_bad_id(const char* function, std::string_view text, std::size_t length,
                          std::size_t index, const char* expected) {
  std::string message = function;
  if (text.size() != length) {
    message +=
        ": " + std::to_string(text.size()) + " characters instead of " + std::to_string(length);
  } else {
    const auto byte = static_cast<unsigned char>(text[index]);
    // A byte above is no character by itself.
    const std::string found =
        byte < 0x80 ? "'" + printable(text.substr(index, 1)) + "'" : "byte " + std::to_string(byte);
    message +=
        ": " + found + " at position " + std::to_string(index + 1) + " instead of " + expected;
  }
  throw std::invalid_argument(message);
}

}  // namespace rouse
