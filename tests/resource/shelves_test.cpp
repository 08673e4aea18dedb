#include "resource/shelves.hpp"

#include "support/at_once.hpp"
#include "support/on_cpu.hpp"
#include "support/rendezvous.hpp"
#include "support/scale.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using rouse::detail::Shelves;
using rouse::test::at_once;
using rouse::test::OnCpu;
using rouse::test::rounds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

using Numbers = std::vector<std::uint32_t>;

Numbers cleared(Shelves& shelves) {
  Numbers blocks;
  shelves.close();
  shelves.clear([&](std::uint32_t block) { blocks.push_back(block); });
  shelves.open();
  return blocks;
}

// Put again if the kernel has broken it off.
void put(Shelves& shelves, std::uint32_t block) {
  while (!shelves.put(block)) std::this_thread::yield();
}

// Taken again for the same reason, until they are none.
Numbers taken(Shelves& shelves) {
  Numbers blocks;
  while (shelves.count() != 0) {
    if (const std::uint32_t block = shelves.take()) blocks.push_back(block);
  }
  return blocks;
}

TEST(Shelves, AreClosedAtFirst) {
  Shelves shelves;
  EXPECT_TRUE(shelves.closed());
  EXPECT_FALSE(shelves.put(1));
  EXPECT_EQ(shelves.take(), 0U);
  shelves.open();
  EXPECT_FALSE(shelves.closed());
  EXPECT_EQ(shelves.take(), 0U);
  EXPECT_EQ(shelves.count(), 0U);
}

TEST(Shelves, GiveWhatCameLastFirst) {
  Shelves shelves;
  shelves.open();
  const OnCpu on_cpu(0);
  for (const std::uint32_t block : {4U, 1U, 7U}) put(shelves, block);
  EXPECT_EQ(shelves.count(), 3U);
  EXPECT_THAT(taken(shelves), ElementsAre(7, 1, 4));
}

TEST(Shelves, AreFullWithSoManyBlocks) {
  Shelves shelves;
  shelves.open();
  const OnCpu on_cpu(0);
  for (std::uint32_t block = 1; block <= Shelves::places; ++block) put(shelves, block);
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(shelves.put(100));
  EXPECT_EQ(shelves.count(), Shelves::places);
  EXPECT_EQ(taken(shelves).size(), Shelves::places);
}

TEST(Shelves, HaveRoomAgainWhenTheyWereCleared) {
  Shelves shelves;
  shelves.open();
  const OnCpu on_cpu(0);
  for (int round = 0; round < 3; ++round) {
    for (std::uint32_t block = 1; block <= Shelves::places; ++block) put(shelves, block);
    EXPECT_EQ(cleared(shelves).size(), Shelves::places);
  }
}

TEST(Shelves, AreOneForEachCpu) {
  Shelves shelves;
  shelves.open();
  {
    const OnCpu on_cpu(0);
    put(shelves, 1);
  }
  const OnCpu on_cpu(1);
  if (std::thread::hardware_concurrency() > 1) {
    EXPECT_EQ(shelves.take(), 0U);
  }
  put(shelves, 2);
  EXPECT_EQ(shelves.count(), 2U);
  EXPECT_THAT(cleared(shelves), UnorderedElementsAre(1, 2));
  EXPECT_THAT(cleared(shelves), IsEmpty());
}

TEST(Shelves, StayClosedUntilAllHaveOpenedThem) {
  Shelves shelves;
  shelves.open();
  const OnCpu on_cpu(0);
  put(shelves, 1);
  shelves.close();
  shelves.close();
  EXPECT_EQ(shelves.closers(), 2U);
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(shelves.put(2));
    EXPECT_EQ(shelves.take(), 0U);
  }
  EXPECT_EQ(shelves.count(), 1U);
  shelves.open();
  EXPECT_FALSE(shelves.put(2));
  shelves.open();
  EXPECT_THAT(taken(shelves), ElementsAre(1));
}

// Each block is in one place: on a shelf, or with one thread, whoever clears the shelves meanwhile.
TEST(Shelves, LoseAndDoubleNothingWhateverComesAtOnce) {
  constexpr std::uint32_t count = 20;
  Shelves shelves;
  shelves.open();
  std::array<std::atomic<int>, count + 1> owners{};
  std::array<Numbers, 3> mine;
  const auto own = [&](Numbers& numbers, std::uint32_t block) {
    EXPECT_EQ(owners[block].fetch_add(1), 0) << block;
    numbers.push_back(block);
  };
  const auto give = [&](Numbers& numbers) {
    const std::uint32_t block = numbers.back();
    numbers.pop_back();
    EXPECT_EQ(owners[block].fetch_sub(1), 1) << block;
    if (!shelves.put(block)) own(numbers, block);
  };
  const auto use = [&](Numbers& numbers) {
    return [&](int) {
      for (int i = 0; i < 30; ++i) {
        if (const std::uint32_t block = shelves.take()) own(numbers, block);
        if (!numbers.empty() && i % 3 != 0) give(numbers);
      }
    };
  };
  const auto clear = [&](int) {
    for (int i = 0; i < 3; ++i) {
      shelves.close();
      shelves.clear([&](std::uint32_t block) { own(mine[2], block); });
      shelves.open();
      while (mine[2].size() > count / 2) give(mine[2]);
    }
  };
  for (std::uint32_t block = 1; block <= count; ++block) own(mine[0], block);
  at_once(
      rounds(600), {use(mine[0]), use(mine[1]), clear}, [] {},
      [&](int) {
        Numbers all = cleared(shelves);
        for (const std::uint32_t block : all) ASSERT_EQ(owners[block].load(), 0);
        for (const std::uint32_t block : Numbers(all)) own(mine[1], block);
        all.clear();
        for (const Numbers& numbers : mine) all.insert(all.end(), numbers.begin(), numbers.end());
        std::ranges::sort(all);
        ASSERT_EQ(all.size(), count);
        for (std::uint32_t i = 0; i < count; ++i) ASSERT_EQ(all[i], i + 1);
      });
}

// Who has closed them finds what was put before; what is put after is refused.
TEST(Shelves, AreClosedForWhatIsPutAtThatInstant) {
  Shelves shelves;
  shelves.open();
  bool kept = false;
  Numbers found;
  int counts[2] = {};
  at_once(
      rounds(3'000),
      {[&](int i) {
         rouse::test::delay(static_cast<unsigned>(i) % 64);
         kept = shelves.put(1);
       },
       [&](int i) {
         rouse::test::delay(static_cast<unsigned>(i) / 64 % 64);
         shelves.close();
         shelves.clear([&](std::uint32_t block) { found.push_back(block); });
       }},
      [&] { found.clear(); },
      [&](int) {
        ASSERT_EQ(found.size(), kept ? 1U : 0U);
        ASSERT_EQ(shelves.count(), 0U);
        ++counts[kept ? 0 : 1];
        shelves.open();
      });
  RecordProperty("kept", counts[0]);
  RecordProperty("refused", counts[1]);
}

}  // namespace
