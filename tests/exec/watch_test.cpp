// Which sleepers wake up for the next deadline, and whether somebody is to be called for it.

#include "exec/watch.hpp"

#include <cstdint>

#include <gtest/gtest.h>

namespace {

using rouse::detail::Watch;

constexpr std::int64_t no_deadline = Watch::never;
constexpr std::int64_t grace = Watch::grace_ns;

/// Of a pool that is open, with a deadline.
struct WatchOfOne : testing::Test {
  WatchOfOne() {
    watch.set_open(true);
    set(deadline);
  }

  void set(std::int64_t next) {
    watch.refresh([next] { return next; });
  }

  static constexpr std::int64_t deadline = 10 * grace;
  Watch watch;
};

TEST(Watch, IsClosedAtFirst) {
  Watch watch;
  EXPECT_FALSE(watch.lower(1));
  watch.refresh([] { return 1; });
  EXPECT_EQ(watch.next(), no_deadline);
  EXPECT_FALSE(watch.unguarded());
  EXPECT_EQ(watch.guard(1), no_deadline);
}

TEST_F(WatchOfOne, IsGuardedByOneThenByASecondThenByNoOther) {
  EXPECT_EQ(watch.next(), deadline);
  EXPECT_TRUE(watch.unguarded());
  EXPECT_EQ(watch.guard(1), deadline);
  EXPECT_FALSE(watch.unguarded());
  EXPECT_EQ(watch.guard(2), deadline + grace);
  EXPECT_EQ(watch.guard(3), no_deadline);
}

TEST_F(WatchOfOne, NeedsNobodyForNoDeadline) {
  set(no_deadline);
  EXPECT_FALSE(watch.unguarded());
  EXPECT_EQ(watch.guard(1), no_deadline);
}

TEST_F(WatchOfOne, IsGuardedByTheSecondWhenTheFirstLeaves) {
  ASSERT_EQ(watch.guard(1), deadline);
  ASSERT_EQ(watch.guard(2), deadline + grace);
  watch.leave(1);
  EXPECT_FALSE(watch.unguarded());
  EXPECT_EQ(watch.guard(3), deadline);
  watch.leave(2);
  EXPECT_FALSE(watch.unguarded());
  watch.leave(3);
  EXPECT_TRUE(watch.unguarded());
}

TEST_F(WatchOfOne, IsNotLeftByOneWhoDoesNotGuard) {
  ASSERT_EQ(watch.guard(1), deadline);
  watch.leave(2);
  EXPECT_FALSE(watch.unguarded());
}

TEST_F(WatchOfOne, TakesAnEarlierGuardInPlaceOfTheLater) {
  ASSERT_EQ(watch.guard(1), deadline);
  ASSERT_EQ(watch.guard(2), deadline + grace);
  EXPECT_TRUE(watch.lower(5 * grace));
  EXPECT_TRUE(watch.unguarded());
  EXPECT_EQ(watch.guard(3), 5 * grace);
  EXPECT_FALSE(watch.unguarded());
  watch.leave(2);
  watch.leave(3);
  EXPECT_TRUE(watch.unguarded());
  set(deadline);
  EXPECT_FALSE(watch.unguarded()) << "the first guard is still there";
}

TEST_F(WatchOfOne, AsksForACallForWhatComesBeforeTheGuards) {
  EXPECT_TRUE(watch.lower(deadline - 1)) << "nobody guards";
  ASSERT_EQ(watch.guard(1), deadline - 1);
  EXPECT_FALSE(watch.lower(deadline - 1));
  EXPECT_FALSE(watch.lower(deadline + grace));
  EXPECT_EQ(watch.next(), deadline - 1);
  EXPECT_TRUE(watch.lower(deadline - 2));
  EXPECT_EQ(watch.next(), deadline - 2);
}

TEST_F(WatchOfOne, AsksForNoCallForWhatAnEarlierGuardSees) {
  ASSERT_EQ(watch.guard(1), deadline);
  set(30 * grace);
  EXPECT_FALSE(watch.unguarded());
  EXPECT_FALSE(watch.lower(20 * grace));
  EXPECT_EQ(watch.next(), 20 * grace);
}

TEST_F(WatchOfOne, IsUnguardedWhereTheGuardComesAfterTheGrace) {
  ASSERT_EQ(watch.guard(1), deadline);
  set(deadline - grace);
  EXPECT_FALSE(watch.unguarded());
  set(deadline - grace - 1);
  EXPECT_TRUE(watch.unguarded());
}

TEST_F(WatchOfOne, HasNoDeadlineWhileSomebodyRings) {
  watch.begin_ring();
  EXPECT_EQ(watch.next(), no_deadline);
  EXPECT_FALSE(watch.unguarded());
  EXPECT_EQ(watch.guard(1), no_deadline);
  EXPECT_TRUE(watch.lower(30 * grace));
  EXPECT_EQ(watch.next(), 30 * grace);
  set(20 * grace);
  EXPECT_EQ(watch.next(), 20 * grace);
  EXPECT_TRUE(watch.unguarded());
}

TEST_F(WatchOfOne, HasNoDeadlineWhenItIsClosed) {
  watch.set_open(false);
  EXPECT_EQ(watch.next(), no_deadline);
  EXPECT_FALSE(watch.unguarded());
  EXPECT_FALSE(watch.lower(1));
  set(deadline);
  EXPECT_EQ(watch.guard(1), no_deadline);
  watch.set_open(true);
  EXPECT_EQ(watch.next(), no_deadline);
  EXPECT_TRUE(watch.lower(1));
}

}  // namespace
