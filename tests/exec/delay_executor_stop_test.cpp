// How a DelayExecutor ends: what becomes of the timers and jobs, and who is named.

#include "rouse/exec/delay_executor.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/sleep.hpp"

#include "support/gated_pool.hpp"
#include "support/manual_executor.hpp"
#include "support/observed_thread.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <system_error>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rouse {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

/// The executor has a pool of its own, or one that it is given.
enum class PoolOf { executor, another };

class DelayExecutorStopTest : public ::testing::TestWithParam<PoolOf> {
 protected:
  static DelayExecutorOptions options(ThreadPool& given, ManualClock& its_clock) {
    return {.pool = GetParam() == PoolOf::another ? &given : nullptr,
            .pool_options = {.min_threads = 1, .max_threads = 1, .name = "its"},
            .clock = &its_clock};
  }

  // The call that a worker makes when this returns.
  void run_something() {
    executor->run_after(0s, [this] {
      begun.set();
      log.add(sleep_for(1h) == WaitStatus::stopped ? -1 : 0);
    });
    (void)begun.wait();
  }

  ManualClock clock;
  test::CallLog log;
  Event begun;
  Event go_on;
  ThreadPool pool{{.min_threads = 1, .max_threads = 1, .name = "given"}};
  std::optional<DelayExecutor> executor{std::in_place, options(pool, clock)};
};

INSTANTIATE_TEST_SUITE_P(Pools, DelayExecutorStopTest,
                         ::testing::Values(PoolOf::executor, PoolOf::another),
                         [](const auto& pools) {
                           return pools.param == PoolOf::executor ? "Own" : "Given";
                         });

TEST_P(DelayExecutorStopTest, RunsWhatIsDueAndAbandonsWhatLiesAhead) {
  executor->run_after(1h, log.adds(1));
  executor->run_every(1h, log.adds(2));
  executor->run_after(1s, log.adds(3));
  const Job<void> job = [&] {
    const test::Gate gate(executor->pool());
    clock.advance(1s);
    Job<void> queued = executor->run_queued(log.adds(4));
    executor->run_after(0s, log.adds(5));
    return queued;
  }();
  EXPECT_EQ(executor->stop(), 2U);
  EXPECT_EQ(job.status(), JobStatus::done);
  EXPECT_THAT(log.values(), ElementsAre(3, 4, 5));
  EXPECT_EQ(executor->stats().pending, 0U);
  EXPECT_EQ(executor->stats().abandoned, 2U);
  clock.advance(24h);
  EXPECT_EQ(log.values().size(), 3U);
}

TEST_P(DelayExecutorStopTest, WaitsForTheCallThatRuns) {
  executor->run_every(1s, [this] {
    begun.set();
    (void)go_on.wait();
    log.add(1);
  });
  clock.advance(1s);
  (void)begun.wait();
  test::ObservedThread stopper([&] { EXPECT_EQ(executor->stop(), 1U); });
  stopper.await_blocked();
  EXPECT_THAT(log.values(), ElementsAre());
  go_on.set();
  stopper.join();
  EXPECT_THAT(log.values(), ElementsAre(1));
}

TEST_P(DelayExecutorStopTest, RunsWhatLiesAheadAtOnceIfItIsTold) {
  executor->run_after(3h, log.adds(3));
  executor->run_after(1h, log.adds(1));
  executor->run_after(2h, log.adds(2));
  executor->run_every(1h, log.adds(9));
  EXPECT_EQ(executor->stop(StopPolicy::run_ahead), 1U);
  EXPECT_THAT(log.values(), ElementsAre(1, 2, 3));
}

TEST_P(DelayExecutorStopTest, WaitsForWhatLiesAheadIfItIsTold) {
  executor->run_after(1h, log.adds(1));
  executor->run_after(2h, log.adds(2));
  Timer never = executor->run_after(std::chrono::hours::max(), log.adds(3));
  executor->run_every(1h, log.adds(9));
  test::ObservedThread stopper([&] { EXPECT_EQ(executor->stop(StopPolicy::await_ahead), 1U); });
  stopper.await_blocked();
  EXPECT_FALSE(executor->running());
  clock.advance(1h);
  clock.advance(1h);
  EXPECT_TRUE(never.cancel());
  stopper.join();
  EXPECT_THAT(log.values(), ElementsAre(1, 2));
}

// The second does not wait as long as the first would.
TEST_P(DelayExecutorStopTest, ASecondStopMayAbandonWhatTheFirstWaitsFor) {
  executor->run_after(1h, log.adds(1));
  test::ObservedThread stopper([&] { EXPECT_EQ(executor->stop(StopPolicy::await_ahead), 1U); });
  stopper.await_blocked();
  EXPECT_EQ(executor->stop(), 1U);
  stopper.join();
  EXPECT_THAT(log.values(), ElementsAre());
}

TEST_P(DelayExecutorStopTest, TryStopNeverBlocks) {
  executor->run_after(1h, log.adds(1));
  executor->run_after(0s, [this] {
    begun.set();
    (void)go_on.wait();
    log.add(2);
  });
  (void)begun.wait();
  EXPECT_FALSE(executor->try_stop());
  EXPECT_FALSE(executor->running());
  EXPECT_FALSE(executor->try_stop());
  EXPECT_EQ(executor->stats().abandoned, 1U);
  go_on.set();
  EXPECT_EQ(executor->stop(), 1U);
  EXPECT_TRUE(executor->try_stop());
  EXPECT_THAT(log.values(), ElementsAre(2));
}

TEST_P(DelayExecutorStopTest, AStopWithALimitDropsWhatIsQueuedAndStopsWhatRuns) {
  run_something();
  executor->run_after(0s, log.adds(1));
  executor->run_after(1h, log.adds(2));
  const Job<void> job = executor->run_queued(log.adds(3));
  const StopReport report = executor->stop_for(1h);
  EXPECT_TRUE(report);
  EXPECT_THAT(log.values(), ElementsAre(-1));
  EXPECT_EQ(executor->stats().abandoned, 2U);
  ASSERT_EQ(job.wait(), WaitStatus::ready);
  EXPECT_THAT(job.status(), ::testing::AnyOf(JobStatus::dropped, JobStatus::failed));
}

TEST_P(DelayExecutorStopTest, AStopWithALimitStopsQueuedJobsThatRun) {
  Job<WaitStatus> job = executor->run_queued([&] {
    begun.set();
    return sleep_for(1h);
  });
  (void)begun.wait();
  EXPECT_TRUE(executor->stop_for(1h));
  EXPECT_EQ(job.get(), WaitStatus::stopped);
}

TEST_P(DelayExecutorStopTest, AStopWithALimitNamesWhoHoldsItUp) {
  executor->run_after(0s, [this] {
    const Shield shield;
    begun.set();
    (void)go_on.wait();
  });
  (void)begun.wait();
  const StopReport report = executor->stop_for(0s);
  ASSERT_EQ(report.stragglers.size(), 1U);
  EXPECT_EQ(report.stragglers[0].name, GetParam() == PoolOf::executor ? "its-0" : "given-0");
  go_on.set();
}

TEST_P(DelayExecutorStopTest, AStopWithALimitNamesTheJobThatHoldsItUp) {
  Job<void> job = executor->run_queued([this] {
    const Shield shield;
    begun.set();
    (void)go_on.wait();
  });
  (void)begun.wait();
  EXPECT_EQ(executor->stop_for(0s).stragglers.size(), 1U);
  go_on.set();
  EXPECT_EQ(job.wait(), WaitStatus::ready);
}

TEST_P(DelayExecutorStopTest, TheDestructorDropsAndStops) {
  auto held = std::make_shared<int>(1);
  run_something();
  executor->run_after(0s, [held] {});
  executor->run_after(1h, [held] {});
  executor->run_every(1h, [held] {});
  executor.reset();
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_THAT(log.values(), ElementsAre(-1));
}

TEST_P(DelayExecutorStopTest, RefusesWhatComesAfterAStop) {
  auto held = std::make_shared<int>(1);
  const auto holds = [held] {};
  EXPECT_EQ(executor->stop(), 0U);
  const long before = held.use_count();
  EXPECT_THROW(executor->run_after(1s, holds), Stopped);
  EXPECT_THROW(executor->run_every(1s, holds), Stopped);
  EXPECT_THROW(executor->run_at(clock.calendar() + 1s, holds), Stopped);
  EXPECT_THROW(executor->run_cron("@daily", "UTC", holds), Stopped);
  EXPECT_THROW((void)executor->run_queued(holds), Stopped);
  EXPECT_EQ(held.use_count(), before);
  EXPECT_EQ(executor->stop(), 0U);
}

TEST_P(DelayExecutorStopTest, CannotBeStoppedInOneOfItsCalls) {
  std::atomic<int> refused{0};
  const auto stops = [&] {
    for (const bool limited : {false, true}) {
      try {
        if (limited) {
          (void)executor->stop_for(1s);
        } else {
          (void)executor->stop();
        }
      } catch (const std::system_error& error) {
        if (error.code() == std::errc::resource_deadlock_would_occur) ++refused;
      }
    }
  };
  executor->run_after(0s, stops);
  executor->run_queued(stops).get();
  EXPECT_EQ(executor->pool().wait_idle(), WaitStatus::ready);
  EXPECT_EQ(refused, 4);
  EXPECT_TRUE(executor->running());
}

TEST_P(DelayExecutorStopTest, ItsOwnCallMayTryToStopIt) {
  std::atomic<bool> ended{true};
  executor->run_after(1h, log.adds(1));
  executor->run_after(0s, [&] { ended = executor->try_stop(); });
  EXPECT_EQ(executor->pool().wait_idle(), WaitStatus::ready);
  EXPECT_FALSE(ended);
  EXPECT_EQ(executor->stop(), 1U);
}

// --- a pool that is given ------------------------------------------------------------------------

class GivenPoolTest : public ::testing::Test {
 protected:
  ManualClock clock;
  test::CallLog log;
  ThreadPool pool{{.min_threads = 1, .max_threads = 1, .name = "given"}};
};

TEST_F(GivenPoolTest, AStopLeavesThePoolAndItsJobsAlone) {
  DelayExecutor executor({.pool = &pool, .clock = &clock});
  executor.run_after(1s, log.adds(1));
  {
    const test::Gate gate(pool);
    pool.post(log.adds(2));
    clock.advance(1s);
    EXPECT_TRUE(executor.stop_for(1h));
  }
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_THAT(log.values(), ElementsAre(2));
  EXPECT_TRUE(pool.running());
}

TEST_F(GivenPoolTest, NobodyIsToldOfADroppedJobThatNobodyAsks) {
  std::vector<std::string> told;
  ThreadPool other({.min_threads = 1, .max_threads = 1, .on_error = [&](std::exception_ptr error) {
                      told.push_back(test::what(error));
                    }});
  DelayExecutor executor({.pool = &other, .clock = &clock});
  {
    const test::Gate gate(other);
    { const Job<void> given_up = executor.run_queued(log.adds(1)); }
    EXPECT_TRUE(executor.stop_for(1h));
  }
  EXPECT_EQ(other.wait_idle(), WaitStatus::ready);
  EXPECT_THAT(told, ElementsAre());
  EXPECT_THAT(log.values(), ElementsAre());
}

// It has ended, and may be gone, before the worker comes to what it had queued.
TEST_F(GivenPoolTest, QueuedJobsThatWereDroppedOutliveTheExecutor) {
  std::optional<DelayExecutor> executor(std::in_place,
                                        DelayExecutorOptions{.pool = &pool, .clock = &clock});
  Job<void> job;
  {
    const test::Gate gate(pool);
    job = executor->run_queued(log.adds(1));
    executor->run_after(0s, log.adds(2));
    executor.reset();
    executor.emplace(DelayExecutorOptions{.pool = &pool, .clock = &clock});
  }
  EXPECT_THROW(job.get(), JobDropped);
  EXPECT_EQ(executor->stop(), 0U);
  EXPECT_THAT(log.values(), ElementsAre());
}

TEST_F(GivenPoolTest, ThePoolMayBeStoppedFirst) {
  DelayExecutor executor({.pool = &pool, .clock = &clock});
  executor.run_after(1s, log.adds(1));
  executor.run_after(1h, log.adds(2));
  executor.run_every(1s, log.adds(3));
  pool.stop();
  clock.advance(1s);
  EXPECT_EQ(executor.stop(), 3U);
  EXPECT_THAT(log.values(), ElementsAre());
}

TEST_F(GivenPoolTest, ThePoolMayBeStoppedFirstOnTheSystemsClock) {
  DelayExecutor executor({.pool = &pool});
  executor.run_after(1ms, log.adds(1));
  executor.run_after(1h, log.adds(2));
  pool.stop();
  EXPECT_LE(executor.stop(), 2U);
  pool.start();
  DelayExecutor next({.pool = &pool});
  Event called;
  next.run_after(1ms, [&] { called.set(); });
  EXPECT_EQ(called.wait(), WaitStatus::ready);
}

TEST_F(GivenPoolTest, AnotherExecutorsCallMayStopThisOne) {
  DelayExecutor executor({.pool = &pool, .clock = &clock});
  DelayExecutor other({.pool = &pool, .clock = &clock});
  executor.run_after(0s, log.adds(1));
  executor.run_after(1h, log.adds(2));
  EXPECT_EQ(other.run_queued([&] { return executor.stop(); }).get(), 1U);
  EXPECT_THAT(log.values(), ElementsAre(1));
}

TEST_F(GivenPoolTest, IsNotDestroyedByOneOfItsCalls) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto executor = std::make_unique<DelayExecutor>(DelayExecutorOptions{.pool = &pool});
        executor->run_queued([&] { executor = nullptr; }).get();
      },
      "a delay executor is destroyed by one of its calls");
}

}  // namespace
}  // namespace rouse
