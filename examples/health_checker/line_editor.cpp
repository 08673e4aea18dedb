#include "line_editor.hpp"

#include "checkers/text.hpp"
#include "display.hpp"

#include <algorithm>
#include <utility>

namespace health {
namespace {

constexpr char control(char letter) noexcept { return static_cast<char>(letter & 0x1F); }
constexpr char escape = '\x1b';
constexpr char backspace = '\x7f';

constexpr bool continues(char byte) noexcept {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

// How many bytes the character has that begins so; 1 also where none does.
constexpr std::size_t length_of(char lead) noexcept {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

std::string common_prefix(const std::vector<std::string>& texts) {
  const std::string& first = texts.front();
  std::size_t end = first.size();
  for (const std::string& text : texts) {
    std::size_t same = 0;
    while (same < std::min(end, text.size()) && text[same] == first[same]) ++same;
    end = same;
  }
  while (end > 0 && end < first.size() && continues(first[end])) --end;  // a whole character
  return first.substr(0, end);
}

}  // namespace

LineEditor::LineEditor(Complete complete) : complete_(std::move(complete)) {}

LineEditor::Outcome LineEditor::feed(char byte) {
  switch (expect_) {
    case Expect::key:
      return key(byte);
    case Expect::escape:
      parameters_.clear();
      expect_ = byte == '[' ? Expect::sequence : byte == 'O' ? Expect::function_key : Expect::key;
      return Outcome::none;
    case Expect::sequence:
      if (byte >= 0x20 && byte < 0x40) {
        if (parameters_.size() < 16) parameters_ += byte;
        return Outcome::none;
      }
      return sequence_end(byte);
    case Expect::function_key:
      return sequence_end(byte);
  }
  return Outcome::none;
}

LineEditor::Outcome LineEditor::key(char byte) {
  switch (byte) {
    case '\r':
    case '\n':
      return Outcome::line;
    case '\t':
      return tab();
    case escape:
      expect_ = Expect::escape;
      return Outcome::none;
    case backspace:
    case control('H'):
      return erase(left(), cursor_);
    case control('A'):
      cursor_ = 0;
      return Outcome::changed;
    case control('B'):
      cursor_ = left();
      return Outcome::changed;
    case control('D'):
      return text_.empty() ? Outcome::end : erase(cursor_, right());
    case control('E'):
      cursor_ = text_.size();
      return Outcome::changed;
    case control('F'):
      cursor_ = right();
      return Outcome::changed;
    case control('K'):
      return erase(cursor_, text_.size());
    case control('N'):
      return show(shown_ + 1);
    case control('P'):
      return show(shown_ - 1);
    case control('U'):
      return erase(0, cursor_);
    case control('W'):
      return erase(word_left(), cursor_);
    default:
      return character(byte);
  }
}

LineEditor::Outcome LineEditor::sequence_end(char byte) {
  expect_ = Expect::key;
  switch (byte) {
    case 'A':
      return key(control('P'));
    case 'B':
      return key(control('N'));
    case 'C':
      return key(control('F'));
    case 'D':
      return key(control('B'));
    case 'H':
      return key(control('A'));
    case 'F':
      return key(control('E'));
    case '~':
      break;
    default:
      return Outcome::none;
  }
  if (parameters_ == "1" || parameters_ == "7") return key(control('A'));
  if (parameters_ == "4" || parameters_ == "8") return key(control('E'));
  if (parameters_ == "3") return erase(cursor_, right());
  return Outcome::none;
}

LineEditor::Outcome LineEditor::character(char byte) {
  if (!continues(byte)) character_.clear();
  character_ += byte;
  if (character_.size() < length_of(character_.front())) return Outcome::none;
  const std::string whole = std::exchange(character_, {});
  if (printable(whole) != whole || text_.size() + whole.size() > longest_line) {
    return Outcome::none;
  }
  insert(whole);
  return Outcome::changed;
}

LineEditor::Outcome LineEditor::tab() {
  const std::string_view before = std::string_view(text_).substr(0, cursor_);
  std::vector<std::string> choices = complete_(before);
  if (choices.empty()) return Outcome::none;
  const std::string prefix = common_prefix(choices);
  if (prefix.size() > before.size() &&
      prefix.size() + text_.size() - before.size() <= longest_line) {
    text_.erase(0, cursor_);
    cursor_ = 0;
    insert(prefix);
    return Outcome::changed;
  }
  if (choices.size() == 1) return Outcome::none;
  choices_ = std::move(choices);
  return Outcome::choices;
}

LineEditor::Outcome LineEditor::show(std::size_t index) {
  if (index > history_.size()) return Outcome::none;  // also one before the first
  if (shown_ == history_.size()) draft_ = text_;
  shown_ = index;
  text_ = index == history_.size() ? draft_ : history_[index];
  cursor_ = text_.size();
  return Outcome::changed;
}

std::string LineEditor::take_line() {
  std::string line = std::exchange(text_, {});
  cursor_ = 0;
  if (!trimmed(line).empty()) {
    std::erase(history_, line);
    if (history_.size() == most_history) history_.erase(history_.begin());
    history_.push_back(line);
  }
  shown_ = history_.size();
  return line;
}

LineEditor::View LineEditor::view(std::size_t width) const {
  std::string_view text = text_;
  std::size_t before = columns(text.substr(0, cursor_));
  // Without the beginning where the cursor would be out of sight.
  while (before > 0 && before >= width) {
    text.remove_prefix(std::min(length_of(text.front()), text.size()));
    --before;
  }
  std::size_t end = 0;
  for (std::size_t column = 0; column < width && end < text.size(); ++column) {
    end += length_of(text[end]);
  }
  return {std::string(text.substr(0, end)), before};
}

LineEditor::Outcome LineEditor::erase(std::size_t from, std::size_t to) {
  text_.erase(from, to - from);
  cursor_ = from;
  return Outcome::changed;
}

void LineEditor::insert(std::string_view text) {
  text_.insert(cursor_, text);
  cursor_ += text.size();
}

std::size_t LineEditor::left() const noexcept {
  std::size_t at = cursor_;
  while (at > 0 && continues(text_[--at])) {
  }
  return at;
}

std::size_t LineEditor::right() const noexcept {
  return cursor_ == text_.size() ? cursor_ : cursor_ + length_of(text_[cursor_]);
}

std::size_t LineEditor::word_left() const noexcept {
  std::size_t at = cursor_;
  while (at > 0 && text_[at - 1] == ' ') --at;
  while (at > 0 && text_[at - 1] != ' ') --at;
  return at;
}

}  // namespace health
