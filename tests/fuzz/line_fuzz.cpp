// What must hold of lines that come in pieces: libFuzzer's entry. The first byte of an input
// chooses max_line, of 1 to 32; the rest are bytes that come, where '|' ends a piece and '!' also
// takes what has no end yet as a line. Built and run by run.sh.

#include "service/line_follower.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void require_of_lines(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "line_fuzz: does not hold: %s\n", what);
  std::abort();
}

// Byte by byte, and remembers all of a line.
class SimpleLines {
 public:
  explicit SimpleLines(std::size_t max_line) : max_line_(max_line) {}

  bool ends_line(char byte) {
    if (byte != '\n') {
      bytes_ += byte;
      return false;
    }
    if (bytes_.ends_with('\r')) bytes_.pop_back();
    line_ = unterminated();
    const bool is_line = !taken_ || !line_.empty();
    bytes_.clear();
    taken_ = over_ = false;
    return is_line;
  }

  const std::string& line() const { return line_; }
  std::string unterminated() const { return over_ ? "" : bytes_.substr(0, max_line_); }

  void take_unterminated() {
    over_ = over_ || bytes_.size() > max_line_;
    taken_ = true;
    bytes_.clear();
  }

 private:
  const std::size_t max_line_;
  std::string bytes_;
  std::string line_;
  bool taken_ = false;
  bool over_ = false;
};

void check_piece(rouse::detail::LineFollower& lines, SimpleLines& simple, std::string_view piece) {
  std::string_view rest = piece;
  for (const char byte : piece) {
    if (!simple.ends_line(byte)) continue;
    const auto line = lines.next(rest);
    require_of_lines(line.has_value(), "the line is found");
    require_of_lines(*line == simple.line(), "the lines are the same");
  }
  require_of_lines(!lines.next(rest), "there is no other line");
  require_of_lines(rest.empty(), "the whole piece was taken");
  require_of_lines(lines.unterminated() == simple.unterminated(), "the ends are the same");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t max_line = data[0] % 32 + 1;
  rouse::detail::LineFollower lines(max_line);
  SimpleLines simple(max_line);
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (bool more = true; more;) {
    const std::size_t end = bytes.find_first_of("|!");
    more = end != std::string_view::npos;
    // A copy of its own, so that AddressSanitizer sees what reads beyond it.
    const std::string piece(bytes.substr(0, end));
    check_piece(lines, simple, piece);
    if (!more) break;
    if (bytes[end] == '!' && !lines.unterminated().empty()) {
      lines.take_unterminated();
      simple.take_unterminated();
    }
    bytes.remove_prefix(end + 1);
  }
  return 0;
}
