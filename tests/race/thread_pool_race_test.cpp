// Everything that can happen to a job and to a pool at the same instant: each job is called once,
// or refused, or dropped and says so.

#include "rouse/exec/thread_pool.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/sleep.hpp"

#include "support/at_once.hpp"
#include "support/rendezvous.hpp"
#include "support/scale.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::Job;
using rouse::JobDropped;
using rouse::JobStatus;
using rouse::Overflow;
using rouse::Stopped;
using rouse::ThreadPool;
using rouse::Urgency;
using rouse::WaitStatus;
using rouse::test::at_once;
using rouse::test::rounds;

// How often each of many jobs was called, and how many callables live.
class Ledger {
 public:
  explicit Ledger(std::size_t jobs) : calls_(jobs) {}

  /// A callable for job `i`: counts itself, and then does `rest`.
  template <class Rest>
  auto call(std::size_t i, Rest rest) {
    return [this, i, rest, alive = Alive(*this)] {
      calls_[i].fetch_add(1, std::memory_order_relaxed);
      rest();
    };
  }

  int calls(std::size_t i) const { return calls_[i].load(std::memory_order_relaxed); }
  std::uint64_t all_calls() const {
    std::uint64_t sum = 0;
    for (const auto& each : calls_) sum += each.load(std::memory_order_relaxed);
    return sum;
  }
  bool at_most_once() const {
    return std::ranges::all_of(
        calls_, [](const auto& each) { return each.load(std::memory_order_relaxed) <= 1; });
  }
  long alive() const { return alive_.load(); }

 private:
  class Alive {
   public:
    explicit Alive(Ledger& ledger) : ledger_(&ledger) { ++ledger_->alive_; }
    Alive(Alive&& other) noexcept : ledger_(std::exchange(other.ledger_, nullptr)) {}
    ~Alive() {
      if (ledger_ != nullptr) --ledger_->alive_;
    }

   private:
    Ledger* ledger_;
  };

  std::vector<std::atomic<std::uint8_t>> calls_;
  std::atomic<long> alive_{0};
};

// Several threads post, submit, stop and continue jobs, some of which throw, post others or wait
// for them, while the pool is resized again and again. Nothing refuses: each is called once, or was
// stopped and says so.
TEST(ThreadPoolRace, EachJobIsCalledOnceWhileThePoolIsResized) {
  constexpr std::size_t producers = 2;
  const auto jobs = static_cast<std::size_t>(rounds(10'000'000)) / producers * producers;
  const int resizes = rounds(10'000);
  Ledger ledger(jobs);
  std::atomic<std::uint64_t> stopped{0};
  std::atomic<std::uint64_t> errors{0};
  std::uint64_t thrown = 0;
  {
    ThreadPool pool({.min_threads = 1,
                     .max_threads = 4,
                     .idle_timeout = 0ns,
                     .on_error = [&](std::exception_ptr) { ++errors; }});
    std::vector<std::jthread> threads;
    std::atomic<std::uint64_t> all_thrown{0};
    for (std::size_t p = 0; p < producers; ++p) {
      threads.emplace_back([&, p] {
        std::minstd_rand random(static_cast<unsigned>(p) + 1);
        const auto nothing = [] {};
        for (std::size_t i = p; i < jobs; i += producers) {
          switch (random() % 256) {
            case 0:
              pool.post(ledger.call(i, [] { throw std::runtime_error("one of many"); }));
              ++all_thrown;
              break;
            case 1: {
              Job<void> job = pool.submit(ledger.call(i, nothing));
              if (random() % 2 == 0) (void)job.request_stop();
              if (job.wait() != WaitStatus::ready) std::abort();
              if (job.status() == JobStatus::dropped) ++stopped;
              break;
            }
            case 2:
              pool.post(Urgency::high, ledger.call(i, nothing));
              break;
            case 3:
              pool.post(Urgency::low, ledger.call(i, nothing));
              break;
            case 4:
              pool.post([&, i] { pool.post(ledger.call(i, [] {})); });
              break;
            case 5:
              pool.post([&, i] { pool.submit(ledger.call(i, [] {})).get(); });
              break;
            case 6:
              (void)pool.submit([] { return 1; }).then([&ledger, i](int) {
                ledger.call(i, [] {})();
              });
              break;
            case 7:
              (void)pool.submit(ledger.call(i, nothing));
              break;
            default:
              pool.post(ledger.call(i, nothing));
              break;
          }
        }
      });
    }
    std::minstd_rand random(7);
    for (int i = 0; i < resizes; ++i) {
      const std::size_t min = 1 + random() % 4;
      pool.resize(min, min + random() % 3);
    }
    threads.clear();
    // Jobs that add others must not be refused.
    EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
    pool.stop();
    thrown = all_thrown;
    EXPECT_EQ(pool.stats().dropped, stopped);
    EXPECT_EQ(pool.stats().threads, 0U);
  }
  EXPECT_TRUE(ledger.at_most_once());
  EXPECT_EQ(ledger.all_calls() + stopped, jobs);
  EXPECT_EQ(ledger.alive(), 0);
  EXPECT_EQ(errors, thrown);
}

// The same with a pool that is stopped, in all ways, and started again meanwhile.
TEST(ThreadPoolRace, EachJobIsCalledOrRefusedOrDroppedWhileThePoolIsStopped) {
  constexpr std::size_t producers = 2;
  const int stops = rounds(1'000);
  const auto jobs = static_cast<std::size_t>(rounds(400'000)) / producers * producers;
  Ledger ledger(jobs);
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<bool> over{false};
  ThreadPool pool({.min_threads = 2, .max_threads = 3});
  std::vector<std::jthread> threads;
  for (std::size_t p = 0; p < producers; ++p) {
    threads.emplace_back([&, p] {
      for (std::size_t i = p; i < jobs && !over; i += producers) {
        try {
          switch (i / producers % 4) {
            case 0:
              if (pool.try_post(ledger.call(i, [] {}))) ++accepted;
              break;
            case 1: {
              Job<void> job = pool.submit(ledger.call(i, [] {}));
              ++accepted;
              if (job.wait() != WaitStatus::ready) std::abort();
              EXPECT_EQ(ledger.calls(i), job.status() == JobStatus::done ? 1 : 0);
              break;
            }
            case 2:
              pool.post(ledger.call(i, [] { (void)rouse::sleep_for(20us); }));
              ++accepted;
              break;
            default:
              pool.post(ledger.call(i, [] {}));
              ++accepted;
              break;
          }
        } catch (const Stopped&) {
          EXPECT_EQ(ledger.calls(i), 0);
          std::this_thread::yield();
        }
      }
    });
  }
  for (int i = 0; i < stops; ++i) {
    switch (i % 3) {
      case 0:
        pool.stop();
        break;
      case 1:
        EXPECT_TRUE(pool.stop_for(1h));
        break;
      default:
        while (!pool.try_stop()) std::this_thread::yield();
        break;
    }
    pool.start();
    rouse::test::let_others_run();
  }
  over = true;
  threads.clear();
  pool.stop();
  const rouse::ThreadPoolStats stats = pool.stats();
  EXPECT_TRUE(ledger.at_most_once());
  EXPECT_EQ(ledger.all_calls(), stats.done);
  EXPECT_EQ(stats.done + stats.dropped, accepted);
  EXPECT_EQ(ledger.alive(), 0);
}

TEST(ThreadPoolRace, AStopOfAJobMeetsItsStart) {
  ThreadPool pool({.max_threads = 1});
  Job<WaitStatus> job;
  int dropped = 0;
  const int count = rounds(20'000);
  for (int i = 0; i < count; ++i) {
    Event called;
    job = pool.submit([&] {
      called.set();
      return rouse::sleep_for(1h);
    });
    rouse::test::delay(static_cast<unsigned>(i) % 64 * 8);
    ASSERT_TRUE(job.request_stop());
    ASSERT_EQ(job.wait(), WaitStatus::ready);
    if (job.status() == JobStatus::dropped) {
      ++dropped;
      ASSERT_FALSE(called.is_set());
    } else {
      ASSERT_EQ(job.get(), WaitStatus::stopped);
    }
  }
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(pool.stats().dropped, static_cast<std::uint64_t>(dropped));
}

TEST(ThreadPoolRace, AStopOfAJobMeetsTheMakingOfItsToken) {
  ThreadPool pool({.max_threads = 1});
  const int count = rounds(10'000);
  for (int i = 0; i < count; ++i) {
    Event runs;
    Job<bool> job = pool.submit([&] {
      runs.set();
      Event heard;
      const std::stop_callback callback(rouse::this_thread::stop_token(), [&] { heard.set(); });
      return heard.wait_for(1h) == WaitStatus::stopped || heard.is_set();
    });
    ASSERT_EQ(runs.wait(), WaitStatus::ready);
    ASSERT_TRUE(job.request_stop());
    ASSERT_TRUE(job.get());
  }
}

// A Job is asked, stopped and continued at the instant at which its pool is destroyed.
TEST(ThreadPoolRace, JobsMeetTheEndOfTheirPool) {
  std::optional<ThreadPool> pool;
  Job<int> asked;
  Job<int> stopped;
  Job<int> continued;
  Job<int> after;
  at_once(
      rounds(1'000),
      {[&](int) { pool.reset(); }, [&](int) { (void)stopped.request_stop(); },
       [&](int) {
         after = std::move(continued).then([](int n) { return n + 1; });
         (void)asked.status();
         EXPECT_EQ(asked.wait(), WaitStatus::ready);
       }},
      [&] {
        pool.emplace(rouse::ThreadPoolOptions{.max_threads = 1});
        asked = pool->submit([] { return 1; });
        stopped = pool->submit([] { return 2; });
        continued = pool->submit([] { return 3; });
      },
      [&](int) {
        EXPECT_TRUE(has_ended(asked.status()));
        EXPECT_TRUE(has_ended(stopped.status()));
        EXPECT_EQ(after.wait(), WaitStatus::ready);
        try {
          EXPECT_EQ(after.get(), 4);
        } catch (const JobDropped&) {
          EXPECT_FALSE(after.valid());
        }
      });
}

TEST(ThreadPoolRace, AContinuationMeetsTheEndOfWhatItContinues) {
  ThreadPool pool({.max_threads = 2});
  const int count = rounds(20'000);
  for (int i = 0; i < count; ++i) {
    Job<int> job = pool.submit([i] { return i; });
    rouse::test::delay(static_cast<unsigned>(i) % 64 * 8);
    ASSERT_EQ(std::move(job).then([](int n) { return n + 1; }).get(), i + 1);
  }
}

TEST(ThreadPoolRace, WaitIdleMissesNothingThatWasPostedBefore) {
  ThreadPool pool({.min_threads = 2, .max_threads = 2});
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      const int count = rounds(3'000);
      for (int i = 0; i < count; ++i) {
        bool first = false;
        bool second = false;
        pool.post([&] {
          first = true;
          pool.post([&] { second = true; });
        });
        ASSERT_EQ(pool.wait_idle(), WaitStatus::ready);
        ASSERT_TRUE(first);
        ASSERT_TRUE(second);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(pool.stats().queued(), 0U);
}

// Jobs that wait for jobs that wait for jobs, of both pools, while the limits change: nobody waits
// for ever.
TEST(ThreadPoolRace, NestedWaitsEndWhileThePoolIsResized) {
  ThreadPool one({.max_threads = 1, .idle_timeout = 0ns});
  ThreadPool two({.max_threads = 2, .idle_timeout = 0ns});
  struct Tree {
    static int leaves(ThreadPool& here, ThreadPool& there, int depth) {
      if (depth == 0) return 1;
      Job<int> left = there.submit([&, depth] { return leaves(there, here, depth - 1); });
      Job<int> right = here.submit([&, depth] { return leaves(here, there, depth - 1); });
      return left.get() + right.get();
    }
  };
  std::atomic<bool> over{false};
  std::jthread resizer([&] {
    for (std::size_t i = 0; !over; ++i) {
      one.resize(1, 1 + i % 3);
      two.resize(1 + i % 2, 2);
      std::this_thread::yield();
    }
  });
  const int count = rounds(30);
  for (int i = 0; i < count; ++i) {
    EXPECT_EQ(one.submit([&] { return Tree::leaves(one, two, 6); }).get(), 64);
  }
  over = true;
}

// Producers of a full queue, some of whom give up: in the end all room is free again.
TEST(ThreadPoolRace, RoomIsNeitherLostNorMade) {
  for (const Overflow overflow : {Overflow::wait, Overflow::run_here, Overflow::drop_oldest}) {
    constexpr std::size_t capacity = 3;
    ThreadPool pool({.max_threads = 2, .queue_capacity = capacity, .overflow = overflow});
    std::atomic<std::uint64_t> accepted{0};
    std::atomic<std::uint64_t> here{0};
    std::atomic<std::uint64_t> calls{0};
    std::vector<std::jthread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        const std::thread::id self = std::this_thread::get_id();
        const auto call = [&, self] {
          ++calls;
          if (std::this_thread::get_id() == self) ++here;
        };
        const int count = rounds(10'000);
        for (int i = 0; i < count; ++i) {
          if ((i + t) % 4 == 0) {
            if (pool.post_for(std::chrono::microseconds(i % 20), call) == WaitStatus::ready) {
              ++accepted;
            }
          } else if ((i + t) % 4 == 1) {
            Job<void> job = pool.submit(call);
            ++accepted;
            (void)job.request_stop();
          } else {
            pool.post(call);
            ++accepted;
          }
        }
      });
    }
    threads.clear();
    ASSERT_EQ(pool.wait_idle(), WaitStatus::ready);
    EXPECT_EQ(calls + pool.stats().dropped, accepted);
    EXPECT_EQ(pool.stats().done + here, calls);
    Event opened;
    // Both threads are held up, and then exactly the capacity goes in.
    for (int t = 0; t < 2; ++t) {
      Event held;
      pool.post([&] {
        held.set();
        (void)opened.wait();
      });
      ASSERT_EQ(held.wait(), WaitStatus::ready);
    }
    if (overflow != Overflow::drop_oldest) {
      for (std::size_t i = 0; i < capacity; ++i) EXPECT_TRUE(pool.try_post([] {}));
      EXPECT_FALSE(pool.try_post([] {}));
    }
    opened.set();
    ASSERT_EQ(pool.wait_idle(), WaitStatus::ready);
  }
}

TEST(ThreadPoolRace, WorkersThatLeaveMeetWorkThatComes) {
  ThreadPool pool({.min_threads = 1, .max_threads = 3, .idle_timeout = 0ns});
  const int count = rounds(5'000);
  for (int i = 0; i < count; ++i) {
    rouse::test::Rendezvous meet(3);
    // Three at the same time: as many threads are needed.
    Job<void> one = pool.submit([&] { meet.arrive(); });
    Job<void> two = pool.submit([&] { meet.arrive(); });
    pool.submit([&] { meet.arrive(); }).get();
    one.get();
    two.get();
  }
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(pool.stats().done, static_cast<std::uint64_t>(count) * 3);
}

}  // namespace
