#pragma once
// Console: commands, one a line, from a terminal, a pipe or a file, until it is stopped.
//
// Thread safety: one thread. It waits through rouse, so whatever is bound to that thread ends it.

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace health {

struct Command {
  enum Kind { none, stop, status, check, help, invalid };

  Kind kind = none;
  std::string argument;  ///< Of check: the name. Of invalid: the line.
};

/// Blanks around the line and the case of the command's word do not matter.
Command parse_command(std::string_view line);

/// What `line` may become: commands, and names of checks after "check". Those with characters that
/// cannot be typed are left out.
std::vector<std::string> completions(std::string_view line, std::span<const std::string> names);

/// Reads lines, however the bytes come.
class LineReader {
 public:
  /// Longer ones are thrown away.
  static constexpr std::size_t longest_line = 4096;

  enum class Status { line, too_long, end, stopped };

  /// Of an open descriptor; it stays the caller's.
  explicit LineReader(int fd) noexcept : fd_(fd) {}

  /// Blocks until there is a line (without its line feed), the end of input, or a stop. A last line
  /// needs no line feed. Throws std::system_error if the input cannot be read.
  Status next(std::string& line);

 private:
  Status take(std::size_t length, std::string& line);

  const int fd_;
  std::string pending_;  // what was read and not given out
  bool skipping_ = false;
  bool ended_ = false;
};

class Console {
 public:
  /// What the commands do; each returns what is to be shown.
  struct Actions {
    std::function<std::string()> status;
    std::function<std::string(const std::string& name)> check;
  };
  using Print = std::function<void(const std::string&)>;

  /// As LineReader::next().
  using Input = std::function<LineReader::Status(std::string& line)>;

  enum class End { stop_command, stopped, end_of_input };

  /// Reads an open descriptor, which stays the caller's.
  Console(int input, Actions actions, Print print);
  Console(Input input, Actions actions, Print print);

  /// Serves commands. Throws std::system_error if the input cannot be read.
  End run();

 private:
  const Input input_;
  const Actions actions_;
  const Print print_;
};

}  // namespace health
