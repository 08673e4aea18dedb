// Buffer: what it holds, at the borders of its blocks above all.

#include "rouse/resource/buffer.hpp"

#include "rouse/resource/buffer_pool.hpp"

#include "support/buffers.hpp"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <functional>
#include <iterator>
#include <optional>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using rouse::Buffer;
using rouse::BufferPiece;
using rouse::BufferPool;
using rouse::BufferRange;
using rouse::test::content_of;
using rouse::test::joined;
using rouse::test::some_bytes;
using rouse::test::text_of;
using testing::ElementsAre;

using Bytes = std::vector<std::byte>;

static_assert(std::is_nothrow_move_constructible_v<Buffer>);
static_assert(std::is_nothrow_move_assignable_v<Buffer>);
static_assert(!std::is_copy_constructible_v<Buffer>);
static_assert(std::bidirectional_iterator<BufferRange<std::byte>::iterator>);
static_assert(std::bidirectional_iterator<BufferRange<const std::byte>::iterator>);
static_assert(std::ranges::bidirectional_range<BufferRange<std::byte>>);
static_assert(std::ranges::common_range<BufferRange<const std::byte>>);
static_assert(std::is_base_of_v<std::span<std::byte>, BufferPiece<std::byte>>);

constexpr std::size_t block_bytes = 64;

// Four blocks of 64 bytes.
class BufferTest : public testing::Test {
 protected:
  BufferPool pool_{{.block_size = block_bytes, .blocks = 8}};
  Buffer buffer_ = pool_.allocate(4);
};

// What a call that does not fit leaves: all as it was.
template <class Error, class Call>
void expect_refusal(const Buffer& buffer, const std::string& message, Call call) {
  const Bytes before = content_of(buffer);
  try {
    call();
    ADD_FAILURE() << "no exception";
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), message);
  }
  EXPECT_EQ(content_of(buffer), before);
  EXPECT_EQ(buffer.size(), before.size());
}

Bytes part(const Bytes& bytes, std::size_t from, std::size_t size) {
  const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(from);
  return {begin, begin + static_cast<std::ptrdiff_t>(size)};
}
Bytes first_of(const Bytes& bytes, std::size_t size) { return part(bytes, 0, size); }

Bytes twice(Bytes bytes) {
  const std::size_t size = bytes.size();
  bytes.resize(2 * size);
  std::ranges::copy_n(bytes.begin(), static_cast<std::ptrdiff_t>(size),
                      bytes.begin() + static_cast<std::ptrdiff_t>(size));
  return bytes;
}

Bytes joined_backward(auto range) {
  Bytes bytes;
  for (auto at = range.end(); at != range.begin();) {
    const auto piece = *--at;
    bytes.insert(bytes.begin(), piece.begin(), piece.end());
  }
  return bytes;
}

std::vector<std::size_t> sizes_of(auto range) {
  std::vector<std::size_t> sizes;
  for (const auto piece : range) sizes.push_back(piece.size());
  return sizes;
}

TEST_F(BufferTest, IsEmptyAtFirst) {
  EXPECT_EQ(buffer_.size(), 0U);
  EXPECT_TRUE(buffer_.empty());
  EXPECT_EQ(buffer_.capacity(), 4 * block_bytes);
  EXPECT_EQ(buffer_.block_count(), 4U);
  EXPECT_EQ(buffer_.block_size(), block_bytes);
  EXPECT_TRUE(buffer_.content().empty());
}

TEST_F(BufferTest, HoldsWhatItIsAssignedWhateverItsSize) {
  for (std::size_t size = 0; size <= 4 * block_bytes; ++size) {
    const Bytes bytes = some_bytes(size);
    buffer_.assign(bytes);
    ASSERT_EQ(buffer_.size(), size);
    ASSERT_EQ(buffer_.empty(), size == 0);
    ASSERT_EQ(content_of(buffer_), bytes) << size;
  }
}

TEST_F(BufferTest, HoldsWhatIsAppendedInAnyTwoParts) {
  const Bytes bytes = some_bytes(4 * block_bytes);
  for (std::size_t first = 0; first <= 4 * block_bytes; ++first) {
    for (const std::size_t second : {std::size_t{0}, std::size_t{1}, block_bytes - 1, block_bytes,
                                     block_bytes + 1, 4 * block_bytes - first}) {
      if (first + second > 4 * block_bytes) continue;
      buffer_.clear();
      buffer_.append(std::span(bytes).first(first));
      buffer_.append(std::span(bytes).subspan(first, second));
      ASSERT_EQ(content_of(buffer_), first_of(bytes, first + second)) << first << " and " << second;
    }
  }
}

TEST_F(BufferTest, RefusesWhatDoesNotFit) {
  buffer_.assign(some_bytes(4 * block_bytes, 7));
  expect_refusal<std::length_error>(buffer_, "Buffer::assign: 257 bytes, there is room for 256",
                                    [&] { buffer_.assign(some_bytes(4 * block_bytes + 1)); });
  expect_refusal<std::length_error>(buffer_, "Buffer::append: 1 bytes, there is room for 0",
                                    [&] { buffer_.append("x"); });
  expect_refusal<std::length_error>(buffer_, "Buffer::resize: 257 bytes, there is room for 256",
                                    [&] { buffer_.resize(4 * block_bytes + 1); });
  buffer_.resize(100);
  expect_refusal<std::length_error>(buffer_, "Buffer::append: 157 bytes, there is room for 156",
                                    [&] { buffer_.append(some_bytes(157)); });
  buffer_.append(some_bytes(156));
  EXPECT_EQ(buffer_.size(), buffer_.capacity());
}

TEST_F(BufferTest, MayBeGivenItsOwnContent) {
  const Bytes all = some_bytes(4 * block_bytes);
  for (const std::size_t size :
       {std::size_t{1}, block_bytes - 1, block_bytes, block_bytes + 1, 2 * block_bytes}) {
    buffer_.assign(std::span(all).first(size));
    std::vector<BufferPiece<const std::byte>> pieces;
    for (const auto piece : buffer_.content()) pieces.push_back(piece);
    for (const auto piece : pieces) buffer_.append(piece);
    ASSERT_EQ(content_of(buffer_), twice(first_of(all, size))) << size;
  }
  // The piece that is cut by a border: its first byte is written behind its last.
  buffer_.assign(std::span(all).first(block_bytes - 1));
  buffer_.append(*buffer_.content().begin());
  EXPECT_EQ(content_of(buffer_), twice(first_of(all, block_bytes - 1)));
}

TEST_F(BufferTest, MayBeAssignedAPartOfItself) {
  const Bytes all = some_bytes(3 * block_bytes);
  for (std::size_t from = 0; from < all.size(); ++from) {
    buffer_.assign(all);
    const auto piece = *buffer_.content(from).begin();
    buffer_.assign(piece);
    ASSERT_EQ(content_of(buffer_), part(all, from, block_bytes - from % block_bytes)) << from;
  }
}

TEST_F(BufferTest, ClearsWithoutLosingItsBlocks) {
  buffer_.assign(some_bytes(3 * block_bytes));
  buffer_.clear();
  EXPECT_TRUE(buffer_.empty());
  EXPECT_EQ(buffer_.block_count(), 4U);
  buffer_.append("again");
  EXPECT_EQ(text_of(buffer_), "again");
}

TEST_F(BufferTest, IsResizedToAnySizeFromAnySize) {
  const Bytes all = some_bytes(4 * block_bytes);
  const std::size_t sizes[] = {0,
                               1,
                               block_bytes - 1,
                               block_bytes,
                               block_bytes + 1,
                               2 * block_bytes - 1,
                               2 * block_bytes,
                               2 * block_bytes + 1,
                               3 * block_bytes,
                               4 * block_bytes - 1,
                               4 * block_bytes};
  for (const std::size_t from : sizes) {
    for (const std::size_t to : sizes) {
      buffer_.assign(all);
      buffer_.resize(from);
      buffer_.resize(to);
      ASSERT_EQ(buffer_.size(), to);
      ASSERT_EQ(content_of(buffer_), first_of(all, to)) << from << " to " << to;
      // What is appended goes on there.
      const Bytes more = some_bytes(4 * block_bytes - to, 2);
      buffer_.append(more);
      ASSERT_EQ(joined(buffer_.content(to)), more) << from << " to " << to;
      ASSERT_EQ(first_of(content_of(buffer_), to), first_of(all, to));
    }
  }
}

TEST_F(BufferTest, HasContentFromAnyPosition) {
  const Bytes all = some_bytes(3 * block_bytes + 10);
  buffer_.assign(all);
  for (std::size_t from = 0; from <= all.size(); ++from) {
    const auto range = buffer_.content(from);
    ASSERT_EQ(range.size_bytes(), all.size() - from);
    ASSERT_EQ(range.empty(), from == all.size());
    ASSERT_EQ(range.begin() == range.end(), from == all.size());
    const Bytes rest = part(all, from, all.size() - from);
    ASSERT_EQ(joined(range), rest) << from;
    ASSERT_EQ(joined_backward(range), rest) << from;
  }
  expect_refusal<std::out_of_range>(buffer_, "Buffer::content: position 203 is behind the end, 202",
                                    [&] { (void)buffer_.content(all.size() + 1); });
}

TEST_F(BufferTest, HasBlocksFromAnyPositionWhateverItHolds) {
  for (const std::size_t size :
       {std::size_t{0}, block_bytes, 2 * block_bytes + 1, 4 * block_bytes}) {
    buffer_.resize(size);
    for (std::size_t from = 0; from <= 4 * block_bytes; ++from) {
      const auto range = buffer_.blocks(from);
      ASSERT_EQ(range.size_bytes(), 4 * block_bytes - from);
      const Bytes bytes = some_bytes(4 * block_bytes - from, static_cast<std::uint32_t>(from));
      std::size_t at = 0;
      for (const std::span<std::byte> piece : range) {
        std::ranges::copy(std::span(bytes).subspan(at, piece.size()), piece.begin());
        at += piece.size();
      }
      ASSERT_EQ(at, bytes.size());
      ASSERT_EQ(buffer_.size(), size);
      ASSERT_EQ(joined(buffer_.blocks(from)), bytes);
      ASSERT_EQ(joined_backward(range), bytes);
    }
  }
  expect_refusal<std::out_of_range>(buffer_, "Buffer::blocks: position 257 is behind the end, 256",
                                    [&] { (void)buffer_.blocks(4 * block_bytes + 1); });
}

TEST_F(BufferTest, HasAPieceForEachBlock) {
  buffer_.resize(3 * block_bytes + 10);
  EXPECT_THAT(sizes_of(buffer_.content()), ElementsAre(block_bytes, block_bytes, block_bytes, 10U));
  EXPECT_THAT(sizes_of(buffer_.content(block_bytes - 1)),
              ElementsAre(1U, block_bytes, block_bytes, 10U));
  EXPECT_THAT(sizes_of(buffer_.content(3 * block_bytes + 9)), ElementsAre(1U));
  EXPECT_THAT(sizes_of(buffer_.blocks()),
              ElementsAre(block_bytes, block_bytes, block_bytes, block_bytes));
  EXPECT_THAT(sizes_of(buffer_.blocks(buffer_.size())), ElementsAre(block_bytes - 10));
  buffer_.resize(2 * block_bytes);
  EXPECT_THAT(sizes_of(buffer_.content()), ElementsAre(block_bytes, block_bytes));
  EXPECT_THAT(sizes_of(buffer_.blocks(buffer_.size())), ElementsAre(block_bytes, block_bytes));
}

// Blocks that were never out follow each other; those that come from the list do so as it happens.
TEST_F(BufferTest, IsGoneThroughBackwardWhereverItsBlocksCameFrom) {
  BufferPool pool({.block_size = block_bytes, .blocks = 100});
  for (const std::size_t count : {2U, 40U, 100U, 7U}) {
    Buffer buffer = pool.allocate(count);
    rouse::test::put_mark(buffer, count);
    ASSERT_EQ(joined_backward(buffer.blocks()), joined(buffer.blocks())) << count;
    ASSERT_TRUE(buffer.resize_blocks((count + 1) / 2));
    Buffer other = pool.allocate(1);
    ASSERT_TRUE(buffer.resize_blocks(count - 1));
    buffer.resize(buffer.capacity());
    ASSERT_EQ(joined_backward(buffer.blocks(3)), joined(buffer.blocks(3))) << count;
    ASSERT_EQ(joined_backward(buffer.content()), joined(buffer.content())) << count;
  }
}

TEST_F(BufferTest, HasIteratorsThatAreLeftWhereTheyWere) {
  buffer_.resize(3 * block_bytes);
  const auto range = buffer_.content();
  auto at = range.begin();
  EXPECT_EQ(at++, range.begin());
  EXPECT_EQ(at, std::next(range.begin()));
  EXPECT_EQ(at--, std::next(range.begin()));
  EXPECT_EQ(at, range.begin());
  EXPECT_EQ(std::next(range.begin(), 3), range.end());
  EXPECT_EQ(std::prev(range.end(), 3), range.begin());
  EXPECT_EQ(std::ranges::distance(range), 3);
  EXPECT_EQ((BufferRange<std::byte>::iterator()), (BufferRange<std::byte>::iterator()));
  EXPECT_TRUE(BufferRange<const std::byte>().empty());
  EXPECT_EQ(BufferRange<const std::byte>().begin(), BufferRange<const std::byte>().end());
}

TEST_F(BufferTest, CopiesAsMuchAsThereIsAndFits) {
  const Bytes all = some_bytes(2 * block_bytes + 10);
  buffer_.assign(all);
  for (std::size_t from = 0; from <= all.size(); ++from) {
    for (const std::size_t room : {std::size_t{0}, std::size_t{1}, block_bytes, block_bytes + 1,
                                   all.size(), all.size() + 1}) {
      Bytes to(room + 1, std::byte{0xEE});
      const std::size_t copied = buffer_.copy_to(std::span(to).first(room), from);
      ASSERT_EQ(copied, std::min(room, all.size() - from));
      ASSERT_EQ(first_of(to, copied), part(all, from, copied));
      ASSERT_EQ(part(to, copied, to.size() - copied), Bytes(to.size() - copied, std::byte{0xEE}));
    }
  }
  Bytes to(1);
  expect_refusal<std::out_of_range>(buffer_, "Buffer::copy_to: position 139 is behind the end, 138",
                                    [&] { (void)buffer_.copy_to(to, all.size() + 1); });
}

TEST_F(BufferTest, KeepsWhatLiesInTheBlocksThatAreLeft) {
  const Bytes all = some_bytes(4 * block_bytes);
  for (std::size_t size = 0; size <= 4 * block_bytes; ++size) {
    for (std::size_t count = 1; count <= 4; ++count) {
      buffer_.assign(std::span(all).first(size));
      ASSERT_TRUE(buffer_.resize_blocks(count));
      const std::size_t left = std::min(size, count * block_bytes);
      ASSERT_EQ(buffer_.block_count(), count);
      ASSERT_EQ(buffer_.capacity(), count * block_bytes);
      ASSERT_EQ(buffer_.size(), left);
      ASSERT_EQ(content_of(buffer_), first_of(all, left));
      ASSERT_EQ(pool_.used_blocks(), count);
      ASSERT_TRUE(buffer_.resize_blocks(4));
      const Bytes more = some_bytes(4 * block_bytes - left, 2);
      buffer_.append(more);
      ASSERT_EQ(joined(buffer_.content(left)), more) << size << " in " << count;
      ASSERT_EQ(first_of(content_of(buffer_), left), first_of(all, left));
      ASSERT_EQ(pool_.used_blocks(), 4U);
    }
  }
}

TEST_F(BufferTest, TakesMoreBlocksIfThePoolHasThem) {
  buffer_.assign(some_bytes(4 * block_bytes));
  const Buffer other = pool_.allocate(3);
  EXPECT_FALSE(buffer_.resize_blocks(6));
  EXPECT_EQ(buffer_.block_count(), 4U);
  EXPECT_EQ(content_of(buffer_), some_bytes(4 * block_bytes));
  EXPECT_TRUE(buffer_.resize_blocks(5));
  EXPECT_TRUE(buffer_.resize_blocks(5));
  EXPECT_EQ(content_of(buffer_), some_bytes(4 * block_bytes));
  EXPECT_EQ(pool_.free_blocks(), 0U);
  expect_refusal<std::invalid_argument>(buffer_, "Buffer::resize_blocks: 0 blocks",
                                        [&] { (void)buffer_.resize_blocks(0); });
  expect_refusal<std::length_error>(buffer_,
                                    "Buffer::resize_blocks: 9 blocks, the pool has 8 at most",
                                    [&] { (void)buffer_.resize_blocks(9); });
}

TEST_F(BufferTest, IsWithoutBlocksOnceItWasMovedFrom) {
  const Bytes bytes = some_bytes(3 * block_bytes + 1);
  buffer_.assign(bytes);
  const auto range = buffer_.content();
  Buffer second = std::move(buffer_);
  // NOLINTBEGIN(bugprone-use-after-move)
  EXPECT_EQ(buffer_.size(), 0U);
  EXPECT_EQ(buffer_.capacity(), 0U);
  EXPECT_EQ(buffer_.block_count(), 0U);
  EXPECT_EQ(buffer_.block_size(), 0U);
  EXPECT_TRUE(buffer_.content().empty());
  EXPECT_TRUE(buffer_.blocks().empty());
  EXPECT_EQ(buffer_.copy_to({}), 0U);
  buffer_.clear();
  buffer_.resize(0);
  buffer_.append("");
  buffer_.assign("");
  expect_refusal<std::length_error>(buffer_, "Buffer::append: 1 bytes, there is room for 0",
                                    [&] { buffer_.append("x"); });
  expect_refusal<std::length_error>(buffer_, "Buffer::resize: 1 bytes, there is room for 0",
                                    [&] { buffer_.resize(1); });
  expect_refusal<std::out_of_range>(buffer_, "Buffer::blocks: position 1 is behind the end, 0",
                                    [&] { (void)buffer_.blocks(1); });
  // NOLINTEND(bugprone-use-after-move)
  EXPECT_EQ(content_of(second), bytes);
  EXPECT_EQ(joined(range), bytes);  // of the blocks, which have only changed hands
  second.append("x");
  EXPECT_EQ(second.size(), bytes.size() + 1);
  EXPECT_EQ(pool_.used_blocks(), 4U);
}

TEST_F(BufferTest, GivesItsBlocksBackWhenAnotherIsMovedToIt) {
  Buffer other = pool_.allocate(2);
  other.assign("other");
  buffer_ = std::move(other);
  EXPECT_EQ(pool_.used_blocks(), 2U);
  EXPECT_EQ(text_of(buffer_), "other");
  buffer_ = Buffer();
  EXPECT_EQ(pool_.used_blocks(), 0U);
}

TEST_F(BufferTest, MayBeMovedToItself) {
  buffer_.assign("itself");
  Buffer& same = buffer_;
  buffer_ = std::move(same);
  EXPECT_EQ(text_of(buffer_), "itself");
  EXPECT_EQ(buffer_.block_count(), 4U);
  EXPECT_EQ(pool_.used_blocks(), 4U);
}

TEST_F(BufferTest, SwapsBlocksAndContent) {
  BufferPool others({.block_size = 2 * block_bytes, .blocks = 1});
  Buffer other = others.allocate();
  other.assign("other");
  buffer_.assign("buffer");
  buffer_.swap(other);
  EXPECT_EQ(text_of(buffer_), "other");
  EXPECT_EQ(buffer_.block_size(), 2 * block_bytes);
  EXPECT_EQ(text_of(other), "buffer");
  EXPECT_EQ(other.block_count(), 4U);
  buffer_ = Buffer();
  EXPECT_EQ(others.used_blocks(), 0U);
  EXPECT_EQ(pool_.used_blocks(), 4U);
}

TEST_F(BufferTest, IsReadAndWrittenByVectors) {
  const std::string text(150, 't');
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const auto vectors = [](auto range) {
    std::vector<::iovec> result;
    for (const auto piece : range) {
      result.push_back({const_cast<std::byte*>(piece.data()), piece.size()});
    }
    return result;
  };
  buffer_.assign(text);
  const auto from = vectors(buffer_.content());
  EXPECT_EQ(from.size(), 3U);
  EXPECT_EQ(::writev(pipe[1], from.data(), static_cast<int>(from.size())), 150);
  Buffer other = pool_.allocate(3);
  other.assign("got: ");
  const auto to = vectors(other.blocks(other.size()));
  const ssize_t read = ::readv(pipe[0], to.data(), static_cast<int>(to.size()));
  ASSERT_EQ(read, 150);
  other.resize(other.size() + static_cast<std::size_t>(read));
  EXPECT_EQ(text_of(other), "got: " + text);
  for (const int fd : pipe) ::close(fd);
}

// --- without the pool ----------------------------------------------------------------------------

TEST(Buffer, OutlivesItsPool) {
  std::optional<BufferPool> pool(std::in_place,
                                 rouse::BufferPoolOptions{.block_size = block_bytes, .blocks = 8});
  Buffer buffer = pool->allocate(4);
  buffer.assign("before");
  pool.reset();
  EXPECT_EQ(text_of(buffer), "before");
  EXPECT_FALSE(buffer.resize_blocks(5));
  EXPECT_EQ(buffer.block_count(), 4U);
  buffer.append(" and after");
  EXPECT_TRUE(buffer.resize_blocks(1));
  EXPECT_FALSE(buffer.resize_blocks(2));
  EXPECT_EQ(text_of(buffer), "before and after");
}

TEST(Buffer, HasItsMemoryToItselfWhateverBecomesOfThePoolsThatComeLater) {
  for (int round = 0; round < 20; ++round) {
    std::vector<Buffer> buffers;
    {
      BufferPool pool({.block_size = block_bytes, .blocks = 100, .max_blocks = 200});
      for (int i = 0; i < 50; ++i) {
        buffers.push_back(pool.allocate(3));
        rouse::test::put_mark(buffers.back(), static_cast<unsigned>(i));
      }
    }
    BufferPool next({.block_size = block_bytes, .blocks = 150});
    Buffer all = next.allocate(150);
    rouse::test::put_mark(all, 1000);
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 2; ++t) {
      threads.emplace_back([&buffers, t] {
        for (std::size_t i = t; i < buffers.size(); i += 2) {
          EXPECT_TRUE(rouse::test::has_mark(buffers[i], i));
          buffers[i] = Buffer();
        }
      });
    }
    threads.clear();
    EXPECT_TRUE(rouse::test::has_mark(all, 1000));
    EXPECT_EQ(next.used_blocks(), 150U);
    all = Buffer();
    EXPECT_EQ(next.used_blocks(), 0U);
  }
}

}  // namespace
