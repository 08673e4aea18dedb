// Timers that follow the calendar: times of the system's clock, and cron.

#include "rouse/exec/delay_executor.hpp"
#include "rouse/wait/event.hpp"

#include "support/clock/clock.hpp"
#include "support/manual_executor.hpp"

#include <cerrno>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rouse {
namespace {

using namespace std::chrono_literals;
using std::chrono::system_clock;
using ::testing::Contains;
using ::testing::ElementsAre;

// The clock begins on 2026-03-02, a Monday, at 12:00 UTC.
constexpr system_clock::time_point noon{std::chrono::sys_days{std::chrono::year{2026} / 3 / 2} +
                                        12h};

class CalendarTimerTest : public test::ManualExecutorTest {
 protected:
  CalendarTimerTest() { clock.set_calendar(noon); }

  // Notes the minutes since the begin, by the calendar, at each call.
  auto notes_minutes() {
    return [this] {
      log.add(static_cast<int>(
          std::chrono::duration_cast<std::chrono::minutes>(clock.calendar() - noon).count()));
    };
  }
  void advance_by_minutes(int count) {
    for (int i = 0; i < count; ++i) advance(1min);
  }
  void set_calendar(system_clock::time_point time) {
    clock.set_calendar(time);
    settle();
  }
};

// --- a time --------------------------------------------------------------------------------------

TEST_F(CalendarTimerTest, ComesWhenTheClockShowsTheTime) {
  Timer timer = executor.run_at(noon + 10min, notes_minutes());
  advance_by_minutes(20);
  EXPECT_THAT(log.values(), ElementsAre(10));
  EXPECT_EQ(timer.runs(), 1U);
  EXPECT_EQ(timer.next_run(), std::nullopt);
}

TEST_F(CalendarTimerTest, ComesAtOnceWhenTheClockIsSetPastTheTime) {
  executor.run_at(noon + 10min, notes_minutes());
  set_calendar(noon + 30min);
  EXPECT_THAT(log.values(), ElementsAre(30));
}

TEST_F(CalendarTimerTest, ComesLaterWhenTheClockIsSetBack) {
  executor.run_at(noon + 10min, notes_minutes());
  advance_by_minutes(9);
  set_calendar(noon - 5min);
  advance_by_minutes(14);
  EXPECT_THAT(log.values(), ElementsAre());
  advance_by_minutes(1);
  EXPECT_THAT(log.values(), ElementsAre(10));
}

TEST_F(CalendarTimerTest, ComesAtOnceIfTheTimeHasPassed) {
  executor.run_at(noon - 1h, notes_minutes());
  executor.run_at(system_clock::time_point::min(), notes_minutes());
  settle();
  EXPECT_THAT(log.values(), ElementsAre(0, 0));
}

TEST_F(CalendarTimerTest, TheGreatestTimeIsNever) {
  executor.run_at(system_clock::time_point::max(), notes_minutes());
  set_calendar(noon + 24h * 365 * 200);
  advance(24h * 365);
  set_calendar(noon);
  EXPECT_THAT(log.values(), ElementsAre());
}

TEST_F(CalendarTimerTest, ASteadyTimerDoesNotFollowTheCalendar) {
  executor.run_after(10min, notes_minutes());
  set_calendar(noon + 1h);
  EXPECT_THAT(log.values(), ElementsAre());
  advance_by_minutes(10);
  EXPECT_THAT(log.values(), ElementsAre(70));
}

TEST_F(CalendarTimerTest, ACancelledTimerDoesNotFollowTheCalendar) {
  Timer timer = executor.run_at(noon + 10min, notes_minutes());
  executor.run_at(noon + 20min, notes_minutes());
  EXPECT_TRUE(timer.cancel());
  set_calendar(noon + 1h);
  EXPECT_THAT(log.values(), ElementsAre(60));
}

TEST_F(CalendarTimerTest, ARescheduledTimerFollowsTheCalendarToItsNewTime) {
  Timer timer = executor.run_at(noon + 10min, notes_minutes());
  EXPECT_TRUE(timer.reschedule(1h));
  set_calendar(noon + 59min);
  EXPECT_THAT(log.values(), ElementsAre());
  advance_by_minutes(1);
  EXPECT_THAT(log.values(), ElementsAre(60));
}

// --- cron ----------------------------------------------------------------------------------------

TEST_F(CalendarTimerTest, CronComesAtItsTimes) {
  Timer timer = executor.run_cron("*/15 12 * * *", "UTC", notes_minutes());
  advance_by_minutes(100);
  EXPECT_THAT(log.values(), ElementsAre(15, 30, 45));
  EXPECT_EQ(timer.runs(), 3U);
  EXPECT_EQ(timer.next_run(), std::optional(clock.now() + 24h - 100min));
}

TEST_F(CalendarTimerTest, CronGoesByItsZone) {
  executor.run_cron("0 14 * * *", "Europe/Berlin", notes_minutes());
  advance_by_minutes(120);
  EXPECT_THAT(log.values(), ElementsAre(60));
}

TEST_F(CalendarTimerTest, CronMakesUpForOneTimeThatTheClockJumpsOver) {
  executor.run_cron("*/10 * * * *", "UTC", notes_minutes());
  set_calendar(noon + 35min);
  EXPECT_THAT(log.values(), ElementsAre(35));
  advance_by_minutes(6);
  EXPECT_THAT(log.values(), ElementsAre(35, 40));
}

TEST_F(CalendarTimerTest, CronLeavesOutTimesThatPassInTheCall) {
  executor.run_cron("*/10 * * * *", "UTC", [this] {
    notes_minutes()();
    if (log.values().size() == 1) clock.advance(25min);
  });
  advance_by_minutes(30);
  EXPECT_THAT(log.values(), ElementsAre(10, 40, 50));
}

TEST_F(CalendarTimerTest, CronDoesNotRepeatATimeAfterASmallCorrection) {
  executor.run_cron("*/10 * * * *", "UTC", notes_minutes());
  advance_by_minutes(10);
  set_calendar(noon + 8min);
  advance_by_minutes(12);
  EXPECT_THAT(log.values(), ElementsAre(10, 20));
}

TEST_F(CalendarTimerTest, CronFollowsAClockThatIsSetFarBack) {
  set_calendar(noon + 24h * 1000);
  executor.run_cron("0 * * * *", "UTC", notes_minutes());
  set_calendar(noon);
  advance_by_minutes(60);
  EXPECT_THAT(log.values(), ElementsAre(60));
}

TEST_F(CalendarTimerTest, CronFollowsAClockThatIsSetFarBackInTheCall) {
  executor.run_cron("0 * * * *", "UTC", [this] {
    notes_minutes()();
    if (log.values().size() == 1) clock.set_calendar(noon - 24h);
  });
  advance_by_minutes(121);
  EXPECT_THAT(log.values(), ElementsAre(60, -23 * 60));
}

TEST_F(CalendarTimerTest, CronMayBeRescheduledOnce) {
  Timer timer = executor.run_cron("0 * * * *", "UTC", notes_minutes());
  EXPECT_TRUE(timer.reschedule(5min));
  advance_by_minutes(60);
  EXPECT_THAT(log.values(), ElementsAre(5, 60));
}

TEST_F(CalendarTimerTest, CronMayHaveNoMoreTimes) {
  set_calendar(system_clock::time_point::max() - 1h);
  Timer timer = executor.run_cron("0 0 1 1 *", "UTC", notes_minutes());
  advance(1h - 1ns);
  EXPECT_EQ(timer.runs(), 0U);
  EXPECT_TRUE(timer.cancel());
}

TEST_F(CalendarTimerTest, CronGivesBackWhatTheCallHolds) {
  auto held = std::make_shared<int>(1);
  Timer timer = executor.run_cron("* * * * *", "UTC", [held] {});
  advance_by_minutes(3);
  EXPECT_EQ(timer.runs(), 3U);
  EXPECT_TRUE(timer.cancel());
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(CalendarTimerTest, RefusesAnExpressionThatIsWrong) {
  EXPECT_THROW(executor.run_cron("61 * * * *", "UTC", [] {}), CronError);
  EXPECT_THROW(executor.run_cron("* * * * *", "Nowhere/Land", [] {}), CronError);
  EXPECT_EQ(executor.stats().pending, 0U);
}

TEST_F(CalendarTimerTest, AStopAbandonsWhatFollowsTheCalendar) {
  executor.run_at(noon + 1h, notes_minutes());
  executor.run_cron("* * * * *", "UTC", notes_minutes());
  EXPECT_EQ(executor.stop(), 2U);
  set_calendar(noon + 2h);
  EXPECT_THAT(log.values(), ElementsAre());
}

std::vector<std::string> thread_names() {
  std::vector<std::string> names;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream in(thread.path() / "comm");
    std::getline(in, names.emplace_back());
  }
  return names;
}

// --- the system's clock --------------------------------------------------------------------------

TEST(CalendarTimer, ComesByTheSystemsClock) {
  DelayExecutor executor;
  Event called;
  const system_clock::time_point time = system_clock::now() + 5ms;
  executor.run_at(time, [&] { called.set(); });
  EXPECT_EQ(called.wait(), WaitStatus::ready);
  EXPECT_GE(system_clock::now(), time);
}

// To set a clock, even to the time that it shows, needs a privilege. Without it: somebody waits for
// others to do so.
TEST(CalendarTimer, IsToldWhenTheSystemsClockIsSet) {
  DelayExecutor executor({.pool_options = {.name = "told"}});
  Event called;
  executor.run_at(system_clock::now() + 30min, [&] { called.set(); });
  test::advance_calendar(1h);
  timespec now{};
  ASSERT_EQ(::clock_gettime(CLOCK_REALTIME, &now), 0);
  if (::clock_settime(CLOCK_REALTIME, &now) == 0) {
    EXPECT_EQ(called.wait(), WaitStatus::ready);
  } else {
    EXPECT_EQ(errno, EPERM);
    EXPECT_THAT(thread_names(), Contains("told-calendar"));
    EXPECT_FALSE(called.is_set());
  }
  test::advance_calendar(-1h);
}

TEST(CalendarTimer, CronComesByTheSystemsClock) {
  DelayExecutor executor;
  Event called;
  executor.run_cron("* * * * * *", "UTC", [&] { called.set(); });
  EXPECT_EQ(called.wait_for(10s), WaitStatus::ready);
}

}  // namespace
}  // namespace rouse
