#include "frame.hpp"

#include "support/scale.hpp"
#include "support/vt_screen.hpp"

#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using rouse::test::VtScreen;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Frame, IsReplacedInPlace) {
  VtScreen screen(20, 6);
  FramePainter painter;
  screen.feed("$ program\n");
  screen.feed(painter.paint("", {.lines = {"table 1", "two", "> abc"}, .cursor = 3}, 20));
  EXPECT_THAT(screen.lines(), ElementsAre("$ program", "table 1", "two", "> abc", "", ""));
  EXPECT_EQ(screen.row(), 3U);
  EXPECT_EQ(screen.column(), 3U);
  screen.feed(painter.paint("", {.lines = {"table 2", ">"}, .cursor = 0}, 20));
  EXPECT_THAT(screen.lines(), ElementsAre("$ program", "table 2", ">", "", "", ""));
  EXPECT_EQ(screen.column(), 0U);
  screen.feed(painter.paint("", {}, 20));
  EXPECT_THAT(screen.lines(), ElementsAre("$ program", "", "", "", "", ""));
  EXPECT_EQ(screen.row(), 1U);
}

TEST(Frame, StaysBelowWhatScrollsBy) {
  VtScreen screen(20, 4);
  FramePainter painter;
  screen.feed(painter.paint("", {.lines = {"table", ">"}}, 20));
  screen.feed(painter.paint("log 1\nlog 2\n", {.lines = {"table", ">"}}, 20));
  EXPECT_THAT(screen.lines(), ElementsAre("log 1", "log 2", "table", ">"));
  screen.feed(painter.paint("log 3\n", {.lines = {"table", "more", ">"}}, 20));
  EXPECT_THAT(screen.lines(), ElementsAre("log 3", "table", "more", ">"));
  EXPECT_THAT(screen.scrolled(), ElementsAre("log 1", "log 2"));
}

// As a line does that has characters which are wider than they count.
TEST(Frame, NeverWraps) {
  VtScreen screen(10, 4);
  FramePainter painter;
  for (int i = 0; i < 3; ++i) {
    screen.feed(painter.paint("", {.lines = {"0123456789ABCDEF", "0123456789", "> "}}, 10));
    EXPECT_THAT(screen.lines(), ElementsAre("012345678F", "0123456789", ">", ""));
    EXPECT_TRUE(screen.wraps());
  }
  screen.feed(painter.paint("0123456789ABCD\n", {}, 10));
  EXPECT_THAT(screen.lines(), ElementsAre("0123456789", "ABCD", "", ""));
}

TEST(Frame, LeavesAloneWhatItForgets) {
  VtScreen screen(20, 6);
  FramePainter painter;
  screen.feed(painter.paint("", {.lines = {"table", "> abc"}, .cursor = 5}, 20));
  screen.feed("\n$ fg\n");
  painter.forget();
  screen.feed(painter.paint("", {.lines = {"table", "> abc"}, .cursor = 5}, 20));
  EXPECT_THAT(screen.lines(), ElementsAre("table", "> abc", "$ fg", "table", "> abc", ""));
}

TEST(Frame, LeavesTheLineAloneWhereThereIsNone) {
  FramePainter painter;
  EXPECT_EQ(painter.paint("", {}, 20), "");
  EXPECT_EQ(painter.paint("a line\n", {}, 20), "a line\n");
}

TEST(Frame, FindsItsTopWhereTheWindowHasBecomeNarrower) {
  FramePainter painter;
  const std::string coloured = "\x1b[31m0123456789\x1b[m01234";  // 15 columns
  (void)painter.paint("", {.lines = {coloured, "", "0123456789"}, .cursor = 9}, 20);
  EXPECT_THAT(FramePainter(painter).paint("", {}, 20), HasSubstr("\x1b[2A"));
  EXPECT_THAT(FramePainter(painter).paint("", {}, 15), HasSubstr("\x1b[2A"));
  // Two rows, one, and the cursor in the second of its line.
  EXPECT_THAT(FramePainter(painter).paint("", {}, 8), HasSubstr("\x1b[4A"));
}

// Whatever scrolls by and however the frame changes: all of the one is there in its order, and of
// the other only the last.
TEST(Frame, NeverTears) {
  constexpr std::size_t width = 12;
  constexpr std::size_t height = 8;
  std::mt19937 random(9);
  const auto upto = [&](std::size_t most) { return random() % (most + 1); };
  VtScreen screen(width, height);
  FramePainter painter;
  std::vector<std::string> expected;
  for (int turn = 0; turn < rouse::test::rounds(3000); ++turn) {
    std::string above;
    for (std::size_t i = upto(3); i > 0; --i) {
      const std::string line = std::to_string(turn) + std::string(upto(2 * width), 'l');
      above += line + "\n";
      for (std::size_t at = 0; at < line.size(); at += width) {
        expected.push_back(line.substr(at, width));
      }
    }
    Frame frame;
    for (std::size_t i = 1 + upto(height - 2); i > 0; --i) {
      frame.lines.push_back("\x1b[32m" + std::string(1 + upto(width - 1), 'f') + "\x1b[m");
    }
    frame.cursor = upto(width - 1);
    screen.feed(painter.paint(above, frame, width));

    std::vector<std::string> shown = screen.scrolled();
    for (const std::string& line : screen.lines()) shown.push_back(line);
    while (!shown.empty() && shown.back().empty()) shown.pop_back();
    ASSERT_EQ(shown.size(), expected.size() + frame.lines.size()) << screen.text();
    for (std::size_t i = 0; i < frame.lines.size(); ++i) {
      ASSERT_EQ(shown[expected.size() + i].size(), frame.lines[i].size() - 8) << screen.text();
    }
    shown.resize(expected.size());
    ASSERT_EQ(shown, expected);
    ASSERT_EQ(screen.column(), frame.cursor);
  }
  EXPECT_EQ(screen.unknown(), 0U);
}

}  // namespace
}  // namespace health
