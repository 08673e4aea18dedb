// BufferPool: how many blocks it has, who gets them, and what its books say.

#include "rouse/resource/buffer_pool.hpp"

#include "support/buffers.hpp"
#include "support/in_child.hpp"
#include "support/on_cpu.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <ostream>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using rouse::Buffer;
using rouse::BufferPool;
using rouse::BufferPoolOptions;
using rouse::BufferPoolStats;
using rouse::large_block;
using rouse::medium_block;
using rouse::small_block;
using rouse::test::content_of;
using rouse::test::in_child;
using rouse::test::joined;
using rouse::test::OnCpu;
using rouse::test::put_mark;
using rouse::test::some_bytes;

struct Books {
  std::size_t used = 0;
  std::size_t free = 0;
  std::size_t high_water = 0;

  friend bool operator==(const Books&, const Books&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Books& books) {
    return out << books.used << " used, " << books.free << " free, high water " << books.high_water;
  }
};

// What the books say to a thread that is alone with the pool: then they fit together.
Books books_of(const BufferPool& pool) {
  const BufferPoolStats stats = pool.stats();
  EXPECT_EQ(stats.capacity_blocks, stats.used_blocks + stats.free_blocks);
  EXPECT_EQ(stats.capacity_blocks, pool.capacity_blocks());
  EXPECT_EQ(stats.used_blocks, pool.used_blocks());
  EXPECT_EQ(stats.free_blocks, pool.free_blocks());
  EXPECT_EQ(stats.block_size, pool.block_size());
  EXPECT_EQ(stats.max_blocks, pool.max_blocks());
  EXPECT_LE(stats.cached_blocks, stats.free_blocks);
  EXPECT_EQ(stats.waiters, 0U);
  return {stats.used_blocks, stats.free_blocks, stats.high_water_blocks};
}

template <class Error, class Call>
void expect_error(const std::string& message, Call call) {
  try {
    call();
    ADD_FAILURE() << "no exception; expected: " << message;
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), message);
  }
}

std::vector<Buffer> allocate_one_by_one(BufferPool& pool, std::size_t count) {
  std::vector<Buffer> buffers;
  for (std::size_t i = 0; i < count; ++i) {
    std::optional<Buffer> buffer = pool.try_allocate();
    if (!buffer) break;
    buffers.push_back(*std::move(buffer));
  }
  return buffers;
}

// Gives blocks back until `count` of them lie on shelves: the kernel may break a put off.
void shelve(BufferPool& pool, std::size_t count) {
  while (pool.stats().cached_blocks < count) allocate_one_by_one(pool, count);
}

std::uintptr_t address_of(Buffer& buffer) {
  return reinterpret_cast<std::uintptr_t>((*buffer.blocks().begin()).data());
}

// --- options -------------------------------------------------------------------------------------

TEST(BufferPoolOptions, OfTheDefaultAreAThousandMediumBlocks) {
  const BufferPool pool;
  EXPECT_EQ(pool.block_size(), medium_block);
  EXPECT_EQ(pool.max_blocks(), 1024U);
  EXPECT_EQ(books_of(pool), (Books{.used = 0, .free = 1024, .high_water = 0}));
}

TEST(BufferPoolOptions, ThatMakeNoSenseAreRefused) {
  const auto refuses = [](const std::string& message, const BufferPoolOptions& options) {
    expect_error<std::invalid_argument>(message, [&] { const BufferPool pool(options); });
  };
  refuses("BufferPool: block_size is 0, not a multiple of 64", {.block_size = 0});
  refuses("BufferPool: block_size is 100, not a multiple of 64", {.block_size = 100});
  refuses("BufferPool: block_size is 32, not a multiple of 64", {.block_size = 32});
  refuses("BufferPool: blocks is 0, a pool has at least one", {.blocks = 0});
  refuses("BufferPool: blocks is 0, a pool has at least one", {.blocks = 0, .max_blocks = 5});
  refuses("BufferPool: max_blocks is 9, fewer than blocks", {.blocks = 10, .max_blocks = 9});
}

TEST(BufferPoolOptions, ForMoreBlocksOrBytesThanThereCanBeAreRefused) {
  constexpr std::size_t most = (std::size_t{1} << 30) - 2;
  constexpr auto all = std::numeric_limits<std::size_t>::max();
  const auto refuses = [](const std::string& message, const BufferPoolOptions& options) {
    expect_error<std::length_error>(message, [&] { const BufferPool pool(options); });
  };
  refuses("BufferPool: 1073741823 blocks of 64 bytes are too many",
          {.block_size = 64, .blocks = most + 1});
  refuses("BufferPool: 1073741823 blocks of 64 bytes are too many",
          {.block_size = 64, .blocks = 1, .max_blocks = most + 1});
  refuses("BufferPool: 18446744073709551615 blocks of 64 bytes are too many",
          {.block_size = 64, .blocks = all});
  // Whose product is small, modulo 2^64.
  refuses("BufferPool: 4 blocks of 4611686018427387968 bytes are too many",
          {.block_size = (std::size_t{1} << 62) + 64, .blocks = 4});
  refuses("BufferPool: 2 blocks of 4611686018427387904 bytes are too many",
          {.block_size = std::size_t{1} << 62, .blocks = 2});
}

TEST(BufferPoolOptions, ForMoreThanTheSystemHasRoomForAreRefused) {
  for (const bool huge_pages : {false, true}) {
    try {
      const BufferPool pool(
          {.block_size = (std::size_t{1} << 62), .blocks = 1, .huge_pages = huge_pages});
      ADD_FAILURE() << "no exception";
    } catch (const std::system_error& error) {
      EXPECT_EQ(error.code(), std::errc::not_enough_memory);
      EXPECT_EQ(std::string(error.what()).rfind("BufferPool: cannot reserve 46116860184", 0), 0U)
          << error.what();
    }
  }
}

// --- how many ------------------------------------------------------------------------------------

TEST(BufferPool, GivesAsManyBlocksAsItHas) {
  BufferPool pool({.block_size = medium_block, .blocks = 102'400});
  EXPECT_EQ(books_of(pool), (Books{.used = 0, .free = 102'400, .high_water = 0}));
  expect_error<std::length_error>(
      "BufferPool::allocate: 102401 blocks, the pool has 102400 at most",
      [&] { (void)pool.try_allocate(102'401); });
  expect_error<std::length_error>(
      "BufferPool::allocate: 102401 blocks, the pool has 102400 at most",
      [&] { (void)pool.allocate(102'401); });

  Buffer buffer = pool.allocate(10);
  EXPECT_EQ(books_of(pool), (Books{.used = 10, .free = 102'390, .high_water = 10}));
  EXPECT_EQ(buffer.capacity(), 10 * medium_block);
  const std::vector<std::byte> fits = some_bytes(10 * medium_block);
  buffer.assign(fits);
  EXPECT_EQ(content_of(buffer), fits);
  EXPECT_THROW(buffer.append("x"), std::length_error);
  EXPECT_THROW(buffer.assign(some_bytes(fits.size() + 1, 2)), std::length_error);
  EXPECT_EQ(content_of(buffer), fits);

  buffer = Buffer();
  EXPECT_EQ(books_of(pool), (Books{.used = 0, .free = 102'400, .high_water = 10}));
}

TEST(BufferPool, RefusesNumbersOfBlocksThatItNeverHas) {
  BufferPool pool({.block_size = 64, .blocks = 4, .max_blocks = 6});
  expect_error<std::invalid_argument>("BufferPool::allocate: 0 blocks",
                                      [&] { (void)pool.allocate(0); });
  expect_error<std::invalid_argument>("BufferPool::allocate: 0 blocks",
                                      [&] { (void)pool.try_allocate(0); });
  const std::chrono::hours hour(1);
  EXPECT_THROW((void)pool.allocate_for(0, hour), std::invalid_argument);
  EXPECT_THROW((void)pool.allocate_for(7, hour), std::length_error);
  EXPECT_THROW((void)pool.allocate_until(0, std::chrono::steady_clock::now() + hour),
               std::invalid_argument);
  EXPECT_THROW((void)pool.allocate_until(7, std::chrono::system_clock::now() + hour),
               std::length_error);
  expect_error<std::length_error>(
      "BufferPool::allocate: 18446744073709551615 blocks, the pool has 6 at most",
      [&] { (void)pool.try_allocate(std::numeric_limits<std::size_t>::max()); });
  // Which would be 1 in 32 bits.
  EXPECT_THROW((void)pool.try_allocate((std::size_t{1} << 32) + 1), std::length_error);
  EXPECT_EQ(books_of(pool), (Books{.used = 0, .free = 4, .high_water = 0}));
}

TEST(BufferPool, GivesThemOneByOneAndManyAtOnce) {
  constexpr std::size_t count = 100;
  BufferPool pool({.block_size = 64, .blocks = count});
  for (const std::size_t at_once : {1U, 2U, 3U, 8U, 15U, 16U, 33U, 100U}) {
    SCOPED_TRACE(at_once);
    std::vector<Buffer> buffers;
    while (std::optional<Buffer> buffer = pool.try_allocate(at_once)) {
      EXPECT_EQ(buffer->block_count(), at_once);
      buffers.push_back(*std::move(buffer));
    }
    EXPECT_EQ(buffers.size(), count / at_once);
    EXPECT_EQ(books_of(pool).used, count / at_once * at_once);
    EXPECT_EQ(allocate_one_by_one(pool, count).size(), count % at_once);
    while (!buffers.empty()) {
      buffers.pop_back();
      EXPECT_EQ(books_of(pool).used, buffers.size() * at_once);
    }
    EXPECT_EQ(pool.free_blocks(), count);
  }
}

TEST(BufferPool, GivesNoBlockTwice) {
  BufferPool pool({.block_size = 64, .blocks = 200});
  for (int round = 0; round < 3; ++round) {
    std::vector<std::uintptr_t> addresses;
    std::vector<Buffer> buffers = allocate_one_by_one(pool, 100);
    while (std::optional<Buffer> buffer = pool.try_allocate(5))
      buffers.push_back(*std::move(buffer));
    for (Buffer& buffer : buffers) {
      for (const auto piece : buffer.blocks()) {
        addresses.push_back(reinterpret_cast<std::uintptr_t>(piece.data()));
      }
    }
    ASSERT_EQ(addresses.size(), 200U);
    std::ranges::sort(addresses);
    for (std::size_t i = 1; i < addresses.size(); ++i) {
      ASSERT_EQ(addresses[i] - addresses[i - 1], 64U);
    }
    // The last ones first, and in another order the next time.
    if (round % 2 == 0) std::ranges::reverse(buffers);
    while (!buffers.empty()) buffers.pop_back();
  }
}

TEST(BufferPool, OfOneBlock) {
  BufferPool pool({.block_size = 64, .blocks = 1});
  for (int i = 0; i < 20; ++i) {
    std::optional<Buffer> buffer = pool.try_allocate();
    ASSERT_TRUE(buffer);
    EXPECT_FALSE(pool.try_allocate());
    EXPECT_EQ(books_of(pool), (Books{.used = 1, .free = 0, .high_water = 1}));
    buffer.reset();
    EXPECT_EQ(books_of(pool), (Books{.used = 0, .free = 1, .high_water = 1}));
  }
}

TEST(BufferPool, ExtendsItselfByWhatIsMissingAndNotBeyondItsLimit) {
  BufferPool pool({.block_size = 64, .blocks = 4, .max_blocks = 10});
  EXPECT_EQ(pool.max_blocks(), 10U);
  Buffer three = pool.allocate(3);
  EXPECT_EQ(pool.capacity_blocks(), 4U);
  const Buffer two = pool.allocate(2);
  EXPECT_EQ(pool.capacity_blocks(), 5U);
  EXPECT_EQ(books_of(pool), (Books{.used = 5, .free = 0, .high_water = 5}));
  const Buffer one = pool.allocate();
  EXPECT_EQ(pool.capacity_blocks(), 6U);
  EXPECT_FALSE(pool.try_allocate(5));
  EXPECT_EQ(pool.capacity_blocks(), 10U);
  const Buffer four = pool.allocate(4);
  EXPECT_FALSE(pool.try_allocate());
  EXPECT_EQ(books_of(pool), (Books{.used = 10, .free = 0, .high_water = 10}));
  three = Buffer();
  EXPECT_EQ(books_of(pool), (Books{.used = 7, .free = 3, .high_water = 10}));
  EXPECT_EQ(pool.capacity_blocks(), 10U);
}

TEST(BufferPool, ExtendsItselfForABufferThatTakesMore) {
  BufferPool pool({.block_size = 64, .blocks = 2, .max_blocks = 5});
  Buffer buffer = pool.allocate(2);
  EXPECT_TRUE(buffer.resize_blocks(4));
  EXPECT_EQ(pool.capacity_blocks(), 4U);
  EXPECT_TRUE(buffer.resize_blocks(5));
  EXPECT_EQ(books_of(pool), (Books{.used = 5, .free = 0, .high_water = 5}));
}

TEST(BufferPool, OfOneBlockMayHaveManyLater) {
  BufferPool pool({.block_size = 64, .blocks = 1, .max_blocks = 1000});
  const std::vector<Buffer> buffers = allocate_one_by_one(pool, 2000);
  EXPECT_EQ(buffers.size(), 1000U);
  EXPECT_EQ(pool.capacity_blocks(), 1000U);
}

// --- which ---------------------------------------------------------------------------------------

TEST(BufferPool, AlignsItsBlocks) {
  for (const std::size_t block_size : {small_block, medium_block, large_block}) {
    BufferPool pool({.block_size = block_size, .blocks = 3});
    Buffer buffer = pool.allocate(3);
    for (const auto piece : buffer.blocks()) {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(piece.data()) % 4096, 0U);
      EXPECT_EQ(piece.size(), block_size);
    }
  }
  BufferPool pool({.block_size = 192, .blocks = 50});
  for (Buffer& buffer : allocate_one_by_one(pool, 50)) EXPECT_EQ(address_of(buffer) % 64, 0U);
}

TEST(BufferPool, OfHugePagesBeginsWithOne) {
  BufferPool pool({.block_size = large_block, .blocks = 8, .huge_pages = true});
  Buffer first = pool.allocate();
  EXPECT_EQ(address_of(first) % (std::uintptr_t{1} << 21), 0U);
  Buffer others = pool.allocate(7);
  const std::vector<std::byte> bytes = some_bytes(7 * large_block);
  others.assign(bytes);
  first.assign(std::span(bytes).first(large_block));
  EXPECT_EQ(content_of(others), bytes);
}

TEST(BufferPool, ThatWritesZerosGivesZeros) {
  for (const std::size_t block_size : {std::size_t{64}, small_block, std::size_t{4160}}) {
    BufferPool pool({.block_size = block_size, .blocks = 20, .zero_on_release = true});
    for (int round = 0; round < 3; ++round) {
      std::vector<Buffer> buffers = allocate_one_by_one(pool, 10);
      buffers.push_back(pool.allocate(10));
      for (Buffer& buffer : buffers) {
        const std::vector<std::byte> bytes = joined(buffer.blocks());
        EXPECT_EQ(std::ranges::count(bytes, std::byte{0}), std::ssize(bytes));
        put_mark(buffer, 0x5555);
      }
      EXPECT_TRUE(buffers.back().resize_blocks(3));
      EXPECT_TRUE(buffers.back().resize_blocks(10));
      const std::vector<std::byte> taken = joined(buffers.back().blocks(3 * block_size));
      EXPECT_EQ(std::ranges::count(taken, std::byte{0}), std::ssize(taken));
    }
  }
}

// --- on which CPU and thread ---------------------------------------------------------------------

TEST(BufferPool, KeepsSomeFreeBlocksOnShelves) {
  BufferPool pool({.block_size = 64, .blocks = 100});
  const OnCpu on_cpu(0);
  EXPECT_EQ(pool.stats().cached_blocks, 0U);
  shelve(pool, 3);
  EXPECT_EQ(pool.stats().cached_blocks, 3U);
  allocate_one_by_one(pool, 100);
  const BufferPoolStats stats = pool.stats();
  EXPECT_GT(stats.cached_blocks, 0U);
  EXPECT_LE(stats.cached_blocks, 31U);
  EXPECT_EQ(stats.free_blocks, 100U);
}

TEST(BufferPool, FindsBlocksOnTheShelvesOfOtherCpus) {
  BufferPool pool({.block_size = 64, .blocks = 8});
  {
    const OnCpu on_cpu(0);
    shelve(pool, 8);
  }
  EXPECT_EQ(pool.stats().cached_blocks, 8U);
  std::jthread([&] {
    const OnCpu on_cpu(1);
    EXPECT_EQ(allocate_one_by_one(pool, 9).size(), 8U);
  }).join();
  std::jthread([&] {
    const OnCpu on_cpu(0);
    EXPECT_TRUE(pool.try_allocate(8));
  }).join();
  {
    const OnCpu on_cpu(0);
    shelve(pool, 8);
  }
  Buffer buffer = pool.allocate();
  EXPECT_TRUE(buffer.resize_blocks(8));
}

TEST(BufferPool, TakesBlocksFromShelvesBeforeItExtendsItself) {
  BufferPool pool({.block_size = 64, .blocks = 8, .max_blocks = 16});
  {
    const OnCpu on_cpu(0);
    shelve(pool, 8);
  }
  const OnCpu on_cpu(1);
  const Buffer buffer = pool.allocate(8);
  EXPECT_EQ(pool.capacity_blocks(), 8U);
  EXPECT_EQ(books_of(pool), (Books{.used = 8, .free = 0, .high_water = 8}));
}

TEST(BufferPool, HasTheBlocksOfThreadsThatHaveEnded) {
  BufferPool pool({.block_size = 64, .blocks = 50});
  for (int i = 0; i < 10; ++i) {
    std::jthread([&] { EXPECT_EQ(allocate_one_by_one(pool, 60).size(), 50U); }).join();
    EXPECT_TRUE(pool.try_allocate(50));
  }
}

TEST(BufferPool, TakesBlocksBackFromOtherThreads) {
  BufferPool pool({.block_size = 64, .blocks = 64});
  for (int i = 0; i < 10; ++i) {
    std::vector<Buffer> buffers = allocate_one_by_one(pool, 32);
    buffers.push_back(pool.allocate(32));
    std::jthread([buffers = std::move(buffers)] {}).join();
    EXPECT_EQ(books_of(pool), (Books{.used = 0, .free = 64, .high_water = 64}));
  }
}

TEST(BufferPool, MayBeDestroyedBeforeItsBuffers) {
  std::vector<Buffer> buffers;
  for (int i = 0; i < 10; ++i) {
    BufferPool pool({.block_size = 64, .blocks = 4, .max_blocks = 40});
    for (int n = 0; n < 3; ++n) buffers.push_back(pool.allocate(2));
    if (i % 2 == 0) buffers.erase(buffers.begin());
  }
  std::uint64_t mark = 0;
  for (Buffer& buffer : buffers) put_mark(buffer, ++mark);
  mark = 0;
  for (Buffer& buffer : buffers) EXPECT_TRUE(rouse::test::has_mark(buffer, ++mark));
}

// --- in a forked child ---------------------------------------------------------------------------

TEST(BufferPool, GoesOnInAForkedChild) {
  BufferPool pool({.block_size = 64, .blocks = 8});
  Buffer buffer = pool.allocate(2);
  buffer.assign("of the parent");
  allocate_one_by_one(pool, 3);
  EXPECT_EQ(in_child([&] {
              if (rouse::test::text_of(buffer) != "of the parent") return 1;
              if (allocate_one_by_one(pool, 8).size() != 6) return 2;
              buffer.assign("of the child");
              if (!buffer.resize_blocks(8)) return 3;
              buffer = Buffer();
              if (pool.used_blocks() != 0) return 4;
              BufferPool own({.block_size = 64, .blocks = 8});
              return own.try_allocate(8) ? 0 : 5;
            }),
            0);
  EXPECT_EQ(rouse::test::text_of(buffer), "of the parent");
  EXPECT_EQ(books_of(pool), (Books{.used = 2, .free = 6, .high_water = 5}));
}

}  // namespace
