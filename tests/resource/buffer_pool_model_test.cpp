// Random programs on pools and buffers, and the same on a model of them: after each step the books
// say the same, and after each program the contents.

#include "rouse/resource/buffer_pool.hpp"

#include "support/buffers.hpp"
#include "support/scale.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using rouse::Buffer;
using rouse::BufferPool;
using rouse::BufferPoolOptions;
using rouse::test::joined;
using rouse::test::rounds;
using rouse::test::some_bytes;

using Bytes = std::vector<std::byte>;

// A buffer, and what it must be: all bytes of its blocks, and how many of them it holds.
struct Modelled {
  Buffer buffer;
  Bytes blocks;
  std::size_t size = 0;
};

class Program {
 public:
  explicit Program(std::uint32_t seed) : random_(seed) {
    options_.block_size = std::size_t{64} << pick(4);
    options_.blocks = pick(20) + 1;
    options_.max_blocks = pick(2) == 0 ? 0 : options_.blocks + pick(20);
    options_.zero_on_release = pick(2) == 0;
    pool_ = std::make_unique<BufferPool>(options_);
    capacity_ = options_.blocks;
  }

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      step();
      check_books();
      if (i % 16 == 0) check_contents();
    }
    check_contents();
    if (pick(2) == 0) {
      // The buffers go on without the pool.
      pool_.reset();
      for (int i = 0; i < 20; ++i) step_of_buffer();
      check_contents();
      return;
    }
    buffers_.clear();
    ASSERT_EQ(pool_->used_blocks(), 0U);
    ASSERT_TRUE(pool_->try_allocate(most()));
  }

 private:
  std::size_t pick(std::size_t below) { return below == 0 ? 0 : random_() % below; }
  std::size_t most() const { return std::max(options_.blocks, options_.max_blocks); }
  std::size_t used() const {
    std::size_t blocks = 0;
    for (const Modelled& modelled : buffers_) blocks += modelled.blocks.size();
    return blocks / options_.block_size;
  }

  void step() {
    switch (pick(8)) {
      case 0:
      case 1:
        allocate();
        break;
      case 2:
        if (!buffers_.empty()) {
          std::swap(buffers_[pick(buffers_.size())], buffers_.back());
          buffers_.pop_back();
        }
        break;
      case 3:
        if (pick(8) == 0) (void)pool_->trim();
        break;
      default:
        step_of_buffer();
    }
  }

  // What the pool does for `n` more blocks: whether it has them, and how far it extends itself.
  bool takes(std::size_t n) {
    const std::size_t needed = used() + n;
    const bool enough = pool_ != nullptr && needed <= most();
    // It extends itself as far as it can before it gives up.
    if (pool_ != nullptr) capacity_ = std::max(capacity_, std::min(needed, most()));
    return enough;
  }

  void allocate() {
    const std::size_t n = pick(std::min<std::size_t>(most(), 6)) + 1;
    const bool expected = takes(n);
    std::optional<Buffer> buffer = pool_->try_allocate(n);
    ASSERT_EQ(buffer.has_value(), expected);
    if (!buffer) return;
    ASSERT_EQ(buffer->block_count(), n);
    Modelled modelled{*std::move(buffer), Bytes(n * options_.block_size), 0};
    if (options_.zero_on_release) {
      ASSERT_EQ(joined(modelled.buffer.blocks()), modelled.blocks);
    }
    write_all(modelled, 0);
    buffers_.push_back(std::move(modelled));
  }

  // Into all blocks from `from` on: what was there is not the model's.
  void write_all(Modelled& modelled, std::size_t from) {
    const Bytes bytes = some_bytes(modelled.blocks.size() - from, next_seed_++);
    std::size_t at = 0;
    for (const std::span<std::byte> piece : modelled.buffer.blocks(from)) {
      std::ranges::copy(std::span(bytes).subspan(at, piece.size()), piece.begin());
      at += piece.size();
    }
    std::ranges::copy(bytes, modelled.blocks.begin() + static_cast<std::ptrdiff_t>(from));
  }

  void step_of_buffer() {
    if (buffers_.empty()) return;
    Modelled& modelled = buffers_[pick(buffers_.size())];
    if (modelled.blocks.empty()) return;
    const std::size_t room = modelled.blocks.size();
    switch (pick(7)) {
      case 0:
        modelled.buffer.clear();
        modelled.size = 0;
        break;
      case 1:
        modelled.size = pick(room + 1);
        modelled.buffer.resize(modelled.size);
        break;
      case 2:
      case 3: {
        const Bytes bytes = some_bytes(pick(2 * options_.block_size), next_seed_++);
        const bool assigns = pick(3) == 0;
        const std::size_t begin = assigns ? 0 : modelled.size;
        if (begin + bytes.size() > room) {
          EXPECT_THROW(assigns ? modelled.buffer.assign(bytes) : modelled.buffer.append(bytes),
                       std::length_error);
          break;
        }
        assigns ? modelled.buffer.assign(bytes) : modelled.buffer.append(bytes);
        std::ranges::copy(bytes, modelled.blocks.begin() + static_cast<std::ptrdiff_t>(begin));
        modelled.size = begin + bytes.size();
        break;
      }
      case 4:
        resize_blocks(modelled);
        break;
      case 5: {
        Modelled& other = buffers_[pick(buffers_.size())];
        std::swap(modelled, other);
        break;
      }
      default:
        write_all(modelled, pick(room));
    }
  }

  void resize_blocks(Modelled& modelled) {
    const std::size_t before = modelled.blocks.size();
    const std::size_t count = pick(std::min<std::size_t>(most(), 8)) + 1;
    const std::size_t bytes = count * options_.block_size;
    const bool expected = bytes <= before || takes(count - before / options_.block_size);
    ASSERT_EQ(modelled.buffer.resize_blocks(count), expected);
    if (!expected) return;
    modelled.blocks.resize(bytes);
    modelled.size = std::min(modelled.size, bytes);
    if (bytes <= before) return;
    if (options_.zero_on_release) {
      ASSERT_EQ(joined(modelled.buffer.blocks(before)), Bytes(bytes - before));
    }
    write_all(modelled, before);
  }

  void check_books() {
    const rouse::BufferPoolStats stats = pool_->stats();
    ASSERT_EQ(stats.used_blocks, used());
    ASSERT_EQ(stats.capacity_blocks, capacity_);
    ASSERT_EQ(stats.free_blocks, capacity_ - used());
    ASSERT_EQ(stats.waiters, 0U);
    high_water_ = std::max(high_water_, used());
    // Blocks on shelves count too.
    ASSERT_GE(stats.high_water_blocks, high_water_);
    ASSERT_LE(stats.high_water_blocks, stats.used_blocks + stats.free_blocks);
  }

  void check_contents() {
    for (Modelled& modelled : buffers_) {
      ASSERT_EQ(modelled.buffer.size(), modelled.size);
      ASSERT_EQ(modelled.buffer.capacity(), modelled.blocks.size());
      ASSERT_EQ(joined(modelled.buffer.blocks()), modelled.blocks);
      const std::size_t from = pick(modelled.size + 1);
      const Bytes expected(modelled.blocks.begin() + static_cast<std::ptrdiff_t>(from),
                           modelled.blocks.begin() + static_cast<std::ptrdiff_t>(modelled.size));
      ASSERT_EQ(joined(modelled.buffer.content(from)), expected);
      Bytes copied(expected.size());
      ASSERT_EQ(modelled.buffer.copy_to(copied, from), expected.size());
      ASSERT_EQ(copied, expected);
    }
  }

  std::minstd_rand random_;
  BufferPoolOptions options_;
  std::unique_ptr<BufferPool> pool_;
  std::vector<Modelled> buffers_;
  std::size_t capacity_ = 0;
  std::size_t high_water_ = 0;
  std::uint32_t next_seed_ = 1;
};

TEST(BufferPoolModel, SaysTheSameOfRandomPrograms) {
  const std::uint32_t first = std::random_device()();
  const int count = rounds(200);
  for (int i = 0; i < count && !HasFailure(); ++i) {
    const std::uint32_t seed = first + static_cast<std::uint32_t>(i);
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Program(seed).run(200);
  }
}

}  // namespace
