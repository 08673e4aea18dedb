#pragma once
// LineEditor: a line that is typed, corrected, completed and found again.
//
// It takes bytes and has a state; it neither reads nor draws. (A library that does both, such as
// libedit, would have an idea of the screen of its own, and the table above the prompt another.)
// Keys: the arrows, Home, End, Backspace, Delete, Tab, and Ctrl with A B D E F H K N P U W.
// Thread safety: one thread.

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace health {

class LineEditor {
 public:
  static constexpr std::size_t longest_line = 4096;
  static constexpr std::size_t most_history = 100;

  /// What could stand there instead of the text before the cursor, which each begins with.
  using Complete = std::function<std::vector<std::string>(std::string_view before_cursor)>;

  enum class Outcome {
    none,
    changed,  ///< The text or the cursor, perhaps.
    line,     ///< take_line() has it.
    choices,  ///< choices() are possible.
    end,      ///< Ctrl-D where there is no text.
  };

  explicit LineEditor(Complete complete);

  /// The next byte of what is typed. What is neither a key nor a harmless character does nothing.
  Outcome feed(char byte);

  /// The line, which then is empty again and part of the history.
  std::string take_line();

  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] const std::vector<std::string>& choices() const noexcept { return choices_; }

  struct View {
    std::string text;
    std::size_t cursor = 0;  ///< In columns.
  };

  /// As much of the line around the cursor as fits in `width` columns.
  [[nodiscard]] View view(std::size_t width) const;

 private:
  enum class Expect { key, escape, sequence, function_key };

  Outcome key(char byte);
  Outcome sequence_end(char byte);
  Outcome character(char byte);
  Outcome tab();
  Outcome show(std::size_t index);
  Outcome erase(std::size_t from, std::size_t to);
  void insert(std::string_view text);
  [[nodiscard]] std::size_t left() const noexcept;
  [[nodiscard]] std::size_t right() const noexcept;
  [[nodiscard]] std::size_t word_left() const noexcept;

  const Complete complete_;
  std::string text_;
  std::size_t cursor_ = 0;  // a byte of text_, never within a character
  std::vector<std::string> choices_;

  std::vector<std::string> history_;  // the oldest first
  std::size_t shown_ = 0;             // which of them is shown; their number: the draft
  std::string draft_;                 // what was typed before history was looked at

  Expect expect_ = Expect::key;
  std::string parameters_;  // of an escape sequence
  std::string character_;   // the bytes so far of one that has several
};

}  // namespace health
