#include "resource/block_list.hpp"

#include "support/at_once.hpp"
#include "support/scale.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using rouse::detail::BlockChain;
using rouse::detail::BlockLink;
using rouse::detail::BlockList;
using rouse::detail::BlockMemory;
using rouse::test::at_once;
using rouse::test::rounds;
using testing::ElementsAre;
using testing::IsEmpty;

// A list, and the links of the blocks 1 to `count`.
class Blocks {
 public:
  explicit Blocks(std::uint32_t count) : links_(std::make_unique<BlockLink[]>(count + 1)) {
    memory.links = links_.get();
    list.reset(links_.get());
  }

  BlockChain chain(std::uint32_t first, std::uint32_t count) {
    BlockChain result;
    for (std::uint32_t block = first; block < first + count; ++block) {
      memory.append(result, {block, block, 1});
    }
    return result;
  }
  std::vector<std::uint32_t> numbers(const BlockChain& chain) const {
    std::vector<std::uint32_t> result;
    std::uint32_t block = chain.first;
    for (std::uint32_t i = 0; i < chain.count; ++i) {
      result.push_back(block);
      if (i + 1 == chain.count) {
        EXPECT_EQ(block, chain.last);
      } else {
        block = memory.next(block);
      }
    }
    return result;
  }
  std::vector<std::uint32_t> pop(std::uint32_t most) { return numbers(list.pop(most)); }

  BlockMemory memory;
  BlockList list;

 private:
  std::unique_ptr<BlockLink[]> links_;
};

TEST(BlockList, IsEmptyAtFirst) {
  Blocks blocks(1);
  EXPECT_EQ(blocks.list.pop(1).count, 0U);
  EXPECT_EQ(blocks.list.pop(64).first, 0U);
}

TEST(BlockList, GivesWhatCameLastFirst) {
  Blocks blocks(9);
  blocks.list.push(blocks.chain(1, 1));
  blocks.list.push(blocks.chain(2, 3));
  blocks.list.push(blocks.chain(5, 2));
  EXPECT_THAT(blocks.pop(1), ElementsAre(5));
  EXPECT_THAT(blocks.pop(2), ElementsAre(6, 2));
  blocks.list.push(blocks.chain(9, 1));
  EXPECT_THAT(blocks.pop(10), ElementsAre(9, 3, 4, 1));
  EXPECT_THAT(blocks.pop(10), IsEmpty());
  blocks.list.push(blocks.chain(7, 2));
  EXPECT_THAT(blocks.pop(2), ElementsAre(7, 8));
  EXPECT_THAT(blocks.pop(1), IsEmpty());
}

TEST(BlockList, IsEmptyAfterAReset) {
  Blocks blocks(3);
  blocks.list.push(blocks.chain(1, 3));
  blocks.list.reset(blocks.memory.links);
  EXPECT_THAT(blocks.pop(3), IsEmpty());
}

// Chains that are taken, divided and put back in another order: no block is lost or there twice.
TEST(BlockList, LosesAndDoublesNothingWhateverComesAtOnce) {
  constexpr std::uint32_t count = 24;
  Blocks blocks(count);
  blocks.list.push(blocks.chain(1, count));
  std::vector<std::atomic<int>> owners(count + 1);
  const auto own = [&](const std::vector<std::uint32_t>& numbers) {
    for (const std::uint32_t block : numbers) EXPECT_EQ(owners[block].fetch_add(1), 0) << block;
  };
  const auto disown = [&](const std::vector<std::uint32_t>& numbers) {
    for (const std::uint32_t block : numbers) EXPECT_EQ(owners[block].fetch_sub(1), 1) << block;
  };
  const auto use = [&](std::uint32_t most) {
    return [&, most](int) {
      for (int i = 0; i < 20; ++i) {
        BlockChain chain = blocks.list.pop(most);
        if (chain.count == 0) continue;
        const std::vector<std::uint32_t> numbers = blocks.numbers(chain);
        own(numbers);
        disown(numbers);
        if (chain.count > 1 && i % 2 == 0) {
          // The first comes back on its own, and afterwards.
          const BlockChain first{numbers[0], numbers[0], 1};
          blocks.list.push({numbers[1], chain.last, chain.count - 1});
          chain = first;
        }
        blocks.list.push(chain);
      }
    };
  };
  at_once(
      rounds(2'000), {use(1), use(2), use(7)}, [] {},
      [&](int) {
        std::vector<std::uint32_t> all = blocks.pop(count + 1);
        ASSERT_EQ(all.size(), count);
        std::ranges::sort(all);
        for (std::uint32_t i = 0; i < count; ++i) ASSERT_EQ(all[i], i + 1);
        blocks.list.push(blocks.chain(1, count));
      });
}

}  // namespace
