#include "exec/time_zone.hpp"

#include "rouse/exec/cron.hpp"

#include "support/faults/faults.hpp"
#include "support/in_child.hpp"
#include "support/temporary_directory.hpp"
#include "support/utc.hpp"

#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <date/tz.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rouse::test {
namespace {

using detail::TimeZone;
using testing::HasSubstr;

// A zone's file, as RFC 8536 describes it.
struct ZoneFile {
  std::vector<std::int64_t> transitions = {};
  std::vector<std::uint8_t> types = {};  // of the transitions
  std::vector<std::int32_t> offsets = {0};
  std::string rule = {};
  char version = '2';
  std::uint32_t leap_seconds = 0;

  std::string text() const {
    // The part for readers of old is empty.
    return header(0, 1, 0) + std::string(6 + 4, '\0') +
           header(transitions.size(), offsets.size(), leap_seconds) + data() + '\n' + rule + '\n';
  }

 private:
  template <class Integer>
  static std::string big_endian(Integer value) {
    std::string bytes;
    for (int shift = 8 * (static_cast<int>(sizeof value) - 1); shift >= 0; shift -= 8) {
      bytes += static_cast<char>(static_cast<std::uint64_t>(value) >> shift & 0xFFU);
    }
    return bytes;
  }

  std::string header(std::size_t transition_count, std::size_t type_count,
                     std::uint32_t leap_count) const {
    return "TZif" + std::string(1, version) + std::string(15, '\0') + big_endian(std::uint32_t{0}) +
           big_endian(std::uint32_t{0}) + big_endian(leap_count) +
           big_endian(static_cast<std::uint32_t>(transition_count)) +
           big_endian(static_cast<std::uint32_t>(type_count)) + big_endian(std::uint32_t{4});
  }

  std::string data() const {
    std::string text;
    for (const std::int64_t time : transitions) text += big_endian(time);
    for (const std::uint8_t type : types) text += static_cast<char>(type);
    for (const std::int32_t offset : offsets) text += big_endian(offset) + std::string(2, '\0');
    return text + std::string("ABC\0", 4) + std::string(std::size_t{leap_seconds} * 12, '\0');
  }
};

/// The environment of one test.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    const char* const before = std::getenv(name);
    had_ = before != nullptr;
    if (had_) before_ = before;
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() {
    if (had_) {
      ::setenv(name_, before_.c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  bool had_ = false;
  std::string before_;
};

class MadeZones : public testing::Test {
 protected:
  TimeZone load(const ZoneFile& file) {
    folder_.write("Made", file.text());
    return TimeZone::load("Made");
  }

  std::string error_of(std::string_view name) {
    try {
      (void)TimeZone::load(name);
    } catch (const TimeZone::Error& error) {
      return error.what();
    }
    return "no error";
  }
  std::string error_of_file(const std::string& text) {
    folder_.write("Made", text);
    return error_of("Made");
  }

  TemporaryDirectory folder_;
  Variable variable_{"TZDIR", folder_.path()};
};

std::int64_t seconds_of(const std::string& time) {
  return instant(time).time_since_epoch().count();
}

// --- the system's --------------------------------------------------------------------------------

// The other library knows no rule for what lies behind the changes that a file lists.
TEST(TimeZone, IsWhatAnotherLibraryReadsFromTheSameFiles) {
  using std::chrono::seconds;
  int compared = 0;
  for (const date::time_zone& other : date::get_tzdb().zones) {
    if (other.name() == "leapseconds") continue;
    const TimeZone zone = TimeZone::load(other.name());
    std::chrono::sys_seconds time{seconds(seconds_of("1800-01-01T00:00:00+00:00"))};
    const std::chrono::sys_seconds end{seconds(seconds_of("2037-01-01T00:00:00+00:00"))};
    while (time < end) {
      const date::sys_info info = other.get_info(time);
      for (const auto probe : {std::max(time, info.begin), std::min(info.end, end) - seconds(1)}) {
        const TimeZone::Span span = zone.span(probe.time_since_epoch().count());
        ASSERT_EQ(span.offset, info.offset.count()) << other.name() << ' ' << to_text(probe);
        ASSERT_LE(span.begin, probe.time_since_epoch().count());
        ASSERT_GT(span.end, probe.time_since_epoch().count());
        ++compared;
      }
      time = info.end;
    }
  }
  EXPECT_GT(compared, 10'000);
}

TEST(TimeZone, FollowsTheRuleOfAZoneForEver) {
  const TimeZone berlin = TimeZone::load("Europe/Berlin");
  for (const char* year : {"2037", "2038", "2099", "2262", "2600"}) {
    EXPECT_EQ(berlin.span(seconds_of(std::string(year) + "-07-01T00:00:00+00:00")).offset, 7200);
    EXPECT_EQ(berlin.span(seconds_of(std::string(year) + "-01-01T00:00:00+00:00")).offset, 3600);
  }
  const TimeZone::Span summer = berlin.span(seconds_of("2099-07-01T00:00:00+00:00"));
  EXPECT_EQ(summer.begin, seconds_of("2099-03-29T01:00:00+00:00"));
  EXPECT_EQ(summer.end, seconds_of("2099-10-25T01:00:00+00:00"));
}

TEST(TimeZone, UtcNeedsNoFile) {
  const Variable nowhere("TZDIR", "/nonexistent");
  EXPECT_EQ(TimeZone::load("UTC").span(0).offset, 0);
}

// --- made ones -----------------------------------------------------------------------------------

TEST_F(MadeZones, HaveTheFirstOffsetBeforeTheirFirstChange) {
  const TimeZone zone =
      load({.transitions = {100, 200}, .types = {1, 2}, .offsets = {1234, 3600, -7200}});
  EXPECT_EQ(zone.span(99).offset, 1234);
  EXPECT_EQ(zone.span(99).end, 100);
  EXPECT_EQ(zone.span(100).offset, 3600);
  EXPECT_EQ(zone.span(199).begin, 100);
  EXPECT_EQ(zone.span(199).end, 200);
  EXPECT_EQ(zone.span(200).offset, -7200);
  EXPECT_EQ(zone.span(seconds_of("2600-01-01T00:00:00+00:00")).offset, -7200);
}

TEST_F(MadeZones, FollowRulesOfEveryForm) {
  const auto offset = [this](const char* rule, const char* time) {
    return load({.rule = rule}).span(seconds_of(time)).offset;
  };
  EXPECT_EQ(offset("<+0545>-5:45", "2024-01-01T00:00:00+00:00"), 5 * 3600 + 45 * 60);
  EXPECT_EQ(offset("LMT0:44:30", "2024-01-01T00:00:00+00:00"), -(44 * 60 + 30));
  EXPECT_EQ(offset("EST+5", "2024-01-01T00:00:00+00:00"), -5 * 3600);

  // The 60th day of the year from 0 is the 1st of March in a leap year, the 2nd in others.
  EXPECT_EQ(offset("AAA0BBB,60/0,300", "2024-02-29T23:59:59+00:00"), 0);
  EXPECT_EQ(offset("AAA0BBB,60/0,300", "2024-03-01T00:00:00+00:00"), 3600);
  EXPECT_EQ(offset("AAA0BBB,60/0,300", "2023-03-01T23:59:59+00:00"), 0);
  EXPECT_EQ(offset("AAA0BBB,60/0,300", "2023-03-02T00:00:00+00:00"), 3600);
  // J60 is the 1st of March in every year, J59 the 28th of February.
  for (const std::string year : {"2023", "2024"}) {
    EXPECT_EQ(offset("AAA0BBB,J60/0,J300", (year + "-02-28T23:59:59+00:00").c_str()), 0);
    EXPECT_EQ(offset("AAA0BBB,J60/0,J300", (year + "-03-01T00:00:00+00:00").c_str()), 3600);
    EXPECT_EQ(offset("AAA0BBB,J59/0,J300", (year + "-02-27T23:59:59+00:00").c_str()), 0);
    EXPECT_EQ(offset("AAA0BBB,J59/0,J300", (year + "-02-28T00:00:00+00:00").c_str()), 3600);
  }
  // At two o'clock if it does not say; the second offset if it does; hours beyond the day.
  EXPECT_EQ(offset("AAA0BBB-2,M3.2.0,M11.1.0", "2024-03-10T01:59:59+00:00"), 0);
  EXPECT_EQ(offset("AAA0BBB-2,M3.2.0,M11.1.0", "2024-03-10T02:00:00+00:00"), 7200);
  EXPECT_EQ(offset("AAA0BBB,M3.4.4/50,M10.4.4/-1", "2024-03-30T01:59:59+00:00"), 0);
  EXPECT_EQ(offset("AAA0BBB,M3.4.4/50,M10.4.4/-1", "2024-03-30T02:00:00+00:00"), 3600);
  EXPECT_EQ(offset("AAA0BBB,M3.4.4/50,M10.4.4/-1", "2024-10-23T21:59:59+00:00"), 3600);
  EXPECT_EQ(offset("AAA0BBB,M3.4.4/50,M10.4.4/-1", "2024-10-23T22:00:00+00:00"), 0);
  // In the south summer time spans the new year; in Dublin winter time is the exception.
  EXPECT_EQ(offset("AAA-10BBB,M10.1.0,M4.1.0/3", "2024-01-01T00:00:00+00:00"), 11 * 3600);
  EXPECT_EQ(offset("IST-1GMT0,M10.5.0,M3.5.0/1", "2024-01-01T00:00:00+00:00"), 0);
  EXPECT_EQ(offset("IST-1GMT0,M10.5.0,M3.5.0/1", "2024-07-01T00:00:00+00:00"), 3600);
}

TEST_F(MadeZones, MayHaveSummerTimeAllYear) {
  const TimeZone zone = load({.rule = "XXX3EDT4,0/0,J365/23"});
  const std::int64_t begin = seconds_of("2023-12-20T00:00:00+00:00");
  for (std::int64_t hour = 0; hour < 24 * 400; ++hour) {
    const TimeZone::Span span = zone.span(begin + hour * 3600);
    ASSERT_EQ(span.offset, -4 * 3600) << hour;
    ASSERT_LT(span.begin, span.end);
  }
}

TEST_F(MadeZones, AreRefusedIfTheyAreDamaged) {
  EXPECT_THAT(error_of_file(""), HasSubstr("/Made is cut off"));
  EXPECT_THAT(error_of_file("root:x:0:0:root:/root:/bin/bash\n"), HasSubstr("/Made is no zone"));
  EXPECT_THAT(error_of_file(std::string(2 << 20, 'T')), HasSubstr("is too long for a zone"));
  EXPECT_THAT(error_of_file(ZoneFile{.version = '\0'}.text()), HasSubstr("is of a version"));
  EXPECT_THAT(error_of_file(ZoneFile{.leap_seconds = 1}.text()), HasSubstr("leap seconds"));
  EXPECT_THAT(error_of_file(ZoneFile{.offsets = {}}.text()), HasSubstr("is damaged"));
  EXPECT_THAT(error_of_file(ZoneFile{.offsets = {86400}}.text()), HasSubstr("is damaged"));
  EXPECT_THAT(error_of_file(ZoneFile{.offsets = {INT32_MIN}}.text()), HasSubstr("is damaged"));
  EXPECT_THAT(error_of_file(ZoneFile{.transitions = {5}, .types = {1}}.text()),
              HasSubstr("is damaged"));
  EXPECT_THAT(error_of_file(ZoneFile{.transitions = {5, 5}, .types = {0, 0}}.text()),
              HasSubstr("is damaged"));
  EXPECT_THAT(error_of_file(ZoneFile{.transitions = {INT64_MIN}, .types = {0}}.text()),
              HasSubstr("is damaged"));
  std::string counts = ZoneFile{}.text();
  counts.replace(32, 4, "\xFF\xFF\xFF\xFF");
  EXPECT_THAT(error_of_file(counts), HasSubstr("is damaged"));
}

TEST_F(MadeZones, AreRefusedIfTheyAreCutOffAnywhere) {
  const std::string whole =
      ZoneFile{.transitions = {5, 9}, .types = {0, 1}, .offsets = {0, 60}, .rule = "AAA0"}.text();
  EXPECT_EQ(error_of_file(whole), "no error");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_NE(error_of_file(whole.substr(0, length)), "no error") << length;
  }
}

TEST_F(MadeZones, AreRefusedIfTheirRuleIsNone) {
  for (const char* rule : {"A0",
                           "AAA",
                           "AAA25",
                           "AAA0:60",
                           "AAA0BBB",
                           "AAA0BBB,",
                           "AAA0BBB,M3.5.0",
                           "AAA0BBB,M3.5.0,",
                           "AAA0BBB,M3.5.0,M10.5.0,",
                           "AAA0BBB,M13.5.0,M10.5.0",
                           "AAA0BBB,M3.6.0,M10.5.0",
                           "AAA0BBB,M3.0.0,M10.5.0",
                           "AAA0BBB,M3.5.7,M10.5.0",
                           "AAA0BBB,J0,J300",
                           "AAA0BBB,366,1",
                           "AAA0BBB,M3.5.0/168,M10.5.0",
                           "<+03-3",
                           "<+03>",
                           "<+0>3",
                           "AAA24",
                           "AAA-23BBB,1,2",
                           "AAA99999999999",
                           "AAA0 "}) {
    EXPECT_THAT(error_of_file(ZoneFile{.rule = rule}.text()), HasSubstr("which is none")) << rule;
  }
}

TEST_F(MadeZones, AreFilesAndNothingElse) {
  std::filesystem::create_directory(folder_ / "Folder");
  EXPECT_THAT(error_of("Folder"), HasSubstr("/Folder is no file"));
  ASSERT_EQ(::mkfifo((folder_ / "Pipe").c_str(), 0600), 0);
  EXPECT_THAT(error_of("Pipe"), HasSubstr("/Pipe is no file"));
  EXPECT_THAT(error_of("Missing"),
              HasSubstr("there is no such zone in " + folder_.path().string()));
}

TEST_F(MadeZones, SayWhyTheyCannotBeRead) {
  folder_.write("Made", ZoneFile{.offsets = {60}}.text());
  {
    const Fault fault(Call::read, EIO);
    EXPECT_THAT(error_of("Made"), HasSubstr("/Made cannot be read: Input/output error"));
  }
  const Fault fault(Call::read, EINTR);
  EXPECT_EQ(TimeZone::load("Made").span(0).offset, 60);
  EXPECT_TRUE(fault.reached());
}

TEST(TimeZone, ErrorNamesTheFolderWhereNoDatabaseIs) {
  const Variable nowhere("TZDIR", "/nonexistent/zones");
  try {
    const Cron cron("@daily", "Europe/Berlin");
    ADD_FAILURE() << "was found";
  } catch (const CronError& error) {
    EXPECT_STREQ(error.what(),
                 "rouse: time zone 'Europe/Berlin': there is no database of zones in "
                 "/nonexistent/zones (package tzdata)");
    EXPECT_STREQ(error.field(), "zone");
  }
}

// --- the local one -------------------------------------------------------------------------------

class LocalZone : public MadeZones {
 protected:
  std::int64_t offset_with(const std::string& value) {
    const Variable variable("TZ", value);
    return TimeZone::load("local").span(0).offset;
  }
};

TEST_F(LocalZone, IsThatOfTheVariable) {
  folder_.write("Made", ZoneFile{.offsets = {1800}}.text());
  EXPECT_EQ(offset_with("Made"), 1800);
  EXPECT_EQ(offset_with(":Made"), 1800);
  EXPECT_EQ(offset_with(folder_ / "Made"), 1800);
  EXPECT_EQ(offset_with(":" + folder_ / "Made"), 1800);
  EXPECT_EQ(offset_with("<+03>-3"), 3 * 3600);
  EXPECT_EQ(offset_with("CET-1CEST,M3.5.0,M10.5.0/3"), 3600);
  EXPECT_EQ(offset_with(""), 0);
  EXPECT_EQ(offset_with(":"), 0);
  const Variable wrong("TZ", "Missing");
  EXPECT_THAT(error_of("local"), HasSubstr("there is no such zone in "));
}

TEST(TimeZone, LocalIsThatOfTheSystemWithoutTheVariable) {
  EXPECT_EQ(in_child([] {
              ::unsetenv("TZ");
              const std::time_t time = 1'720'000'000;
              std::tm local{};
              ::localtime_r(&time, &local);
              return TimeZone::load("local").span(time).offset == local.tm_gmtoff ? 0 : 1;
            }),
            0);
}

}  // namespace
}  // namespace rouse::test
