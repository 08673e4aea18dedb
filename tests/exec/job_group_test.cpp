#include "rouse/exec/job_group.hpp"

#include "rouse/exec/thread_pool.hpp"
#include "rouse/thread/interruptible_thread.hpp"
#include "rouse/wait/event.hpp"

#include "support/gated_pool.hpp"
#include "support/observed_thread.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::Job;
using rouse::JobDropped;
using rouse::JobOptions;
using rouse::JobStatus;
using rouse::ThreadPool;
using rouse::WaitStatus;
using rouse::when_all;
using rouse::when_any;
using rouse::WhenAny;
using rouse::test::await_blocked_in;
using rouse::test::Gate;
using rouse::test::this_thread_id;

template <class R, class... Others>
std::vector<Job<R>> list(Job<R> first, Others... others) {
  std::vector<Job<R>> jobs;
  jobs.push_back(std::move(first));
  (jobs.push_back(std::move(others)), ...);
  return jobs;
}

template <class R>
R wait_and_return(Event& event, R value) {
  EXPECT_EQ(event.wait(), WaitStatus::ready);
  return value;
}

// --- when_all ------------------------------------------------------------------------------------

TEST(WhenAll, HoldsTheJobsInTheirOrder) {
  ThreadPool pool;
  std::vector<Job<int>> jobs;
  for (int i = 0; i < 1000; ++i) jobs.push_back(pool.submit([i] { return i; }));
  std::vector<Job<int>> ended = when_all(std::move(jobs)).get();
  ASSERT_EQ(ended.size(), 1000);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(ended[static_cast<std::size_t>(i)].get(), i);
}

TEST(WhenAll, HoldsJobsOfSeveralTypes) {
  ThreadPool pool;
  int target = 0;
  auto [number, text, nothing, reference] =
      when_all(pool.submit([] { return 7; }), pool.submit([] { return std::string("seven"); }),
               pool.submit([] {}), pool.submit([&]() -> int& { return target; }))
          .get();
  EXPECT_EQ(number.get(), 7);
  EXPECT_EQ(text.get(), "seven");
  EXPECT_EQ(nothing.status(), JobStatus::done);
  EXPECT_EQ(&reference.get(), &target);
}

TEST(WhenAll, IsDoneAtOnceWithoutJobs) {
  Job<std::vector<Job<int>>> none = when_all(std::vector<Job<int>>());
  EXPECT_EQ(none.status(), JobStatus::done);
  EXPECT_FALSE(none.request_stop());
  EXPECT_TRUE(none.get().empty());
  EXPECT_EQ(when_all().status(), JobStatus::done);
}

TEST(WhenAll, IsDoneAtOnceWithJobsThatHaveEnded) {
  ThreadPool pool;
  Job<int> first = pool.submit([] { return 1; });
  Job<int> second = pool.submit([] { return 2; });
  EXPECT_EQ(first.wait(), WaitStatus::ready);
  EXPECT_EQ(second.wait(), WaitStatus::ready);
  EXPECT_EQ(when_all(list(std::move(first), std::move(second))).status(), JobStatus::done);
}

TEST(WhenAll, EndsWithTheLast) {
  ThreadPool pool({.max_threads = 1});
  Event second_runs;
  Event gate;
  Job<int> first = pool.submit([] { return 1; });
  Job<int> second = pool.submit([&] {
    second_runs.set();
    return wait_and_return(gate, 2);
  });
  Job<std::vector<Job<int>>> both = when_all(list(std::move(first), std::move(second)));
  EXPECT_EQ(second_runs.wait(), WaitStatus::ready);
  EXPECT_EQ(both.status(), JobStatus::running);
  EXPECT_EQ(both.wait_for(0s), WaitStatus::timeout);
  gate.set();
  std::vector<Job<int>> ended = both.get();
  EXPECT_EQ(ended[0].get() + ended[1].get(), 3);
}

TEST(WhenAll, EndsHoweverTheJobsEnd) {
  ThreadPool pool({.max_threads = 1});
  std::optional<Gate> gate(pool);
  std::vector<Job<int>> jobs = list(
      pool.submit([] { return 1; }), pool.submit([]() -> int { throw std::runtime_error("no"); }),
      pool.submit([] { return 3; }), pool.submit(JobOptions{.expires_in = 0ns}, [] { return 4; }));
  EXPECT_TRUE(jobs[2].request_stop());
  Job<std::vector<Job<int>>> all = when_all(std::move(jobs));
  gate.reset();
  std::vector<Job<int>> ended = all.get();
  EXPECT_EQ(ended[0].status(), JobStatus::done);
  EXPECT_EQ(ended[1].status(), JobStatus::failed);
  EXPECT_EQ(ended[2].status(), JobStatus::dropped);
  EXPECT_EQ(ended[3].status(), JobStatus::expired);
  EXPECT_THROW(ended[1].get(), std::runtime_error);
}

TEST(WhenAll, RefusesAnEmptyJob) {
  ThreadPool pool;
  EXPECT_THROW((void)when_all(list(pool.submit([] { return 1; }), Job<int>())), std::logic_error);
  EXPECT_THROW((void)when_all(Job<int>(), Job<void>()), std::logic_error);
}

TEST(WhenAll, JoinsJobsOfSeveralPoolsThatMayBeGone) {
  ThreadPool stays;
  auto ends = std::make_unique<ThreadPool>(rouse::ThreadPoolOptions{.max_threads = 1});
  Event runs;
  Job<int> running = ends->submit([&runs] {
    runs.set();
    Event never;
    EXPECT_EQ(never.wait(), WaitStatus::stopped);
    return 1;
  });
  Job<int> queued = ends->submit([] { return 2; });
  Job<std::vector<Job<int>>> all =
      when_all(list(stays.submit([] { return 0; }), std::move(running), std::move(queued)));
  EXPECT_EQ(runs.wait(), WaitStatus::ready);
  EXPECT_EQ(all.status(), JobStatus::running);
  ends.reset();
  std::vector<Job<int>> ended = all.get();
  EXPECT_EQ(ended[0].get(), 0);
  EXPECT_EQ(ended[1].get(), 1);
  EXPECT_THROW(ended[2].get(), JobDropped);
}

TEST(WhenAll, RequestsTheStopOfAllItsJobs) {
  ThreadPool pool({.max_threads = 1});
  Event runs;
  Job<WaitStatus> running = pool.submit([&] {
    runs.set();
    Event never;
    return never.wait();
  });
  Job<WaitStatus> queued = pool.submit([] { return WaitStatus::ready; });
  Job<std::vector<Job<WaitStatus>>> both = when_all(list(std::move(running), std::move(queued)));
  EXPECT_EQ(runs.wait(), WaitStatus::ready);
  EXPECT_TRUE(both.request_stop());
  EXPECT_EQ(both.wait(), WaitStatus::ready);
  EXPECT_EQ(both.status(), JobStatus::done);
  EXPECT_FALSE(both.request_stop());
  std::vector<Job<WaitStatus>> ended = both.get();
  EXPECT_EQ(ended[0].get(), WaitStatus::stopped);
  EXPECT_EQ(ended[1].status(), JobStatus::dropped);
}

TEST(WhenAll, WaitsAsAJobDoes) {
  ThreadPool pool;
  Event gate;
  Job<std::vector<Job<int>>> all =
      when_all(list(pool.submit([&] { return wait_and_return(gate, 1); })));
  std::stop_source stopped;
  stopped.request_stop();
  EXPECT_EQ(all.wait(stopped.get_token()), WaitStatus::stopped);
  EXPECT_THROW(all.get(stopped.get_token()), rouse::Stopped);

  struct Raised {};
  bool was_raised = false;
  rouse::InterruptibleThread waiter([&] {
    try {
      (void)all.wait();
    } catch (const Raised&) {
      was_raised = true;
    }
  });
  waiter.start();
  await_blocked_in(waiter, "Job::wait");
  EXPECT_TRUE(waiter.raise<Raised>());
  waiter.join();
  EXPECT_TRUE(was_raised);
  gate.set();
  EXPECT_EQ(all.get()[0].get(), 1);
}

TEST(WhenAll, IsContinuedOnThePoolOfItsFirstJob) {
  ThreadPool pool({.max_threads = 1});
  ThreadPool other({.max_threads = 1});
  const std::thread::id worker = pool.submit(&this_thread_id).get();
  Job<std::pair<int, std::thread::id>> sum =
      when_all(list(pool.submit([] { return 1; }), other.submit([] {
        return 2;
      }))).then([](std::vector<Job<int>> jobs) {
        return std::pair(jobs[0].get() + jobs[1].get(), this_thread_id());
      });
  EXPECT_EQ(sum.get(), std::pair(3, worker));
  EXPECT_THROW((void)when_all(std::vector<Job<int>>()).then([](const auto&) {}), std::logic_error);
}

TEST(WhenAll, GivesItsJobsUpAtItsEndWhenItWasGivenUp) {
  ThreadPool pool;
  Event gate;
  auto held = std::make_shared<int>(1);
  {
    auto all = when_all(list(pool.submit([&gate, held] { return wait_and_return(gate, held); }),
                             pool.submit([held] { return held; })));
    EXPECT_EQ(all.status(), JobStatus::running);
  }
  gate.set();
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(held.use_count(), 1);
}

TEST(WhenAll, MakesTheCallsOfAWorkerThatWaits) {
  ThreadPool pool({.max_threads = 1});
  Job<bool> all_here = pool.submit([&] {
    std::vector<Job<std::thread::id>> jobs;
    for (int i = 0; i < 1000; ++i) jobs.push_back(pool.submit(&this_thread_id));
    bool here = true;
    for (auto& each : when_all(std::move(jobs)).get()) here &= each.get() == this_thread_id();
    return here;
  });
  EXPECT_TRUE(all_here.get());
  EXPECT_EQ(pool.stats().threads, 1);
}

TEST(WhenAll, MakesTheCallsOfGroupsInGroups) {
  ThreadPool pool({.max_threads = 1});
  Job<int> sum = pool.submit([&] {
    std::vector<Job<std::vector<Job<int>>>> groups;
    for (int i = 0; i < 10; ++i) {
      groups.push_back(
          when_all(list(pool.submit([i] { return i; }), pool.submit([] { return 1; }))));
    }
    int total = 0;
    for (auto& group : when_all(std::move(groups)).get()) {
      for (auto& each : group.get()) total += each.get();
    }
    return total;
  });
  EXPECT_EQ(sum.get(), 55);
  EXPECT_EQ(pool.stats().threads, 1);
}

TEST(WhenAll, LetsAnotherWorkerStepInForOneWhoseWaitCanBeStopped) {
  ThreadPool pool({.max_threads = 1});
  Job<bool> elsewhere = pool.submit([&] {
    const std::stop_source source;
    auto both = when_all(pool.submit(&this_thread_id), pool.submit(&this_thread_id));
    auto [first, second] = both.get(source.get_token());
    return first.get() != this_thread_id() && second.get() != this_thread_id();
  });
  EXPECT_TRUE(elsewhere.get());
}

// --- when_any ------------------------------------------------------------------------------------

TEST(WhenAny, NamesTheFirst) {
  ThreadPool pool({.min_threads = 2});
  Event gates[2];
  Job<WhenAny<int>> either =
      when_any(list(pool.submit([&] { return wait_and_return(gates[0], 1); }),
                    pool.submit([&] { return wait_and_return(gates[1], 2); })));
  EXPECT_EQ(either.status(), JobStatus::running);
  EXPECT_EQ(either.wait_for(0s), WaitStatus::timeout);
  gates[1].set();
  WhenAny<int> any = either.get();
  EXPECT_EQ(any.index, 1);
  EXPECT_EQ(any.jobs[1].get(), 2);
  EXPECT_FALSE(has_ended(any.jobs[0].status()));
  gates[0].set();
  EXPECT_EQ(any.jobs[0].get(), 1);
}

TEST(WhenAny, NamesTheFirstInTheListOfThoseThatHadEnded) {
  ThreadPool pool({.min_threads = 2});
  Event gate;
  Job<int> running = pool.submit([&] { return wait_and_return(gate, 0); });
  Job<int> done = pool.submit([] { return 1; });
  Job<int> failed = pool.submit([]() -> int { throw std::runtime_error("no"); });
  EXPECT_EQ(done.wait(), WaitStatus::ready);
  EXPECT_EQ(failed.wait(), WaitStatus::ready);
  Job<WhenAny<int>> either = when_any(list(std::move(running), std::move(failed), std::move(done)));
  EXPECT_EQ(either.status(), JobStatus::done);
  EXPECT_EQ(either.get().index, 1);
  gate.set();
}

TEST(WhenAny, RefusesNone) {
  EXPECT_THROW((void)when_any(std::vector<Job<int>>()), std::invalid_argument);
  EXPECT_THROW((void)when_any(list(Job<int>())), std::logic_error);
}

TEST(WhenAny, LeavesTheOthersToWhoeverAsked) {
  ThreadPool pool({.min_threads = 2});
  Event gates[2];
  auto held = std::make_shared<int>(1);
  Job<WhenAny<std::shared_ptr<int>>> either =
      when_any(list(pool.submit([&, held] { return wait_and_return(gates[0], held); }),
                    pool.submit([&, held] { return wait_and_return(gates[1], held); })));
  gates[0].set();
  EXPECT_EQ(either.get().index, 0);  // and gives both up
  gates[1].set();
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(held.use_count(), 1);
}

TEST(WhenAny, TakesManyBack) {
  ThreadPool pool({.max_threads = 1});
  std::optional<Gate> gate(pool);
  std::vector<Job<int>> jobs;
  for (int i = 0; i < 1000; ++i) jobs.push_back(pool.submit([i] { return i; }));
  Job<WhenAny<int>> either = when_any(std::move(jobs));
  gate.reset();
  WhenAny<int> any = either.get();
  EXPECT_EQ(any.index, 0);
  int sum = 0;
  for (Job<int>& each : any.jobs) sum += each.get();
  EXPECT_EQ(sum, 999 * 1000 / 2);
}

TEST(WhenAny, RequestsTheStopOfAllItsJobs) {
  ThreadPool pool({.max_threads = 1});
  Event runs;
  Job<WaitStatus> running = pool.submit([&] {
    runs.set();
    Event never;
    return never.wait();
  });
  Job<WaitStatus> queued = pool.submit([] { return WaitStatus::ready; });
  Job<WhenAny<WaitStatus>> either = when_any(list(std::move(running), std::move(queued)));
  EXPECT_EQ(runs.wait(), WaitStatus::ready);
  EXPECT_TRUE(either.request_stop());
  WhenAny<WaitStatus> any = either.get();
  EXPECT_EQ(any.jobs[0].get(), WaitStatus::stopped);
  EXPECT_EQ(any.jobs[1].status(), JobStatus::dropped);
}

TEST(WhenAny, MakesOneCallOfAWorkerThatWaitsIfNoneIsUnderWay) {
  ThreadPool pool({.max_threads = 1});
  Job<bool> here = pool.submit([&] {
    auto either = when_any(list(pool.submit(&this_thread_id), pool.submit(&this_thread_id)));
    WhenAny<std::thread::id> any = either.get();
    EXPECT_EQ(any.index, 1);
    EXPECT_EQ(any.jobs[0].status(), JobStatus::queued);
    return any.jobs[1].get() == this_thread_id();
  });
  EXPECT_TRUE(here.get());
  EXPECT_EQ(pool.stats().threads, 1);
}

// A call that it made would hold it up when the one that runs ends.
TEST(WhenAny, MakesNoCallOfAWorkerThatWaitsWhileOneRuns) {
  ThreadPool pool({.min_threads = 2, .max_threads = 2});
  Event runs;
  Event gate;
  Job<std::thread::id> running = pool.submit([&] {
    runs.set();
    return wait_and_return(gate, this_thread_id());
  });
  EXPECT_EQ(runs.wait(), WaitStatus::ready);
  Job<bool> elsewhere = pool.submit([&] {
    Job<std::thread::id> queued = pool.submit(&this_thread_id);
    WhenAny<std::thread::id> any = when_any(list(std::move(running), std::move(queued))).get();
    EXPECT_EQ(any.index, 1);
    return any.jobs[1].get() != this_thread_id();
  });
  EXPECT_TRUE(elsewhere.get());
  gate.set();
}

}  // namespace
