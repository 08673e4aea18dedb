// The system refuses memory: who asked is told, and nothing is lost.

#include "rouse/resource/buffer_pool.hpp"
#include "rouse/wait/sleep.hpp"

#include "support/buffers.hpp"
#include "support/faults/empty_pool.hpp"
#include "support/faults/faults.hpp"

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Buffer;
using rouse::BufferPool;
using rouse::BufferPoolOptions;
using rouse::small_block;
using rouse::test::Call;
using rouse::test::EmptyPool;
using rouse::test::fail_each;
using rouse::test::Fault;
using rouse::test::has_mark;
using rouse::test::live_allocations;
using rouse::test::put_mark;

// Each pool that there is keeps one object, which the next one uses.
std::vector<std::optional<BufferPool>> many_pools() {
  std::vector<std::optional<BufferPool>> pools(20);
  for (auto& pool : pools) pool.emplace(BufferPoolOptions{.block_size = 64, .blocks = 1});
  return pools;
}

std::size_t mapped_pages() {
  std::size_t pages = 0;
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  EXPECT_EQ(std::fscanf(file, "%zu", &pages), 1);
  std::fclose(file);
  return pages;
}

TEST(BufferPoolFailure, OfAReservationIsTold) {
  const BufferPoolOptions options{.block_size = small_block, .blocks = 1000};
  { const BufferPool first(options); }
  const std::size_t before = mapped_pages();
  const long calls = fail_each(Call::mmap, ENOMEM, [&](const Fault& fault) {
    try {
      BufferPool pool(options);
      EXPECT_FALSE(fault.reached());
      EXPECT_TRUE(pool.try_allocate(1000));
    } catch (const std::system_error& error) {
      EXPECT_TRUE(fault.reached());
      EXPECT_EQ(error.code(), std::errc::not_enough_memory);
      EXPECT_EQ(std::string(error.what()).rfind("BufferPool: cannot reserve ", 0), 0U);
    }
    // What had been reserved before is given back.
    EXPECT_LE(mapped_pages(), before + 64);
  });
  EXPECT_EQ(calls, 2);
}

TEST(BufferPoolFailure, OfAnAllocationInTheConstructorIsTold) {
  const auto others = many_pools();  // of those that are kept none is left
  const std::size_t mapped_before = mapped_pages();
  const long calls = fail_each(Call::allocation, ENOMEM, [&](const Fault& fault) {
    const long live_before = live_allocations();
    bool failed = false;
    try {
      const BufferPool pool({.block_size = small_block, .blocks = 1000});
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    EXPECT_EQ(failed, fault.reached());
    EXPECT_EQ(failed ? live_allocations() : live_before, live_before);
  });
  EXPECT_GT(calls, 0);
  EXPECT_LE(mapped_pages(), mapped_before + 64);
}

// Without huge pages there are ordinary ones.
TEST(BufferPoolFailure, OfTheAdviceToTakeHugePagesIsNone) {
  const Fault fault(Call::madvise, EINVAL, 0, 100);
  BufferPool pool({.block_size = small_block, .blocks = 10, .huge_pages = true});
  EXPECT_TRUE(fault.reached());
  Buffer buffer = pool.allocate(10);
  put_mark(buffer, 1);
  EXPECT_TRUE(has_mark(buffer, 1));
}

TEST(BufferPoolFailure, OfAThreadsFirstWaitTakesNothing) {
  BufferPool pool({.block_size = 64, .blocks = 4});
  const Buffer three = pool.allocate(3);
  std::thread([&] {
    const EmptyPool empty;
    const long calls = fail_each(Call::allocation, ENOMEM, [&](const Fault& fault) {
      bool failed = false;
      std::optional<Buffer> buffer;
      try {
        buffer = pool.allocate_for(2, 1us);
      } catch (const std::bad_alloc&) {
        failed = true;
      }
      EXPECT_EQ(failed, fault.reached());
      EXPECT_FALSE(buffer);
      EXPECT_EQ(pool.stats().waiters, 0U);
      EXPECT_EQ(pool.free_blocks(), 1U);
      EXPECT_TRUE(pool.try_allocate());
    });
    EXPECT_GT(calls, 0);
  }).join();
}

TEST(BufferPoolFailure, OfATrimLosesNothing) {
  BufferPool pool({.block_size = small_block, .blocks = 100});
  Buffer used = pool.allocate(40);
  {
    Buffer free = pool.allocate(60);
    put_mark(free, 1);
  }
  put_mark(used, 7);
  const long calls = fail_each(Call::allocation, ENOMEM, [&](const Fault& fault) {
    try {
      EXPECT_EQ(pool.trim(), 60 * small_block);
      EXPECT_FALSE(fault.reached());
    } catch (const std::bad_alloc&) {
      EXPECT_TRUE(fault.reached());
    }
    EXPECT_EQ(pool.free_blocks(), 60U);
    EXPECT_TRUE(pool.try_allocate(60));
  });
  EXPECT_GT(calls, 0);
  EXPECT_TRUE(has_mark(used, 7));
}

TEST(BufferPoolFailure, OfTheSystemToTakeMemoryBackIsNotCounted) {
  BufferPool pool({.block_size = small_block, .blocks = 9});
  std::vector<Buffer> buffers;
  for (int i = 0; i < 9; ++i) buffers.push_back(pool.allocate());
  // Four gaps of one block each, of which the second and third are refused.
  for (std::size_t i = 1; i < 9; i += 2) buffers[i] = Buffer();
  const Fault fault(Call::madvise, EAGAIN, 1, 2);
  EXPECT_EQ(pool.trim(), 2 * small_block);
  EXPECT_EQ(fault.calls(), 4);
  EXPECT_EQ(pool.free_blocks(), 4U);
  EXPECT_TRUE(pool.try_allocate(4));
}

// What comes back must not need memory.
TEST(BufferPoolFailure, DoesNotKeepBlocksFromComingBack) {
  BufferPool pool({.block_size = 64, .blocks = 50});
  std::vector<Buffer> buffers;
  for (int i = 0; i < 50; ++i) buffers.push_back(pool.allocate());
  const long before = live_allocations();
  {
    const Fault allocation(Call::allocation, ENOMEM, 0, 1000);
    const Fault mapping(Call::mmap, ENOMEM, 0, 1000);
    for (Buffer& buffer : buffers) buffer = Buffer();
    for (Buffer& buffer : buffers) buffer = pool.allocate();
    EXPECT_TRUE(buffers[0].resize_blocks(1));
    EXPECT_FALSE(buffers[0].resize_blocks(2));
    EXPECT_FALSE(allocation.reached());
    EXPECT_FALSE(mapping.reached());
  }
  EXPECT_EQ(live_allocations(), before);
  EXPECT_EQ(pool.used_blocks(), 50U);
}

}  // namespace
