// Threads that allocate, hand over and give back, with stops, time-outs, trims and forks from all
// sides: no block is in two buffers, none is lost, and nobody waits for what is free.

#include "rouse/resource/buffer_pool.hpp"
#include "rouse/wait/this_thread.hpp"
#include "rouse/wait/wait_status.hpp"

#include "support/at_once.hpp"
#include "support/buffers.hpp"
#include "support/in_child.hpp"
#include "support/on_cpu.hpp"
#include "support/rendezvous.hpp"
#include "support/scale.hpp"
#include "support/stops.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Buffer;
using rouse::BufferPool;
using rouse::BufferPoolOptions;
using rouse::Stopped;
using rouse::test::at_once;
using rouse::test::delay;
using rouse::test::has_mark;
using rouse::test::in_child;
using rouse::test::OnCpu;
using rouse::test::put_mark;
using rouse::test::rounds;
using rouse::test::Stops;
using rouse::this_thread::Bind;

void expect_all_free(BufferPool& pool) {
  const rouse::BufferPoolStats stats = pool.stats();
  ASSERT_EQ(stats.used_blocks, 0U);
  ASSERT_EQ(stats.free_blocks, stats.capacity_blocks);
  ASSERT_EQ(stats.waiters, 0U);
  ASSERT_LE(stats.high_water_blocks, stats.capacity_blocks);
  ASSERT_TRUE(pool.try_allocate(stats.capacity_blocks));
}

// A buffer with the mark that was put into its blocks, which nobody else writes.
struct Marked {
  Buffer buffer;
  std::uint64_t mark = 0;

  explicit operator bool() const noexcept { return buffer.block_count() != 0; }
};

// Threads that do whatever can be done with a pool, until it is destroyed.
class PoolStorm {
 public:
  PoolStorm(BufferPool& pool, std::size_t threads, int count) : pool_(pool) {
    for (std::size_t t = 0; t < threads; ++t) {
      threads_.emplace_back([this, t, count] {
        const OnCpu on_cpu(t);
        use(static_cast<unsigned>(t) + 1, count);
      });
    }
  }
  /// Returns when they have done so much each.
  ~PoolStorm() { threads_.clear(); }
  PoolStorm(const PoolStorm&) = delete;
  PoolStorm& operator=(const PoolStorm&) = delete;

  /// Ends the wait of one of them, or the next that it begins.
  void stop_one() { stops_.request(); }
  bool is_over() const { return over_.load() == threads_.size(); }
  /// They do no more.
  void end() { ended_ = true; }

 private:
  void use(unsigned number, int count) {
    std::minstd_rand random(number);
    std::array<Marked, 4> mine;
    for (int i = 0; i < count && !ended_; ++i) {
      Marked& marked = mine[random() % mine.size()];
      if (!marked) {
        allocate(marked, random, std::uint64_t{number} << 32 | static_cast<unsigned>(i));
        continue;
      }
      ASSERT_TRUE(has_mark(marked.buffer, marked.mark));
      switch (random() % 8) {
        case 0:
          hand_over(marked);
          break;
        case 1:
          if (marked.buffer.resize_blocks(random() % 5 + 1)) put_mark(marked.buffer, marked.mark);
          break;
        case 2:
          (void)pool_.trim();
          break;
        default:
          marked.buffer = Buffer();
      }
      const rouse::BufferPoolStats stats = pool_.stats();
      ASSERT_EQ(stats.used_blocks + stats.free_blocks, stats.capacity_blocks);
      ASSERT_LE(stats.capacity_blocks, stats.max_blocks);
      ASSERT_LE(stats.high_water_blocks, stats.capacity_blocks);
    }
    mine = {};
    over_.fetch_add(1);
  }

  // None waits without end: all could do so, with blocks in hand.
  void allocate(Marked& marked, std::minstd_rand& random, std::uint64_t mark) {
    const std::size_t n = random() % 5 + 1;
    std::optional<Buffer> buffer;
    try {
      switch (random() % 4) {
        case 0:
          buffer = pool_.allocate_for(n, std::chrono::microseconds(random() % 100));
          break;
        case 1:
          buffer = pool_.allocate_for(n, 100us, stops_.token());
          break;
        case 2: {
          const Bind bind(stops_.token());
          buffer = pool_.allocate_until(n, std::chrono::steady_clock::now() + 100us);
          break;
        }
        default:
          buffer = pool_.try_allocate(n);
      }
    } catch (const Stopped&) {
      return;
    }
    if (!buffer) return;
    ASSERT_EQ(buffer->block_count(), n);
    marked = {*std::move(buffer), mark};
    put_mark(marked.buffer, mark);
  }

  // To whoever comes here next, on whichever thread.
  void hand_over(Marked& marked) {
    const std::lock_guard guard(mutex_);
    std::swap(marked, left_for_others_);
  }

  BufferPool& pool_;
  Stops stops_;
  std::atomic<bool> ended_{false};
  std::atomic<std::size_t> over_{0};
  std::mutex mutex_;
  Marked left_for_others_;
  std::vector<std::jthread> threads_;
};

TEST(BufferPoolRace, LosesAndDoublesNoBlockWhateverComesAtOnce) {
  for (const BufferPoolOptions& options :
       {BufferPoolOptions{.block_size = 64, .blocks = 24},
        BufferPoolOptions{.block_size = 192, .blocks = 2, .max_blocks = 20},
        BufferPoolOptions{.block_size = 4096, .blocks = 12, .zero_on_release = true}}) {
    BufferPool pool(options);
    {
      PoolStorm storm(pool, 4, rounds(10'000));
      while (!storm.is_over()) {
        storm.stop_one();
        std::this_thread::yield();
      }
    }
    expect_all_free(pool);
  }
}

// Who is about to wait looks at the shelves; who puts a block there looks whether somebody waits.
TEST(BufferPoolRace, NobodyWaitsForABlockThatIsPutOnAShelfAtThatInstant) {
  BufferPool pool({.block_size = 64, .blocks = 2});
  Buffer first;
  Buffer second;
  const auto give = [](Buffer& buffer, int i, int step) {
    delay(static_cast<unsigned>(i / step) % 64);
    buffer = Buffer();
  };
  at_once(
      rounds(5'000),
      {[&](int) { EXPECT_EQ(pool.allocate(2).block_count(), 2U); },
       [&](int i) { give(first, i, 1); }, [&](int i) { give(second, i, 64); }},
      [&] {
        first = pool.allocate();
        second = pool.allocate();
      },
      [&](int) { ASSERT_EQ(pool.used_blocks(), 0U); });
}

// A shelf is emptied by one who waits while its own CPU takes and puts.
TEST(BufferPoolRace, NobodyWaitsForBlocksThatMoveBetweenShelvesAndList) {
  BufferPool pool({.block_size = 64, .blocks = 12});
  const auto take_and_give = [&](int i) {
    delay(static_cast<unsigned>(i) % 64);
    for (int n = 0; n < 8; ++n) {
      std::optional<Buffer> one = pool.try_allocate();
      std::optional<Buffer> another = pool.try_allocate();
      if (one) put_mark(*one, 1);
      if (another) put_mark(*another, 2);
      EXPECT_TRUE(!one || has_mark(*one, 1));
    }
  };
  at_once(
      rounds(2'000),
      {take_and_give, take_and_give, [&](int) { EXPECT_EQ(pool.allocate(12).block_count(), 12U); }},
      [] {}, [&](int) { expect_all_free(pool); });
}

TEST(BufferPoolRace, GivesOrIsStoppedButNotBoth) {
  BufferPool pool({.block_size = 64, .blocks = 2});
  Buffer all;
  std::stop_source source;
  std::optional<Buffer> got;
  int counts[2] = {};
  at_once(
      rounds(4'000),
      {[&](int) {
         try {
           got = pool.allocate(2, source.get_token());
         } catch (const Stopped&) {
         }
       },
       [&](int i) {
         delay(static_cast<unsigned>(i) % 64);
         all = Buffer();
       },
       [&](int i) {
         delay(static_cast<unsigned>(i) / 64 % 64);
         source.request_stop();
       }},
      [&] {
        all = pool.allocate(2);
        source = std::stop_source();
      },
      [&](int) {
        ASSERT_EQ(pool.used_blocks(), got ? 2U : 0U);
        ++counts[got ? 0 : 1];
        got.reset();
        expect_all_free(pool);
      });
  RecordProperty("given", counts[0]);
  RecordProperty("stopped", counts[1]);
}

TEST(BufferPoolRace, ExtendsItselfToItsLimitAndNotBeyond) {
  std::optional<BufferPool> pool;
  std::array<std::vector<Buffer>, 3> taken;
  std::vector<std::function<void(int)>> actions;
  for (std::size_t t = 0; t < taken.size(); ++t) {
    actions.emplace_back([&, t](int) {
      while (std::optional<Buffer> buffer = pool->try_allocate(t + 1)) {
        taken[t].push_back(*std::move(buffer));
      }
    });
  }
  at_once(
      rounds(1'000), actions,
      [&] { pool.emplace(BufferPoolOptions{.block_size = 64, .blocks = 1, .max_blocks = 40}); },
      [&](int) {
        std::size_t count = 0;
        for (std::vector<Buffer>& buffers : taken) {
          for (const Buffer& buffer : buffers) count += buffer.block_count();
        }
        ASSERT_EQ(pool->capacity_blocks(), 40U);
        ASSERT_EQ(pool->used_blocks(), count);
        const std::optional<Buffer> rest = count == 40 ? Buffer() : pool->try_allocate(40 - count);
        ASSERT_TRUE(rest);
        ASSERT_FALSE(pool->try_allocate());
        for (std::vector<Buffer>& buffers : taken) buffers.clear();
      });
}

// What was the pool's becomes another's, while threads are still on their way out of it.
TEST(BufferPoolRace, MayBeDestroyedWhileBuffersComeBack) {
  std::optional<BufferPool> pool;
  std::array<std::vector<Buffer>, 2> buffers;
  BufferPool other({.block_size = 64, .blocks = 4});
  const auto give = [&](std::size_t t) {
    return [&, t](int i) {
      delay(static_cast<unsigned>(i) % 64);
      (void)buffers[t].back().resize_blocks(3);
      buffers[t].clear();
    };
  };
  at_once(
      rounds(2'500),
      {give(0), give(1),
       [&](int i) {
         delay(static_cast<unsigned>(i) / 64 % 64);
         pool.reset();
         pool.emplace(BufferPoolOptions{.block_size = 128, .blocks = 6});
         Buffer all = pool->allocate(6);
         put_mark(all, 5);
         EXPECT_TRUE(has_mark(all, 5));
       }},
      [&] {
        pool.emplace(BufferPoolOptions{.block_size = 64, .blocks = 8, .max_blocks = 20});
        for (std::vector<Buffer>& some : buffers) {
          for (int i = 0; i < 2; ++i) some.push_back(pool->allocate());
          some.push_back(pool->allocate(2));
        }
      },
      [&](int) {
        expect_all_free(*pool);
        expect_all_free(other);
      });
}

// What a child does with the pool and a buffer of three blocks; 0, or the number of what went
// wrong.
int use_in_child(BufferPool& pool, Marked& marked) {
  if (!has_mark(marked.buffer, marked.mark)) return 1;
  put_mark(marked.buffer, 99);
  const std::size_t used = pool.used_blocks();
  if (used < 3) return 2;
  marked.buffer = Buffer();
  {
    const std::optional<Buffer> three = pool.allocate_for(3, 10s);
    if (!three) return 3;
    if (pool.try_allocate(pool.capacity_blocks())) return 4;
  }
  for (int i = 0; i < 100; ++i) {
    std::optional<Buffer> one = pool.allocate_for(1, 10s);
    if (!one) return 5;
    put_mark(*one, 1);
  }
  if (pool.free_blocks() < 3) return 6;
  BufferPool own({.block_size = 64, .blocks = 3});
  const std::optional<Buffer> all = own.try_allocate(3);
  return all && !own.try_allocate() ? 0 : 7;
}

TEST(BufferPoolRace, GoesOnInAChildThatIsForkedInTheMiddle) {
  if (rouse::test::under_tsan) GTEST_SKIP() << "ThreadSanitizer hangs in forks of busy processes";
  BufferPool pool({.block_size = 64, .blocks = 16});
  Marked marked{pool.allocate(3), 77};
  put_mark(marked.buffer, marked.mark);
  {
    PoolStorm storm(pool, 3, INT_MAX);
    const int count = rounds(200);
    for (int i = 0; i < count && !HasFailure(); ++i) {
      storm.stop_one();
      EXPECT_EQ(in_child([&] { return use_in_child(pool, marked); }), 0);
    }
    storm.end();
  }
  EXPECT_TRUE(has_mark(marked.buffer, marked.mark));
  EXPECT_EQ(pool.used_blocks(), 3U);
  marked.buffer = Buffer();
  expect_all_free(pool);
}

}  // namespace
