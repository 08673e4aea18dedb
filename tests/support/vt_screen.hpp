#pragma once
// VtScreen: what a terminal shows after the bytes that it was sent.
//
// As much of a VT100 as the programs under test use. What it does not know is counted, so that a
// test can prove that there was none. A line feed returns the carriage too: the driver of a
// terminal adds that.

#include <algorithm>
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rouse::test {

class VtScreen {
 public:
  VtScreen(std::size_t columns, std::size_t rows) : columns_(columns), rows_(rows), lines_(rows) {}

  /// May end within a character or a sequence.
  void feed(std::string_view bytes) {
    for (const char byte : bytes) take(byte);
  }

  /// Cuts and extends at the right and at the bottom; where the cursor would be lost the top
  /// scrolls away.
  void resize(std::size_t columns, std::size_t rows) {
    while (row_ >= rows) {
      scroll();
      --row_;
    }
    lines_.resize(rows);
    rows_ = rows;
    columns_ = columns;
    for (Line& line : lines_) line.resize(std::min(line.size(), columns));
    column_ = std::min(column_, columns - 1);
    wrap_pending_ = false;
    last_ = nullptr;
  }

  /// From top to bottom, without blanks at the end.
  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> texts;
    for (const Line& line : lines_) texts.push_back(text_of(line));
    return texts;
  }
  /// What has left the top.
  [[nodiscard]] const std::vector<std::string>& scrolled() const noexcept { return scrolled_; }

  /// lines(), each with a line feed.
  [[nodiscard]] std::string text() const {
    std::string all;
    for (const std::string& line : lines()) all += line + "\n";
    return all;
  }
  [[nodiscard]] bool shows(std::string_view text) const {
    return this->text().find(text) != std::string::npos;
  }

  /// The number (30 to 37; 2: dim; 0: none) of the colour in which the first `text` begins; -1 if
  /// it is not there. Of ASCII lines.
  [[nodiscard]] int colour_of(std::string_view text) const {
    for (const Line& line : lines_) {
      const std::size_t at = text_of(line).find(text);
      if (at != std::string::npos) return line[at].colour;
    }
    return -1;
  }

  /// How often the colour was set.
  [[nodiscard]] std::size_t colours() const noexcept { return colours_; }

  [[nodiscard]] std::size_t row() const noexcept { return row_; }
  [[nodiscard]] std::size_t column() const noexcept { return column_; }
  [[nodiscard]] bool wraps() const noexcept { return wraps_; }
  [[nodiscard]] std::size_t unknown() const noexcept { return unknown_; }

 private:
  struct Cell {
    std::string character = " ";
    int colour = 0;
  };
  using Line = std::vector<Cell>;

  static std::string text_of(const Line& line) {
    std::string text;
    for (const Cell& cell : line) text += cell.character;
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  }

  void take(char byte) {
    if (in_sequence_) {
      sequence_ += byte;
      const bool begins = sequence_.size() == 1;
      if (begins ? byte != '[' : byte >= 0x40 && byte < 0x7f) obey();
    } else if (byte == '\x1b') {
      in_sequence_ = true;
    } else if (byte == '\r') {
      column_ = 0;
      wrap_pending_ = false;
    } else if (byte == '\n') {
      column_ = 0;
      feed_line();
    } else if (static_cast<unsigned char>(byte) < 0x20) {
      ++unknown_;
    } else if ((static_cast<unsigned char>(byte) & 0xC0U) == 0x80U) {
      if (last_ != nullptr) last_->character += byte;
    } else {
      put(byte);
    }
  }

  void put(char byte) {
    if (wrap_pending_) {
      column_ = 0;
      feed_line();
    }
    Line& line = lines_[row_];
    if (line.size() <= column_) line.resize(column_ + 1);
    line[column_] = {std::string(1, byte), colour_};
    last_ = &line[column_];
    if (column_ + 1 < columns_) {
      ++column_;
    } else {
      wrap_pending_ = wraps_;
    }
  }

  void feed_line() {
    wrap_pending_ = false;
    last_ = nullptr;
    if (row_ + 1 < rows_) {
      ++row_;
    } else {
      scroll();
    }
  }

  void scroll() {
    scrolled_.push_back(text_of(lines_.front()));
    lines_.pop_front();
    lines_.emplace_back();
  }

  void obey() {
    const std::string sequence = std::exchange(sequence_, {});
    in_sequence_ = false;
    last_ = nullptr;
    const std::string digits = sequence.substr(1, sequence.size() - 2);
    const bool plain = digits.find_first_not_of("0123456789") == std::string::npos;
    const std::size_t number = plain && !digits.empty() ? std::stoul(digits) : 0;
    const std::size_t count = std::max<std::size_t>(number, 1);
    if (sequence == "[?7l" || sequence == "[?7h") {
      wraps_ = sequence.back() == 'h';
    } else if (!plain || sequence.front() != '[') {
      ++unknown_;
    } else if (sequence.back() == 'A') {
      row_ -= std::min(row_, count);
      wrap_pending_ = false;
    } else if (sequence.back() == 'C') {
      column_ = std::min(column_ + count, columns_ - 1);
      wrap_pending_ = false;
    } else if (sequence == "[J") {
      lines_[row_].resize(std::min(lines_[row_].size(), column_));
      for (std::size_t below = row_ + 1; below < rows_; ++below) lines_[below].clear();
    } else if (sequence.back() == 'm') {
      ++colours_;
      colour_ = number == 39 ? 0 : static_cast<int>(number);
    } else {
      ++unknown_;
    }
  }

  std::size_t columns_;
  std::size_t rows_;
  std::deque<Line> lines_;
  std::vector<std::string> scrolled_;
  std::size_t row_ = 0;
  std::size_t column_ = 0;
  bool wraps_ = true;
  bool wrap_pending_ = false;  // the last column is full
  int colour_ = 0;
  std::size_t colours_ = 0;
  Cell* last_ = nullptr;  // more bytes of its character may come
  bool in_sequence_ = false;
  std::string sequence_;
  std::size_t unknown_ = 0;
};

}  // namespace rouse::test
