#include "state_tracker.hpp"

#include <gtest/gtest.h>

namespace health {
namespace {

constexpr Status ok = Status::ok;
constexpr Status warning = Status::warning;
constexpr Status critical = Status::critical;
constexpr Status unknown = Status::unknown;

TEST(StateTracker, FirstResultDecides) {
  for (const Status first : {ok, warning, critical, unknown}) {
    StateTracker tracker(3, 3);
    EXPECT_FALSE(tracker.state());
    EXPECT_TRUE(tracker.add(first));
    EXPECT_EQ(tracker.state(), first);
    EXPECT_FALSE(tracker.add(first));
  }
}

TEST(StateTracker, FallsAfterSoManyInARow) {
  StateTracker tracker(1, 3);
  tracker.add(ok);
  EXPECT_FALSE(tracker.add(critical));
  EXPECT_EQ(tracker.against(), 1);
  EXPECT_EQ(tracker.needed(), 3);
  EXPECT_FALSE(tracker.add(warning));
  EXPECT_EQ(tracker.state(), ok);
  EXPECT_TRUE(tracker.add(critical));
  EXPECT_EQ(tracker.state(), critical);
  EXPECT_EQ(tracker.against(), 0);
}

TEST(StateTracker, OneGoodResultStartsTheCountAgain) {
  StateTracker tracker(1, 2);
  tracker.add(ok);
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(tracker.add(critical));
    EXPECT_FALSE(tracker.add(ok));
  }
  EXPECT_EQ(tracker.state(), ok);
}

TEST(StateTracker, RisesAfterSoManyInARow) {
  StateTracker tracker(2, 1);
  tracker.add(critical);
  EXPECT_FALSE(tracker.add(ok));
  EXPECT_FALSE(tracker.add(critical));
  EXPECT_FALSE(tracker.add(ok));
  EXPECT_TRUE(tracker.add(ok));
  EXPECT_EQ(tracker.state(), ok);
}

TEST(StateTracker, GoesFromOneFailureToAnotherAtOnce) {
  StateTracker tracker(5, 5);
  tracker.add(warning);
  EXPECT_TRUE(tracker.add(critical));
  EXPECT_TRUE(tracker.add(unknown));
  EXPECT_EQ(tracker.state(), unknown);
}

}  // namespace
}  // namespace health
