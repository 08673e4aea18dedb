#include "schedule.hpp"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;
using SteadyTime = Schedule::SteadyTime;
using SystemTime = Schedule::SystemTime;

// 2023-11-14 22:13:20 UTC and a bit.
const SystemTime some_day = SystemTime(std::chrono::seconds(1'700'000'000)) + 123ms;

TEST(Schedule, HashIsTheOneOfTheBook) {
  EXPECT_EQ(stable_hash(""), 0xcbf29ce484222325U);
  EXPECT_EQ(stable_hash("a"), 0xaf63dc4c8601ec8cU);
  EXPECT_EQ(stable_hash("foobar"), 0x85944171f73967e8U);
}

TEST(Schedule, FirstRunComesSoonAndSpread) {
  std::set<std::int64_t> delays;
  for (int i = 0; i < 100; ++i) {
    const std::string name = "check-" + std::to_string(i);
    const Schedule daily(name, 24h);
    EXPECT_GE(daily.first_delay(), 0ms);
    EXPECT_LT(daily.first_delay(), 10s);
    EXPECT_LT(Schedule(name, 1s).first_delay(), 1s);
    delays.insert(daily.first_delay().count());
  }
  EXPECT_GT(delays.size(), 90U);
}

TEST(Schedule, BeatsSpreadOverThePeriod) {
  std::set<std::int64_t> minutes;
  for (int i = 0; i < 600; ++i) {
    const Schedule schedule("check-" + std::to_string(i), 1h);
    const SystemTime beat = some_day + schedule.from_first_to_beat(some_day);
    minutes.insert((beat.time_since_epoch() % 1h) / 1min);
  }
  EXPECT_EQ(minutes.size(), 60U);
}

TEST(Schedule, RestartKeepsTheRhythm) {
  for (const auto period : {1'000ms, 7'001ms, 3'600'000ms, 86'400'000ms}) {
    const Schedule schedule("web", period);
    const SystemTime beat = some_day + schedule.from_first_to_beat(some_day);
    for (const auto later : {1ms, 999ms, 12'345ms, 86'399'999ms}) {
      const SystemTime start = some_day + later;
      const SystemTime other = start + Schedule("web", period).from_first_to_beat(start);
      EXPECT_EQ((other - beat) % period, 0ns);
    }
  }
}

TEST(Schedule, FirstBeatIsNeitherNearNorFar) {
  const Schedule schedule("web", 60s);
  for (auto offset = 0ms; offset < 60s; offset += 7ms) {
    const auto gap = schedule.from_first_to_beat(some_day + offset);
    EXPECT_GE(gap, 30s);
    EXPECT_LE(gap, 90s);
  }
}

TEST(Schedule, ClockBeforeItsEpochIsAClock) {
  const Schedule schedule("web", 60s);
  const auto gap = schedule.from_first_to_beat(SystemTime(-12'345ms));
  EXPECT_GE(gap, 30s);
  EXPECT_LE(gap, 90s);
}

TEST(Schedule, LeavesOutWhatWasMissed) {
  const Schedule schedule("web", 10s);
  const SteadyTime due(100s);
  EXPECT_EQ(schedule.upcoming(due, SteadyTime(99s)), SteadyTime(100s));
  EXPECT_EQ(schedule.upcoming(due, SteadyTime(100s)), SteadyTime(110s));
  EXPECT_EQ(schedule.upcoming(due, SteadyTime(109s)), SteadyTime(110s));
  EXPECT_EQ(schedule.upcoming(due, SteadyTime(110s)), SteadyTime(120s));
  EXPECT_EQ(schedule.upcoming(due, SteadyTime(100s + 24h)), SteadyTime(110s + 24h));
}

}  // namespace
}  // namespace health
