// What the checks of a debug build say of a block that is used after it was given back, and that
// they say nothing of correct use. This program has a BufferPool of its own, compiled with the
// checks, whatever the build.

#include "rouse/resource/buffer_pool.hpp"

#include "resource/block_checks.hpp"
#include "support/buffers.hpp"
#include "support/scale.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using rouse::Buffer;
using rouse::BufferPool;
using rouse::BufferPoolOptions;
using rouse::small_block;
using rouse::test::has_mark;
using rouse::test::put_mark;
using rouse::test::under_asan;

static_assert(rouse::detail::checks_blocks);

// AddressSanitizer sees the use itself.
constexpr const char* written =
    under_asan ? "use-after-poison"
               : "rouse: BufferPool: a block was written to after it was given back";

// Blocks of a pool that are written to after they have come back, and are allocated again.
void misuse(const BufferPoolOptions& options, std::size_t at,
            const std::function<void(BufferPool&)>& meanwhile = {}) {
  BufferPool pool(options);
  Buffer buffer = pool.allocate(options.blocks);
  put_mark(buffer, 1);
  auto range = buffer.blocks(at);
  std::byte* const where = (*range.begin()).data();
  buffer = Buffer();
  if (meanwhile) meanwhile(pool);
  *const_cast<volatile std::byte*>(where) = std::byte{0xEE};
  (void)pool.allocate(options.blocks);
}

// Tests that fork come first.
TEST(BufferChecksDeathTest, AWriteAnywhereInABlock) {
  for (const std::size_t at : {std::size_t{0}, std::size_t{1}, std::size_t{63}}) {
    EXPECT_DEATH(misuse({.block_size = 64, .blocks = 1}, at), written) << at;
  }
  for (const std::size_t at : {std::size_t{0}, small_block - 1, small_block, 3 * small_block - 1}) {
    EXPECT_DEATH(misuse({.block_size = small_block, .blocks = 3}, at), written) << at;
  }
  EXPECT_DEATH(misuse({.block_size = small_block + 64, .blocks = 2}, small_block), written);
}

TEST(BufferChecksDeathTest, AWriteToABlockThatWasZero) {
  EXPECT_DEATH(misuse({.block_size = 64, .blocks = 1, .zero_on_release = true}, 5), written);
}

TEST(BufferChecksDeathTest, AWriteToABlockWhoseMemoryIsTheSystems) {
  const auto trim = [](BufferPool& pool) { EXPECT_GT(pool.trim(), 0U); };
  EXPECT_DEATH(misuse({.block_size = small_block, .blocks = 4}, small_block + 7, trim), written);
  EXPECT_DEATH(misuse({.block_size = 1024, .blocks = 16}, 2 * 1024, trim), written);
}

TEST(BufferChecksDeathTest, AWriteToABlockOnAShelf) {
  const auto misuse_shelved = [] {
    BufferPool pool({.block_size = 64, .blocks = 4});
    Buffer buffer = pool.allocate();
    const auto piece = *buffer.blocks().begin();
    buffer = Buffer();
    const_cast<volatile std::byte&>(piece[63]) = std::byte{1};
    (void)pool.try_allocate();
  };
  EXPECT_DEATH(misuse_shelved(), written);
}

TEST(BufferChecksDeathTest, AWriteToABlockThatABufferDoesWithout) {
  const auto misuse_surplus = [] {
    BufferPool pool({.block_size = 64, .blocks = 4});
    Buffer buffer = pool.allocate(3);
    const auto range = buffer.blocks(64);
    EXPECT_TRUE(buffer.resize_blocks(1));
    const_cast<volatile std::byte&>((*range.begin())[0]) = std::byte{1};
    (void)buffer.resize_blocks(4);
  };
  EXPECT_DEATH(misuse_surplus(), written);
}

// --- correct use ---------------------------------------------------------------------------------

// Blocks on shelves and in the list, trimmed and not, in buffers that change.
TEST(BufferChecks, UseThatIsCorrect) {
  for (const bool zeros : {false, true}) {
    for (const std::size_t block_size :
         {std::size_t{64}, std::size_t{1024}, small_block, small_block + 64}) {
      BufferPool pool(
          {.block_size = block_size, .blocks = 20, .max_blocks = 40, .zero_on_release = zeros});
      for (std::uint64_t round = 0; round < 20; ++round) {
        std::vector<Buffer> buffers;
        for (std::size_t n = 1; n <= 8; ++n) {
          buffers.push_back(pool.allocate(n));
          put_mark(buffers.back(), round ^ n);
        }
        for (std::size_t n = 1; n <= 8; ++n) EXPECT_TRUE(has_mark(buffers[n - 1], round ^ n));
        EXPECT_TRUE(buffers[7].resize_blocks(2));
        buffers.erase(buffers.begin(), buffers.begin() + 5);
        if (round % 3 == 0) (void)pool.trim();
        EXPECT_TRUE(buffers[0].resize_blocks(7));
        std::jthread([buffers = std::move(buffers)] {}).join();
        for (int i = 0; i < 20; ++i) {
          Buffer one = pool.allocate();
          put_mark(one, round);
        }
      }
      EXPECT_EQ(pool.used_blocks(), 0U);
    }
  }
}

TEST(BufferChecks, PoolsInThePlaceOfOthers) {
  for (int i = 0; i < 10; ++i) {
    Buffer last;
    {
      BufferPool pool({.block_size = small_block, .blocks = 10});
      Buffer all = pool.allocate(10);
      put_mark(all, 1);
      EXPECT_TRUE(all.resize_blocks(4));
      last = std::move(all);
    }
    put_mark(last, 2);
    EXPECT_TRUE(last.resize_blocks(1));
    EXPECT_TRUE(has_mark(last, 2));
  }
  // Memory that was a pool's is anybody's.
  std::vector<std::vector<std::byte>> others;
  for (int i = 0; i < 20; ++i) others.emplace_back(std::size_t{1} << 20, std::byte{1});
  EXPECT_EQ(others[19][5], std::byte{1});
}

}  // namespace
