// BufferPool: the memory of the system that it has, and what trim() gives back of it.

#include "rouse/resource/buffer_pool.hpp"

#include "support/buffers.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using rouse::Buffer;
using rouse::BufferPool;
using rouse::medium_block;
using rouse::small_block;
using rouse::test::content_of;
using rouse::test::has_mark;
using rouse::test::put_mark;

constexpr std::size_t page_size = 4096;
constexpr std::size_t mebibyte = std::size_t{1} << 20;

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t pages = 0;
  file >> pages >> pages;
  EXPECT_TRUE(file);
  return pages * page_size;
}

// How many pages of these there is memory for.
std::size_t resident_pages(const std::vector<std::span<const std::byte>>& pieces) {
  std::size_t count = 0;
  for (const std::span<const std::byte> piece : pieces) {
    const auto from = reinterpret_cast<std::uintptr_t>(piece.data()) / page_size * page_size;
    const auto to = reinterpret_cast<std::uintptr_t>(piece.data() + piece.size());
    std::vector<unsigned char> answer((to - from + page_size - 1) / page_size);
    EXPECT_EQ(::mincore(reinterpret_cast<void*>(from), to - from, answer.data()), 0);
    count += static_cast<std::size_t>(
        std::ranges::count_if(answer, [](unsigned char resident) { return (resident & 1) != 0; }));
  }
  return count;
}

std::vector<std::span<const std::byte>> pieces_of(Buffer& buffer) {
  std::vector<std::span<const std::byte>> pieces;
  for (const auto piece : buffer.blocks()) pieces.push_back(piece);
  return pieces;
}

TEST(BufferPoolMemory, IsThatOfTheBlocksThatWereWrittenTo) {
  const std::size_t before = resident_bytes();
  BufferPool pool({.block_size = medium_block, .blocks = 102'400});  // 13 GiB
  EXPECT_LT(resident_bytes(), before + 4 * mebibyte);
  // Those that came back are used again.
  for (unsigned i = 0; i < 100; ++i) {
    Buffer buffer = pool.allocate(10);
    put_mark(buffer, i);
    ASSERT_TRUE(has_mark(buffer, i));
  }
  EXPECT_GE(resident_bytes(), before + mebibyte);
  EXPECT_LT(resident_bytes(), before + 8 * mebibyte);
}

TEST(BufferPoolMemory, IsGivenBackWithThePoolAndItsLastBuffer) {
  const std::size_t before = resident_bytes();
  {
    std::optional<BufferPool> pool(std::in_place,
                                   rouse::BufferPoolOptions{.block_size = mebibyte, .blocks = 64});
    Buffer all = pool->allocate(64);
    put_mark(all, 1);
    EXPECT_GT(resident_bytes(), before + 60 * mebibyte);
    EXPECT_TRUE(all.resize_blocks(1));
    pool.reset();
    EXPECT_TRUE(has_mark(all, 1));
  }
  EXPECT_LT(resident_bytes(), before + 16 * mebibyte);
}

TEST(BufferPoolMemory, IsGivenBackWhereverTheBlocksLie) {
  const std::size_t before = resident_bytes();
  {
    BufferPool pool({.block_size = 4 * mebibyte, .blocks = 20});
    std::vector<Buffer> buffers;
    for (int i = 0; i < 20; ++i) {
      buffers.push_back(pool.allocate());
      put_mark(buffers.back(), 1);
    }
    buffers.resize(3);
    EXPECT_GT(resident_bytes(), before + 70 * mebibyte);
    EXPECT_GT(pool.stats().cached_blocks, 0U);
  }
  EXPECT_LT(resident_bytes(), before + 16 * mebibyte);
}

TEST(BufferPoolTrim, GivesTheMemoryOfFreeBlocksBack) {
  BufferPool pool({.block_size = medium_block, .blocks = 64});
  EXPECT_EQ(pool.trim(), 0U);  // nothing was out
  Buffer buffer = pool.allocate(64);
  put_mark(buffer, 7);
  const auto pieces = pieces_of(buffer);
  EXPECT_EQ(resident_pages(pieces), 64 * medium_block / page_size);
  EXPECT_EQ(pool.trim(), 0U);  // nothing is free
  EXPECT_TRUE(has_mark(buffer, 7));
  buffer = Buffer();
  EXPECT_EQ(pool.trim(), 64 * medium_block);
  EXPECT_EQ(resident_pages(pieces), 0U);
  EXPECT_EQ(pool.free_blocks(), 64U);
  buffer = pool.allocate(64);
  put_mark(buffer, 8);
  EXPECT_TRUE(has_mark(buffer, 8));
}

TEST(BufferPoolTrim, LeavesBlocksThatAreUsedAsTheyAre) {
  BufferPool pool({.block_size = medium_block, .blocks = 60});
  std::vector<Buffer> buffers;
  for (unsigned i = 0; i < 60; ++i) {
    buffers.push_back(pool.allocate());
    put_mark(buffers.back(), i);
  }
  std::vector<std::span<const std::byte>> freed;
  for (std::size_t i = 0; i < 60; ++i) {
    if (i % 3 == 0) continue;
    for (const auto piece : pieces_of(buffers[i])) freed.push_back(piece);
    buffers[i] = Buffer();
  }
  EXPECT_EQ(pool.trim(), 40 * medium_block);
  EXPECT_EQ(resident_pages(freed), 0U);
  for (std::size_t i = 0; i < 60; i += 3) EXPECT_TRUE(has_mark(buffers[i], i)) << i;
  EXPECT_EQ(pool.used_blocks(), 20U);
  EXPECT_TRUE(pool.try_allocate(40));
}

TEST(BufferPoolTrim, TakesTheBlocksOnShelvesToo) {
  BufferPool pool({.block_size = small_block, .blocks = 5});
  // Until they lie there: the kernel may break a put off.
  while (pool.stats().cached_blocks < 5) {
    std::vector<Buffer> buffers;
    for (int i = 0; i < 5; ++i) {
      buffers.push_back(pool.allocate());
      put_mark(buffers.back(), 3);
    }
  }
  EXPECT_EQ(pool.trim(), 5 * small_block);
  EXPECT_EQ(pool.free_blocks(), 5U);
}

// Pages lie in blocks that are side by side, or in one of them and no other.
TEST(BufferPoolTrim, GivesBackWholePagesOnlyWhateverTheSizeOfBlocks) {
  for (const std::size_t block_size :
       {std::size_t{64}, std::size_t{1024}, page_size - 64, page_size + 64,
        std::size_t{3 * page_size / 2}, 5 * page_size + 192}) {
    SCOPED_TRACE(block_size);
    constexpr std::size_t count = 200;
    BufferPool pool({.block_size = block_size, .blocks = count});
    std::vector<Buffer> buffers;
    for (unsigned i = 0; i < count; ++i) {
      buffers.push_back(pool.allocate());
      put_mark(buffers.back(), i);
    }
    std::ranges::sort(buffers, {}, [](Buffer& buffer) { return pieces_of(buffer)[0].data(); });
    const std::byte* const begin = pieces_of(buffers.front())[0].data();
    std::vector<std::uint64_t> marks;
    for (Buffer& buffer : buffers) {
      std::uint64_t mark = 0;
      (void)std::ranges::copy(pieces_of(buffer)[0].first(sizeof mark),
                              std::as_writable_bytes(std::span(&mark, 1)).begin());
      marks.push_back(mark);
    }
    // The blocks from 20 to 150 without number 90, so two runs.
    std::size_t expected = 0;
    for (const auto& [first, end] : {std::pair{20UL, 90UL}, std::pair{91UL, 150UL}}) {
      for (std::size_t i = first; i < end; ++i) buffers[i] = Buffer();
      const std::size_t from = (first * block_size + page_size - 1) / page_size * page_size;
      const std::size_t to = end * block_size / page_size * page_size;
      if (from < to) expected += to - from;
    }
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(begin) % page_size, 0U);
    EXPECT_EQ(pool.trim(), expected);
    for (std::size_t i = 0; i < count; ++i) {
      const bool used = buffers[i].block_count() != 0;
      EXPECT_TRUE(!used || has_mark(buffers[i], marks[i])) << i;
    }
    EXPECT_EQ(pool.free_blocks(), 129U);
    EXPECT_TRUE(pool.try_allocate(129));
  }
}

TEST(BufferPoolTrim, LeavesZerosWhereThePoolPromisesThem) {
  BufferPool pool({.block_size = small_block, .blocks = 10, .zero_on_release = true});
  Buffer buffer = pool.allocate(10);
  put_mark(buffer, 1);
  buffer = Buffer();
  EXPECT_EQ(pool.trim(), 10 * small_block);
  buffer = pool.allocate(10);
  buffer.resize(buffer.capacity());
  EXPECT_EQ(content_of(buffer), std::vector<std::byte>(10 * small_block));
}

TEST(BufferPoolTrim, OfHugePages) {
  BufferPool pool({.block_size = mebibyte, .blocks = 8, .huge_pages = true});
  Buffer buffer = pool.allocate(8);
  put_mark(buffer, 1);
  const auto pieces = pieces_of(buffer);
  EXPECT_TRUE(buffer.resize_blocks(4));
  EXPECT_EQ(pool.trim(), 4 * mebibyte);
  EXPECT_TRUE(has_mark(buffer, 1));
  EXPECT_EQ(resident_pages({pieces.begin() + 4, pieces.end()}), 0U);
}

TEST(BufferPoolTrim, LeavesWhatWasNeverOut) {
  BufferPool pool({.block_size = small_block, .blocks = 10, .max_blocks = 20});
  {
    Buffer buffer = pool.allocate(3);
    put_mark(buffer, 1);
  }
  EXPECT_EQ(pool.trim(), 3 * small_block);
  EXPECT_EQ(pool.stats().high_water_blocks, 3U);
  EXPECT_EQ(pool.free_blocks(), 10U);
  EXPECT_TRUE(pool.try_allocate(20));
}

}  // namespace
