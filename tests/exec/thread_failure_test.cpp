// Threads that the system refuses to a pool, at each place where one is started.

#include "rouse/exec/thread_pool.hpp"
#include "rouse/wait/event.hpp"

#include "support/faults/faults.hpp"
#include "support/gated_pool.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <system_error>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::Job;
using rouse::ThreadPool;
using rouse::ThreadPoolOptions;
using rouse::WaitStatus;
using rouse::test::Call;
using rouse::test::fail_each;
using rouse::test::Fault;
using testing::HasSubstr;

TEST(ThreadFailure, EndsTheConstructorAndLeavesNoThread) {
  std::atomic<int> alive{0};
  struct Counted {
    std::atomic<int>* count = nullptr;
    ~Counted() {
      if (count != nullptr) --*count;
    }
  };
  const ThreadPoolOptions options{.min_threads = 4,
                                  .max_threads = 4,
                                  .name = "refused",
                                  .on_thread_start =
                                      [&](std::size_t) {
                                        thread_local Counted counted;
                                        counted.count = &alive;
                                        ++alive;
                                      },
                                  .slow_after = 1h,
                                  .on_slow = [](const rouse::SlowJob&) {}};
  const long calls = fail_each(Call::pthread_create, EAGAIN, [&](const Fault& fault) {
    try {
      ThreadPool pool(options);
      EXPECT_FALSE(fault.reached());
    } catch (const std::system_error& e) {
      EXPECT_TRUE(fault.reached());
      EXPECT_EQ(e.code().value(), EAGAIN);
      EXPECT_THAT(e.what(), HasSubstr("'refused-"));
    }
    EXPECT_EQ(alive, 0);
  });
  EXPECT_EQ(calls, 5);  // the watchdog is one of them
}

TEST(ThreadFailure, OfAStoppedPoolLeavesItStopped) {
  ThreadPool pool({.min_threads = 3, .max_threads = 3});
  pool.stop();
  {
    const Fault fault(Call::pthread_create, EAGAIN, 1);
    EXPECT_THROW(pool.start(), std::system_error);
  }
  EXPECT_FALSE(pool.running());
  EXPECT_EQ(pool.stats().threads, 0U);
  EXPECT_FALSE(pool.try_post([] {}));
  pool.start();
  EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
}

TEST(ThreadFailure, OfAResizeKeepsTheLimits) {
  ThreadPool pool({.min_threads = 1, .max_threads = 1, .idle_timeout = 0ns});
  {
    const Fault fault(Call::pthread_create, EAGAIN, 2);
    EXPECT_THROW(pool.resize(5, 5), std::system_error);
  }
  while (pool.stats().threads != 1) std::this_thread::yield();
  Event open;
  Event inside;
  for (int i = 0; i < 3; ++i) {
    pool.post([&] {
      inside.set();
      (void)open.wait();
    });
  }
  EXPECT_EQ(inside.wait(), WaitStatus::ready);
  EXPECT_EQ(pool.stats().queued(), 2U);
  open.set();
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
}

TEST(ThreadFailure, WhereThePoolWouldGrowLeavesTheWorkToThoseWhoAreThere) {
  ThreadPool pool({.min_threads = 1, .max_threads = 4});
  std::optional<rouse::test::Gate> gate(std::in_place, pool);
  int calls = 0;  // only one thread is there
  const Fault fault(Call::pthread_create, EAGAIN, 0, 1'000);
  for (int i = 0; i < 100; ++i) pool.post([&] { ++calls; });
  EXPECT_TRUE(fault.reached());
  // One attempt holds off the others for a while.
  EXPECT_LT(fault.calls(), 50);
  gate.reset();
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(calls, 100);
  EXPECT_EQ(pool.stats().threads, 1U);
}

TEST(ThreadFailure, WhereAJobWaitsForAnotherIsTriedAgain) {
  ThreadPool pool({.min_threads = 2, .max_threads = 2});
  Event second_runs;
  Event set_by_third;
  Job<WaitStatus> second = pool.submit([&] {
    second_runs.set();
    return set_by_third.wait();
  });
  EXPECT_EQ(second_runs.wait(), WaitStatus::ready);
  const Fault fault(Call::pthread_create, EAGAIN);
  Job<WaitStatus> first = pool.submit([&] {
    pool.post([&] { set_by_third.set(); });
    return second.get();
  });
  EXPECT_EQ(first.get(), WaitStatus::ready);
  EXPECT_TRUE(fault.reached());
  EXPECT_GE(fault.calls(), 2);
}

}  // namespace
