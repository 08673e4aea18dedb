// Stacks that are taken and given back by many at once.

#include "support/scale.hpp"
#include "thread/thread_stack.hpp"

#include <cstddef>
#include <cstdint>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace rouse::test {
namespace {

using detail::ThreadStack;

constexpr std::size_t sizes[] = {5 * 16384, 7 * 16384};

// A word at its top, where a thread would begin, that says whose it is.
std::uint64_t& mark_of(const ThreadStack& stack) {
  return *reinterpret_cast<std::uint64_t*>(static_cast<char*>(stack.lowest()) + stack.size() - 8);
}

TEST(ThreadStackRace, EachIsOnlyOnes) {
  constexpr std::size_t threads = 4;
  constexpr std::size_t most = 40;  // of a thread: several slabs
  const int turns = rounds(20'000);
  const auto churn = [&](std::size_t self) {
    std::mt19937 random(static_cast<unsigned>(self));
    std::vector<std::pair<ThreadStack, std::uint64_t>> mine;
    for (int turn = 0; turn < turns; ++turn) {
      if (mine.size() < most && random() % 2 == 0) {
        ThreadStack stack = ThreadStack::take(sizes[random() % 2]);
        ASSERT_TRUE(stack);
        const std::uint64_t mark = self << 32U | static_cast<std::uint64_t>(turn);
        mark_of(stack) = mark;
        mine.emplace_back(std::move(stack), mark);
      } else if (!mine.empty()) {
        std::swap(mine[random() % mine.size()], mine.back());
        ASSERT_EQ(mark_of(mine.back().first), mine.back().second);
        mine.pop_back();
      }
    }
  };
  std::vector<std::jthread> all;
  for (std::size_t self = 0; self < threads; ++self) all.emplace_back(churn, self);
}

}  // namespace
}  // namespace rouse::test
