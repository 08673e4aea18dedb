#include "history.hpp"

#include <chrono>
#include <vector>

#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;

// The beginning of a bucket, after some days of uptime.
const History::Time start{History::width * 1000};

TEST(History, SumsUpWhatABucketHas) {
  History history;
  history.add(start, Status::ok, 10ms);
  history.add(start + 1min, Status::unknown, 20ms);
  history.add(start + 2min, Status::warning, 30ms);
  const std::vector<History::Bucket> buckets = history.until(start + 3min);
  ASSERT_EQ(buckets.size(), History::count);
  EXPECT_EQ(buckets.back().runs, 3U);
  EXPECT_EQ(buckets.back().failed, 2U);
  EXPECT_EQ(buckets.back().worst, Status::warning);
  EXPECT_NEAR(buckets.back().mean_ms(), 20, 0.01);
  EXPECT_EQ(buckets[History::count - 2].runs, 0U);
  EXPECT_NEAR(History::uptime(buckets), 1.0 / 3, 1e-9);
}

TEST(History, ForgetsWhatIsOlderThanItsRing) {
  History history;
  history.add(start, Status::critical, 1ms);
  history.add(start + History::width * 2, Status::ok, 1ms);
  std::vector<History::Bucket> buckets = history.until(start + History::width * 2);
  EXPECT_EQ(buckets[History::count - 3].worst, Status::critical);
  EXPECT_EQ(buckets[History::count - 2].runs, 0U);

  const auto last = start + History::width * (History::count - 1);
  EXPECT_EQ(history.until(last).front().failed, 1U);
  EXPECT_EQ(history.until(last + History::width).front().failed, 0U);
  history.add(start + History::width * (History::count * 3), Status::ok, 1ms);
  buckets = history.until(start + History::width * (History::count * 3));
  EXPECT_EQ(History::uptime(buckets), 1);
  EXPECT_EQ(buckets.back().runs, 1U);
}

TEST(History, IsGoodWithoutRuns) {
  EXPECT_EQ(History::uptime(History().until(start)), 1);
  EXPECT_EQ(History().until(History::Time{}).size(), History::count) << "just after the boot";
}

}  // namespace
}  // namespace health
