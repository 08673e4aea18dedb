#include "terminal.hpp"

#include "support/pipe.hpp"
#include "support/pseudo_terminal.hpp"

#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>
#include <system_error>

#include <gtest/gtest.h>

namespace health {
namespace {

using rouse::test::PseudoTerminal;
using rouse::test::same_settings;

class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* const before = std::getenv(name)) before_ = before;
    set(value);
  }
  ~Variable() { set(before_ ? before_->c_str() : nullptr); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

  void set(const char* value) const {
    if (value != nullptr) {
      ::setenv(name_, value, 1);
    } else {
      ::unsetenv(name_);
    }
  }

 private:
  const char* const name_;
  std::optional<std::string> before_;
};

TEST(Terminal, KnowsItsSize) {
  const PseudoTerminal terminal(33, 7);
  EXPECT_EQ(terminal_size(terminal.slave()), (TerminalSize{33, 7}));
  const PseudoTerminal silent(0, 0);
  EXPECT_EQ(terminal_size(silent.slave()), (TerminalSize{80, 24}));
  const rouse::test::Pipe pipe;
  EXPECT_EQ(terminal_size(pipe.write_end()), (TerminalSize{80, 24}));
}

TEST(Terminal, HasColoursUnlessToldOtherwise) {
  const PseudoTerminal terminal;
  const rouse::test::Pipe pipe;
  const Variable kind("TERM", "xterm");
  const Variable no_color("NO_COLOR", nullptr);
  EXPECT_TRUE(colours_wanted(terminal.slave()));
  EXPECT_FALSE(colours_wanted(pipe.write_end()));
  no_color.set("");
  EXPECT_TRUE(colours_wanted(terminal.slave()));
  no_color.set("1");
  EXPECT_FALSE(colours_wanted(terminal.slave()));
  no_color.set(nullptr);
  for (const char* const none : {"dumb", "", static_cast<const char*>(nullptr)}) {
    kind.set(none);
    EXPECT_FALSE(colours_wanted(terminal.slave()));
  }
}

TEST(Terminal, IsInteractiveAtBothEnds) {
  const PseudoTerminal terminal;
  const rouse::test::Pipe pipe;
  const Variable kind("TERM", "xterm");
  EXPECT_TRUE(is_interactive(terminal.slave(), terminal.slave()));
  EXPECT_FALSE(is_interactive(pipe.read_end(), terminal.slave()));
  EXPECT_FALSE(is_interactive(terminal.slave(), pipe.write_end()));
  kind.set("dumb");
  EXPECT_FALSE(is_interactive(terminal.slave(), terminal.slave()));
}

TEST(RawTerminal, PutsBackWhatItFound) {
  const PseudoTerminal terminal;
  const termios before = terminal.settings();
  {
    RawTerminal raw(terminal.slave());
    const termios now = terminal.settings();
    EXPECT_EQ(now.c_lflag & (ICANON | ECHO), 0U);
    EXPECT_EQ(now.c_lflag & ISIG, before.c_lflag & ISIG) << "Ctrl-C is a signal";
    EXPECT_EQ(now.c_oflag, before.c_oflag);

    // As a shell does that was asked for in between.
    ASSERT_EQ(::tcsetattr(terminal.slave(), TCSANOW, &before), 0);
    EXPECT_TRUE(raw.apply());
    EXPECT_FALSE(raw.apply()) << "nobody has changed them";
    EXPECT_TRUE(same_settings(terminal.settings(), now));

    // Not every shell changes them.
    ASSERT_EQ(::raise(SIGCONT), 0);
    EXPECT_TRUE(raw.apply());
    EXPECT_FALSE(raw.apply());
  }
  EXPECT_TRUE(same_settings(terminal.settings(), before));
}

TEST(RawTerminal, NeedsATerminal) {
  const rouse::test::Pipe pipe;
  EXPECT_THROW(RawTerminal raw(pipe.read_end()), std::system_error);
}

}  // namespace
}  // namespace health
