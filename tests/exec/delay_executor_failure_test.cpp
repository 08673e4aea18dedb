// The system refuses what a DelayExecutor needs: it says so, nothing is half-started, and no call
// is lost.

#include "rouse/exec/delay_executor.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/shield.hpp"

#include "support/faults/empty_pool.hpp"
#include "support/faults/faults.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <optional>
#include <system_error>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::DelayExecutor;
using rouse::Event;
using rouse::Job;
using rouse::ManualClock;
using rouse::ScopedTimer;
using rouse::ThreadPool;
using rouse::Timer;
using rouse::WaitStatus;
using rouse::test::Call;
using rouse::test::fail_each;
using rouse::test::Fault;
using std::chrono::system_clock;

TEST(DelayExecutorFailure, WithoutThreadsThereIsNoExecutor) {
  const long calls = fail_each(Call::pthread_create, EAGAIN, [&](const Fault& fault) {
    try {
      const DelayExecutor executor({.pool_options = {.min_threads = 2, .max_threads = 2}});
      EXPECT_FALSE(fault.reached());
    } catch (const std::system_error& error) {
      EXPECT_TRUE(fault.reached());
      EXPECT_EQ(error.code().value(), EAGAIN);
    }
  });
  EXPECT_EQ(calls, 2);
}

// A thread waits for the clock to be set, from the first timer on that follows it.
TEST(DelayExecutorFailure, WithoutAThreadForTheCalendarThereIsNoTimer) {
  DelayExecutor executor;
  const long calls = fail_each(Call::pthread_create, EAGAIN, [&](const Fault& fault) {
    try {
      executor.run_cron("@daily", "UTC", [] {}).cancel();
      EXPECT_FALSE(fault.reached());
    } catch (const std::system_error& error) {
      EXPECT_TRUE(fault.reached());
      EXPECT_EQ(error.code().value(), EAGAIN);
    }
    EXPECT_EQ(executor.stats().pending, 0U);
  });
  EXPECT_EQ(calls, 1);
  Event called;
  executor.run_at(system_clock::now(), [&] { called.set(); });
  EXPECT_EQ(called.wait(), WaitStatus::ready);
}

TEST(DelayExecutorFailure, WithoutADescriptorForTheCalendarThereIsNoTimer) {
  DelayExecutor executor;
  const long calls = fail_each(Call::timerfd_create, EMFILE, [&](const Fault& fault) {
    try {
      executor.run_cron("@daily", "UTC", [] {}).cancel();
      EXPECT_FALSE(fault.reached());
    } catch (const std::system_error& error) {
      EXPECT_TRUE(fault.reached());
      EXPECT_EQ(error.code().value(), EMFILE);
      EXPECT_THAT(error.what(), testing::HasSubstr("timerfd_create"));
    }
  });
  EXPECT_EQ(calls, 1);
}

// One worker is there and blocked by the first call; the second thread is refused for a while.
TEST(DelayExecutorFailure, AThreadThatIsRefusedLosesNoTimer) {
  DelayExecutor executor({.pool_options = {.max_threads = 1}});
  Event begun;
  Event go_on;
  Event called;
  std::optional<Fault> fault;
  const Job<void> gate = executor.run_queued([&] {
    begun.set();
    (void)go_on.wait();
  });
  (void)begun.wait();
  executor.pool().resize(1, 2);
  fault.emplace(Call::pthread_create, EAGAIN);
  executor.run_after(1ms, [&] { called.set(); });
  EXPECT_TRUE(fault->reached());
  go_on.set();
  EXPECT_EQ(called.wait(), WaitStatus::ready);
}

// There is no memory for its place in the queue: it is tried again.
TEST(DelayExecutorFailure, ACallThatCannotBeQueuedIsQueuedLater) {
  ManualClock clock;
  DelayExecutor executor({.pool_options = {.max_threads = 1}, .clock = &clock});
  Event called;
  Timer timer = executor.run_after(1s, rouse::Urgency::low, [&] { called.set(); });
  {
    const Fault fault(Call::allocation, ENOMEM);
    clock.advance(1s);
    EXPECT_TRUE(fault.reached());
  }
  EXPECT_EQ(executor.stats().pending, 1U);
  EXPECT_FALSE(called.is_set());
  clock.advance(1ms);
  EXPECT_EQ(called.wait(), WaitStatus::ready);
  EXPECT_EQ(timer.cancel_and_wait(), WaitStatus::ready);
  EXPECT_EQ(timer.runs(), 1U);
}

// The first wait of the thread, for which there is no memory at first.
TEST(DelayExecutorFailure, AScopeWaitsForItsCallWithoutMemoryToo) {
  DelayExecutor executor;
  std::atomic<const Fault*> fault{nullptr};
  Event begun;
  bool returned = false;
  ScopedTimer timer(executor.run_after(0s, [&] {
    const rouse::Shield shield;
    begun.set();
    while (fault == nullptr || !fault.load()->reached()) std::this_thread::yield();
    returned = true;
  }));
  (void)begun.wait();
  const rouse::test::EmptyPool empty;
  std::thread([&] {
    const Fault no_memory(Call::allocation, ENOMEM);
    fault = &no_memory;
    { const ScopedTimer last = std::move(timer); }
    EXPECT_TRUE(returned);
  }).join();
}

}  // namespace
