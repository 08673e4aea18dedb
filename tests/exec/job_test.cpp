#include "rouse/exec/job.hpp"

#include "rouse/exec/thread_pool.hpp"
#include "rouse/thread/interruptible_thread.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"

#include "support/gated_pool.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
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
using rouse::Shield;
using rouse::Stopped;
using rouse::ThreadPool;
using rouse::WaitStatus;
using rouse::test::Gate;
using testing::HasSubstr;

// --- results -------------------------------------------------------------------------------------

TEST(Job, GivesWhatTheCallReturns) {
  ThreadPool pool;
  EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
  EXPECT_EQ(*pool.submit([] { return std::make_unique<int>(2); }).get(), 2);
  int target = 0;
  Job<int&> reference = pool.submit([&]() -> int& { return target; });
  EXPECT_EQ(&reference.get(), &target);
  Job<void> nothing = pool.submit([&] { target = 3; });
  nothing.get();
  EXPECT_EQ(target, 3);
}

TEST(Job, ThrowsWhatTheCallThrows) {
  ThreadPool pool;
  Job<int> job = pool.submit([]() -> int { throw std::runtime_error("no result"); });
  EXPECT_EQ(job.wait(), WaitStatus::ready);
  EXPECT_EQ(job.status(), JobStatus::failed);
  EXPECT_THROW(job.get(), std::runtime_error);
  EXPECT_FALSE(job.valid());
}

TEST(Job, IsEmptyUntilThereIsOneAndAfterItsResult) {
  Job<int> job;
  EXPECT_FALSE(job.valid());
  EXPECT_THROW(job.get(), std::logic_error);
  EXPECT_THROW((void)job.wait(), std::logic_error);
  EXPECT_THROW((void)job.status(), std::logic_error);
  EXPECT_FALSE(job.request_stop());
  ThreadPool pool;
  job = pool.submit([] { return 1; });
  EXPECT_TRUE(job.valid());
  EXPECT_EQ(job.get(), 1);
  EXPECT_FALSE(job.valid());
  EXPECT_THROW(job.get(), std::logic_error);
}

TEST(Job, EndsAfterItsCallableHas) {
  ThreadPool pool;
  auto owned = std::make_shared<int>(1);
  Job<long> job = pool.submit([owned] { return owned.use_count(); });
  EXPECT_EQ(job.wait(), WaitStatus::ready);
  EXPECT_EQ(owned.use_count(), 1);
  EXPECT_EQ(job.get(), 2);
}

TEST(Job, OutlivesItsPool) {
  auto pool = std::make_unique<ThreadPool>();
  Job<std::string> job = pool->submit([] { return std::string("still here"); });
  EXPECT_EQ(job.wait(), WaitStatus::ready);
  pool.reset();
  EXPECT_FALSE(job.request_stop());
  EXPECT_EQ(job.status(), JobStatus::done);
  EXPECT_EQ(job.get(), "still here");
}

TEST(Job, MayBeGivenUp) {
  ThreadPool pool;
  std::atomic<bool> called{false};
  (void)pool.submit([&] { called = true; });
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_TRUE(called);
}

// --- waits ---------------------------------------------------------------------------------------

TEST(Job, AWaitEndsByTimeOrStop) {
  ThreadPool pool({.max_threads = 1});
  const Gate gate(pool);
  Job<int> job = pool.submit([] { return 1; });
  EXPECT_EQ(job.status(), JobStatus::queued);
  EXPECT_EQ(job.wait_for(1ms), WaitStatus::timeout);
  EXPECT_EQ(job.wait_until(std::chrono::system_clock::now() - 1h), WaitStatus::timeout);
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_EQ(job.wait(stop.get_token()), WaitStatus::stopped);
  EXPECT_THROW(job.get(stop.get_token()), Stopped);
  const rouse::this_thread::Bind bind(stop.get_token());
  EXPECT_THROW(job.get(), Stopped);
  EXPECT_TRUE(job.valid());
}

TEST(Job, ARaisedExceptionEndsAWait) {
  ThreadPool pool({.max_threads = 1});
  const Gate gate(pool);
  Job<int> job = pool.submit([] { return 1; });
  bool raised = false;
  rouse::InterruptibleThread thread([&] {
    try {
      (void)job.get();
    } catch (const std::domain_error&) {
      raised = true;
    }
  });
  thread.start();
  EXPECT_TRUE(thread.raise<std::domain_error>("enough"));
  thread.join();
  EXPECT_TRUE(raised);
  EXPECT_TRUE(job.valid());
}

// --- stops ---------------------------------------------------------------------------------------

TEST(Job, AStopDropsItWhileItIsQueued) {
  ThreadPool pool({.max_threads = 1});
  const Gate gate(pool);
  const auto owned = std::make_shared<int>(1);
  Job<void> job = pool.submit([owned] {});
  EXPECT_TRUE(job.request_stop());
  EXPECT_EQ(owned.use_count(), 1);
  EXPECT_EQ(job.status(), JobStatus::dropped);
  EXPECT_EQ(job.wait(), WaitStatus::ready);
  EXPECT_FALSE(job.request_stop());
  try {
    job.get();
    FAIL() << "has a result";
  } catch (const JobDropped& e) {
    EXPECT_EQ(e.status(), JobStatus::dropped);
    EXPECT_THAT(e.what(), HasSubstr("dropped"));
  }
}

TEST(Job, AStopEndsTheWaitsOfItsCall) {
  ThreadPool pool({.max_threads = 1});
  Event runs;
  Job<WaitStatus> job = pool.submit([&] {
    runs.set();
    return rouse::sleep_for(1h);
  });
  EXPECT_EQ(runs.wait(), WaitStatus::ready);
  EXPECT_EQ(job.status(), JobStatus::running);
  EXPECT_TRUE(job.request_stop());
  EXPECT_EQ(job.get(), WaitStatus::stopped);
  // Of that one only.
  EXPECT_EQ(pool.submit([] { return rouse::sleep_for(1us); }).get(), WaitStatus::timeout);
}

TEST(Job, AStopReachesTheTokenOfItsCall) {
  ThreadPool pool({.max_threads = 1});
  Event runs;
  Job<int> job = pool.submit(
      [&](std::stop_token stop, int n) {
        Event called;
        const std::stop_callback callback(stop, [&] { called.set(); });
        runs.set();
        const Shield shield;
        (void)called.wait();
        return stop.stop_requested() ? n : 0;
      },
      5);
  EXPECT_EQ(runs.wait(), WaitStatus::ready);
  EXPECT_TRUE(job.request_stop());
  EXPECT_EQ(job.get(), 5);
}

TEST(Job, ItsTokenIsTheAmbientOneAndItsOwn) {
  ThreadPool pool({.max_threads = 1});
  std::stop_token first;
  pool.submit([&](std::stop_token stop) {
        EXPECT_EQ(stop, rouse::this_thread::stop_token());
        first = stop;
      })
      .get();
  pool.submit([&](std::stop_token stop) { EXPECT_NE(stop, first); }).get();
  pool.submit([] { EXPECT_TRUE(rouse::this_thread::stop_token().stop_possible()); }).get();
}

TEST(Job, AStopReachesWhatItsCallBinds) {
  ThreadPool pool({.max_threads = 1});
  Event runs;
  Job<WaitStatus> job = pool.submit([&] {
    std::stop_source inner;
    const rouse::this_thread::Bind bind(inner.get_token());
    runs.set();
    return rouse::sleep_for(1h);
  });
  EXPECT_EQ(runs.wait(), WaitStatus::ready);
  EXPECT_TRUE(job.request_stop());
  EXPECT_EQ(job.get(), WaitStatus::stopped);
}

TEST(Job, AStoppedCallKeepsItsResult) {
  ThreadPool pool({.max_threads = 1});
  Event runs;
  Job<int> job = pool.submit([&] {
    runs.set();
    (void)rouse::sleep_for(1h);
    return 7;
  });
  EXPECT_EQ(runs.wait(), WaitStatus::ready);
  EXPECT_TRUE(job.request_stop());
  EXPECT_EQ(job.get(), 7);
}

// --- expiry --------------------------------------------------------------------------------------

TEST(Job, ExpiresInTheQueue) {
  ThreadPool pool({.max_threads = 1});
  Job<void> job;
  {
    const Gate gate(pool);
    job = pool.submit({.expires_in = 1ms}, [] { ADD_FAILURE() << "called"; });
    // Whoever waits for it hears of it though no thread is free.
    EXPECT_EQ(job.wait(), WaitStatus::ready);
  }
  EXPECT_EQ(job.status(), JobStatus::expired);
  try {
    job.get();
    FAIL() << "has a result";
  } catch (const JobDropped& e) {
    EXPECT_EQ(e.status(), JobStatus::expired);
    EXPECT_THAT(e.what(), HasSubstr("expired"));
  }
}

TEST(Job, ThatHasExpiredIsNotCalled) {
  ThreadPool pool({.max_threads = 1});
  {
    const Gate gate(pool);
    (void)pool.submit({.expires_in = 0ns}, [] { ADD_FAILURE() << "called"; });
  }
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(pool.stats().dropped, 1U);
}

TEST(Job, AWaitEndsBeforeItExpires) {
  ThreadPool pool({.max_threads = 1});
  const Gate gate(pool);
  Job<void> job = pool.submit({.expires_in = 1h}, [] {});
  EXPECT_EQ(job.wait_for(1ms), WaitStatus::timeout);
  EXPECT_EQ(job.status(), JobStatus::queued);
}

// --- waits in jobs -------------------------------------------------------------------------------

int depth_below(ThreadPool& pool, int left) {
  if (left == 0) return 0;
  return 1 + pool.submit([&pool, left] { return depth_below(pool, left - 1); }).get();
}

TEST(Job, WaitsInJobsMayBeNestedOnOneThread) {
  ThreadPool pool({.max_threads = 1});
  EXPECT_EQ(pool.submit([&] { return depth_below(pool, 100); }).get(), 100);
  EXPECT_EQ(pool.stats().threads, 1U);
}

int leaves_below(ThreadPool& pool, int depth) {
  if (depth == 0) return 1;
  Job<int> left = pool.submit([&pool, depth] { return leaves_below(pool, depth - 1); });
  const int right = leaves_below(pool, depth - 1);
  return left.get() + right;
}

TEST(Job, ForksAndJoins) {
  ThreadPool pool({.max_threads = 4});
  EXPECT_EQ(pool.submit([&] { return leaves_below(pool, 10); }).get(), 1024);
}

TEST(Job, AJobThatWaitsForARunningOneMakesRoomForAnother) {
  ThreadPool pool({.max_threads = 2});
  Event set_by_third;
  Event second_runs;
  Job<WaitStatus> second = pool.submit([&] {
    second_runs.set();
    return set_by_third.wait();
  });
  EXPECT_EQ(second_runs.wait(), WaitStatus::ready);
  Job<WaitStatus> first = pool.submit([&] {
    pool.post([&] { set_by_third.set(); });
    return second.get();
  });
  EXPECT_EQ(first.get(), WaitStatus::ready);
  // And afterwards no more run at once than may.
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(pool.stats().blocked, 0U);
}

TEST(Job, AWaitingJobRunsNoOtherThanThatItWaitsFor) {
  ThreadPool pool({.max_threads = 1});
  std::thread::id waiter;
  std::thread::id other;
  Job<void> job = pool.submit([&] {
    waiter = std::this_thread::get_id();
    Event done;
    pool.post([&] {
      other = std::this_thread::get_id();
      done.set();
    });
    // With a limit it does not run the job itself.
    Job<WaitStatus> waits = pool.submit([&] { return done.wait(); });
    EXPECT_EQ(waits.wait_for(1h), WaitStatus::ready);
  });
  job.get();
  EXPECT_NE(waiter, other);
}

TEST(Job, AWaitWithATokenEndsByItThoughTheJobIsQueued) {
  ThreadPool pool({.max_threads = 1});
  pool.submit([&] {
        Event open;
        Job<void> inner = pool.submit([&] { (void)open.wait(); });
        std::stop_source stop;
        std::jthread stopper([&] { stop.request_stop(); });
        EXPECT_EQ(inner.wait(stop.get_token()), WaitStatus::stopped);
        open.set();
        inner.get();
      })
      .get();
}

TEST(Job, AJobThatIsRunByItsWaiterObeysItsOwnStop) {
  ThreadPool pool({.max_threads = 1});
  Event inner_runs;
  Event inner_stopped;
  Job<void> inner;
  Job<void> outer = pool.submit([&] {
    inner = pool.submit([&] {
      inner_runs.set();
      (void)rouse::sleep_for(1h);
      inner_stopped.set();
    });
    const Shield shield;  // of the outer job's own waits
    EXPECT_EQ(inner.wait(), WaitStatus::ready);
    EXPECT_TRUE(inner_stopped.is_set());
  });
  EXPECT_EQ(inner_runs.wait(), WaitStatus::ready);
  EXPECT_TRUE(outer.request_stop());  // does not reach the inner one
  EXPECT_FALSE(inner_stopped.is_set());
  EXPECT_TRUE(inner.request_stop());
  outer.get();
}

TEST(Job, AStoppedPoolEndsNestedWaits) {
  Job<void> outer;
  Event runs;
  {
    ThreadPool pool({.max_threads = 1});
    outer = pool.submit([&] {
      pool.submit([&] {
            runs.set();
            EXPECT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
          })
          .get();
    });
    EXPECT_EQ(runs.wait(), WaitStatus::ready);
  }
  EXPECT_EQ(outer.status(), JobStatus::done);
}

TEST(Job, JobsOfTwoPoolsWaitForEachOther) {
  ThreadPool one({.max_threads = 1});
  ThreadPool two({.max_threads = 1});
  std::function<int(int)> down = [&](int left) -> int {
    if (left == 0) return 0;
    ThreadPool& other = left % 2 == 0 ? one : two;
    return 1 + other.submit([&, left] { return down(left - 1); }).get();
  };
  EXPECT_EQ(one.submit([&] { return down(20); }).get(), 20);
}

// --- continuations -------------------------------------------------------------------------------

TEST(Job, IsContinuedWithItsResult) {
  ThreadPool pool;
  Job<int> job = pool.submit([] { return 4; });
  Job<std::string> text = std::move(job).then([](int n) { return std::to_string(n); });
  EXPECT_FALSE(job.valid());  // NOLINT(bugprone-use-after-move): that is the point
  Job<void> last = std::move(text).then([](std::string s) { EXPECT_EQ(s, "4"); }).then([] {});
  last.get();
}

TEST(Job, IsContinuedAfterItsEnd) {
  ThreadPool pool;
  Job<int> job = pool.submit([] { return 4; });
  EXPECT_EQ(job.wait(), WaitStatus::ready);
  EXPECT_EQ(std::move(job).then([](int n) { return n + 1; }).get(), 5);
}

TEST(Job, AContinuationOfAFailureFailsUncalled) {
  ThreadPool pool;
  bool called = false;
  Job<void> after = pool.submit([]() -> int { throw std::runtime_error("first"); }).then([&](int) {
    called = true;
  });
  EXPECT_THROW(after.get(), std::runtime_error);
  EXPECT_FALSE(called);
}

TEST(Job, AContinuationThatTakesAJobIsCalledInAnyCase) {
  ThreadPool pool({.max_threads = 1});
  std::optional<Gate> gate(std::in_place, pool);
  Job<int> first = pool.submit([] { return 1; });
  EXPECT_TRUE(first.request_stop());
  Job<bool> after = std::move(first).then([](Job<int> job) {
    EXPECT_EQ(job.status(), JobStatus::dropped);
    EXPECT_THROW(job.get(), JobDropped);
    return true;
  });
  gate.reset();
  EXPECT_TRUE(after.get());
}

TEST(Job, AContinuationMayBeStoppedBeforeItsTime) {
  ThreadPool pool({.max_threads = 1});
  std::optional<Gate> gate(std::in_place, pool);
  Job<void> after = pool.submit([] {}).then([] { ADD_FAILURE() << "called"; });
  EXPECT_TRUE(after.request_stop());
  EXPECT_EQ(after.status(), JobStatus::dropped);
  gate.reset();
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
}

TEST(Job, AStoppedPoolDropsContinuations) {
  Job<void> after;
  {
    ThreadPool pool({.max_threads = 1});
    Event runs;
    after = pool.submit([&] {
                  runs.set();
                  (void)rouse::sleep_for(1h);
                })
                .then([] { ADD_FAILURE() << "called"; });
    EXPECT_EQ(runs.wait(), WaitStatus::ready);
  }
  EXPECT_EQ(after.status(), JobStatus::dropped);
}

TEST(Job, AContinuationOfAPoolThatIsGoneIsDropped) {
  auto pool = std::make_unique<ThreadPool>();
  Job<int> job = pool->submit([] { return 1; });
  EXPECT_EQ(job.wait(), WaitStatus::ready);
  pool.reset();
  Job<int> after = std::move(job).then([](int n) { return n; });
  EXPECT_EQ(after.status(), JobStatus::dropped);
}

TEST(Job, StopRunsContinuationsOfWhatIsQueued) {
  ThreadPool pool({.max_threads = 2});
  std::vector<Job<int>> jobs;
  for (int i = 0; i < 100; ++i) {
    jobs.push_back(pool.submit([i] { return i; }).then([](int n) { return n + 1; }));
  }
  pool.stop();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(jobs[static_cast<std::size_t>(i)].get(), i + 1);
}

}  // namespace
