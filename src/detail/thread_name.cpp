#include "rouse/detail/thread_name.hpp"

#include <pthread.h>

#include <algorithm>
#include <cstring>

namespace rouse::detail {

void set_thread_name(std::string_view name) noexcept {
  constexpr std::size_t kernel_limit = 15;
  std::size_t length = std::min(name.size(), kernel_limit);
  // Not in the middle of a UTF-8 sequence.
  while (length < name.size() && length > 0 &&
         (static_cast<unsigned char>(name[length]) & 0xC0U) == 0x80U) {
    --length;
  }
  char buffer[kernel_limit + 1] = {};
  std::memcpy(buffer, name.data(), length);
  ::pthread_setname_np(::pthread_self(), buffer);
}

std::string printable(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      result += "\\x";
      result += digits[byte >> 4];
      result += digits[byte & 0xFU];
    } else {
      result += c;
    }
  }
  return result;
}

}  // namespace rouse::detail
