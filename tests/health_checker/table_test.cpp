#include "table.hpp"

#include "display.hpp"

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::chrono::steady_clock::time_point at_present{1000s};

Row row_of(std::string name, Status state, std::string message) {
  return {.name = std::move(name),
          .type = "tcp",
          .state = state,
          .last = {.status = state, .message = std::move(message), .duration = 12ms},
          .when = at_present - 5s};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(Table, AlignsItsColumns) {
  const auto lines = lines_of(table_text(
      {row_of("web", Status::ok, "fine"), row_of("Größe", Status::critical, "no"), {.name = "new"}},
      at_present, 120));
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_THAT(lines[0], testing::StartsWith("NAME   TYPE  STATE     "));
  const std::size_t message = lines[0].find("MESSAGE");
  EXPECT_EQ(lines[1].substr(message), "fine");
  EXPECT_EQ(columns(lines[2]), message + 2) << "by characters, not by bytes";
  EXPECT_THAT(lines[3], testing::StartsWith("new"));
  EXPECT_EQ(lines[4], "3 checks: 1 ok, 1 critical, 1 not run yet");
}

TEST(Table, CutsLongLines) {
  const auto lines =
      lines_of(table_text({row_of("web", Status::ok, std::string(500, 'x'))}, at_present, 80));
  EXPECT_EQ(columns(lines[1]), 80U);
  EXPECT_THAT(lines[1], testing::EndsWith("x…"));
  const auto narrow =
      lines_of(table_text({row_of("web", Status::ok, std::string(500, 'x'))}, at_present, 1));
  EXPECT_EQ(columns(narrow[1]), 60U);
}

TEST(Table, EscapesWhatComesFromOutside) {
  const std::string text =
      table_text({row_of("web", Status::ok, "a\nall ok\x1b[2J\xff")}, at_present, 120);
  EXPECT_EQ(lines_of(text).size(), 3U);
  EXPECT_THAT(text, HasSubstr("a\\x0Aall ok\\x1B[2J\\xFF"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(Table, IsThisTextWhereThereAreNoColours) {
  EXPECT_EQ(table_text({row_of("web", Status::ok, "fine"),
                        row_of("db", Status::warning, "slow"),
                        row_of("mail", Status::critical, "refused"),
                        {.name = "new", .type = "http"}},
                       at_present, 120),
            "NAME  TYPE  STATE     AGE    TOOK   MESSAGE\n"
            "web   tcp   ok        5.0 s  12 ms  fine\n"
            "db    tcp   warning   5.0 s  12 ms  slow\n"
            "mail  tcp   critical  5.0 s  12 ms  refused\n"
            "new   http  -         -      -      -\n"
            "4 checks: 1 ok, 1 warning, 1 critical, 1 not run yet\n");
  EXPECT_EQ(table_text({}, at_present, 120),
            "NAME  TYPE  STATE  AGE  TOOK  MESSAGE\n"
            "0 checks: 0 ok\n");
}

TEST(Table, ColoursStatesAndNothingElse) {
  const std::vector<Row> rows{
      row_of("a", Status::ok, ""), row_of("b", Status::critical, ""), {.name = "c"}};
  std::string text = table_text(rows, at_present, 120, true);
  EXPECT_THAT(text, HasSubstr("\x1b[32mok\x1b[m        5.0 s"));
  EXPECT_THAT(text, HasSubstr("\x1b[31mcritical\x1b[m  5.0 s"));
  EXPECT_THAT(text, HasSubstr("\x1b[2m-\x1b[m         -"));
  EXPECT_THAT(text, HasSubstr(": \x1b[32m1 ok\x1b[m, \x1b[31m1 critical\x1b[m, "));
  // Without them it is the same.
  for (std::size_t at; (at = text.find('\x1b')) != std::string::npos;) {
    text.erase(at, text.find('m', at) + 1 - at);
  }
  EXPECT_EQ(text, table_text(rows, at_present, 120));
}

TEST(Table, LeavesOutAColourThatIsCutThrough) {
  const auto lines = table_lines({row_of("web", Status::critical, "")}, at_present,
                                 {.width = 14, .height = 9, .colours = true});
  EXPECT_EQ(lines[1], "web   tcp   c…");
  EXPECT_EQ(lines[2], "1 check: 0 ok…");
}

std::vector<Row> mixed(std::size_t good) {
  std::vector<Row> rows;
  for (std::size_t i = 0; i < good; ++i)
    rows.push_back(row_of("ok" + std::to_string(i), Status::ok, ""));
  rows.push_back({.name = "new"});
  rows.push_back(row_of("odd", Status::unknown, ""));
  rows.push_back(row_of("slow", Status::warning, ""));
  rows.push_back(row_of("down1", Status::critical, ""));
  rows.push_back(row_of("down2", Status::critical, ""));
  return rows;
}

TEST(TableLines, AreTheWorstFirst) {
  EXPECT_THAT(table_lines(mixed(2), at_present, {.height = 9}),
              ElementsAre(StartsWith("NAME"), StartsWith("down1"), StartsWith("down2"),
                          StartsWith("slow"), StartsWith("odd"), StartsWith("new"),
                          StartsWith("ok0"), StartsWith("ok1"), StartsWith("7 checks: 2 ok, ")));
}

TEST(TableLines, SayWhatIsLeftOut) {
  EXPECT_THAT(table_lines(mixed(4), at_present, {.height = 9}),
              ElementsAre(StartsWith("NAME"), StartsWith("down1"), StartsWith("down2"),
                          StartsWith("slow"), StartsWith("odd"), StartsWith("new"),
                          StartsWith("ok0"), "... and 3 more ok", StartsWith("9 checks: ")));
  EXPECT_THAT(table_lines(mixed(2), at_present, {.height = 4}),
              ElementsAre(StartsWith("NAME"), StartsWith("down1"),
                          "... and 6 more: 1 critical, 1 warning, 1 unknown, 1 not run yet, 2 ok",
                          StartsWith("7 checks: ")));
}

TEST(TableLines, FitEveryWindow) {
  std::vector<Row> rows = mixed(30);
  rows.push_back(row_of("Größe und Länge", Status::warning, std::string(300, 'x')));
  for (std::size_t width = 1; width < 120; ++width) {
    for (std::size_t height = 1; height < 50; ++height) {
      const auto lines = table_lines(rows, at_present, {.width = width, .height = height});
      ASSERT_FALSE(lines.empty());
      ASSERT_LE(lines.size(), height);
      for (const std::string& line : lines) ASSERT_LE(columns(line), width) << line;
    }
  }
}

}  // namespace
}  // namespace health
