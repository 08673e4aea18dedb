#include "rouse/exec/thread_pool.hpp"

#include "rouse/wait/event.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"

#include "support/gated_pool.hpp"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::Job;
using rouse::JobDropped;
using rouse::JobStatus;
using rouse::Overflow;
using rouse::QueueFull;
using rouse::Stopped;
using rouse::StopReport;
using rouse::ThreadPool;
using rouse::ThreadPoolOptions;
using rouse::Urgency;
using rouse::WaitStatus;
using rouse::test::Gate;
using testing::ElementsAre;
using testing::HasSubstr;

// --- calls ---------------------------------------------------------------------------------------

TEST(ThreadPool, MakesPostedCallsOnItsThreads) {
  ThreadPool pool({.max_threads = 1, .name = "carrier"});
  std::string name(16, '\0');
  Event done;
  pool.post([&] {
    ::pthread_getname_np(::pthread_self(), name.data(), name.size());
    done.set();
  });
  EXPECT_EQ(done.wait(), WaitStatus::ready);
  EXPECT_STREQ(name.c_str(), "carrier-0");
}

TEST(ThreadPool, TakesCallablesThatCanOnlyBeMoved) {
  ThreadPool pool;
  int seen = 0;
  pool.submit([number = std::make_unique<int>(7), &seen] { seen = *number; }).get();
  EXPECT_EQ(seen, 7);
}

TEST(ThreadPool, TakesCallablesOfAnySize) {
  ThreadPool pool;
  std::array<int, 1000> numbers{};
  numbers.back() = 5;
  EXPECT_EQ(pool.submit([numbers] { return numbers.back(); }).get(), 5);
}

TEST(ThreadPool, PassesArgumentsAsStdThreadDoes) {
  ThreadPool pool;
  int target = 0;
  const auto add = [](int& to, std::unique_ptr<int> what) { to += *what; };
  pool.submit(add, std::ref(target), std::make_unique<int>(3)).get();
  EXPECT_EQ(target, 3);
}

TEST(ThreadPool, OneThreadMakesCallsInTheOrderOfOneUrgency) {
  ThreadPool pool({.max_threads = 1});
  std::vector<int> order;
  for (int i = 0; i < 1000; ++i) pool.post([&order, i] { order.push_back(i); });
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  ASSERT_EQ(order.size(), 1000U);
  EXPECT_TRUE(std::ranges::is_sorted(order));
}

TEST(ThreadPool, MakesUrgentCallsFirst) {
  ThreadPool pool({.max_threads = 1});
  std::vector<std::string> order;
  {
    const Gate gate(pool);
    pool.post(Urgency::low, [&] { order.push_back("low"); });
    pool.post([&] { order.push_back("normal"); });
    pool.post(Urgency::high, [&] { order.push_back("high"); });
  }
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_THAT(order, ElementsAre("high", "normal", "low"));
}

// How many of `before` start, of which there is no end, until one of `urgency` does.
int starts_before(Urgency urgency, Urgency before) {
  ThreadPool pool({.max_threads = 1});
  int starts = 0;
  Event reached;
  std::function<void()> again = [&] {
    ++starts;
    if (!reached.is_set()) pool.post(before, again);
  };
  {
    const Gate gate(pool);
    // Two, so that there is always one in the queue.
    pool.post(before, again);
    pool.post(before, again);
    pool.post(urgency, [&] { reached.set(); });
  }
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  return starts;
}

TEST(ThreadPool, AJobOfLittleUrgencyIsNotStarved) {
  EXPECT_LE(starts_before(Urgency::low, Urgency::normal), 33);
  EXPECT_LE(starts_before(Urgency::low, Urgency::high), 33);
}

TEST(ThreadPool, AJobOfNormalUrgencyIsNotStarved) {
  EXPECT_LE(starts_before(Urgency::normal, Urgency::high), 9);
}

TEST(ThreadPool, JobsThatAddJobsDoNotStarveThoseOutside) {
  ThreadPool pool({.max_threads = 1});
  Event reached;
  int starts = 0;
  std::function<void()> again = [&] {
    // From the second start on the other one waits.
    if (++starts == 1) {
      std::thread([&] { pool.post([&] { reached.set(); }); }).join();
    }
    if (!reached.is_set()) pool.post(again);
  };
  pool.post(again);
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_LE(starts, 66);
}

TEST(ThreadPool, ACallbackHearsTheValueOrTheException) {
  ThreadPool pool({.max_threads = 1});
  int value = 0;
  std::string error;
  pool.submit_with_callback([&](rouse::Outcome<int> outcome) { value = outcome.get(); },
                            [](int n) { return 2 * n; }, 21);
  pool.submit_with_callback(
      [&](rouse::Outcome<void> outcome) {
        EXPECT_FALSE(outcome);
        EXPECT_NE(outcome.error(), nullptr);
        try {
          outcome.get();
        } catch (const std::runtime_error& e) {
          error = e.what();
        }
      },
      [] { throw std::runtime_error("no"); });
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(value, 42);
  EXPECT_EQ(error, "no");
}

TEST(ThreadPool, ACallbackHearsThatItsJobWasDropped) {
  bool dropped = false;
  {
    ThreadPool pool({.max_threads = 1});
    const Gate gate(pool, Gate::opened_by_stop);
    pool.submit_with_callback(
        [&](rouse::Outcome<int> outcome) {
          EXPECT_THROW((void)outcome.get(), JobDropped);
          dropped = true;
        },
        [] { return 1; });
    EXPECT_TRUE(pool.stop_for(1h));
  }
  EXPECT_TRUE(dropped);
}

// --- exceptions ----------------------------------------------------------------------------------

TEST(ThreadPool, WhatAPostedCallThrowsGoesToOnError) {
  std::vector<std::string> errors;
  ThreadPool pool({.max_threads = 1, .on_error = [&](std::exception_ptr error) {
                     try {
                       std::rethrow_exception(error);
                     } catch (const std::exception& e) {
                       errors.push_back(e.what());
                     }
                   }});
  Job<void> kept;
  {
    const Gate gate(pool);
    pool.post([] { throw std::runtime_error("posted"); });
    pool.submit_with_callback([](rouse::Outcome<void>) { throw std::runtime_error("callback"); },
                              [] {});
    (void)pool.submit([] { throw std::runtime_error("given up"); });
    kept = pool.submit([] { throw std::runtime_error("kept"); });
  }
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_THAT(errors, ElementsAre("posted", "callback", "given up"));
  EXPECT_THROW(kept.get(), std::runtime_error);
  EXPECT_EQ(pool.stats().failed, 4U);
}

TEST(ThreadPool, WithoutOnErrorItGoesToStderr) {
  testing::internal::CaptureStderr();
  {
    ThreadPool pool({.max_threads = 1, .name = "a\nb"});
    pool.post([] { throw std::runtime_error("lost\tball"); });
    EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "rouse: a job of pool 'a\\x0ab' threw: lost\\x09ball\n");
}

TEST(ThreadPoolDeathTest, AnUnhandledExceptionMayBeFatal) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        ThreadPool pool({.unhandled = rouse::Unhandled::terminate});
        pool.post([] { throw std::runtime_error("fatal"); });
        (void)pool.wait_idle();
      },
      "threw: fatal");
}

// --- a full queue --------------------------------------------------------------------------------

TEST(ThreadPool, AFullQueueHoldsUpWhoPosts) {
  ThreadPool pool({.max_threads = 1, .queue_capacity = 1});
  std::atomic<int> calls{0};
  {
    auto gate = std::make_unique<Gate>(pool);
    pool.post([&] { ++calls; });
    EXPECT_FALSE(pool.try_post([&] { ++calls; }));
    EXPECT_EQ(pool.post_for(1ms, [&] { ++calls; }), WaitStatus::timeout);
    std::thread opener([&] {
      while (pool.stats().queued() == 0) std::this_thread::yield();
      gate.reset();
    });
    pool.post([&] { ++calls; });  // waits for the gate
    opener.join();
  }
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(calls, 2);
}

TEST(ThreadPool, AStopEndsTheWaitForRoom) {
  ThreadPool pool({.max_threads = 1, .queue_capacity = 1});
  const Gate gate(pool);
  pool.post([] {});
  std::stop_source stop;
  stop.request_stop();
  bool called = false;
  EXPECT_THROW(pool.post([&] { called = true; }, stop.get_token()), Stopped);
  EXPECT_EQ(pool.post_for(
                1h, [&] { called = true; }, stop.get_token()),
            WaitStatus::stopped);
  const rouse::this_thread::Bind bind(stop.get_token());
  EXPECT_THROW(pool.post([&] { called = true; }), Stopped);
  EXPECT_FALSE(called);
}

TEST(ThreadPool, ItsOwnStopEndsTheWaitForRoom) {
  ThreadPool pool({.max_threads = 1, .queue_capacity = 1});
  const Gate gate(pool, Gate::opened_by_stop);
  pool.post([] {});
  Event posts;
  std::thread poster([&] {
    posts.set();
    EXPECT_THROW(pool.post([] {}), Stopped);
  });
  EXPECT_EQ(posts.wait(), WaitStatus::ready);
  EXPECT_TRUE(pool.stop_for(1h));
  poster.join();
}

TEST(ThreadPool, WhatIsNotAcceptedIsNotMovedFrom) {
  ThreadPool pool({.max_threads = 1, .queue_capacity = 1});
  const Gate gate(pool);
  pool.post([] {});
  auto number = std::make_unique<int>(1);
  auto call = [number = std::move(number)] { (void)number; };
  EXPECT_FALSE(pool.try_post(std::move(call)));
  // NOLINTNEXTLINE(bugprone-use-after-move): that is the point
  EXPECT_EQ(pool.post_for(1ms, std::move(call)), WaitStatus::timeout);
  EXPECT_EQ(sizeof call, sizeof number);
}

TEST(ThreadPool, AFullQueueMayReject) {
  ThreadPool pool(
      {.max_threads = 1, .name = "narrow", .queue_capacity = 1, .overflow = Overflow::reject});
  const Gate gate(pool);
  pool.post([] {});
  try {
    pool.post([] {});
    FAIL() << "accepted";
  } catch (const QueueFull& e) {
    EXPECT_THAT(e.what(), HasSubstr("'narrow'"));
    EXPECT_THAT(e.what(), HasSubstr("1 jobs"));
  }
}

TEST(ThreadPool, AFullQueueMayLeaveTheCallToWhoPosts) {
  ThreadPool pool({.max_threads = 1, .queue_capacity = 1, .overflow = Overflow::run_here});
  const Gate gate(pool);
  pool.post([] {});
  std::thread::id id;
  Job<void> job = pool.submit([&] { id = std::this_thread::get_id(); });
  EXPECT_EQ(job.status(), JobStatus::done);
  EXPECT_EQ(id, std::this_thread::get_id());
}

TEST(ThreadPool, ACallThatIsLeftToWhoPostsObeysBothStops) {
  ThreadPool pool({.max_threads = 1, .queue_capacity = 1, .overflow = Overflow::run_here});
  const Gate gate(pool, Gate::opened_by_stop);
  pool.post([] {});
  std::stop_source stop;
  WaitStatus status{};
  {
    const rouse::this_thread::Bind bind(stop.get_token());
    pool.post([&] {
      stop.request_stop();
      status = rouse::sleep_for(1h);
    });
  }
  EXPECT_EQ(status, WaitStatus::stopped);
  Event runs;
  std::thread poster([&] {
    pool.post([&] {
      runs.set();
      EXPECT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
    });
  });
  EXPECT_EQ(runs.wait(), WaitStatus::ready);
  EXPECT_TRUE(pool.stop_for(1h));
  poster.join();
}

TEST(ThreadPool, AFullQueueMayDropItsOldest) {
  ThreadPool pool({.max_threads = 1, .queue_capacity = 2, .overflow = Overflow::drop_oldest});
  std::vector<int> order;
  std::vector<Job<void>> jobs;
  {
    const Gate gate(pool);
    for (int i = 0; i < 5; ++i) jobs.push_back(pool.submit([&order, i] { order.push_back(i); }));
  }
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_THAT(order, ElementsAre(3, 4));
  EXPECT_EQ(jobs[2].status(), JobStatus::dropped);
  EXPECT_THROW(jobs[0].get(), JobDropped);
  EXPECT_EQ(pool.stats().dropped, 3U);
}

TEST(ThreadPool, ItsOwnJobsDoNotWaitForRoom) {
  ThreadPool pool({.max_threads = 1, .queue_capacity = 1});
  std::atomic<int> calls{0};
  pool.submit([&] {
        for (int i = 0; i < 10; ++i) pool.post([&] { ++calls; });
      })
      .get();
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(calls, 10);
  // The room beyond its capacity is gone again.
  const Gate gate(pool);
  EXPECT_TRUE(pool.try_post([] {}));
  EXPECT_FALSE(pool.try_post([] {}));
}

TEST(ThreadPool, AStoppedJobGivesItsRoomBack) {
  ThreadPool pool({.max_threads = 1, .queue_capacity = 1});
  const Gate gate(pool);
  Job<void> job = pool.submit([] {});
  EXPECT_FALSE(pool.try_post([] {}));
  EXPECT_TRUE(job.request_stop());
  EXPECT_TRUE(pool.try_post([] {}));
}

// --- threads -------------------------------------------------------------------------------------

TEST(ThreadPool, TellsEachThreadItsNumber) {
  std::mutex mutex;
  std::vector<std::size_t> numbers;
  {
    ThreadPool pool({.min_threads = 3, .max_threads = 3, .on_thread_start = [&](std::size_t n) {
                       const std::lock_guard lock(mutex);
                       numbers.push_back(n);
                     }});
    pool.stop();
  }
  std::ranges::sort(numbers);
  EXPECT_THAT(numbers, ElementsAre(0U, 1U, 2U));
}

TEST(ThreadPool, GrowsWithTheWorkAndShrinksWithoutIt) {
  ThreadPool pool({.min_threads = 1, .max_threads = 3, .idle_timeout = 0ns});
  EXPECT_EQ(pool.stats().threads, 1U);
  Event open;
  Event three_inside;
  std::atomic<int> inside{0};
  for (int i = 0; i < 5; ++i) {
    pool.post([&] {
      if (++inside == 3) three_inside.set();
      (void)open.wait();
    });
  }
  EXPECT_EQ(three_inside.wait(), WaitStatus::ready);
  EXPECT_EQ(pool.stats().threads, 3U);
  EXPECT_EQ(inside, 3);
  open.set();
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  while (pool.stats().threads != 1) std::this_thread::yield();
  EXPECT_EQ(inside, 5);
}

TEST(ThreadPool, IsResizedWhileItWorks) {
  ThreadPool pool({.min_threads = 1, .max_threads = 1});
  Event open;
  Event enough_inside;
  std::atomic<int> enough{4};
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  const auto call = [&] {
    const int now = ++inside;
    if (now == enough) enough_inside.set();
    int seen = most;
    while (seen < now && !most.compare_exchange_weak(seen, now)) {
    }
    (void)open.wait();
    --inside;
  };
  for (int i = 0; i < 8; ++i) pool.post(call);
  pool.resize(2, 4);
  EXPECT_EQ(enough_inside.wait(), WaitStatus::ready);
  pool.resize(1, 2);
  open.set();
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(most, 4);
  most = 0;
  enough = 2;
  enough_inside.clear();
  open.clear();
  for (int i = 0; i < 4; ++i) pool.post(call);
  EXPECT_EQ(enough_inside.wait(), WaitStatus::ready);
  EXPECT_EQ(pool.stats().queued(), 2U);
  open.set();
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(most, 2);
}

TEST(ThreadPool, IsResizedByOneOfItsJobs) {
  ThreadPool pool({.min_threads = 1, .max_threads = 1});
  pool.submit([&] { pool.resize(2, 2); }).get();
  EXPECT_EQ(pool.stats().threads, 2U);
}

TEST(ThreadPool, GoesOnWhenAJobEndsItsThread) {
  ThreadPool pool({.max_threads = 1});
  Job<int> ends;
  {
    const Gate gate(pool);
    ends = pool.submit([]() -> int { ::pthread_exit(nullptr); });
    pool.post([] { ::pthread_exit(nullptr); });
    pool.post([] {});
  }
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_THROW(ends.get(), JobDropped);
  EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
  pool.stop();
}

TEST(ThreadPool, RefusesOptionsThatContradictEachOther) {
  const auto message = [](ThreadPoolOptions options) -> std::string {
    try {
      const ThreadPool pool(std::move(options));
      return "none";
    } catch (const std::invalid_argument& e) {
      return e.what();
    }
  };
  EXPECT_THAT(message({.min_threads = 3, .max_threads = 2, .name = "x"}),
              HasSubstr("'x': min_threads is 3, more than max_threads, 2"));
  EXPECT_THAT(message({.max_threads = 100'000}), HasSubstr("max_threads is 100000"));
  EXPECT_THAT(message({.queue_capacity = SIZE_MAX}), HasSubstr("queue_capacity"));
  EXPECT_THAT(message({.idle_timeout = -1ns}), HasSubstr("idle_timeout"));
  EXPECT_THAT(message({.slow_after = 1s}), HasSubstr("on_slow"));
  ThreadPool pool({.min_threads = 1, .max_threads = 1});
  EXPECT_THROW(pool.resize(3, 2), std::invalid_argument);
  EXPECT_EQ(pool.stats().threads, 1U);
}

TEST(ThreadPool, TellsOfACallThatLasts) {
  Event told;
  rouse::SlowJob slow;
  ThreadPool pool({.max_threads = 1,
                   .name = "slow",
                   .slow_after = 1ms,
                   .on_slow = [&](const rouse::SlowJob& job) {
                     slow = job;
                     told.set();
                   }});
  pool.submit({.name = "marathon"}, [&] { (void)told.wait(); }).get();
  EXPECT_STREQ(slow.name, "marathon");
  EXPECT_EQ(slow.thread, "slow-0");
  EXPECT_GE(slow.running, 1ms);
  EXPECT_NE(slow.native_id, 0);
}

TEST(ThreadPool, CountsWhatItDoes) {
  ThreadPool pool({.min_threads = 2, .max_threads = 2, .name = "counted"});
  {
    const Gate gate(pool);
    pool.post(Urgency::high, [] {});
    pool.post(Urgency::low, [] {});
    Job<void> job = pool.submit(Urgency::low, [] {});
    EXPECT_TRUE(job.request_stop());
  }
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  const rouse::ThreadPoolStats stats = pool.stats();
  EXPECT_EQ(stats.queued(), 0U);
  EXPECT_EQ(stats.waiting, 2U);
  EXPECT_EQ(stats.threads, 2U);
  EXPECT_EQ(stats.dropped, 1U);
  EXPECT_EQ(stats.failed, 0U);
  EXPECT_GE(stats.done, 3U);
  EXPECT_GT(stats.run_time.count(), 0U);
  EXPECT_GT(stats.wait_time.count(), 0U);
  std::ostringstream text;
  pool.dump_stats(text);
  EXPECT_THAT(text.str(), HasSubstr("pool 'counted': 0 queued"));
  EXPECT_THAT(text.str(), HasSubstr("1 dropped"));
  EXPECT_THAT(text.str(), HasSubstr("counted-1 (id "));
}

TEST(TimeHistogram, GivesUpperBounds) {
  rouse::TimeHistogram times;
  EXPECT_EQ(times.quantile(0.5), 0ns);
  times.buckets[4] = 99;  // 8 to 16 ns
  times.buckets[10] = 1;  // 512 to 1,024 ns
  EXPECT_EQ(times.count(), 100U);
  EXPECT_EQ(times.quantile(0.5), 16ns);
  EXPECT_EQ(times.quantile(0.99), 16ns);
  EXPECT_EQ(times.quantile(1), 1024ns);
}

// --- the end -------------------------------------------------------------------------------------

TEST(ThreadPool, StopRunsWhatIsQueued) {
  ThreadPool pool({.max_threads = 2});
  std::atomic<int> calls{0};
  for (int i = 0; i < 1000; ++i) pool.post([&] { ++calls; });
  pool.stop();
  EXPECT_EQ(calls, 1000);
  EXPECT_FALSE(pool.running());
  EXPECT_EQ(pool.stats().threads, 0U);
}

TEST(ThreadPool, StopForDropsWhatIsQueuedAndStopsWhatRuns) {
  ThreadPool pool({.max_threads = 1});
  Event runs;
  Job<WaitStatus> running = pool.submit([&] {
    runs.set();
    return rouse::sleep_for(1h);
  });
  EXPECT_EQ(runs.wait(), WaitStatus::ready);
  Job<void> queued = pool.submit([] {});
  const StopReport report = pool.stop_for(1h);
  EXPECT_TRUE(report);
  EXPECT_EQ(report.stopped, 1U);
  EXPECT_EQ(running.get(), WaitStatus::stopped);
  EXPECT_EQ(queued.status(), JobStatus::dropped);
  EXPECT_THROW(queued.get(), JobDropped);
}

TEST(ThreadPool, StopForNamesThoseWhoDoNotStop) {
  ThreadPool pool({.max_threads = 1, .name = "stubborn"});
  Event open;
  Event runs;
  pool.post([&] {
    const rouse::Shield shield;
    runs.set();
    (void)open.wait();
  });
  EXPECT_EQ(runs.wait(), WaitStatus::ready);
  const StopReport report = pool.stop_for(1ms);
  ASSERT_EQ(report.stragglers.size(), 1U);
  EXPECT_EQ(report.stopped, 0U);
  EXPECT_EQ(report.stragglers[0].name, "stubborn-0");
  EXPECT_THROW(pool.start(), std::logic_error);
  open.set();
  EXPECT_TRUE(pool.stop_for(1h));
}

TEST(ThreadPool, TryStopDoesNotBlock) {
  ThreadPool pool({.max_threads = 1});
  auto gate = std::make_unique<Gate>(pool);
  bool called = false;
  pool.post([&] { called = true; });
  EXPECT_FALSE(pool.try_stop());
  EXPECT_FALSE(pool.running());
  gate.reset();
  while (!pool.try_stop()) std::this_thread::yield();
  EXPECT_TRUE(called);
}

TEST(ThreadPool, DestructionDropsWhatIsQueuedAndStopsWhatRuns) {
  Job<void> queued;
  Job<WaitStatus> running;
  Event runs;
  {
    ThreadPool pool({.max_threads = 1});
    running = pool.submit([&](std::stop_token stop) {
      runs.set();
      return Event().wait(stop);
    });
    EXPECT_EQ(runs.wait(), WaitStatus::ready);
    queued = pool.submit([] {});
  }
  EXPECT_EQ(running.get(), WaitStatus::stopped);
  EXPECT_EQ(queued.status(), JobStatus::dropped);
}

TEST(ThreadPool, RefusesJobsWhenStopped) {
  ThreadPool pool({.name = "closed"});
  pool.stop();
  try {
    pool.post([] {});
    FAIL() << "accepted";
  } catch (const Stopped& e) {
    EXPECT_THAT(e.what(), HasSubstr("pool 'closed' is stopped"));
  }
  EXPECT_THROW((void)pool.submit([] {}), Stopped);
  EXPECT_THROW(pool.submit_with_callback([](rouse::Outcome<void>) {}, [] {}), Stopped);
  EXPECT_FALSE(pool.try_post([] {}));
  EXPECT_EQ(pool.post_for(1h, [] {}), WaitStatus::stopped);
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(pool.stats().dropped, 0U);
}

TEST(ThreadPool, JobsThatRunMayAddNoMoreWhenItStops) {
  ThreadPool pool({.max_threads = 1});
  Event stops;
  Event runs;
  Job<bool> job = pool.submit([&] {
    runs.set();
    const rouse::Shield shield;
    (void)stops.wait();
    try {
      pool.post([] {});
      return false;
    } catch (const Stopped&) {
      return true;
    }
  });
  EXPECT_EQ(runs.wait(), WaitStatus::ready);
  EXPECT_FALSE(pool.try_stop());
  stops.set();
  EXPECT_TRUE(job.get());
}

TEST(ThreadPool, StartsAgain) {
  ThreadPool pool({.max_threads = 2, .queue_capacity = 3});
  EXPECT_THROW(pool.start(), std::logic_error);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
    pool.stop();
    EXPECT_THROW(pool.post([] {}), Stopped);
    pool.start();
    EXPECT_TRUE(pool.running());
  }
  EXPECT_EQ(pool.submit([] { return 2; }).get(), 2);
}

TEST(ThreadPool, CannotWaitForItsOwnEndInAJob) {
  ThreadPool pool({.name = "ouroboros"});
  const auto refused = [](const std::function<void()>& call) {
    try {
      call();
      return false;
    } catch (const std::system_error& e) {
      EXPECT_THAT(e.what(), HasSubstr("'ouroboros' in one of its jobs"));
      return e.code() == std::errc::resource_deadlock_would_occur;
    }
  };
  pool.submit([&] {
        EXPECT_TRUE(refused([&] { pool.stop(); }));
        EXPECT_TRUE(refused([&] { (void)pool.stop_for(1s); }));
        EXPECT_TRUE(refused([&] { (void)pool.wait_idle(); }));
      })
      .get();
  EXPECT_TRUE(pool.running());
}

TEST(ThreadPool, IsStoppedByAJobThatDoesNotWaitForIt) {
  ThreadPool pool;
  EXPECT_FALSE(pool.submit([&] { return pool.try_stop(); }).get());
  pool.stop();
  EXPECT_FALSE(pool.running());
}

TEST(ThreadPoolDeathTest, IsNotDestroyedByItsOwnJob) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto pool = std::make_unique<ThreadPool>(ThreadPoolOptions{.name = "samson"});
        Event destroyed;
        pool->post([&] { pool.reset(); });
        (void)destroyed.wait();
      },
      "pool 'samson' is destroyed by one of its jobs");
}

// --- idle ----------------------------------------------------------------------------------------

TEST(ThreadPool, WaitIdleSeesTheEndOfAllThatWasPosted) {
  ThreadPool pool({.max_threads = 2});
  std::atomic<int> calls{0};
  for (int round = 1; round <= 200; ++round) {
    for (int i = 0; i < 3; ++i) {
      pool.post([&] {
        ++calls;
        pool.post([&] { ++calls; });
      });
    }
    EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
    EXPECT_EQ(calls, 6 * round);
  }
}

TEST(ThreadPool, WaitIdleIsEndedByAStop) {
  ThreadPool pool({.max_threads = 1});
  const Gate gate(pool);
  std::stop_source stop;
  std::thread stopper([&] { stop.request_stop(); });
  EXPECT_EQ(pool.wait_idle(stop.get_token()), WaitStatus::stopped);
  stopper.join();
}

}  // namespace
