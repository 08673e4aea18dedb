// The health-checker as somebody at a terminal meets it.

#include "support/child_process.hpp"
#include "support/pseudo_terminal.hpp"
#include "support/temporary_directory.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace rouse::test {
namespace {

std::string shell_check(const std::string& name, const std::string& shell,
                        const std::string& period = "24h") {
  return "[[check]]\nname = \"" + name + "\"\ntype = \"command\"\nperiod = \"" + period +
         "\"\ntimeout = \"" + period + "\"\nshell = '''" + shell + "'''\n";
}

class HealthCheckerTerminal : public testing::Test {
 protected:
  ChildProcess start(std::string_view config, std::vector<std::string> more = {},
                     std::vector<std::string> environment = {}) {
    more.insert(more.begin(),
                {ROUSE_HEALTH_CHECKER, "--config", folder_.write("health.toml", config)});
    environment.insert(environment.begin(), {"TERM=xterm-256color", "NO_COLOR="});
    return ChildProcess(std::move(more),
                        {.environment = std::move(environment), .terminal = terminal_.slave()});
  }

  // The last line that is not empty.
  std::string last_line() const {
    std::vector<std::string> lines = terminal_.screen().lines();
    while (!lines.empty() && lines.back().empty()) lines.pop_back();
    return lines.empty() ? "" : lines.back();
  }
  // In seconds, of the only check; none before it has run, and where it is not shown as "1.2 s".
  std::optional<double> age() const {
    constexpr std::string_view heading = "  ok     ";
    for (const std::string& line : terminal_.screen().lines()) {
      const std::size_t at = line.find(heading);
      if (!line.starts_with("only ") || at == std::string::npos) continue;
      char* end = nullptr;
      const double seconds = std::strtod(line.c_str() + at + heading.size(), &end);
      if (std::string_view(end).starts_with(" s ")) return seconds;
    }
    return std::nullopt;
  }
  bool prompt_is(ChildProcess& child, std::string_view text) {
    return terminal_.wait_for(child, [&] { return last_line() == text; });
  }

  void expect_stopped(ChildProcess& child) {
    EXPECT_EQ(child.wait_for_exit(), 0) << child;
    terminal_.read();
    EXPECT_NE(last_line().find("stopped in "), std::string::npos) << terminal_.screen().text();
    EXPECT_TRUE(same_settings(terminal_.settings(), before_));
    EXPECT_TRUE(terminal_.screen().wraps());
    EXPECT_EQ(terminal_.screen().unknown(), 0U);
  }

  TemporaryDirectory folder_;
  PseudoTerminal terminal_{100, 24};
  const termios before_ = terminal_.settings();
};

#define ASSERT_SHOWN(condition) ASSERT_TRUE(condition) << terminal_.screen().text() << child

TEST_F(HealthCheckerTerminal, CompletesRemembersAndObeys) {
  ChildProcess child =
      start(shell_check("web server", "echo all is well") + shell_check("web mail", "exit 1"));
  ASSERT_SHOWN(prompt_is(child, "health>"));
  EXPECT_TRUE(terminal_.screen().shows("NAME "));
  terminal_.type("che\t");
  ASSERT_SHOWN(prompt_is(child, "health> check"));
  terminal_.type("w\t\t");
  ASSERT_SHOWN(terminal_.wait_for(child, "check web mail\n"));
  ASSERT_SHOWN(prompt_is(child, "health> check web"));
  terminal_.type("s\t");
  ASSERT_SHOWN(prompt_is(child, "health> check web server"));
  terminal_.type("\n");
  ASSERT_SHOWN(terminal_.wait_for(child, "web server: ok: all is well"));
  ASSERT_SHOWN(terminal_.wait_for(child, "health> check web server\nChecking 'web server'"));
  ASSERT_SHOWN(prompt_is(child, "health>"));

  terminal_.type("help\n");
  ASSERT_SHOWN(terminal_.wait_for(child, "check NAME  runs a check now"));
  terminal_.type("\x1b[A\x1b[A");
  ASSERT_SHOWN(prompt_is(child, "health> check web server"));
  terminal_.type("\x15status\n");
  ASSERT_SHOWN(terminal_.wait_for(child, "health> status\nNAME "));
  terminal_.type("\x04");
  ASSERT_SHOWN(terminal_.wait_for(child, "to end the program"));
  terminal_.type("stop\n");
  expect_stopped(child);
}

TEST_F(HealthCheckerTerminal, RefreshesInPlace) {
  ChildProcess child = start(shell_check("only", "echo all is well"));
  terminal_.type("check only\n");
  ASSERT_SHOWN(terminal_.wait_for(child, "only  command  ok     "));
  // Its age grows, without a line of the log.
  double last = -1;
  for (int i = 0; i < 3; ++i) {
    ASSERT_SHOWN(terminal_.wait_for(child, [&] { return age().value_or(-1) > last; }));
    last = *age();
  }
  EXPECT_TRUE(terminal_.screen().scrolled().empty());
  ASSERT_TRUE(child.send(SIGTERM));
  expect_stopped(child);
}

TEST_F(HealthCheckerTerminal, CtrlCStopsItAndRestoresTheTerminal) {
  ChildProcess child = start(shell_check("only", "exit 0"));
  ASSERT_SHOWN(prompt_is(child, "health>"));
  EXPECT_FALSE(same_settings(terminal_.settings(), before_));
  terminal_.type("half a comm");
  ASSERT_SHOWN(prompt_is(child, "health> half a comm"));
  terminal_.type("\x03");
  expect_stopped(child);
  EXPECT_TRUE(terminal_.screen().shows("stopping (SIGINT)"));
}

TEST_F(HealthCheckerTerminal, StopsThoughTheTerminalIsHeldUp) {
  ChildProcess child = start(shell_check("only", "exit 0", "1s"), {"--verbose"});
  ASSERT_SHOWN(prompt_is(child, "health>"));
  terminal_.type("\x13");  // Ctrl-S
  ASSERT_TRUE(child.send(SIGTERM));
  EXPECT_EQ(child.wait_for_exit(), 0) << child;
  EXPECT_TRUE(same_settings(terminal_.settings(), before_));
}

TEST_F(HealthCheckerTerminal, StopsThoughALogWithoutATableIsHeldUp) {
  ChildProcess child = start(shell_check("only", "exit 0", "1s"), {"--verbose"}, {"TERM=dumb"});
  ASSERT_SHOWN(terminal_.wait_for(child, "started 1 check"));
  terminal_.type("\x13");  // Ctrl-S
  ASSERT_TRUE(child.send(SIGTERM));
  EXPECT_EQ(child.wait_for_exit(), 0) << child;
}

TEST_F(HealthCheckerTerminal, ShowsTheWorstFirstAsFarAsTheyFit) {
  std::string config;
  for (int i = 0; i < 40; ++i) config += shell_check("fine" + std::to_string(i), "exit 0");
  ChildProcess child = start(config + shell_check("bad", "exit 2"));
  terminal_.type("check bad\n");
  const auto rows = [&](std::string_view name) {
    const std::vector<std::string> lines = terminal_.screen().lines();
    return std::ranges::count_if(lines,
                                 [&](const std::string& line) { return line.starts_with(name); });
  };
  // 24 lines: 6 for the log, the heading, what is left out, the sums and the prompt.
  ASSERT_SHOWN(terminal_.wait_for(
      child, [&] { return rows("fine") == 13 && rows("bad") == 1 && last_line() == "health>"; }));
  EXPECT_TRUE(terminal_.screen().shows("... and 27 more"));
  terminal_.resize(60, 12);
  ASSERT_SHOWN(terminal_.wait_for(
      child, [&] { return rows("fine") == 4 && rows("bad") == 1 && last_line() == "health>"; }));
  terminal_.resize(120, 60);
  ASSERT_SHOWN(terminal_.wait_for(
      child, [&] { return rows("fine") == 40 && rows("bad") == 1 && last_line() == "health>"; }));
  terminal_.type("stop\n");
  expect_stopped(child);
}

// As with Ctrl-Z and fg: meanwhile the shell has the terminal.
TEST_F(HealthCheckerTerminal, LeavesAloneWhatWasWrittenWhileItWasSuspended) {
  ChildProcess child = start(shell_check("only", "exit 0"));
  terminal_.type("typed");
  ASSERT_SHOWN(prompt_is(child, "health> typed"));
  const termios raw = terminal_.settings();
  ASSERT_TRUE(child.send(SIGSTOP));
  while (describe_process(child.pid()).find("state T") == std::string::npos) ::sched_yield();
  ASSERT_EQ(::tcsetattr(terminal_.slave(), TCSANOW, &before_), 0);
  constexpr std::string_view shell = "\n[1]+ Stopped\n$ fg\n";
  ASSERT_EQ(::write(terminal_.slave(), shell.data(), shell.size()),
            static_cast<ssize_t>(shell.size()));
  ASSERT_TRUE(child.send(SIGCONT));
  ASSERT_SHOWN(terminal_.wait_for(child, "health> typed\n[1]+ Stopped\n$ fg\nNAME "));
  ASSERT_SHOWN(prompt_is(child, "health> typed"));
  EXPECT_TRUE(same_settings(terminal_.settings(), raw));
  terminal_.type("\x15stop\n");
  expect_stopped(child);
}

TEST_F(HealthCheckerTerminal, HasColours) {
  ChildProcess child = start(shell_check("bad", "exit 2") + shell_check("fine", "exit 0"));
  terminal_.type("check bad\ncheck fine\n");
  ASSERT_SHOWN(terminal_.wait_for(child, [&] {
    return terminal_.screen().colour_of("critical  ") == 31 &&
           terminal_.screen().colour_of("ok     ") == 32;
  }));
  EXPECT_EQ(terminal_.screen().colour_of("error "), 31) << "the log too";
  EXPECT_NE(terminal_.screen().colours(), 0U);
  terminal_.type("stop\n");
  expect_stopped(child);
}

TEST_F(HealthCheckerTerminal, HasNoColoursIfSoAsked) {
  ChildProcess child = start(shell_check("bad", "exit 2"), {}, {"NO_COLOR=1"});
  terminal_.type("check bad\n");
  ASSERT_SHOWN(terminal_.wait_for(child, "bad   command  critical  "));
  terminal_.type("status\nstop\n");
  expect_stopped(child);
  EXPECT_EQ(terminal_.screen().colours(), 0U) << terminal_.output();
}

TEST_F(HealthCheckerTerminal, IsAsOffATerminalWhereTheTerminalIsDumb) {
  ChildProcess child = start(shell_check("only", "exit 0"), {}, {"TERM=dumb"});
  ASSERT_SHOWN(terminal_.wait_for(child, "started 1 check"));
  EXPECT_TRUE(same_settings(terminal_.settings(), before_));
  terminal_.type("stop\n");
  expect_stopped(child);
  EXPECT_EQ(terminal_.output().find('\x1b'), std::string::npos) << terminal_.output();
}

// Whatever leaves the top of the screen was written above the table: of the table itself nothing.
TEST_F(HealthCheckerTerminal, TheLogDoesNotTearTheTable) {
  terminal_.resize(160, 24);  // no line of the log is wrapped
  std::string config;
  for (int i = 0; i < 12; ++i) {
    // Of a kind that takes no time, on whatever machine.
    config += "[[check]]\nname = \"check" + std::to_string(i) +
              "\"\ntype = \"load\"\nperiod = \"1s\"\nwarning = 9999.0\ncritical = 9999.0\n";
  }
  ChildProcess child = start(config, {"--verbose"});
  const auto lines_of_log = [&] {
    return std::ranges::count_if(terminal_.screen().scrolled(), [](const std::string& line) {
      return line.find(" per CPU (") != std::string::npos;
    });
  };
  terminal_.type("typed meanwhile");
  ASSERT_SHOWN(terminal_.wait_for(
      child, [&] { return lines_of_log() >= 24 && last_line() == "health> typed meanwhile"; }));
  for (const std::string& line : terminal_.screen().scrolled()) {
    EXPECT_TRUE(line.starts_with("20")) << "'" << line << "'";  // of a date
  }
  const std::vector<std::string> shown = terminal_.screen().lines();
  EXPECT_EQ(std::ranges::count_if(
                shown, [](const std::string& line) { return line.starts_with("NAME "); }),
            1);
  ASSERT_TRUE(child.send(SIGINT));
  expect_stopped(child);
}

}  // namespace
}  // namespace rouse::test
