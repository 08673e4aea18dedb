#include "rouse/exec/range_job.hpp"

#include "rouse/exec/thread_pool.hpp"
#include "rouse/thread/interruptible_thread.hpp"
#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"

#include "support/gated_pool.hpp"
#include "support/observed_thread.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <latch>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::Job;
using rouse::JobDropped;
using rouse::JobStatus;
using rouse::Overflow;
using rouse::Shield;
using rouse::Stopped;
using rouse::ThreadPool;
using rouse::WaitStatus;
using rouse::test::await_blocked_in;
using rouse::test::Gate;
using rouse::test::this_thread_id;

// How often each index was called.
class Calls {
 public:
  explicit Calls(int size) : counts_(static_cast<std::size_t>(size)) {}

  void operator()(int i) { ++counts_.at(static_cast<std::size_t>(i)); }

  int total() const {
    int sum = 0;
    for (const auto& count : counts_) sum += count;
    return sum;
  }
  bool all_once() const {
    return std::ranges::all_of(counts_, [](const auto& count) { return count == 1; });
  }
  bool none_twice() const {
    return std::ranges::all_of(counts_, [](const auto& count) { return count <= 1; });
  }

 private:
  std::vector<std::atomic<int>> counts_;
};

WaitStatus wait_for_ever() {
  Event never;
  return never.wait();
}

// --- which calls are made ------------------------------------------------------------------------

TEST(SubmitRange, CallsForEachIndexOnce) {
  ThreadPool pool({.min_threads = 3});
  for (const int size : {1, 2, 7, 1000}) {
    for (const std::size_t grain : {0U, 1U, 3U, 999U, 1000U, 5000U}) {
      Calls calls(size);
      Job<void> job = pool.submit_range(0, size, std::ref(calls), {.grain = grain});
      EXPECT_EQ(job.wait(), WaitStatus::ready);
      EXPECT_EQ(job.status(), JobStatus::done);
      EXPECT_TRUE(calls.all_once()) << size << " in portions of " << grain;
      EXPECT_NO_THROW(job.get());
    }
  }
}

TEST(SubmitRange, IsDoneAtOnceWithoutIndices) {
  ThreadPool pool({.max_threads = 1});
  const Gate gate(pool);
  int calls = 0;
  const auto count = [&](int) { ++calls; };
  EXPECT_EQ(pool.submit_range(5, 5, count).status(), JobStatus::done);
  EXPECT_EQ(pool.submit_range(5, 4, count).status(), JobStatus::done);
  EXPECT_NO_THROW(pool.submit_range(5, 5, count).get());
  pool.for_each(5, 5, count);
  EXPECT_EQ(calls, 0);
}

template <std::integral I>
std::vector<I> called(ThreadPool& pool, I first, I last) {
  std::mutex mutex;
  std::vector<I> indices;
  pool.for_each(first, last, [&](I i) {
    const std::lock_guard lock(mutex);
    indices.push_back(i);
  });
  std::ranges::sort(indices);
  return indices;
}

TEST(SubmitRange, ReachesTheLimitsOfItsType) {
  ThreadPool pool;
  using Long = std::int64_t;
  using Size = std::uint64_t;
  constexpr Long lowest = std::numeric_limits<Long>::min();
  constexpr Long highest = std::numeric_limits<Long>::max();
  constexpr Size largest = std::numeric_limits<Size>::max();
  EXPECT_EQ(called(pool, -1, 2), (std::vector{-1, 0, 1}));
  EXPECT_EQ(called(pool, lowest, lowest + 2), (std::vector{lowest, lowest + 1}));
  EXPECT_EQ(called(pool, highest - 2, highest), (std::vector{highest - 2, highest - 1}));
  EXPECT_EQ(called(pool, largest - 2, largest), (std::vector{largest - 2, largest - 1}));
  EXPECT_EQ(called<std::int8_t>(pool, -128, 127).size(), 255);
  EXPECT_EQ(called<std::uint8_t>(pool, 0, 255).back(), 254);
}

TEST(SubmitRange, MayBeLongerThanAnybodyWaits) {
  ThreadPool pool({.min_threads = 2});
  for (const std::uint64_t grain : {std::uint64_t{0}, std::uint64_t{1}, UINT64_MAX}) {
    Event runs;
    std::atomic<bool> in_range = true;
    Job<void> job = pool.submit_range(INT64_MIN, INT64_MAX,
                                      [&](std::int64_t i) {
                                        if (i == INT64_MAX) in_range = false;
                                        runs.set();
                                      },
                                      {.grain = static_cast<std::size_t>(grain)});
    EXPECT_EQ(runs.wait(), WaitStatus::ready);
    EXPECT_TRUE(job.request_stop());
    EXPECT_THROW(job.get(), JobDropped);
    EXPECT_TRUE(in_range);
  }
}

TEST(SubmitRange, RunsOnSeveralWorkersAtTheSameTime) {
  ThreadPool pool({.min_threads = 3, .max_threads = 3});
  std::latch all_here(3);
  pool.submit_range(0, 3, [&](int) { all_here.arrive_and_wait(); }).get();
  EXPECT_EQ(pool.stats().threads, 3);
}

// The caller has begun index 0; the worker, the other one that there is, tells what it begins with.
TEST(ForEach, ChoosesEightPortionsForEachWorker) {
  ThreadPool pool({.min_threads = 1, .max_threads = 1});
  std::mutex mutex;
  std::vector<int> of_worker;
  std::vector<int> of_caller;
  Event worker_began;
  Event caller_began;
  pool.for_each(0, 80, [&, caller = this_thread_id()](int i) {
    const bool by_caller = this_thread_id() == caller;
    {
      const std::lock_guard lock(mutex);
      (by_caller ? of_caller : of_worker).push_back(i);
    }
    (by_caller ? caller_began : worker_began).set();
    EXPECT_EQ((by_caller ? worker_began : caller_began).wait(), WaitStatus::ready);
  });
  for (const std::vector<int>& indices : {of_worker, of_caller}) {
    ASSERT_FALSE(indices.empty());
    ASSERT_EQ(indices.size() % 10, 0);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      EXPECT_EQ(indices[i] % 10, i % 10);
      EXPECT_EQ(indices[i] / 10, indices[i - i % 10] / 10);
    }
  }
}

// --- how it ends ---------------------------------------------------------------------------------

TEST(SubmitRange, EndsWithTheFirstException) {
  ThreadPool pool({.max_threads = 1});
  for (const std::size_t grain : {1U, 10U}) {
    Calls calls(100);
    Job<void> job = pool.submit_range(0, 100,
                                      [&](int i) {
                                        calls(i);
                                        if (i == 3) throw std::runtime_error("no more");
                                      },
                                      {.grain = grain});
    EXPECT_EQ(job.wait(), WaitStatus::ready);
    EXPECT_EQ(job.status(), JobStatus::failed);
    EXPECT_THROW(job.get(), std::runtime_error);
    EXPECT_EQ(calls.total(), 4);
  }
}

TEST(SubmitRange, KeepsTheFirstOfTwoExceptions) {
  ThreadPool pool({.min_threads = 2, .max_threads = 2});
  std::latch both_run(2);
  Job<void> job = pool.submit_range(0, 2, [&](int i) {
    both_run.arrive_and_wait();
    throw i;
  });
  EXPECT_THROW(job.get(), int);
}

TEST(SubmitRange, IsDroppedByARequestWhileItIsQueued) {
  ThreadPool pool({.max_threads = 1});
  Calls calls(10);
  {
    const Gate gate(pool);
    Job<void> job = pool.submit_range(0, 10, std::ref(calls));
    EXPECT_EQ(job.status(), JobStatus::running);
    EXPECT_TRUE(job.request_stop());
    EXPECT_EQ(job.status(), JobStatus::dropped);
    EXPECT_FALSE(job.request_stop());
    EXPECT_THROW(job.get(), JobDropped);
  }
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(calls.total(), 0);
}

TEST(SubmitRange, StopsTheWaitsOfAllItsCalls) {
  ThreadPool pool({.min_threads = 3, .max_threads = 3});
  std::latch all_run(4);
  std::atomic<int> stopped = 0;
  Calls calls(100);
  Job<void> job = pool.submit_range(0, 100,
                                    [&](int i) {
                                      calls(i);
                                      all_run.count_down();
                                      if (wait_for_ever() == WaitStatus::stopped) ++stopped;
                                    },
                                    {.grain = 10});
  all_run.arrive_and_wait();
  EXPECT_TRUE(job.request_stop());
  EXPECT_EQ(job.wait(), WaitStatus::ready);
  EXPECT_EQ(job.status(), JobStatus::dropped);
  EXPECT_EQ(stopped, 3);
  EXPECT_EQ(calls.total(), 3);
}

TEST(SubmitRange, GivesEachCallATokenThatIsStoppedToo) {
  ThreadPool pool({.min_threads = 2, .max_threads = 2});
  std::latch all_run(3);
  std::latch all_told(2);
  Job<void> job = pool.submit_range(0, 2, [&](const std::stop_token& stop, int) {
    const std::stop_callback told(stop, [&] { all_told.count_down(); });
    all_run.arrive_and_wait();
    const Shield shield;
    all_told.wait();
  });
  all_run.arrive_and_wait();
  EXPECT_TRUE(job.request_stop());
  EXPECT_EQ(job.wait(), WaitStatus::ready);
  // All calls were made, and have returned.
  EXPECT_EQ(job.status(), JobStatus::done);
}

TEST(SubmitRange, EndsItsCallableBeforeItself) {
  ThreadPool pool({.max_threads = 1});
  auto held = std::make_shared<int>(1);
  Job<void> job = pool.submit_range(0, 10, [held](int) {});
  EXPECT_EQ(job.wait(), WaitStatus::ready);
  EXPECT_EQ(held.use_count(), 1);
}

TEST(SubmitRange, TellsOnErrorWhatItThrowsWhenItWasGivenUp) {
  std::atomic<int> told = 0;
  ThreadPool pool({.max_threads = 1, .on_error = [&](const std::exception_ptr&) { ++told; }});
  {
    const Gate gate(pool);
    (void)pool.submit_range(0, 10, [](int) { throw std::runtime_error("who wants it?"); });
  }
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(told, 1);
}

TEST(SubmitRange, IsContinuedOnItsPool) {
  ThreadPool pool({.max_threads = 1});
  const std::thread::id worker = pool.submit(&this_thread_id).get();
  EXPECT_EQ(pool.submit_range(0, 10, [](int) {}).then(&this_thread_id).get(), worker);
}

// --- when the pool stops -------------------------------------------------------------------------

TEST(SubmitRange, RunsToItsEndInAPoolThatRunsItsQueue) {
  ThreadPool pool({.max_threads = 2});
  Calls calls(100);
  std::optional<Gate> gate(pool);
  Job<void> job = pool.submit_range(0, 100, std::ref(calls));
  EXPECT_FALSE(pool.try_stop());
  gate.reset();
  pool.stop();
  EXPECT_EQ(job.status(), JobStatus::done);
  EXPECT_TRUE(calls.all_once());
}

TEST(SubmitRange, IsDroppedByAPoolThatDropsItsQueue) {
  Calls calls(100);
  std::optional<ThreadPool> pool(std::in_place, rouse::ThreadPoolOptions{.max_threads = 1});
  std::optional<Gate> gate(std::in_place, *pool, Gate::opened_by_stop);
  Job<void> job = pool->submit_range(0, 100, std::ref(calls));
  EXPECT_TRUE(pool->stop_for(1h));
  gate.reset();
  EXPECT_EQ(job.status(), JobStatus::dropped);
  pool.reset();
  EXPECT_THROW(job.get(), JobDropped);
  EXPECT_EQ(calls.total(), 0);
}

TEST(SubmitRange, EndsAfterTheCallsThatRunWhenThePoolIsDestroyed) {
  Calls calls(100);
  std::latch all_run(3);
  Job<void> job;
  {
    ThreadPool pool({.min_threads = 2, .max_threads = 2});
    job = pool.submit_range(0, 100,
                            [&](int i) {
                              calls(i);
                              all_run.count_down();
                              EXPECT_EQ(wait_for_ever(), WaitStatus::stopped);
                            },
                            {.grain = 50});
    all_run.arrive_and_wait();
  }
  EXPECT_EQ(job.status(), JobStatus::dropped);
  EXPECT_EQ(calls.total(), 2);
  EXPECT_TRUE(calls.none_twice());
}

TEST(SubmitRange, IsRefusedByAStoppedPool) {
  ThreadPool pool({.max_threads = 1});
  pool.stop();
  Calls calls(10);
  EXPECT_THROW((void)pool.submit_range(0, 10, std::ref(calls)), Stopped);
  EXPECT_THROW(pool.for_each(0, 10, std::ref(calls)), Stopped);
  EXPECT_EQ(calls.total(), 0);
}

// --- bounded queues ------------------------------------------------------------------------------

TEST(SubmitRange, TakesOnePlaceInABoundedQueue) {
  ThreadPool pool(
      {.min_threads = 2, .max_threads = 2, .queue_capacity = 2, .overflow = Overflow::reject});
  Calls calls(100);
  std::optional<Gate> gate(pool);
  pool.post([] {});
  Job<void> job = pool.submit_range(0, 100, std::ref(calls));
  EXPECT_THROW((void)pool.submit_range(0, 100, std::ref(calls)), rouse::QueueFull);
  gate.reset();
  job.get();
  EXPECT_TRUE(calls.all_once());
}

TEST(SubmitRange, DropsNoOtherJobsForASecondWorker) {
  ThreadPool pool(
      {.min_threads = 2, .max_threads = 2, .queue_capacity = 2, .overflow = Overflow::drop_oldest});
  Calls calls(100);
  std::optional<Gate> gate(pool);
  Job<int> other = pool.submit([] { return 1; });
  Job<void> job = pool.submit_range(0, 100, std::ref(calls));
  EXPECT_EQ(other.status(), JobStatus::queued);
  gate.reset();
  job.get();
  EXPECT_EQ(other.get(), 1);
  EXPECT_TRUE(calls.all_once());
}

TEST(SubmitRange, RunsInTheCallerOfAFullQueueThatSaysSo) {
  ThreadPool pool({.max_threads = 1, .queue_capacity = 1, .overflow = Overflow::run_here});
  const Gate gate(pool);
  pool.post([] {});
  std::vector<std::thread::id> threads;
  Job<void> job = pool.submit_range(0, 10, [&](int) { threads.push_back(this_thread_id()); });
  EXPECT_EQ(job.status(), JobStatus::done);
  EXPECT_EQ(threads, std::vector(10, this_thread_id()));
}

// --- in jobs -------------------------------------------------------------------------------------

TEST(SubmitRange, RunsInAWorkerThatWaitsForIt) {
  ThreadPool pool({.max_threads = 1});
  Job<bool> here = pool.submit([&] {
    std::vector<std::thread::id> threads;
    pool.submit_range(0, 10, [&](int) { threads.push_back(this_thread_id()); }).get();
    return threads == std::vector(10, this_thread_id());
  });
  EXPECT_TRUE(here.get());
  EXPECT_EQ(pool.stats().threads, 1);
}

TEST(SubmitRange, ObeysItsOwnStopInAWorkerThatWaitsForIt) {
  ThreadPool pool({.max_threads = 1});
  Event runs;
  Job<void> range;
  Job<WaitStatus> waiter = pool.submit([&] {
    range = pool.submit_range(0, 1, [&](int) {
      runs.set();
      EXPECT_EQ(wait_for_ever(), WaitStatus::stopped);
    });
    EXPECT_EQ(range.wait(), WaitStatus::ready);
    return rouse::sleep_for(0s);
  });
  EXPECT_EQ(runs.wait(), WaitStatus::ready);
  EXPECT_TRUE(range.request_stop());
  EXPECT_EQ(waiter.get(), WaitStatus::timeout);
}

TEST(ForEach, NestsInJobsOfFewWorkers) {
  for (const std::size_t threads : {1U, 2U}) {
    ThreadPool pool({.min_threads = threads, .max_threads = threads});
    Calls calls(8 * 8 * 8);
    pool.for_each(0, 8, [&](int i) {
      pool.for_each(0, 8, [&](int j) {
        pool.submit_range(0, 8, [&, i, j](int k) { calls((i * 8 + j) * 8 + k); }).get();
      });
    });
    EXPECT_TRUE(calls.all_once());
  }
}

// --- for_each ------------------------------------------------------------------------------------

TEST(ForEach, RunsInItsCallerWhenNoWorkerIsFree) {
  ThreadPool pool({.max_threads = 2});
  const Gate gate(pool);
  std::vector<std::thread::id> threads;
  pool.for_each(0, 100, [&](int) { threads.push_back(this_thread_id()); });
  EXPECT_EQ(threads, std::vector(100, this_thread_id()));
}

TEST(ForEach, RunsElsewhereIfItsWaitCanBeStopped) {
  ThreadPool pool({.max_threads = 1});
  const std::stop_source source;
  std::vector<std::thread::id> threads;
  pool.for_each(
      0, 100, [&](int) { threads.push_back(this_thread_id()); }, {}, source.get_token());
  EXPECT_EQ(threads, std::vector(100, pool.submit(&this_thread_id).get()));
}

TEST(ForEach, CallsWhatCannotBeCopied) {
  ThreadPool pool;
  struct Sum {
    std::atomic<int> value = 0;
    void operator()(int i) { value += i; }
  };
  Sum sum;
  pool.for_each(0, 100, sum);
  EXPECT_EQ(sum.value, 4950);
  pool.for_each(0, 100, Sum{});
}

TEST(ForEach, ThrowsAfterTheLastCallHasReturned) {
  ThreadPool pool({.min_threads = 1, .max_threads = 1});
  Event other_runs;
  Event thrown;
  Event released;
  std::atomic<bool> returned = false;
  rouse::StoppableThread caller([&] {
    EXPECT_THROW(pool.for_each(0, 2,
                               [&](int i) {
                                 if (i == 0) {
                                   EXPECT_EQ(other_runs.wait(), WaitStatus::ready);
                                   thrown.set();
                                   throw std::runtime_error("no more");
                                 }
                                 other_runs.set();
                                 EXPECT_EQ(thrown.wait(), WaitStatus::ready);
                                 const Shield shield;
                                 EXPECT_EQ(released.wait(), WaitStatus::ready);
                                 returned = true;
                               }),
                 std::runtime_error);
    EXPECT_TRUE(returned);
  });
  caller.start();
  EXPECT_EQ(thrown.wait(), WaitStatus::ready);
  await_blocked_in(caller, "");
  released.set();
  caller.join();
}

// What its caller calls itself obeys only the caller's stop.
TEST(ForEach, StopsTheWaitsInWorkersWhenACallThrows) {
  for (const bool caller_takes_part : {true, false}) {
    ThreadPool pool({.max_threads = caller_takes_part ? 1U : 2U});
    const std::stop_source source;
    const std::thread::id caller = this_thread_id();
    std::latch both_run(2);
    std::atomic<bool> returned = false;
    EXPECT_THROW(pool.for_each(
                     0, 2,
                     [&](int i) {
                       both_run.arrive_and_wait();
                       if (caller_takes_part ? this_thread_id() == caller : i == 0) {
                         throw std::runtime_error("no more");
                       }
                       EXPECT_EQ(wait_for_ever(), WaitStatus::stopped);
                       returned = true;
                     },
                     {}, caller_takes_part ? std::stop_token() : source.get_token()),
                 std::runtime_error);
    EXPECT_TRUE(returned);
  }
}

// The call is stopped, but takes its time: what it refers to must not go meanwhile.
TEST(ForEach, ThrowsStoppedAfterTheLastCallHasReturned) {
  ThreadPool pool({.max_threads = 1});
  std::stop_source source;
  Event runs;
  Event was_stopped;
  Event released;
  std::atomic<int> calls = 0;
  std::atomic<bool> returned = false;
  rouse::StoppableThread caller([&] {
    EXPECT_THROW(pool.for_each(
                     0, 10,
                     [&](int) {
                       ++calls;
                       runs.set();
                       EXPECT_EQ(wait_for_ever(), WaitStatus::stopped);
                       was_stopped.set();
                       const Shield shield;
                       EXPECT_EQ(released.wait(), WaitStatus::ready);
                       returned = true;
                     },
                     {}, source.get_token()),
                 Stopped);
    EXPECT_TRUE(returned);
  });
  caller.start();
  EXPECT_EQ(runs.wait(), WaitStatus::ready);
  source.request_stop();
  EXPECT_EQ(was_stopped.wait(), WaitStatus::ready);
  caller.request_stop();
  await_blocked_in(caller, "Job::wait");
  released.set();
  caller.join();
  EXPECT_EQ(calls, 1);
}

TEST(ForEach, LooksAtTheStopOfItsCallerBetweenPortions) {
  ThreadPool pool({.max_threads = 1});
  const Gate gate(pool);
  int calls = 0;
  rouse::StoppableThread caller([&](std::stop_token) {
    EXPECT_THROW(pool.for_each(0, 100,
                               [&](int i) {
                                 ++calls;
                                 if (i == 3) caller.request_stop();
                               },
                               {.grain = 5}),
                 Stopped);
  });
  caller.start();
  caller.join();
  EXPECT_EQ(calls, 5);
}

TEST(ForEach, ThrowsWhatIsRaisedAtItsCaller) {
  ThreadPool pool({.max_threads = 1});
  struct Raised {};
  Event runs;
  std::atomic<bool> returned = false;
  bool was_raised = false;
  rouse::InterruptibleThread caller([&] {
    const std::stop_source source;
    try {
      pool.for_each(
          0, 10,
          [&](int) {
            runs.set();
            EXPECT_EQ(wait_for_ever(), WaitStatus::stopped);
            returned = true;
          },
          {}, source.get_token());
    } catch (const Raised&) {
      was_raised = true;
      EXPECT_TRUE(returned);
    }
  });
  caller.start();
  EXPECT_EQ(runs.wait(), WaitStatus::ready);
  await_blocked_in(caller, "Job::wait");
  EXPECT_TRUE(caller.raise<Raised>());
  caller.join();
  EXPECT_TRUE(was_raised);
}

TEST(ForEach, ThrowsWhatIsRaisedInACallOfItsCaller) {
  ThreadPool pool({.max_threads = 1});
  struct Raised {};
  std::latch both_run(3);
  std::atomic<bool> returned = false;
  bool was_raised = false;
  rouse::InterruptibleThread caller([&] {
    const std::thread::id here = this_thread_id();
    try {
      pool.for_each(0, 10, [&](int) {
        both_run.count_down();
        const WaitStatus status = wait_for_ever();
        EXPECT_EQ(status, WaitStatus::stopped);
        EXPECT_NE(this_thread_id(), here);
        returned = true;
      });
    } catch (const Raised&) {
      was_raised = true;
      EXPECT_TRUE(returned);
    }
  });
  caller.start();
  both_run.arrive_and_wait();
  EXPECT_TRUE(caller.raise<Raised>());
  caller.join();
  EXPECT_TRUE(was_raised);
}

TEST(ForEach, ThrowsStoppedWhenItsPoolIsStopped) {
  ThreadPool pool({.max_threads = 1});
  std::latch both_run(3);
  Event stopped;
  Calls calls(100);
  rouse::StoppableThread caller([&] {
    EXPECT_THROW(pool.for_each(0, 100,
                               [&](int i) {
                                 calls(i);
                                 both_run.count_down();
                                 const Shield shield;
                                 EXPECT_EQ(stopped.wait(), WaitStatus::ready);
                               }),
                 Stopped);
  });
  caller.start();
  both_run.arrive_and_wait();
  EXPECT_FALSE(pool.stop_for(0s));
  stopped.set();
  caller.join();
  EXPECT_EQ(calls.total(), 2);
}

}  // namespace
