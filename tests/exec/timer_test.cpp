// Timer: what its handle does, before, while and after it is called.

#include "rouse/exec/timer.hpp"

#include "rouse/exec/delay_executor.hpp"
#include "rouse/thread/interruptible_thread.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/sleep.hpp"

#include "support/gated_pool.hpp"
#include "support/manual_executor.hpp"
#include "support/observed_thread.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rouse {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

class TimerTest : public test::ManualExecutorTest {
 protected:
  using Time = std::optional<std::chrono::steady_clock::time_point>;

  Event begun;
  Event go_on;

  // A call that waits for go_on.
  auto waits() {
    return [this] {
      begun.set();
      (void)go_on.wait();
      log.add(1);
    };
  }
};

// --- cancel --------------------------------------------------------------------------------------

TEST_F(TimerTest, ACancelledTimerIsNotCalled) {
  Timer timer = executor.run_after(1s, log.adds(1));
  EXPECT_TRUE(timer.cancel());
  EXPECT_FALSE(timer.cancel());
  advance(1s);
  EXPECT_THAT(log.values(), ElementsAre());
  EXPECT_EQ(timer.runs(), 0U);
  EXPECT_EQ(executor.stats().cancelled, 1U);
}

TEST_F(TimerTest, ATimerThatHasRunCannotBeCancelled) {
  Timer timer = executor.run_after(1s, log.adds(1));
  advance(1s);
  EXPECT_FALSE(timer.cancel());
  EXPECT_EQ(timer.runs(), 1U);
}

TEST_F(TimerTest, WhatTheCallHoldsIsGivenBackAtOnce) {
  auto pending = std::make_shared<int>(1);
  auto repeating = std::make_shared<int>(2);
  auto run = std::make_shared<int>(3);
  Timer one = executor.run_after(1h, [pending] {});
  Timer two = executor.run_every(1h, [repeating] {});
  Timer three = executor.run_after(1s, [run] {});
  EXPECT_EQ(pending.use_count(), 2);
  EXPECT_TRUE(one.cancel());
  EXPECT_EQ(pending.use_count(), 1);
  EXPECT_TRUE(two.cancel());
  EXPECT_EQ(repeating.use_count(), 1);
  advance(1s);
  EXPECT_EQ(run.use_count(), 1);
}

TEST_F(TimerTest, ACallThatIsQueuedCanBeCancelled) {
  auto held = std::make_shared<int>(1);
  Timer timer = executor.run_after(1s, [this, held] { log.add(1); });
  {
    const test::Gate gate(executor.pool());
    clock.advance(1s);
    EXPECT_EQ(timer.next_run(), Time(clock.now()));
    EXPECT_TRUE(timer.cancel());
    EXPECT_EQ(held.use_count(), 1);
    EXPECT_EQ(timer.cancel_and_wait(), WaitStatus::ready);
  }
  settle();
  EXPECT_THAT(log.values(), ElementsAre());
}

TEST_F(TimerTest, ACallThatRunsOnceGoesOn) {
  Timer timer = executor.run_after(1s, waits());
  clock.advance(1s);
  (void)begun.wait();
  EXPECT_FALSE(timer.cancel());
  go_on.set();
  EXPECT_EQ(timer.cancel_and_wait(), WaitStatus::ready);
  EXPECT_THAT(log.values(), ElementsAre(1));
}

TEST_F(TimerTest, ARepeatedCallThatRunsIsTheLast) {
  Timer timer = executor.run_every(1s, waits());
  clock.advance(1s);
  (void)begun.wait();
  EXPECT_TRUE(timer.cancel());
  EXPECT_FALSE(timer.cancel());
  go_on.set();
  settle();
  advance(5s);
  EXPECT_THAT(log.values(), ElementsAre(1));
  EXPECT_EQ(executor.stats().pending, 0U);
}

TEST_F(TimerTest, TheLastOfSoManyCallsHasNoneToPrevent) {
  Timer timer = executor.run_every(1s, waits(), {.times = 1});
  clock.advance(1s);
  (void)begun.wait();
  EXPECT_FALSE(timer.cancel());
  go_on.set();
}

TEST_F(TimerTest, CancelAndWaitReturnsWhenTheCallHas) {
  Timer timer = executor.run_every(1s, waits());
  clock.advance(1s);
  (void)begun.wait();
  test::ObservedThread waiter([&] {
    EXPECT_EQ(timer.cancel_and_wait(), WaitStatus::ready);
    EXPECT_THAT(log.values(), ElementsAre(1));
  });
  waiter.await_blocked();
  EXPECT_THAT(log.values(), ElementsAre());
  go_on.set();
  waiter.join();
}

TEST_F(TimerTest, CancelAndWaitEndsByAStop) {
  Timer timer = executor.run_every(1s, waits());
  clock.advance(1s);
  (void)begun.wait();
  std::stop_source stop;
  test::ObservedThread waiter(
      [&] { EXPECT_EQ(timer.cancel_and_wait(stop.get_token()), WaitStatus::stopped); });
  waiter.await_blocked();
  stop.request_stop();
  waiter.join();
  go_on.set();
  settle();
  advance(5s);
  EXPECT_THAT(log.values(), ElementsAre(1));  // cancelled all the same
}

TEST_F(TimerTest, CancelAndWaitEndsByARaise) {
  struct Enough {};
  Timer timer = executor.run_every(1s, waits());
  clock.advance(1s);
  (void)begun.wait();
  InterruptibleThread waiter([&] { EXPECT_THROW((void)timer.cancel_and_wait(), Enough); });
  waiter.start();
  test::await_blocked_in(waiter, "Timer::cancel_and_wait");
  waiter.raise<Enough>();
  waiter.join();
  go_on.set();
}

TEST_F(TimerTest, CancelAndWaitInItsOwnCallDoesNotWait) {
  Timer timer;
  Event has_timer;
  timer = executor.run_every(1s, [&] {
    (void)has_timer.wait();
    EXPECT_EQ(timer.cancel_and_wait(), WaitStatus::ready);
    log.add(1);
  });
  has_timer.set();
  advance(5s);
  EXPECT_THAT(log.values(), ElementsAre(1));
}

// The call runs on the only worker; the job that waits for its end lets another step in.
TEST_F(TimerTest, AJobThatWaitsForTheEndOfACallHoldsUpNobody) {
  DelayExecutor other({.pool_options = {.min_threads = 2, .max_threads = 2}, .clock = &clock});
  Timer timer = other.run_after(1s, waits());
  clock.advance(1s);
  (void)begun.wait();
  Job<void> waiter = other.run_queued([&] { (void)timer.cancel_and_wait(); });
  Job<void> opener = other.run_queued([&] { go_on.set(); });
  waiter.get();
  opener.get();
  EXPECT_THAT(log.values(), ElementsAre(1));
}

// --- reschedule ----------------------------------------------------------------------------------

TEST_F(TimerTest, ComesLaterOrEarlierWhenRescheduled) {
  Timer later = executor.run_after(1s, log.adds(1));
  Timer earlier = executor.run_after(1h, log.adds(2));
  EXPECT_TRUE(later.reschedule(3s));
  EXPECT_TRUE(earlier.reschedule(2s));
  advance(1s);
  EXPECT_THAT(log.values(), ElementsAre());
  advance(1s);
  EXPECT_THAT(log.values(), ElementsAre(2));
  advance(1s);
  EXPECT_THAT(log.values(), ElementsAre(2, 1));
}

TEST_F(TimerTest, RescheduledToNowItIsCalledAtOnce) {
  Timer timer = executor.run_after(1h, log.adds(1));
  EXPECT_TRUE(timer.reschedule(-1s));
  settle();
  EXPECT_THAT(log.values(), ElementsAre(1));
}

TEST_F(TimerTest, WhatIsOverOrDueIsNotRescheduled) {
  Timer run = executor.run_after(1s, log.adds(1));
  Timer cancelled = executor.run_after(1h, log.adds(2));
  advance(1s);
  EXPECT_FALSE(run.reschedule(1s));
  cancelled.cancel();
  EXPECT_FALSE(cancelled.reschedule(1s));
  Timer due = executor.run_after(1s, log.adds(3));
  {
    const test::Gate gate(executor.pool());
    clock.advance(1s);
    EXPECT_FALSE(due.reschedule(1s));
  }
  settle();
  advance(10s);
  EXPECT_THAT(log.values(), ElementsAre(1, 3));
}

TEST_F(TimerTest, AGridStartsAnewWhereItIsRescheduled) {
  Timer timer = executor.run_every(10s, log.adds(1));
  advance(3s);
  EXPECT_TRUE(timer.reschedule(2s));
  EXPECT_EQ(timer.next_run(), Time(clock.now() + 2s));
  advance(2s);
  EXPECT_THAT(log.values(), ElementsAre(1));
  EXPECT_EQ(timer.next_run(), Time(clock.now() + 10s));
}

TEST_F(TimerTest, RescheduledInItsOwnCall) {
  Timer timer;
  Event has_timer;
  timer = executor.run_every(1s, [&] {
    (void)has_timer.wait();
    EXPECT_EQ(timer.next_run(), std::nullopt);
    EXPECT_TRUE(timer.reschedule(5s));
    EXPECT_EQ(timer.next_run(), Time(clock.now() + 5s));
    log.add(1);
  });
  has_timer.set();
  advance(1s);
  EXPECT_EQ(timer.next_run(), Time(clock.now() + 5s));
  advance(4s);
  EXPECT_THAT(log.values(), ElementsAre(1));
  advance(1s);
  EXPECT_THAT(log.values(), ElementsAre(1, 1));
}

TEST_F(TimerTest, ACallThatRunsOnceIsNotRescheduledInItself) {
  Timer timer;
  Event has_timer;
  timer = executor.run_after(1s, [&] {
    (void)has_timer.wait();
    EXPECT_FALSE(timer.reschedule(1s));
    log.add(1);
  });
  has_timer.set();
  advance(1s);
  EXPECT_THAT(log.values(), ElementsAre(1));
}

// --- what it tells -------------------------------------------------------------------------------

TEST_F(TimerTest, TellsWhenItComesNext) {
  Timer timer = executor.run_every(2s, log.adds(1), {.times = 2});
  EXPECT_EQ(timer.next_run(), Time(clock.now() + 2s));
  advance(2s);
  EXPECT_EQ(timer.next_run(), Time(clock.now() + 2s));
  EXPECT_EQ(timer.runs(), 1U);
  advance(2s);
  EXPECT_EQ(timer.next_run(), std::nullopt);
  EXPECT_EQ(timer.runs(), 2U);
}

TEST_F(TimerTest, AnEmptyOneFindsNothingToDo) {
  Timer timer;
  EXPECT_FALSE(timer.valid());
  EXPECT_FALSE(timer.cancel());
  EXPECT_FALSE(timer.reschedule(1s));
  EXPECT_FALSE(timer.request_stop());
  EXPECT_EQ(timer.cancel_and_wait(), WaitStatus::ready);
  EXPECT_EQ(timer.next_run(), std::nullopt);
  EXPECT_EQ(timer.runs(), 0U);
}

TEST_F(TimerTest, MayOutliveItsExecutor) {
  Timer pending;
  Timer repeating;
  auto held = std::make_shared<int>(1);
  {
    DelayExecutor other({.clock = &clock});
    pending = other.run_after(1s, [held] {});
    repeating = other.run_every(1s, [held] {});
  }
  EXPECT_EQ(held.use_count(), 1);
  // Another executor may have taken its place.
  executor.run_after(1h, log.adds(1));
  for (Timer* const timer : {&pending, &repeating}) {
    EXPECT_TRUE(timer->valid());
    EXPECT_FALSE(timer->cancel());
    EXPECT_FALSE(timer->reschedule(1s));
    EXPECT_FALSE(timer->request_stop());
    EXPECT_EQ(timer->cancel_and_wait(), WaitStatus::ready);
    EXPECT_EQ(timer->next_run(), std::nullopt);
  }
}

TEST_F(TimerTest, GivingItUpChangesNothing) {
  { const Timer timer = executor.run_after(1s, log.adds(1)); }
  Timer other = executor.run_after(1s, log.adds(2));
  other = executor.run_after(1s, log.adds(3));
  Timer moved = std::move(other);
  EXPECT_FALSE(other.valid());  // NOLINT(bugprone-use-after-move)
  advance(1s);
  EXPECT_THAT(log.values(), ElementsAre(1, 2, 3));
}

// --- stop ----------------------------------------------------------------------------------------

TEST_F(TimerTest, AStopEndsTheWaitsOfTheCallThatRuns) {
  Timer timer = executor.run_every(1s, [this] {
    begun.set();
    log.add(sleep_for(1h) == WaitStatus::stopped ? 1 : 0);
  });
  EXPECT_FALSE(timer.request_stop());  // none runs
  clock.advance(1s);
  (void)begun.wait();
  EXPECT_TRUE(timer.request_stop());
  settle();
  EXPECT_THAT(log.values(), ElementsAre(1));
  begun.clear();
  clock.advance(1s);  // the next call is not stopped
  (void)begun.wait();
  EXPECT_THAT(log.values(), ElementsAre(1));
  EXPECT_TRUE(timer.request_stop());
  settle();
  EXPECT_THAT(log.values(), ElementsAre(1, 1));
}

TEST_F(TimerTest, AStopReachesTheTokenOfTheCall) {
  Timer timer = executor.run_after(1s, [this](const std::stop_token& stop) {
    Event stopped;
    const std::stop_callback tell(stop, [&] { stopped.set(); });
    begun.set();
    (void)stopped.wait();
    log.add(1);
  });
  clock.advance(1s);
  (void)begun.wait();
  EXPECT_TRUE(timer.request_stop());
  settle();
  EXPECT_THAT(log.values(), ElementsAre(1));
}

// --- ScopedTimer ---------------------------------------------------------------------------------

TEST_F(TimerTest, AScopeCancels) {
  { const ScopedTimer timer(executor.run_after(1s, log.adds(1))); }
  advance(1s);
  EXPECT_THAT(log.values(), ElementsAre());
}

TEST_F(TimerTest, AScopeStopsTheCallThatRunsAndWaitsForIt) {
  {
    std::atomic<int> local{0};
    const ScopedTimer timer(executor.run_every(1s, [&] {
      begun.set();
      EXPECT_EQ(sleep_for(1h), WaitStatus::stopped);
      ++local;
    }));
    clock.advance(1s);
    (void)begun.wait();
  }
  advance(5s);
  EXPECT_EQ(executor.stats().pending, 0U);
}

TEST_F(TimerTest, AScopeMayEndInTheCall) {
  auto timer = std::make_unique<ScopedTimer>();
  *timer = ScopedTimer(executor.run_every(1s, [&] {
    timer = nullptr;
    log.add(1);
  }));
  advance(1s);
  advance(5s);
  EXPECT_THAT(log.values(), ElementsAre(1));
}

TEST_F(TimerTest, AScopeThatIsAssignedToEndsWhatItHad) {
  ScopedTimer timer(executor.run_after(1s, log.adds(1)));
  timer = ScopedTimer(executor.run_after(1s, log.adds(2)));
  EXPECT_TRUE(timer->reschedule(2s));
  const Timer let_go = timer.release();
  timer = ScopedTimer();
  advance(2s);
  EXPECT_THAT(log.values(), ElementsAre(2));
}

}  // namespace
}  // namespace rouse
