#pragma once
// LineFollower: bytes that come in pieces, to lines. It asks the system for nothing.
//
//   LineFollower lines(64 * 1024);
//   std::string_view piece = ...;                      // what has just been read
//   while (const auto line = lines.next(piece)) ...    // each line that ends in it
//   lines.unterminated();                              // and what has no end yet
//
// A line ends with '\n'; one '\r' before it belongs to the end. All other bytes are kept, NUL too.
// Of a line longer than `max_line` bytes only the first `max_line` are given.
// Cost: a line that lies in one piece is not copied. Memory is at most twice `max_line`, while the
//   kept beginning of a line grows.
// Thread safety: none.

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace rouse::detail {

class LineFollower {
 public:
  /// Precondition: max_line > 0.
  explicit LineFollower(std::size_t max_line) noexcept : max_line_(max_line) {}

  /// The next line that ends in `bytes`, without its end; `bytes` then begins behind it. Empty if
  /// none ends there: `bytes` is empty then, and kept as the beginning of a line. What is returned
  /// is valid until the next call and as long as the piece. After std::bad_alloc nothing has
  /// changed.
  std::optional<std::string_view> next(std::string_view& bytes);

  /// What has come since the last end of a line; at most max_line bytes.
  std::string_view unterminated() const noexcept;
  /// What has no end yet was given as a line: what follows up to the end is a line of its own if it
  /// is not empty.
  void take_unterminated() noexcept;
  /// The line that has begun is longer than max_line, and nothing of it is given.
  void pass_over() noexcept;
  /// Begins anew.
  void reset() noexcept;

 private:
  void keep(std::string_view bytes);

  const std::size_t max_line_;
  std::vector<char> kept_;  ///< Of the line that has no end yet.
  bool cut_ = false;        ///< More than max_line bytes came: the rest of the line is passed over.
  bool given_ = false;      ///< The line's beginning was given, or is not to be.
  bool ended_ = false;      ///< `kept_` is the line returned last.
};

}  // namespace rouse::detail
