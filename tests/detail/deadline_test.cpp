#include "rouse/detail/deadline.hpp"

#include "rouse/wait/wait_status.hpp"

#include <chrono>
#include <cstdint>
#include <limits>
#include <ratio>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::WaitStatus;
using rouse::detail::Deadline;
using rouse::detail::saturated_ns;
using std::chrono::duration;

TEST(SaturatedNs, ConvertsExactlyWhatFits) {
  EXPECT_EQ(saturated_ns(0s), 0);
  EXPECT_EQ(saturated_ns(7ns), 7);
  EXPECT_EQ(saturated_ns(-3us), -3000);
  EXPECT_EQ(saturated_ns(2h), std::int64_t{7'200'000'000'000});
  EXPECT_EQ(saturated_ns(std::chrono::nanoseconds::max()), INT64_MAX);
}

TEST(SaturatedNs, RoundsUpSoThatNoWaitEndsEarly) {
  EXPECT_EQ(saturated_ns(duration<std::int64_t, std::pico>(1)), 1);
  EXPECT_EQ(saturated_ns(duration<std::int64_t, std::pico>(1000)), 1);
  EXPECT_EQ(saturated_ns(duration<std::int64_t, std::pico>(1001)), 2);
  EXPECT_EQ(saturated_ns(duration<double>(1.5e-9)), 2);
  EXPECT_EQ(saturated_ns(duration<std::int64_t, std::ratio<1, 3>>(1)), 333'333'334);
}

TEST(SaturatedNs, SaturatesInsteadOfOverflowing) {
  EXPECT_EQ(saturated_ns(std::chrono::hours::max()), INT64_MAX);
  EXPECT_EQ(saturated_ns(std::chrono::hours::min()), INT64_MIN);
  EXPECT_EQ(saturated_ns(std::chrono::seconds::max()), INT64_MAX);
  EXPECT_EQ(saturated_ns(std::chrono::milliseconds::min()), INT64_MIN);
  EXPECT_EQ(saturated_ns(duration<std::uint64_t>(std::numeric_limits<std::uint64_t>::max())),
            INT64_MAX);
  EXPECT_EQ(saturated_ns(duration<std::int64_t, std::ratio<1, 3>>::max()), INT64_MAX);
  EXPECT_EQ(saturated_ns(duration<double>(1e300)), INT64_MAX);
  EXPECT_EQ(saturated_ns(duration<double>(-1e300)), INT64_MIN);
  EXPECT_EQ(saturated_ns(duration<double>(std::numeric_limits<double>::infinity())), INT64_MAX);
}

TEST(SaturatedNs, TakesUnsignedAndNarrowCounts) {
  EXPECT_EQ(saturated_ns(duration<std::uint32_t>(5)), std::int64_t{5'000'000'000});
  EXPECT_EQ(saturated_ns(duration<std::int8_t>(-5)), std::int64_t{-5'000'000'000});
  EXPECT_EQ(saturated_ns(duration<std::uint64_t, std::nano>(9)), 9);
}

TEST(SaturatedNs, TakesTicksThatDoNotDivideANanosecond) {
  using Ticks = duration<std::int64_t, std::ratio<1, 2'400'000'000>>;
  EXPECT_EQ(saturated_ns(Ticks(24)), 10);
  EXPECT_EQ(saturated_ns(Ticks(25)), 11);
  EXPECT_EQ(saturated_ns(Ticks(std::int64_t{1} << 62)), 1'921'535'841'011'411'627);
  using Fast = duration<std::int64_t, std::ratio<1, 1'500'000'000>>;
  EXPECT_EQ(saturated_ns(Fast::max()), 6'148'914'691'236'517'205);
}

TEST(SaturatedNs, MakesNothingOfNotANumber) {
  EXPECT_EQ(saturated_ns(duration<double>(std::numeric_limits<double>::quiet_NaN())), 0);
}

TEST(Deadline, MeansNeverForTheLongestDurations) {
  EXPECT_TRUE(Deadline::after(std::chrono::hours::max()).is_never());
  EXPECT_TRUE(Deadline::after(std::chrono::nanoseconds::max()).is_never());
  EXPECT_TRUE(Deadline::at(std::chrono::steady_clock::time_point::max()).is_never());
  EXPECT_FALSE(Deadline::never().expired());
}

TEST(Deadline, IsPastForZeroNegativeAndEarlyTimes) {
  EXPECT_EQ(Deadline::after(0s), Deadline::past());
  EXPECT_EQ(Deadline::after(std::chrono::hours::min()), Deadline::past());
  EXPECT_EQ(Deadline::at(std::chrono::steady_clock::time_point::min()), Deadline::past());
  EXPECT_TRUE(Deadline::past().expired());
  EXPECT_TRUE(Deadline::at(std::chrono::steady_clock::now()).expired());
  EXPECT_FALSE(Deadline::after(1h).expired());
}

TEST(Deadline, NearlyNeverStillSaturates) {
  EXPECT_TRUE(Deadline::after(std::chrono::nanoseconds(INT64_MAX - 1)).is_never());
}

// A clock whose time the test sets.
struct SetClock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::nanoseconds;
  using time_point = std::chrono::time_point<SetClock>;
  [[maybe_unused]] static constexpr bool is_steady = false;
  static inline time_point current{};
  static time_point now() noexcept { return current; }
};

TEST(WaitUntilOn, WaitsAgainWhenTheClockWasSetBack) {
  SetClock::current = SetClock::time_point(100s);
  int waits = 0;
  const auto wait = [&](Deadline deadline) {
    EXPECT_FALSE(deadline.is_never());
    // The first wait runs to its end, but meanwhile the clock was set back by a minute.
    SetClock::current = ++waits == 1 ? SetClock::time_point(40s) : SetClock::time_point(111s);
    return WaitStatus::timeout;
  };
  const auto target = SetClock::time_point(110s);
  EXPECT_EQ(rouse::detail::wait_until_on(target, wait), WaitStatus::timeout);
  // The last looks once more, with a deadline that is past.
  EXPECT_EQ(waits, 3);
}

TEST(WaitUntilOn, TellsAtOnceWhatEndedTheWait) {
  SetClock::current = SetClock::time_point(0s);
  int waits = 0;
  const auto wait = [&](Deadline) {
    ++waits;
    return WaitStatus::stopped;
  };
  EXPECT_EQ(rouse::detail::wait_until_on(SetClock::time_point(1s), wait), WaitStatus::stopped);
  EXPECT_EQ(waits, 1);
}

TEST(WaitUntilOn, TakesTheEndsOfTime) {
  SetClock::current = SetClock::time_point(100s);
  Deadline seen = Deadline::past();
  const auto wait = [&](Deadline deadline) {
    seen = deadline;
    return deadline.is_never() ? WaitStatus::ready : WaitStatus::timeout;
  };
  EXPECT_EQ(rouse::detail::wait_until_on(SetClock::time_point::max(), wait), WaitStatus::ready);
  EXPECT_EQ(rouse::detail::wait_until_on(SetClock::time_point::min(), wait), WaitStatus::timeout);
  EXPECT_EQ(seen, Deadline::past());
  const std::chrono::time_point<SetClock, std::chrono::hours> far(std::chrono::hours::max());
  EXPECT_EQ(rouse::detail::wait_until_on(far, wait), WaitStatus::ready);
}

}  // namespace
