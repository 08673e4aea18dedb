// BufferPool: what ends a wait for blocks, and who is served first.

#include "rouse/resource/buffer_pool.hpp"
#include "rouse/thread/interruptible_thread.hpp"
#include "rouse/thread/stop_all.hpp"
#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/this_thread.hpp"

#include "support/buffers.hpp"
#include "support/in_child.hpp"
#include "support/observed_thread.hpp"
#include "support/on_cpu.hpp"

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Buffer;
using rouse::BufferPool;
using rouse::InterruptibleThread;
using rouse::StoppableThread;
using rouse::Stopped;
using rouse::StopReport;
using rouse::test::await_blocked_in;
using rouse::test::in_child;
using rouse::test::ObservedThread;
using rouse::test::OnCpu;
using std::chrono::steady_clock;
using std::chrono::system_clock;

// A thread that allocates, and what it got: nothing if its wait timed out or was stopped.
class Allocator {
 public:
  using Call = std::function<std::optional<Buffer>()>;

  explicit Allocator(Call call)
      : thread_([this, call = std::move(call)] {
          try {
            buffer_ = call();
          } catch (const Stopped& stopped) {
            why_ = stopped.what();
          }
        }) {}
  Allocator(BufferPool& pool, std::size_t n, std::stop_token stop = {})
      : Allocator([&pool, n, stop = std::move(stop)]() -> std::optional<Buffer> {
          return pool.allocate(n, stop);
        }) {}

  /// Returns when it waits, in the kernel.
  void await_blocked() const { thread_.await_blocked(); }
  std::optional<Buffer> outcome() {
    thread_.join();
    return std::move(buffer_);
  }
  /// What Stopped said. Precondition: outcome() was called.
  const std::string& why() const { return why_; }

 private:
  std::optional<Buffer> buffer_;
  std::string why_;
  ObservedThread thread_;
};

// All blocks of a pool, which it does not extend any more.
Buffer exhaust(BufferPool& pool) { return pool.allocate(pool.max_blocks()); }

BufferPool& expect_all_free(BufferPool& pool) {
  EXPECT_EQ(pool.used_blocks(), 0U);
  EXPECT_EQ(pool.stats().waiters, 0U);
  const std::optional<Buffer> all = pool.try_allocate(pool.capacity_blocks());
  EXPECT_TRUE(all.has_value());
  return pool;
}

TEST(BufferPoolWait, EndsWithTheBlocks) {
  BufferPool pool({.block_size = 64, .blocks = 4});
  for (const std::size_t n : {std::size_t{1}, std::size_t{3}}) {
    Buffer all = exhaust(pool);
    Allocator waiter(pool, n);
    waiter.await_blocked();
    EXPECT_EQ(pool.stats().waiters, 1U);
    all = Buffer();
    const std::optional<Buffer> buffer = waiter.outcome();
    ASSERT_TRUE(buffer);
    EXPECT_EQ(buffer->block_count(), n);
    EXPECT_EQ(pool.used_blocks(), n);
    EXPECT_EQ(pool.stats().waiters, 0U);
  }
  expect_all_free(pool);
}

TEST(BufferPoolWait, CollectsBlocksThatComeBackOneByOne) {
  BufferPool pool({.block_size = 64, .blocks = 3});
  std::vector<Buffer> buffers;
  for (int i = 0; i < 3; ++i) buffers.push_back(pool.allocate());
  Allocator waiter(pool, 3);
  waiter.await_blocked();
  for (std::size_t left = 3; left-- > 0;) {
    buffers.pop_back();
    EXPECT_FALSE(pool.try_allocate());                        // it would pass the one who waits
    EXPECT_EQ(pool.free_blocks(), left == 0 ? 0 : 3 - left);  // the last is served with it
  }
  EXPECT_TRUE(waiter.outcome());
  expect_all_free(pool);
}

TEST(BufferPoolWait, EndsWithBlocksThatABufferDoesWithout) {
  BufferPool pool({.block_size = 64, .blocks = 4});
  Buffer all = exhaust(pool);
  Allocator waiter(pool, 2);
  waiter.await_blocked();
  EXPECT_TRUE(all.resize_blocks(2));
  EXPECT_TRUE(waiter.outcome());
}

TEST(BufferPoolWait, FindsTheBlocksOnTheShelvesOfOtherCpus) {
  BufferPool pool({.block_size = 64, .blocks = 6});
  std::vector<Buffer> buffers;
  {
    const OnCpu on_cpu(0);
    // Until they lie there: the kernel may break a put off.
    while (pool.stats().cached_blocks < 3) {
      buffers.clear();
      for (int i = 0; i < 6; ++i) buffers.push_back(pool.allocate());
      buffers.resize(3);
    }
  }
  Allocator waiter(pool, 5);
  waiter.await_blocked();
  EXPECT_EQ(pool.stats().cached_blocks, 0U);
  for (std::size_t cpu = 0; cpu < 2; ++cpu) {
    const OnCpu on_cpu(cpu);
    buffers.pop_back();
  }
  EXPECT_TRUE(waiter.outcome());
  buffers.clear();
  expect_all_free(pool);
}

TEST(BufferPoolWait, EndsByItsTime) {
  BufferPool pool({.block_size = 64, .blocks = 2});
  const Buffer one = pool.allocate();
  const auto begin = steady_clock::now();
  EXPECT_FALSE(pool.allocate_for(2, 5ms));
  EXPECT_GE(steady_clock::now() - begin, 5ms);
  EXPECT_FALSE(pool.allocate_for(2, 0ms));
  EXPECT_FALSE(pool.allocate_for(2, -1h));
  const auto steady = steady_clock::now() + 2ms;
  EXPECT_FALSE(pool.allocate_until(2, steady));
  EXPECT_GE(steady_clock::now(), steady);
  const auto system = system_clock::now() + 2ms;
  EXPECT_FALSE(pool.allocate_until(2, system));
  EXPECT_GE(system_clock::now(), system);
  EXPECT_FALSE(pool.allocate_until(2, system_clock::now() - 1h));
  EXPECT_EQ(pool.used_blocks(), 1U);
  EXPECT_TRUE(pool.try_allocate());  // nobody waits any more
}

TEST(BufferPoolWait, EndsWithTheBlocksBeforeItsTime) {
  BufferPool pool({.block_size = 64, .blocks = 2});
  const Allocator::Call calls[] = {[&] { return pool.allocate_for(2, 1h); },
                                   [&] { return pool.allocate_until(2, steady_clock::now() + 1h); },
                                   [&] { return pool.allocate_until(2, system_clock::now() + 1h); },
                                   [&] { return pool.allocate_for(2, std::chrono::hours::max()); }};
  for (const auto& call : calls) {
    Buffer all = exhaust(pool);
    Allocator waiter(call);
    waiter.await_blocked();
    all = Buffer();
    EXPECT_TRUE(waiter.outcome());
  }
  expect_all_free(pool);
}

TEST(BufferPoolWait, EndsByItsToken) {
  BufferPool pool({.block_size = 64, .blocks = 3});
  const Buffer one = pool.allocate();
  std::stop_source source;
  const Allocator::Call calls[] = {
      [&] { return pool.allocate(3, source.get_token()); },
      [&] { return pool.allocate_for(3, 1h, source.get_token()); },
      [&] { return pool.allocate_until(3, steady_clock::now() + 1h, source.get_token()); },
      [&] { return pool.allocate_until(3, system_clock::now() + 1h, source.get_token()); }};
  for (const auto& call : calls) {
    source = std::stop_source();
    Allocator waiter(call);
    waiter.await_blocked();
    source.request_stop();
    EXPECT_FALSE(waiter.outcome());
    EXPECT_EQ(waiter.why(), "rouse: stopped while it waited for 3 blocks of a BufferPool");
    EXPECT_EQ(pool.used_blocks(), 1U);
  }
  EXPECT_THROW((void)pool.allocate(3, source.get_token()), Stopped);
  EXPECT_TRUE(pool.try_allocate(2));
}

TEST(BufferPoolWait, EndsByTheAmbientStop) {
  BufferPool pool({.block_size = 64, .blocks = 1});
  const Buffer all = exhaust(pool);
  bool stopped = false;
  StoppableThread thread([&] {
    try {
      (void)pool.allocate();
    } catch (const Stopped&) {
      stopped = true;
    }
  });
  thread.start();
  await_blocked_in(thread, "BufferPool::allocate (0x");
  thread.request_stop();
  thread.join();
  EXPECT_TRUE(stopped);
  EXPECT_EQ(pool.stats().waiters, 0U);
}

// A body may leave its Stopped to the thread.
TEST(BufferPoolWait, EndsAThreadThatIsStopped) {
  BufferPool pool({.block_size = 64, .blocks = 1});
  const Buffer all = exhaust(pool);
  std::deque<StoppableThread> threads;
  threads.emplace_back([&] { (void)pool.allocate_for(1, 1h); });
  threads.front().start();
  await_blocked_in(threads.front(), "BufferPool::allocate");
  EXPECT_TRUE(rouse::stop_all(threads, 10s));
}

TEST(BufferPoolWait, EndsByARaise) {
  BufferPool pool({.block_size = 64, .blocks = 1});
  Buffer all = exhaust(pool);
  std::string raised;
  InterruptibleThread thread([&] {
    try {
      (void)pool.allocate();
    } catch (const std::runtime_error& error) {
      raised = error.what();
    }
  });
  thread.start();
  await_blocked_in(thread, "BufferPool::allocate");
  EXPECT_TRUE(thread.raise<std::runtime_error>("raised"));
  thread.join();
  EXPECT_EQ(raised, "raised");
  all = Buffer();
  expect_all_free(pool);
}

TEST(BufferPoolWait, IsNamedInReportsOfWhoHoldsAStopUp) {
  BufferPool pool({.block_size = 64, .blocks = 1});
  Buffer all = exhaust(pool);
  std::deque<StoppableThread> threads;
  threads.emplace_back([&] {
    const rouse::Shield shield;
    (void)pool.allocate();
  });
  threads.front().start();
  await_blocked_in(threads.front(), "BufferPool::allocate");
  const StopReport report = rouse::stop_all(threads, 2ms);
  ASSERT_EQ(report.stragglers.size(), 1U);
  const auto& activity = report.stragglers[0].activity;
  EXPECT_EQ(activity.blocked_in.rfind("BufferPool::allocate (0x", 0), 0U) << activity.blocked_in;
  all = Buffer();
  threads.front().join();
}

TEST(BufferPoolWait, IsNoneForBlocksThatAreFreeWhateverWasRequested) {
  BufferPool pool({.block_size = 64, .blocks = 4});
  std::stop_source source;
  source.request_stop();
  const rouse::this_thread::Bind bind(source.get_token());
  const Buffer first = pool.allocate(1, source.get_token());
  EXPECT_TRUE(pool.allocate_for(2, 0s, source.get_token()));
  EXPECT_TRUE(pool.allocate_until(2, system_clock::time_point(), source.get_token()));
  EXPECT_EQ(pool.used_blocks(), 1U);
  EXPECT_THROW((void)pool.allocate(4), Stopped);
  EXPECT_THROW((void)pool.allocate_for(4, 1h), Stopped);
  EXPECT_EQ(pool.used_blocks(), 1U);
}

// --- order ---------------------------------------------------------------------------------------

TEST(BufferPoolWait, IsFirstComeFirstServed) {
  BufferPool pool({.block_size = 64, .blocks = 1});
  Buffer all = exhaust(pool);
  std::mutex mutex;
  std::vector<int> order;
  std::deque<ObservedThread> threads;
  for (int i = 0; i < 5; ++i) {
    threads
        .emplace_back([&, i] {
          const Buffer mine = pool.allocate();
          const std::lock_guard guard(mutex);
          order.push_back(i);
        })
        .await_blocked();
  }
  EXPECT_EQ(pool.stats().waiters, 5U);
  all = Buffer();
  for (ObservedThread& thread : threads) thread.join();
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4}));
  expect_all_free(pool);
}

TEST(BufferPoolWait, ForManyBlocksIsNotPassedByThoseForFew) {
  BufferPool pool({.block_size = 64, .blocks = 6});
  std::vector<Buffer> buffers;
  for (int i = 0; i < 5; ++i) buffers.push_back(pool.allocate());
  Allocator four(pool, 4);
  four.await_blocked();
  std::deque<Allocator> ones;
  for (int i = 0; i < 2; ++i) ones.emplace_back(pool, 1).await_blocked();
  EXPECT_FALSE(pool.try_allocate());
  EXPECT_FALSE(pool.allocate_for(1, 1ms));
  EXPECT_FALSE(buffers[0].resize_blocks(2));
  buffers.resize(3);
  EXPECT_EQ(pool.free_blocks(), 3U);
  EXPECT_FALSE(pool.try_allocate());
  EXPECT_EQ(pool.stats().waiters, 3U);
  buffers.resize(2);
  std::optional<Buffer> got = four.outcome();
  ASSERT_TRUE(got);
  EXPECT_EQ(pool.used_blocks(), 6U);
  EXPECT_EQ(pool.stats().waiters, 2U);
  got.reset();
  for (Allocator& one : ones) EXPECT_TRUE(one.outcome());
  EXPECT_EQ(pool.used_blocks(), 2U);
  buffers.clear();
  expect_all_free(pool);
}

TEST(BufferPoolWait, ThatIsGivenUpLetsThoseBehindItGo) {
  BufferPool pool({.block_size = 64, .blocks = 4});
  std::stop_source source;
  const auto leaves = [&](auto many, auto leave) {
    const Buffer one = pool.allocate();
    Allocator four(std::move(many));
    four.await_blocked();
    Allocator two(pool, 2);
    two.await_blocked();
    leave();
    EXPECT_TRUE(two.outcome());
    EXPECT_FALSE(four.outcome());
    EXPECT_EQ(pool.used_blocks(), 1U);
  };
  leaves([&] { return pool.allocate_for(4, 1h, source.get_token()); },
         [&] { source.request_stop(); });
  expect_all_free(pool);
}

TEST(BufferPoolWait, ThatTimesOutLetsThoseBehindItGo) {
  BufferPool pool({.block_size = 64, .blocks = 4});
  const Buffer one = pool.allocate();
  Allocator four([&] { return pool.allocate_for(4, 20ms); });
  const std::optional<Buffer> two = pool.allocate_for(2, 1h);  // waits if it comes in time
  EXPECT_TRUE(two);
  EXPECT_FALSE(four.outcome());
}

TEST(BufferPoolWait, EndsShelvesUntilItIsOver) {
  BufferPool pool({.block_size = 64, .blocks = 4});
  std::vector<Buffer> buffers;
  for (int i = 0; i < 3; ++i) buffers.push_back(pool.allocate());
  std::stop_source source;
  Allocator waiter(pool, 4, source.get_token());
  waiter.await_blocked();
  buffers.clear();
  EXPECT_TRUE(waiter.outcome());
  EXPECT_EQ(pool.stats().cached_blocks, 0U);
  while (pool.stats().cached_blocks == 0) (void)pool.allocate();
}

// What is free is kept for one who waits for more: it is no memory to be given back.
TEST(BufferPoolWait, DoesNotHoldUpATrim) {
  BufferPool pool({.block_size = rouse::small_block, .blocks = 4});
  Buffer all = exhaust(pool);
  EXPECT_TRUE(all.resize_blocks(2));
  Allocator waiter(pool, 4);
  waiter.await_blocked();
  EXPECT_EQ(pool.trim(), 0U);
  EXPECT_EQ(pool.free_blocks(), 2U);
  all = Buffer();
  EXPECT_TRUE(waiter.outcome());
  EXPECT_EQ(pool.trim(), 4 * rouse::small_block);
}

// The extension comes first, also for one who is about to wait.
TEST(BufferPoolWait, IsNoneAsLongAsThePoolCanExtendItself) {
  BufferPool pool({.block_size = 64, .blocks = 1, .max_blocks = 4});
  std::stop_source source;
  source.request_stop();
  const Buffer one = pool.allocate();
  const Buffer three = pool.allocate(3, source.get_token());
  EXPECT_THROW((void)pool.allocate(1, source.get_token()), Stopped);
}

TEST(BufferPoolWait, IsOverInAForkedChild) {
  BufferPool pool({.block_size = 64, .blocks = 4});
  Buffer two = pool.allocate(2);
  Allocator waiter(pool, 4);
  waiter.await_blocked();
  EXPECT_EQ(in_child([&] {
              std::optional<Buffer> mine = pool.allocate_for(2, 1h);
              if (!mine) return 1;
              if (pool.allocate_for(1, 1ms)) return 2;
              mine.reset();
              two = Buffer();
              return pool.try_allocate(4) ? 0 : 3;
            }),
            0);
  two = Buffer();
  EXPECT_TRUE(waiter.outcome());
}

}  // namespace
