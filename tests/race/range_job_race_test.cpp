// A range whose end, stop and pool meet at the same instant: no index is called twice, and it ends.

#include "rouse/exec/range_job.hpp"
#include "rouse/exec/thread_pool.hpp"

#include "support/at_once.hpp"
#include "support/rendezvous.hpp"
#include "support/scale.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Job;
using rouse::JobStatus;
using rouse::Stopped;
using rouse::ThreadPool;
using rouse::WaitStatus;
using rouse::test::at_once;
using rouse::test::delay;
using rouse::test::rounds;

class Calls {
 public:
  static constexpr int size = 40;

  void operator()(int i) { counts_.at(static_cast<std::size_t>(i)).fetch_add(1); }
  void clear() { std::ranges::fill(counts_, 0); }
  int total() const {
    int sum = 0;
    for (const auto& count : counts_) sum += count;
    return sum;
  }
  bool none_twice() const {
    return std::ranges::all_of(counts_, [](const auto& count) { return count <= 1; });
  }

 private:
  std::array<std::atomic<int>, size> counts_{};
};

TEST(RangeJobRace, EndsOnceByItselfOrByARequest) {
  ThreadPool pool({.min_threads = 2, .max_threads = 2});
  Calls calls;
  Job<void> job;
  at_once(
      rounds(10'000),
      {[&](int) { EXPECT_EQ(job.wait(), WaitStatus::ready); },
       [&](int round) {
         delay(static_cast<unsigned>(round) % 4096);
         (void)job.request_stop();
       }},
      [&] {
        calls.clear();
        job = pool.submit_range(0, Calls::size, std::ref(calls), {.grain = 3});
      },
      [&](int) {
        EXPECT_TRUE(calls.none_twice());
        EXPECT_EQ(job.status() == JobStatus::done, calls.total() == Calls::size);
      });
}

// Who leaves last ends the range, whether it was that one's call that threw or not.
TEST(RangeJobRace, KeepsItsExceptionForWhoeverAsks) {
  std::atomic<int> unwanted = 0;
  ThreadPool pool({.min_threads = 2, .max_threads = 2, .on_error = [&](const std::exception_ptr&) {
                     ++unwanted;
                   }});
  const int count = rounds(10'000);
  for (int round = 0; round < count; ++round) {
    const auto call = [&](int i) {
      delay(static_cast<unsigned>(round) % 64);
      if (i == round % 4) throw i;
    };
    EXPECT_THROW(pool.for_each(0, 4, call, {.grain = 1}), int);
    EXPECT_THROW(pool.submit_range(0, 4, call, {.grain = 1}).get(), int);
  }
  EXPECT_EQ(unwanted, 0);
}

TEST(RangeJobRace, EndsWhenItsPoolIsStopped) {
  std::optional<ThreadPool> pool;
  Calls calls;
  bool stopped = false;
  at_once(
      rounds(500),
      {[&](int) {
         stopped = false;
         try {
           pool->for_each(0, Calls::size, calls, {.grain = 1});
         } catch (const Stopped&) {
           stopped = true;
         }
       },
       [&](int round) {
         delay(static_cast<unsigned>(round) * 16);
         EXPECT_TRUE(pool->stop_for(1h));
       }},
      [&] {
        calls.clear();
        pool.emplace(rouse::ThreadPoolOptions{.min_threads = 2, .max_threads = 2});
      },
      [&](int) {
        EXPECT_TRUE(calls.none_twice());
        EXPECT_EQ(!stopped, calls.total() == Calls::size);
      });
}

}  // namespace
