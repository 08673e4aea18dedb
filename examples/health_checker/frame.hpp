#pragma once
// Frame: a few lines at the bottom of a terminal that are replaced in place, while other lines
// scroll by above them.
//
// Thread safety: none; one thread at a time.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace health {

struct Frame {
  std::vector<std::string> lines = {};  ///< Printable, but for colours.
  std::size_t cursor = 0;               ///< Its column in the last line.
};

class FramePainter {
 public:
  /// What must be written to a terminal of `width` columns, as one piece, so that `above` (whole
  /// lines, or nothing) scrolls by and `frame` stands below it, in the place of the frame before.
  std::string paint(std::string_view above, const Frame& frame, std::size_t width);

  /// The frame that is shown is not to be replaced: somebody else has written below it.
  void forget() noexcept;

 private:
  [[nodiscard]] std::size_t rows_above_cursor(std::size_t width) const noexcept;

  // Of the frame that is shown.
  std::vector<std::size_t> widths_;
  std::size_t cursor_ = 0;
};

}  // namespace health
