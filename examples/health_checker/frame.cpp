#include "frame.hpp"

#include "display.hpp"

#include <algorithm>

namespace health {
namespace {

// Columns of a line, less its colours: ESC [ ... m.
std::size_t shown_columns(std::string_view line) noexcept {
  std::size_t count = 0;
  while (!line.empty()) {
    const std::size_t plain = std::min(line.find('\x1b'), line.size());
    count += columns(line.substr(0, plain));
    line.remove_prefix(plain);
    const std::size_t end = line.find('m');
    line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
  }
  return count;
}

}  // namespace

std::string FramePainter::paint(std::string_view above, const Frame& frame, std::size_t width) {
  // The line of the cursor may be somebody else's.
  if (widths_.empty() && frame.lines.empty()) return std::string(above);
  std::string text = "\r";
  if (const std::size_t rows = rows_above_cursor(width); rows != 0) {
    text += "\x1b[" + std::to_string(rows) + "A";
  }
  text += "\x1b[J";
  text += above;

  // Without automatic wrapping: a line with characters that are wider than they count would take
  // two rows, and the next frame would miss its place.
  text += "\x1b[?7l";
  widths_.clear();
  for (const std::string& line : frame.lines) {
    if (!widths_.empty()) text += "\n";
    text += line;
    widths_.push_back(shown_columns(line));
  }
  text += "\x1b[?7h\r";
  cursor_ = frame.cursor;
  if (cursor_ != 0) text += "\x1b[" + std::to_string(cursor_) + "C";
  return text;
}

void FramePainter::forget() noexcept {
  widths_.clear();
  cursor_ = 0;
}

std::size_t FramePainter::rows_above_cursor(std::size_t width) const noexcept {
  if (widths_.empty()) return 0;
  // A line takes more than one row if the window has become narrower: terminals wrap it then.
  const std::size_t one = std::max<std::size_t>(width, 1);
  std::size_t rows = cursor_ / one;
  for (std::size_t i = 0; i + 1 < widths_.size(); ++i) {
    rows += std::max<std::size_t>((widths_[i] + one - 1) / one, 1);
  }
  return rows;
}

}  // namespace health
