// What is posted and submitted takes no memory once the blocks are there, if it is small; and a
// pool ends without memory.

#include "rouse/exec/thread_pool.hpp"

#include "support/faults/empty_pool.hpp"
#include "support/faults/faults.hpp"
#include "support/gated_pool.hpp"
#include "support/scale.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <latch>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using rouse::Job;
using rouse::ThreadPool;
using rouse::WaitStatus;
using rouse::test::allocations_made;
using rouse::test::Call;
using rouse::test::Fault;
using rouse::test::Gate;

constexpr int jobs_at_once = 10'000;
constexpr int times = 10;

// Counts its calls, and cannot be copied.
class Counter {
 public:
  explicit Counter(std::atomic<int>& calls) noexcept : calls_(&calls) {}
  Counter(Counter&& other) noexcept : calls_(std::exchange(other.calls_, nullptr)) {}

  void operator()() const noexcept { ++*calls_; }

 private:
  std::atomic<int>* calls_;
  [[maybe_unused]] std::array<std::byte, 40> more_{};
};
static_assert(sizeof(Counter) == 48);

// What all threads of the program allocate while `add` adds jobs, many times, and the pool runs
// them. Before that more are queued than ever will be again.
template <class Add>
long allocations_of(ThreadPool& pool, Add add) {
  {
    const Gate gate(pool);
    add();
    add();
  }
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  const long before = allocations_made();
  for (int i = 0; i < times; ++i) {
    add();
    EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  }
  return allocations_made() - before;
}

// Each job has a block of its own under AddressSanitizer. Otherwise it has one that was there: what
// a thread allocates, once, are two magazines for those that it frees.
constexpr long threads = 3;
constexpr long fewest = rouse::test::under_asan ? long{times} * jobs_at_once : 0;
constexpr long most = rouse::test::under_asan ? fewest : 2 * threads;

TEST(PoolAllocation, IsNotDoneByPostOfASmallCallable) {
  ThreadPool pool({.min_threads = threads - 1, .max_threads = threads - 1});
  std::atomic<int> calls{0};
  const long made = allocations_of(pool, [&] {
    for (int i = 0; i < jobs_at_once; ++i) pool.post(Counter(calls));
  });
  EXPECT_GE(made, fewest);
  EXPECT_LE(made, most);
  EXPECT_EQ(calls, (times + 2) * jobs_at_once);
}

TEST(PoolAllocation, IsNotDoneBySubmitOfASmallCallable) {
  ThreadPool pool({.min_threads = threads - 1, .max_threads = threads - 1});
  std::atomic<int> calls{0};
  std::vector<Job<void>> jobs(jobs_at_once);
  const long made = allocations_of(pool, [&] {
    for (Job<void>& job : jobs) job = pool.submit(Counter(calls));
  });
  EXPECT_GE(made, fewest);
  EXPECT_LE(made, most);
  EXPECT_EQ(calls, (times + 2) * jobs_at_once);
}

// On a thread that has never waited, while two jobs last until it was refused the memory for that.
TEST(PoolAllocation, IsNotNeededByTheDestructor) {
  std::optional<ThreadPool> pool(std::in_place,
                                 rouse::ThreadPoolOptions{.min_threads = 2, .max_threads = 2});
  std::atomic<const Fault*> fault{nullptr};
  std::latch at_work(2);
  for (int i = 0; i < 2; ++i) {
    pool->post([&] {
      at_work.count_down();
      while (fault == nullptr || !fault.load()->reached()) std::this_thread::yield();
    });
  }
  at_work.wait();
  const rouse::test::EmptyPool empty;
  std::thread([&] {
    const Fault out_of_memory(Call::allocation, ENOMEM, 0, LONG_MAX);
    fault = &out_of_memory;
    pool.reset();
    EXPECT_TRUE(out_of_memory.reached());
  }).join();
}

}  // namespace
