#pragma once
// Terminal: what there is to know about a terminal, and what must be put back as it was.
//
// Thread safety: functions: any thread, while nobody changes the environment. RawTerminal: one
// thread.

#include <signal.h>
#include <termios.h>

#include <cstddef>

namespace health {

struct TerminalSize {
  std::size_t columns = 80;
  std::size_t rows = 24;

  bool operator==(const TerminalSize&) const = default;
};

/// 80 x 24 if the terminal does not say.
TerminalSize terminal_size(int fd) noexcept;

/// False if the process is in the background of the terminal `fd`: to read from it, or to change
/// its settings, would suspend the process.
bool in_foreground(int fd) noexcept;

/// Whether a person can be talked to there: `input` and `output` are terminals that can move a
/// cursor, and ours at present.
bool is_interactive(int input, int output) noexcept;

/// Whether text for `fd` may have colours: it is a terminal that has them, and NO_COLOR
/// (no-color.org) is not set.
bool colours_wanted(int fd) noexcept;

/// Colours as they are switched on; switched off they all are by colour_off.
inline constexpr const char* red = "\x1b[31m";
inline constexpr const char* green = "\x1b[32m";
inline constexpr const char* yellow = "\x1b[33m";
inline constexpr const char* magenta = "\x1b[35m";
inline constexpr const char* dim = "\x1b[2m";
inline constexpr const char* colour_off = "\x1b[m";

/// Each key comes at once and is not echoed; Ctrl-C, Ctrl-Z and Ctrl-S stay what they are. Takes
/// over SIGCONT, for one of them at a time.
class RawTerminal {
 public:
  /// Throws std::system_error if `fd`, which stays open, is no terminal.
  explicit RawTerminal(int fd);
  /// Puts the settings back.
  ~RawTerminal();

  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

  /// Again, if somebody has changed them meanwhile, as a shell does that gets the terminal back for
  /// a while. True then, and after a SIGCONT: somebody else may have written there. In the
  /// foreground only.
  bool apply() noexcept;

 private:
  const int fd_;
  termios before_{};
  termios raw_{};
  struct sigaction continued_before_ {};
};

}  // namespace health
