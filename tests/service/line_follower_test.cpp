// Lines of bytes that come in pieces. What the system adds is in line_condition_test.cpp.

#include "service/line_follower.hpp"

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rouse::test {
namespace {

using detail::LineFollower;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> fed(LineFollower& lines, std::string_view piece) {
  std::vector<std::string> result;
  while (const auto line = lines.next(piece)) result.emplace_back(*line);
  EXPECT_EQ(piece, "");
  return result;
}

TEST(LineFollower, GivesTheLinesOfAPieceInOrder) {
  LineFollower lines(100);
  EXPECT_THAT(fed(lines, "one\n\ntwo\nthree"), ElementsAre("one", "", "two"));
  EXPECT_EQ(lines.unterminated(), "three");
}

TEST(LineFollower, PutsALineTogetherFromPieces) {
  LineFollower lines(100);
  EXPECT_THAT(fed(lines, "o"), IsEmpty());
  EXPECT_THAT(fed(lines, ""), IsEmpty());
  EXPECT_THAT(fed(lines, "n"), IsEmpty());
  EXPECT_THAT(fed(lines, "e\ntwo\nth"), ElementsAre("one", "two"));
  EXPECT_THAT(fed(lines, "ree\n"), ElementsAre("three"));
  EXPECT_EQ(lines.unterminated(), "");
}

TEST(LineFollower, LeavesTheRestOfThePieceForTheNextCall) {
  LineFollower lines(100);
  std::string_view piece = "one\ntwo\n";
  EXPECT_EQ(lines.next(piece), "one");
  EXPECT_EQ(piece, "two\n");
}

TEST(LineFollower, DoesNotCopyALineThatLiesInThePiece) {
  LineFollower lines(100);
  const std::string_view all = "one\ntwo\r\n";
  std::string_view piece = all;
  EXPECT_EQ(lines.next(piece)->data(), all.data());
  EXPECT_EQ(lines.next(piece)->data(), all.data() + 4);
}

TEST(LineFollower, TakesOneCarriageReturnForPartOfTheEnd) {
  LineFollower lines(100);
  EXPECT_THAT(fed(lines, "one\r\n\r\nt\rwo\r\r\nthree\r"), ElementsAre("one", "", "t\rwo\r"));
  EXPECT_EQ(lines.unterminated(), "three\r");
  EXPECT_THAT(fed(lines, "\nfour\r"), ElementsAre("three"));
  EXPECT_THAT(fed(lines, "x\n"), ElementsAre("four\rx"));
}

TEST(LineFollower, KeepsAllOtherBytes) {
  using namespace std::string_view_literals;
  LineFollower lines(1000);
  EXPECT_THAT(fed(lines, "a\0b\xFF\n\0"sv), ElementsAre("a\0b\xFF"sv));
  EXPECT_EQ(lines.unterminated(), "\0"sv);
}

TEST(LineFollower, OfALongLineGivesTheBeginning) {
  LineFollower lines(4);
  EXPECT_THAT(fed(lines, "12345678\n1234\n123456\r\n1234\r\n123\r4\n"),
              ElementsAre("1234", "1234", "1234", "1234", "123\r"));
  EXPECT_THAT(fed(lines, "123"), IsEmpty());
  EXPECT_THAT(fed(lines, "456"), IsEmpty());
  EXPECT_THAT(fed(lines, "789"), IsEmpty());
  EXPECT_EQ(lines.unterminated(), "1234");
  EXPECT_THAT(fed(lines, "\nnext\n"), ElementsAre("1234", "next"));
}

TEST(LineFollower, WhatFollowsAnEndThatWasTakenIsALineOfItsOwn) {
  LineFollower lines(100);
  EXPECT_THAT(fed(lines, "abc"), IsEmpty());
  lines.take_unterminated();
  EXPECT_EQ(lines.unterminated(), "");
  EXPECT_THAT(fed(lines, "def\nghi\n"), ElementsAre("def", "ghi"));
}

TEST(LineFollower, ABareEndBehindWhatWasTakenIsNoLine) {
  for (const std::string_view end : {"\n", "\r\n"}) {
    LineFollower lines(100);
    EXPECT_THAT(fed(lines, "abc"), IsEmpty());
    lines.take_unterminated();
    EXPECT_THAT(fed(lines, std::string(end) + "\nnext\n"), ElementsAre("", "next"));
  }
}

TEST(LineFollower, TheRestOfALongLineIsNoLine) {
  LineFollower lines(4);
  EXPECT_THAT(fed(lines, "12345"), IsEmpty());
  lines.take_unterminated();
  EXPECT_THAT(fed(lines, "678\nnext\n"), ElementsAre("next"));
}

TEST(LineFollower, PassesOverALineWhoseBeginningNobodyHasSeen) {
  LineFollower lines(4);
  lines.pass_over();
  EXPECT_THAT(fed(lines, "67"), IsEmpty());
  EXPECT_EQ(lines.unterminated(), "");
  EXPECT_THAT(fed(lines, "8\nnext\n"), ElementsAre("next"));
}

TEST(LineFollower, BeginsAnewWhereItIsTold) {
  LineFollower lines(4);
  EXPECT_THAT(fed(lines, "12345"), IsEmpty());
  lines.reset();
  EXPECT_THAT(fed(lines, "ab\n"), ElementsAre("ab"));
}

// Megabytes in each of the sizes: what is quadratic would not come to its end.
TEST(LineFollower, ALongLineTakesItsTimeOnlyOnce) {
  const std::string text(std::size_t{1} << 20U, 'x');
  for (const std::size_t size : {std::size_t{1}, std::size_t{1000}, text.size()}) {
    LineFollower lines(text.size());
    for (std::size_t at = 0; at < text.size(); at += size) {
      std::string_view piece = std::string_view(text).substr(at, size);
      ASSERT_FALSE(lines.next(piece));
    }
    EXPECT_THAT(fed(lines, "\n"), ElementsAre(text));
  }
}

}  // namespace
}  // namespace rouse::test
