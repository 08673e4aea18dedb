#include "screen.hpp"

#include "rouse/rouse.hpp"

#include "support/pipe.hpp"
#include "support/pseudo_terminal.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <deque>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using rouse::test::PseudoTerminal;
using testing::ElementsAre;
using testing::HasSubstr;

Frame frame(std::vector<std::string> lines) { return {.lines = std::move(lines), .cursor = 1}; }

bool readable(int fd) {
  ::pollfd ready{fd, POLLIN, 0};
  return ::poll(&ready, 1, 0) == 1;
}

TEST(Screen, ShowsWaitingLinesAboveTheFrame) {
  PseudoTerminal terminal(40, 6);
  Screen screen(terminal.slave(), terminal.slave());
  EXPECT_FALSE(readable(screen.lines_fd()));
  screen.draw("", frame({"table", ">"}));
  screen.add_line("first\n");
  screen.add_line("second\n");
  EXPECT_TRUE(readable(screen.lines_fd()));
  screen.draw("an answer\n", frame({"table", ">"}));
  EXPECT_FALSE(readable(screen.lines_fd()));
  ASSERT_TRUE(terminal.read_until([&] { return terminal.screen().shows("answer\ntable\n>"); }));
  EXPECT_THAT(terminal.screen().lines(),
              ElementsAre("first", "second", "an answer", "table", ">", ""));
  EXPECT_EQ(terminal.screen().column(), 1U);
}

TEST(Screen, TakesTheFrameAwayAtTheEnd) {
  PseudoTerminal terminal(40, 6);
  rouse::test::Pipe log;
  Screen screen(terminal.slave(), log.write_end());
  screen.draw("", frame({"table", ">"}));
  screen.add_line("the last\n");
  screen.close();
  ASSERT_TRUE(terminal.read_until([&] { return terminal.screen().shows("the last\n\n\n"); }));
  EXPECT_EQ(terminal.screen().row(), 1U);
  EXPECT_FALSE(readable(log.read_end()));
  screen.add_line("later\n");
  char text[16];
  ASSERT_EQ(::read(log.read_end(), text, sizeof text), 6);
  EXPECT_EQ(std::string(text, 6), "later\n");
}

TEST(Screen, SaysHowManyLinesItHasNoRoomFor) {
  PseudoTerminal terminal(40, 6);
  rouse::test::Pipe log;
  Screen screen(terminal.slave(), log.write_end());
  const std::string line = std::string(1023, 'x') + "\n";
  for (std::size_t size = 0; size < Screen::most_waiting; size += line.size()) {
    screen.add_line(line);
  }
  screen.add_line("lost\n");
  screen.add_line("lost\n");
  rouse::StoppableThread thread([&] { screen.draw("", frame({">"})); });
  thread.start();
  EXPECT_TRUE(terminal.read_until([&] { return terminal.screen().shows("... 2 lines left out"); }));
  thread.join();
}

// The test is the terminal, and takes nothing.
TEST(Screen, IsStoppedWhereTheTerminalTakesNothing) {
  PseudoTerminal terminal(40, 6);
  Screen screen(terminal.slave(), terminal.slave());
  std::string line(4000, 'x');
  line += '\n';
  rouse::StoppableThread thread([&] {
    while (!rouse::this_thread::stop_token().stop_requested()) {
      screen.draw(line, frame({">"}));
    }
    screen.close();
    screen.add_line("is lost\n");
  });
  thread.start();
  while (!thread.activity().blocked_in.starts_with("wait_writable")) std::this_thread::yield();
  thread.request_stop();
  thread.join();
}

TEST(Screen, IsSharedByManyThreads) {
  constexpr int count = 4;
  constexpr int each = 200;
  PseudoTerminal terminal(40, 10);
  rouse::test::Pipe log;
  Screen screen(terminal.slave(), log.write_end());
  std::deque<rouse::StoppableThread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&screen, i] {
      for (int n = 0; n < each; ++n) {
        screen.add_line(std::to_string(i) + "." + std::to_string(n) + "\n");
      }
    });
    threads.back().start();
  }
  rouse::StoppableThread drawer([&] {
    for (int round = 0; round < 100; ++round) screen.draw("", frame({"table", ">"}));
    for (auto& thread : threads) thread.join();
    screen.draw("end\n", frame({"table", ">"}));
  });
  drawer.start();
  ASSERT_TRUE(terminal.read_until([&] { return terminal.screen().shows("end\ntable\n>"); }));
  drawer.join();

  std::vector<std::string> lines = terminal.screen().scrolled();
  for (const std::string& line : terminal.screen().lines()) lines.push_back(line);
  std::array<int, count> next{};
  for (const std::string& line : lines) {
    for (int thread = 0; int& n : next) {
      if (line == std::to_string(thread++) + "." + std::to_string(n)) ++n;
    }
  }
  EXPECT_THAT(next, testing::Each(each));
  EXPECT_EQ(lines.size(), std::size_t{count * each + 3});
}

}  // namespace
}  // namespace health
