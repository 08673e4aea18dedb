// DelayExecutor: when calls are made, how they repeat, and in which order.

#include "rouse/exec/delay_executor.hpp"

#include "rouse/wait/event.hpp"
#include "rouse/wait/sleep.hpp"

#include "support/manual_executor.hpp"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rouse {
namespace {

using namespace std::chrono_literals;
using test::CallLog;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::Le;

class DelayExecutorTest : public test::ManualExecutorTest {
 protected:
  // Notes the seconds since the begin at each call.
  auto notes_seconds() {
    return [this] { log.add(seconds()); };
  }
  int seconds() const {
    return static_cast<int>(
        std::chrono::duration_cast<std::chrono::seconds>(clock.now() - begin).count());
  }
  void advance_by_seconds(int count) {
    for (int i = 0; i < count; ++i) advance(1s);
  }

  const std::chrono::steady_clock::time_point begin = clock.now();
};

// --- once ----------------------------------------------------------------------------------------

TEST_F(DelayExecutorTest, CallsOnceWhenTheTimeHasPassedAndNotBefore) {
  executor.run_after(5s, log.adds(1));
  advance(2s);
  EXPECT_THAT(log.values(), ElementsAre());
  advance(3s - 1ns);
  EXPECT_THAT(log.values(), ElementsAre());
  advance(1ns);
  EXPECT_THAT(log.values(), ElementsAre(1));
  advance(24h);
  EXPECT_THAT(log.values(), ElementsAre(1));
}

TEST_F(DelayExecutorTest, WhatIsDueAtOnceIsCalledAtOnce) {
  executor.run_after(0s, log.adds(1));
  settle();
  executor.run_after(-1h, log.adds(2));
  settle();
  executor.run_at(clock.now() - 1h, log.adds(3));
  settle();
  executor.run_at(std::chrono::steady_clock::time_point::min(), log.adds(4));
  settle();
  executor.run_after(std::chrono::hours::min(), log.adds(5));
  settle();
  EXPECT_THAT(log.values(), ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(DelayExecutorTest, TheGreatestTimesAreNever) {
  executor.run_after(std::chrono::hours::max(), log.adds(1));
  executor.run_after(std::chrono::nanoseconds::max(), log.adds(2));
  executor.run_at(std::chrono::steady_clock::time_point::max(), log.adds(3));
  executor.run_after(std::chrono::duration<double>(1e300), log.adds(4));
  advance(24h * 365 * 100);
  EXPECT_THAT(log.values(), ElementsAre());
  EXPECT_EQ(executor.stats().pending, 4U);
}

TEST_F(DelayExecutorTest, ComesAtATimeOfTheSteadyClock) {
  executor.run_at(begin + 3s, notes_seconds());
  advance_by_seconds(5);
  EXPECT_THAT(log.values(), ElementsAre(3));
}

TEST_F(DelayExecutorTest, CallsOfOneTimeComeByUrgencyThenInOrder) {
  executor.run_after(1s, Urgency::low, log.adds(6));
  executor.run_after(1s, log.adds(4));
  executor.run_after(1s, Urgency::high, log.adds(2));
  executor.run_after(1s, log.adds(5));
  executor.run_after(1s, Urgency::high, log.adds(3));
  advance(1s);
  EXPECT_THAT(log.values(), ElementsAre(2, 3, 4, 5, 6));
}

TEST_F(DelayExecutorTest, CallsThatAreDueTogetherComeByTheirTimes) {
  std::vector<int> expected;
  for (int i = 0; i < 200; ++i) {
    expected.push_back(i);
    executor.run_after(std::chrono::milliseconds(200 - i), log.adds(199 - i));
  }
  advance(1s);
  EXPECT_EQ(log.values(), expected);
}

TEST_F(DelayExecutorTest, TwoCallsOfOneTimeAndUrgencyDoNotReplaceEachOther) {
  for (int i = 0; i < 100; ++i) executor.run_after(1s, log.adds(i));
  advance(1s);
  EXPECT_EQ(log.values().size(), 100U);
}

TEST_F(DelayExecutorTest, PassesArgumentsThatCanOnlyBeMoved) {
  executor.run_after(
      1s, [this](std::unique_ptr<int> value, int more) { log.add(*value + more); },
      std::make_unique<int>(40), 2);
  advance(1s);
  EXPECT_THAT(log.values(), ElementsAre(42));
}

TEST_F(DelayExecutorTest, PassesTheStopTokenInFront) {
  executor.run_after(
      1s,
      [this](const std::stop_token& stop, int value) { log.add(stop.stop_possible() ? value : 0); },
      7);
  advance(1s);
  EXPECT_THAT(log.values(), ElementsAre(7));
}

TEST_F(DelayExecutorTest, ACallMayMakeTimers) {
  executor.run_after(1s, [this] {
    log.add(1);
    executor.run_after(1s, [this] {
      log.add(2);
      executor.run_after(0s, log.adds(3));
    });
  });
  advance(1s);
  advance(1s);
  EXPECT_THAT(log.values(), ElementsAre(1, 2, 3));
}

TEST_F(DelayExecutorTest, QueuesJobsByUrgency) {
  Event open;
  Job<void> gate = executor.run_queued([&] { (void)open.wait(); });
  Job<void> second = executor.run_queued(Urgency::low, log.adds(2));
  Job<int> first = executor.run_queued(
      Urgency::high,
      [this](int value) {
        log.add(value);
        return value;
      },
      1);
  open.set();
  EXPECT_EQ(first.get(), 1);
  second.get();
  gate.get();
  EXPECT_THAT(log.values(), ElementsAre(1, 2));
}

// --- again and again -----------------------------------------------------------------------------

TEST_F(DelayExecutorTest, AFixedRateKeepsToItsGrid) {
  executor.run_every(2s, notes_seconds());
  advance_by_seconds(7);
  EXPECT_THAT(log.values(), ElementsAre(2, 4, 6));
}

TEST_F(DelayExecutorTest, TheFirstCallMayComeAtAnotherTime) {
  executor.run_every(2s, notes_seconds(), {.first = 0s});
  executor.run_every(2s, notes_seconds(), {.first = 5s});
  settle();
  advance_by_seconds(5);
  EXPECT_THAT(log.values(), ElementsAre(0, 2, 4, 5));
}

TEST_F(DelayExecutorTest, AFixedDelayBeginsWhenTheCallHasReturned) {
  executor.run_every(2s,
                     [this] {
                       log.add(seconds());
                       clock.advance(1s);
                     },
                     {.mode = RepeatMode::fixed_delay});
  advance_by_seconds(6);  // and as many by the calls
  EXPECT_THAT(log.values(), ElementsAre(2, 5, 8));
}

TEST_F(DelayExecutorTest, AFixedDelayMayBeZero) {
  executor.run_every(0s, log.adds(1), {.mode = RepeatMode::fixed_delay, .times = 3});
  settle();
  EXPECT_THAT(log.values(), ElementsAre(1, 1, 1));
}

TEST_F(DelayExecutorTest, ItEndsAfterSoManyCalls) {
  Timer timer = executor.run_every(1s, log.adds(1), {.times = 3});
  advance_by_seconds(5);
  EXPECT_THAT(log.values(), ElementsAre(1, 1, 1));
  EXPECT_EQ(timer.runs(), 3U);
  EXPECT_FALSE(timer.cancel());
  EXPECT_EQ(executor.stats().pending, 0U);
}

// A call at 2 that lasts until 7: the times 4 and 6 are missed.
class MissedTest : public DelayExecutorTest {
 protected:
  void run(OnMissed on_missed) {
    executor.run_every(2s,
                       [this] {
                         log.add(seconds());
                         if (seconds() == 2) clock.advance(5s);
                       },
                       {.on_missed = on_missed});
    advance(2s);
    advance_by_seconds(3);
  }
};

TEST_F(MissedTest, TimesAreLeftOut) {
  run(OnMissed::skip);
  EXPECT_THAT(log.values(), ElementsAre(2, 8, 10));
  EXPECT_EQ(executor.stats().missed, 2U);
}

TEST_F(MissedTest, EachTimeIsMadeUpFor) {
  run(OnMissed::catch_up);
  EXPECT_THAT(log.values(), ElementsAre(2, 7, 7, 8, 10));
  EXPECT_EQ(executor.stats().missed, 0U);
}

TEST_F(MissedTest, TimesAreMadeUpForTogether) {
  run(OnMissed::merge);
  EXPECT_THAT(log.values(), ElementsAre(2, 7, 8, 10));
  EXPECT_EQ(executor.stats().missed, 1U);
}

TEST_F(DelayExecutorTest, AClockThatJumpsFarMakesNoBurst) {
  executor.run_every(1ms, log.adds(1));
  advance(24h * 365);
  EXPECT_THAT(log.values(), ElementsAre(1));
  advance(1ms);
  EXPECT_THAT(log.values(), ElementsAre(1, 1));
}

TEST_F(DelayExecutorTest, TheGreatestPeriodIsNever) {
  executor.run_every(std::chrono::nanoseconds::max(), log.adds(1), {.first = 1s});
  advance(1s);
  advance(24h * 365 * 100);
  EXPECT_THAT(log.values(), ElementsAre(1));
}

TEST_F(DelayExecutorTest, JitterIsWithinItsBoundsAndDoesNotAddUp) {
  std::vector<std::int64_t> late;
  executor.run_every(1s,
                     [&] {
                       const auto since = clock.now() - begin;
                       late.push_back((since % 1s).count());
                     },
                     {.jitter = 100ms});
  for (int i = 0; i < 2'000; ++i) advance(10ms);
  EXPECT_THAT(late, Each(AllOf(Ge(0), Le(std::chrono::nanoseconds(110ms).count()))));
  EXPECT_THAT(late.size(), AllOf(Ge(19U), Le(20U)));
  EXPECT_NE(*std::ranges::min_element(late), *std::ranges::max_element(late));
}

TEST_F(DelayExecutorTest, ACallNeverOverlapsItself) {
  DelayExecutor four({.pool_options = {.min_threads = 4, .max_threads = 4}, .clock = &clock});
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::atomic<int> calls{0};
  four.run_every(1ms,
                 [&] {
                   most = std::max(most.load(), ++inside);
                   ++calls;
                   std::this_thread::yield();
                   --inside;
                 },
                 {.on_missed = OnMissed::catch_up, .times = 500});
  clock.advance(1s);
  EXPECT_EQ(four.pool().wait_idle(), WaitStatus::ready);
  EXPECT_EQ(calls, 500);
  EXPECT_EQ(most, 1);
}

TEST_F(DelayExecutorTest, ACallThatThrowsIsReportedAndStaysScheduled) {
  executor.run_every(1s, [this] {
    log.add(1);
    if (log.values().size() % 2 == 1) throw std::runtime_error("odd");
  });
  advance_by_seconds(4);
  EXPECT_THAT(log.values(), ElementsAre(1, 1, 1, 1));
  EXPECT_THAT(errors, ElementsAre("odd", "odd"));
}

TEST_F(DelayExecutorTest, ACallThatEndsItsThreadStaysScheduled) {
  Timer timer = executor.run_every(1s, [this] {
    log.add(1);
    ::pthread_exit(nullptr);
  });
  advance_by_seconds(3);
  EXPECT_THAT(log.values(), ElementsAre(1, 1, 1));
  EXPECT_EQ(timer.runs(), 3U);
  EXPECT_THAT(errors, ElementsAre());
}

TEST_F(DelayExecutorTest, WithoutAHandlerThePoolsIsTold) {
  std::vector<std::string> told;
  DelayExecutor other(
      {.pool_options = {.min_threads = 1,
                        .max_threads = 1,
                        .on_error =
                            [&](std::exception_ptr error) { told.push_back(test::what(error)); }},
       .clock = &clock});
  other.run_after(1s, [] { throw std::runtime_error("once"); });
  clock.advance(1s);
  EXPECT_EQ(other.pool().wait_idle(), WaitStatus::ready);
  EXPECT_THAT(told, ElementsAre("once"));
}

TEST_F(DelayExecutorTest, RefusesWhatMakesNoSense) {
  const auto refusal = [](auto call) -> std::string {
    try {
      call();
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  const auto nothing = [] {};
  EXPECT_EQ(refusal([&] { executor.run_every(0s, nothing); }),
            "rouse: run_every: the period is 0 ns, not above zero");
  EXPECT_EQ(refusal([&] { executor.run_every(-1ns, nothing, {.mode = RepeatMode::fixed_delay}); }),
            "rouse: run_every: the period is -1 ns, below zero");
  EXPECT_EQ(refusal([&] { executor.run_every(1s, nothing, {.first = -1ns}); }),
            "rouse: run_every: first is -1 ns, below zero");
  EXPECT_EQ(refusal([&] { executor.run_every(1s, nothing, {.jitter = -2ns}); }),
            "rouse: run_every: jitter is -2 ns, below zero");
  EXPECT_EQ(executor.stats().pending, 0U);
}

// --- the pool ------------------------------------------------------------------------------------

TEST_F(DelayExecutorTest, SeveralExecutorsMayUseOnePool) {
  ThreadPool pool({.min_threads = 1, .max_threads = 1});
  DelayExecutor one({.pool = &pool, .clock = &clock});
  DelayExecutor two({.pool = &pool, .clock = &clock});
  one.run_after(1s, log.adds(1));
  two.run_after(2s, log.adds(2));
  clock.advance(2s);
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_THAT(log.values(), ElementsAre(1, 2));
  EXPECT_EQ(one.stop(), 0U);
  EXPECT_TRUE(pool.running());
}

TEST_F(DelayExecutorTest, ABoundedPoolTakesWhatIsDue) {
  DelayExecutor other({.pool_options = {.min_threads = 1,
                                        .max_threads = 1,
                                        .queue_capacity = 1,
                                        .overflow = Overflow::reject},
                       .clock = &clock});
  for (int i = 0; i < 10; ++i) other.run_after(1s, log.adds(i));
  clock.advance(1s);
  EXPECT_EQ(other.pool().wait_idle(), WaitStatus::ready);
  EXPECT_EQ(log.values().size(), 10U);
  EXPECT_EQ(other.run_queued([] { return 3; }).get(), 3);  // the places are given back
}

TEST_F(DelayExecutorTest, TellsWhatItHasDone) {
  Timer ahead = executor.run_after(1h, log.adds(1));
  executor.run_after(1s, log.adds(2));
  executor.run_after(1h, log.adds(3)).cancel();
  advance(1s + 1us);
  const DelayExecutorStats stats = executor.stats();
  EXPECT_EQ(stats.pending, 1U);
  EXPECT_EQ(stats.fired, 1U);
  EXPECT_EQ(stats.cancelled, 1U);
  EXPECT_EQ(stats.abandoned, 0U);
  EXPECT_EQ(stats.lateness.count(), 1U);
  EXPECT_EQ(stats.lateness.quantile(1), std::chrono::nanoseconds(1024));
  std::ostringstream text;
  text << stats;
  EXPECT_EQ(text.str(),
            "timers: 1 pending, 1 fired, 0 missed, 1 cancelled, 0 abandoned\n"
            "  lateness: p50 < 1.024 us, p99 < 1.024 us, in 1 samples\n");
}

// --- the system's clock --------------------------------------------------------------------------

TEST(DelayExecutor, CallsByTheSystemsClock) {
  DelayExecutor executor;
  Event called;
  const auto begin = std::chrono::steady_clock::now();
  executor.run_after(5ms, [&] { called.set(); });
  EXPECT_EQ(called.wait(), WaitStatus::ready);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 5ms);
  EXPECT_EQ(executor.stop(), 0U);
}

TEST(DelayExecutor, AnEarlierTimerIsNotHeldUpByALaterOne) {
  DelayExecutor executor({.pool_options = {.min_threads = 1, .max_threads = 1}});
  executor.run_after(1h, [] {});
  Event called;
  executor.run_after(1ms, [&] { called.set(); });
  EXPECT_EQ(called.wait(), WaitStatus::ready);
}

// The first call holds up the worker that has slept until its deadline.
TEST(DelayExecutor, ACallThatLastsHoldsUpNoOther) {
  DelayExecutor executor({.pool_options = {.min_threads = 1, .max_threads = 2}});
  Event second;
  Event both;
  executor.run_after(1ms, [&] {
    (void)second.wait();
    both.set();
  });
  executor.run_after(2ms, [&] { second.set(); });
  EXPECT_EQ(both.wait(), WaitStatus::ready);
}

// The only worker waits for a job; another steps in, also for the timers.
TEST(DelayExecutor, AWorkerThatIsBlockedHoldsUpNoTimer) {
  DelayExecutor executor({.pool_options = {.min_threads = 1, .max_threads = 1}});
  Event first;
  ThreadPool other({.min_threads = 1, .max_threads = 1});
  Job<void> job = other.submit([&] { (void)first.wait(); });
  executor.run_after(1ms, [&] { first.set(); });
  executor.run_queued([&] { (void)job.wait(); }).get();
  EXPECT_TRUE(first.is_set());
}

TEST(DelayExecutor, RepeatsByTheSystemsClock) {
  DelayExecutor executor;
  std::atomic<int> calls{0};
  Event enough;
  const auto begin = std::chrono::steady_clock::now();
  Timer timer = executor.run_every(1ms,
                                   [&] {
                                     if (++calls == 10) enough.set();
                                   },
                                   {.on_missed = OnMissed::catch_up});
  EXPECT_EQ(enough.wait(), WaitStatus::ready);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 10ms);
  EXPECT_EQ(timer.cancel_and_wait(), WaitStatus::ready);
}

TEST(DelayExecutor, ManyTimersOfManyThreadsAreAllCalled) {
  DelayExecutor executor;
  constexpr int threads = 4;
  constexpr int each = 2'000;
  std::atomic<int> calls{0};
  Event all;
  {
    std::vector<std::jthread> makers;
    for (int t = 0; t < threads; ++t) {
      makers.emplace_back([&, t] {
        for (int i = 0; i < each; ++i) {
          executor.run_after(std::chrono::microseconds((i * 37 + t) % 5'000), [&] {
            if (++calls == threads * each) all.set();
          });
        }
      });
    }
  }
  EXPECT_EQ(all.wait(), WaitStatus::ready);
  EXPECT_EQ(executor.stats().fired, std::uint64_t{threads * each});
}

TEST(DelayExecutor, FollowsAResizeOfItsPool) {
  DelayExecutor executor({.pool_options = {.min_threads = 4, .max_threads = 4}});
  Event called;
  executor.run_after(5ms, [&] { called.set(); });
  executor.pool().resize(1, 1);
  EXPECT_EQ(called.wait(), WaitStatus::ready);
}

// Which of the workers leave, those who guard the next deadline or others, must not matter.
TEST(DelayExecutor, WorkersThatLeaveTakeNoDeadlineWithThem) {
  DelayExecutor executor(
      {.pool_options = {.min_threads = 1, .max_threads = 8, .idle_timeout = 1ms}});
  for (int i = 0; i < 20; ++i) {
    Event called;
    executor.run_after(5ms, [&] { called.set(); });
    for (int j = 0; j < 8; ++j) executor.pool().post([] {});
    EXPECT_EQ(called.wait(), WaitStatus::ready);
  }
}

// The case that the project began with, ten times as fast.
TEST(DelayExecutor, ACallDelayedByHalfASecondHasNotComeAfterAFifthAndComesThen) {
  DelayExecutor executor;
  Event called;
  const auto begin = std::chrono::steady_clock::now();
  executor.run_after(500ms, [&] { called.set(); });
  (void)sleep_for(200ms);
  const bool early = called.is_set();
  EXPECT_FALSE(early && std::chrono::steady_clock::now() < begin + 500ms);
  EXPECT_EQ(called.wait_until(begin + 10s), WaitStatus::ready);
  EXPECT_GE(std::chrono::steady_clock::now(), begin + 500ms);
}

}  // namespace
}  // namespace rouse
