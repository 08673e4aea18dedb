#include "rouse/exec/cron.hpp"

#include "support/utc.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rouse::test {
namespace {

using namespace std::chrono_literals;
using std::chrono::system_clock;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

static_assert(std::is_nothrow_copy_constructible_v<Cron>);
static_assert(std::is_nothrow_copy_assignable_v<Cron>);
static_assert(std::is_nothrow_copy_constructible_v<CronError>);

// --- errors --------------------------------------------------------------------------------------

struct WrongCron {
  std::string expression;
  const char* field;
  std::size_t column;
  const char* expected;  // what it says at its end
};

CronError error_of(const std::string& expression, std::string_view zone = "UTC") {
  try {
    const Cron cron(expression, zone);
  } catch (const CronError& error) {
    return error;
  }
  ADD_FAILURE() << "accepted '" << expression << "' in '" << zone << "'";
  return {"none", "none", 0};
}

TEST(CronError, NamesFieldColumnAndWhatWasExpected) {
  const WrongCron wrong[] = {
      // How many fields.
      {"", "expression", 1, "expected five fields, or six with seconds, not 0"},
      {"  \t ", "expression", 5, "not 0"},
      {"*", "expression", 2, "not 1"},
      {"* * * *", "expression", 8, "not 4"},
      {"* * * * * * *", "expression", 13, "not 7"},
      {"@daily @daily", "expression", 14, "not 2"},
      {"@reboot", "expression", 1, "@midnight or @hourly"},
      {"@", "expression", 1, "@midnight or @hourly"},
      {" @dailyy", "expression", 2, "@midnight or @hourly"},

      // Numbers.
      {"60 * * * *", "minute", 1, "expected a number from 0 to 59"},
      {"* 24 * * *", "hour", 3, "expected a number from 0 to 23"},
      {"* * 0 * *", "day of month", 5, "expected a number from 1 to 31 or L"},
      {"* * 32 * *", "day of month", 5, "expected a number from 1 to 31 or L"},
      {"* * * 0 *", "month", 7, "expected a number from 1 to 12 or a name from JAN to DEC"},
      {"* * * 13 *", "month", 7, "expected a number from 1 to 12 or a name from JAN to DEC"},
      {"* * * * 8", "day of week", 9, "expected a number from 0 to 7 or a name from SUN to SAT"},
      {"60 * * * * *", "second", 1, "expected a number from 0 to 59"},
      {"* 60 * * * *", "minute", 3, "expected a number from 0 to 59"},
      {"99999999999999999999 * * * *", "minute", 1, "expected a number from 0 to 59"},
      {"4294967296 * * * *", "minute", 1, "expected a number from 0 to 59"},
      {"-1 * * * *", "minute", 1, "expected a number from 0 to 59"},
      {"+1 * * * *", "minute", 1, "expected a number from 0 to 59"},
      {"1.5 * * * *", "minute", 2, "expected ',' or the end of the field"},
      {"0x5 * * * *", "minute", 2, "expected ',' or the end of the field"},
      {"\xD9\xA1 * * * *", "minute", 1, "expected a number from 0 to 59"},

      // Lists, ranges, steps.
      {",1 * * * *", "minute", 1, "expected a number from 0 to 59"},
      {"1, * * * *", "minute", 3, "expected a number from 0 to 59"},
      {"1,,2 * * * *", "minute", 3, "expected a number from 0 to 59"},
      {"1- * * * *", "minute", 3, "expected a number from 1 to 59"},
      {"5-1 * * * *", "minute", 3, "expected a number from 5 to 59"},
      {"0-60 * * * *", "minute", 3, "expected a number from 0 to 59"},
      {"1-2-3 * * * *", "minute", 4, "expected ',' or the end of the field"},
      {"*5 * * * *", "minute", 2, "expected ',' or the end of the field"},
      {"*-5 * * * *", "minute", 2, "expected ',' or the end of the field"},
      {"1* * * * *", "minute", 2, "expected ',' or the end of the field"},
      {"*/0 * * * *", "minute", 3, "expected a step from 1 to 59"},
      {"*/ * * * *", "minute", 3, "expected a step from 1 to 59"},
      {"*/60 * * * *", "minute", 3, "expected a step from 1 to 59"},
      {"*/x * * * *", "minute", 3, "expected a step from 1 to 59"},
      {"*/5/5 * * * *", "minute", 4, "expected ',' or the end of the field"},
      {"1/0 * * * *", "minute", 3, "expected a step from 1 to 59"},
      {"1-5/ * * * *", "minute", 5, "expected a step from 1 to 59"},
      {"/5 * * * *", "minute", 1, "expected a number from 0 to 59"},
      {"* */24 * * *", "hour", 5, "expected a step from 1 to 23"},
      {"5x * * * *", "minute", 2, "expected ',' or the end of the field"},

      // Names.
      {"* * * JANUARY *", "month", 10, "expected ',' or the end of the field"},
      {"* * * JA *", "month", 7, "a name from JAN to DEC"},
      {"* * * SUN *", "month", 7, "a name from JAN to DEC"},
      {"* * * * JAN", "day of week", 9, "a name from SUN to SAT"},
      {"* * * FEB-JAN *", "month", 11, "a number from 2 to 12 or a name from JAN to DEC"},
      {"* * * * 5-1", "day of week", 11, "a number from 5 to 7 or a name from SUN to SAT"},
      {"* * * * FRI-MON", "day of week", 13, "a number from 5 to 7 or a name from SUN to SAT"},
      {"JAN * * * *", "minute", 1, "expected a number from 0 to 59"},

      // What only days have.
      {"? * * * *", "minute", 1, "expected a number from 0 to 59"},
      {"* * * ? *", "month", 7, "a name from JAN to DEC"},
      {"* * ?,1 * *", "day of month", 6, "expected the end of the field"},
      {"* * ?/2 * *", "day of month", 6, "expected the end of the field"},
      {"* * 1,? * *", "day of month", 7, "expected a number from 1 to 31 or L"},
      {"L * * * *", "minute", 1, "expected a number from 0 to 59"},
      {"* * L- * *", "day of month", 7, "expected a number from 0 to 30"},
      {"* * L-31 * *", "day of month", 7, "expected a number from 0 to 30"},
      {"* * L-3W * *", "day of month", 8, "expected ',' or the end of the field"},
      {"* * LX * *", "day of month", 6, "expected ',' or the end of the field"},
      {"* * W * *", "day of month", 5, "expected a number from 1 to 31 or L"},
      {"* * 32W * *", "day of month", 5, "expected a number from 1 to 31 or L"},
      {"* * 1-5W * *", "day of month", 8, "expected ',' or the end of the field"},
      {"* * 5#3 * *", "day of month", 6, "expected ',' or the end of the field"},
      {"* * 5L * *", "day of month", 6, "expected ',' or the end of the field"},
      {"* * * * L", "day of week", 9, "a name from SUN to SAT"},
      {"* * * * 5W", "day of week", 10, "expected ',' or the end of the field"},
      {"* * * * 1-5L", "day of week", 12, "expected ',' or the end of the field"},
      {"* * * * 5#", "day of week", 11, "expected a number from 1 to 5"},
      {"* * * * 5#0", "day of week", 11, "expected a number from 1 to 5"},
      {"* * * * 5#6", "day of week", 11, "expected a number from 1 to 5"},
      {"* * * * #3", "day of week", 9, "a name from SUN to SAT"},

      // No day at all.
      {"0 0 30 2 *", "day of month", 5, "expected a day that the months have"},
      {"0 0 30,31 FEB *", "day of month", 5, "expected a day that the months have"},
      {"0 0 31 2,4,6,9,11 *", "day of month", 5, "expected a day that the months have"},
      {"0 0 0 31 4 ?", "day of month", 7, "expected a day that the months have"},
      {"0 0 L-29 2 *", "day of month", 5, "expected a day that the months have"},
      {"0 0 30W 2 *", "day of month", 5, "expected a day that the months have"},
      {"0 0 */31 * 1#5", "day of month", 5, "expected a day that the months have"},

      // Bytes that are no blanks.
      {"* * * *\n*", "expression", 10, "not 4"},
      {std::string("* * * * *\0", 10), "day of week", 10, "expected ',' or the end of the field"},
      {"\x1B[31m * * * *", "minute", 1, "expected a number from 0 to 59"},
  };
  for (const WrongCron& each : wrong) {
    const CronError error = error_of(each.expression);
    EXPECT_STREQ(error.field(), each.field) << error.what();
    EXPECT_EQ(error.column(), each.column) << error.what();
    EXPECT_THAT(error.what(), EndsWith(each.expected));
    EXPECT_THAT(error.what(), HasSubstr(std::string(each.field) + ", column " +
                                        std::to_string(each.column) + ": "));
  }
}

TEST(CronError, QuotesTheExpressionWithoutControlBytes) {
  EXPECT_STREQ(error_of("* 25 * * *").what(),
               "rouse: cron expression '* 25 * * *': hour, column 3: expected a number from 0 to "
               "23");
  const std::string what = error_of("* \n\x1B[2J\x7F * * *").what();
  EXPECT_THAT(what, HasSubstr("'* \\x0a\\x1b[2J\\x7f * * *'"));
}

TEST(CronError, SaysThatAnExpressionIsTooLong) {
  const std::string minutes = "* * * * 1";
  const std::string fits = minutes + std::string(Cron::max_length - minutes.size(), ' ');
  EXPECT_EQ(Cron(fits).expression(), fits);
  const CronError error = error_of(fits + ' ');
  EXPECT_STREQ(error.field(), "expression");
  EXPECT_EQ(error.column(), 1025U);
  EXPECT_STREQ(error.what(), "rouse: a cron expression may have 1024 bytes, not 1025");
  EXPECT_THAT(error_of(std::string(10'000'000, '*')).what(), EndsWith("not 10000000"));
}

TEST(CronError, IsThrownForZonesThatAreNone) {
  for (const char* zone :
       {"", "Europe/Atlantis", "europe/berlin", "Europe", "Europe/", "/etc/passwd",
        "/etc/localtime", "../../../etc/passwd", "Europe/../Europe/Berlin", "./UTC", "UTC ",
        "Europe/Berlin\n", "zone.tab", "CET-1CEST,M3.5.0,M10.5.0/3", "Local"}) {
    const CronError error = error_of("@daily", zone);
    EXPECT_STREQ(error.field(), "zone") << error.what();
    EXPECT_EQ(error.column(), 1U);
    EXPECT_THAT(error.what(), testing::StartsWith("rouse: time zone '"));
    EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
  }
  EXPECT_THAT(error_of("@daily", "Europe/Atlantis").what(),
              HasSubstr("'Europe/Atlantis': there is no such zone in "));
  EXPECT_THAT(error_of("@daily", "../../../etc/passwd").what(),
              EndsWith("expected a name of the IANA database, as Europe/Berlin"));
  EXPECT_THAT(error_of("@daily", std::string(10'000, 'x')).what(), HasSubstr("expected a name"));
}

TEST(CronError, IsAnInvalidArgument) {
  EXPECT_THROW(Cron("* * * *"), std::invalid_argument);
  EXPECT_THROW(Cron("@daily", ""), std::invalid_argument);
}

// --- the value -----------------------------------------------------------------------------------

TEST(Cron, KeepsWhatItWasGiven) {
  const Cron cron("  0  20 * * mon-fri\t", "Europe/Berlin");
  EXPECT_EQ(cron.expression(), "  0  20 * * mon-fri\t");
  EXPECT_EQ(cron.zone(), "Europe/Berlin");
  EXPECT_EQ(Cron("@daily").zone(), "UTC");
}

TEST(Cron, IsEqualIfItIsSpelledAlike) {
  const Cron cron("@daily", "Europe/Berlin");
  EXPECT_EQ(cron, Cron("@daily", "Europe/Berlin"));
  EXPECT_NE(cron, Cron("@daily", "Europe/Paris"));
  EXPECT_NE(cron, Cron("@midnight", "Europe/Berlin"));
}

TEST(Cron, StaysAsItWasWhenItIsCopiedFromMovedFromAndAssignedTo) {
  Cron first("@daily");
  const Cron copy = first;
  const Cron moved = std::move(first);
  EXPECT_EQ(first, copy);  // NOLINT(bugprone-use-after-move): moving copies
  first = Cron("@hourly");
  EXPECT_EQ(copy.expression(), "@daily");
  EXPECT_EQ(moved.next(instant("2024-01-01T00:00:00+00:00")), instant("2024-01-02T00:00:00+00:00"));
  EXPECT_EQ(first.next(instant("2024-01-01T00:00:00+00:00")), instant("2024-01-01T01:00:00+00:00"));
}

// --- next ----------------------------------------------------------------------------------------

TEST(Cron, NextIsAfterTheTimeThatIsGivenByANanosecond) {
  const Cron minutes("* * * * *");
  const auto minute = instant("2024-01-01T00:01:00+00:00");
  EXPECT_EQ(minutes.next(minute - 1ns), minute);
  EXPECT_EQ(minutes.next(minute), minute + 1min);
  EXPECT_EQ(minutes.next(minute + 1ns), minute + 1min);
  const auto early = instant("1950-01-01T00:01:00+00:00");
  EXPECT_EQ(minutes.next(early - 1ns), early);
  EXPECT_EQ(minutes.next(early + 1ns), early + 1min);
}

TEST(Cron, NextIsEmptyWhereTheClockEnds) {
  for (const char* expression : {"* * * * * *", "0 0 * * *", "0 0 29 2 *", "0 * 29 2 *"}) {
    for (const char* zone : {"UTC", "Europe/Berlin", "Pacific/Kiritimati"}) {
      const Cron cron(expression, zone);
      EXPECT_EQ(cron.next(system_clock::time_point::max()), std::nullopt) << expression;
      const auto first = cron.next(system_clock::time_point::min());
      ASSERT_TRUE(first.has_value()) << expression;
      EXPECT_LT(*first, instant("1681-01-01T00:00:00+00:00"));
    }
  }
  // The last second, 2262-04-11T23:47:16, and what lies behind it.
  const auto last = std::chrono::floor<std::chrono::seconds>(system_clock::time_point::max());
  EXPECT_EQ(Cron("* * * * * *").next(last - 1ns), last);
  EXPECT_EQ(Cron("* * * * * *").next(last), std::nullopt);
  EXPECT_EQ(Cron("0 0 12 4 *").next(last - 24h), std::nullopt);
  EXPECT_EQ(Cron("0 */2 12 4 *").next(last - 24h), std::nullopt);
}

// The longest ways: leap years and weekdays that meet after 40 years, across the year 2100.
TEST(Cron, NextIsQuickWhereItIsDecadesAway) {
  const auto after = instant("2088-03-01T00:00:00+00:00");
  for (const char* zone : {"UTC", "Europe/Berlin", "Australia/Lord_Howe"}) {
    for (const char* expression : {"* * 29 2 */7", "0 0 29 2 */7", "0 0 0 29 2 */7"}) {
      const Cron cron(expression, zone);
      const auto begin = std::chrono::steady_clock::now();
      const auto next = cron.next(after);
      const auto took = std::chrono::steady_clock::now() - begin;
      ASSERT_TRUE(next.has_value());
      EXPECT_GT(*next, instant("2128-02-28T00:00:00+00:00")) << expression;
      EXPECT_LT(*next, instant("2128-03-01T00:00:00+00:00")) << expression;
      EXPECT_LT(took, 100ms) << expression;  // minute by minute it would take seconds
    }
  }
}

TEST(Cron, MayBeAskedByManyThreadsAtOnce) {
  const Cron cron("0 */3 * * *", "Europe/Berlin");
  const auto begin = instant("2024-01-01T00:00:00+00:00");
  const auto count = [&cron, begin] {
    int times = 0;
    for (auto next = cron.next(begin); *next < begin + 24h * 366; next = cron.next(*next)) ++times;
    return times;
  };
  const int expected = count();
  std::vector<int> counted(4);
  {
    std::vector<std::jthread> threads;
    for (int& each : counted) {
      threads.emplace_back([&each, &count] {
        each = count();
        const Cron own("0 */3 * * *", "America/New_York");  // loads a zone of its own
        each += own.next(system_clock::time_point()).has_value() ? 0 : 1;
      });
    }
  }
  EXPECT_THAT(counted, testing::Each(expected));
  EXPECT_GT(expected, 8 * 364);
}

}  // namespace
}  // namespace rouse::test
