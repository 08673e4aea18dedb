#include "detail/complain.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace rouse::detail {
namespace {

class Line {
 public:
  Line() noexcept { append("rouse: "); }

  void append(std::string_view text) noexcept {
    constexpr char digits[] = "0123456789abcdef";
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (length_ + escaped_size > sizeof buffer_ - 1) return;
      if (byte < 0x20 || byte == 0x7F) {
        const char escaped[escaped_size] = {'\\', 'x', digits[byte >> 4], digits[byte & 0xFU]};
        for (const char e : escaped) buffer_[length_++] = e;
      } else {
        buffer_[length_++] = c;
      }
    }
  }

  void print() noexcept {
    buffer_[length_++] = '\n';
    while (::write(STDERR_FILENO, buffer_, length_) < 0 && errno == EINTR) {
    }
  }

 private:
  static constexpr std::size_t escaped_size = 4;

  char buffer_[1024];
  std::size_t length_ = 0;
};

}  // namespace

void complain(std::initializer_list<std::string_view> parts) noexcept {
  Line line;
  for (const std::string_view part : parts) line.append(part);
  line.print();
}

void complain(std::initializer_list<std::string_view> parts,
              const std::exception_ptr& exception) noexcept {
  Line line;
  for (const std::string_view part : parts) line.append(part);
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& e) {
    line.append(e.what());
  } catch (...) {
    line.append("an exception that is not a std::exception");
  }
  line.print();
}

}  // namespace rouse::detail
