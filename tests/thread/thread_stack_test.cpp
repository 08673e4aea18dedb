// The memory that threads run on: who gets it next, and when it goes back.

#include "thread/thread_stack.hpp"

#include "rouse/thread/stoppable_thread.hpp"

#include "support/scale.hpp"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

using rouse::StoppableThread;
using rouse::detail::ThreadStack;

// Of sizes that no thread of a test has: what they leave behind is nobody else's.
constexpr std::size_t small = 3 * 64 * 1024;
constexpr std::size_t large = 19 * 64 * 1024;

std::size_t page() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

char* begin_of(const ThreadStack& stack) { return static_cast<char*>(stack.lowest()); }

bool is_resident(char* address) {
  unsigned char state = 0;
  EXPECT_EQ(::mincore(address, page(), &state), 0);
  return (state & 1U) != 0;
}

/// Whether there is memory at the address at all.
bool is_mapped(char* address) {
  unsigned char state = 0;
  return ::mincore(address, page(), &state) == 0;
}

std::vector<ThreadStack> take(std::size_t count, std::size_t size) {
  std::vector<ThreadStack> stacks;
  for (std::size_t i = 0; i < count; ++i) {
    stacks.push_back(ThreadStack::take(size));
    EXPECT_TRUE(stacks.back());
  }
  return stacks;
}

TEST(ThreadStack, HasAtLeastWhatIsAskedFor) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, page() + 1, small, large}) {
    const ThreadStack stack = ThreadStack::take(size);
    ASSERT_TRUE(stack);
    EXPECT_GE(stack.size(), size);
    EXPECT_GE(stack.size(), static_cast<std::size_t>(::sysconf(_SC_THREAD_STACK_MIN)));
    EXPECT_EQ(stack.size() % page(), 0U);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(stack.lowest()) % page(), 0U);
    std::memset(stack.lowest(), 1, stack.size());
  }
}

TEST(ThreadStack, EndsAtAPageThatMayNotBeTouched) {
  const ThreadStack stack = ThreadStack::take(small);
  ASSERT_TRUE(stack);
  volatile char* const below = begin_of(stack) - 1;
  EXPECT_DEATH(*below = 1, "");
}

TEST(ThreadStack, IsTheNextOnes) {
  ThreadStack stack = ThreadStack::take(small);
  char* const first = begin_of(stack);
  const ThreadStack other = ThreadStack::take(large);
  EXPECT_NE(begin_of(other), first);
  stack = {};
  stack = ThreadStack::take(small);
  EXPECT_EQ(begin_of(stack), first);
}

TEST(ThreadStack, OverlapsNoOther) {
  std::vector<ThreadStack> stacks = take(200, small);
  // Some come back and are taken again.
  for (std::size_t i = 0; i < stacks.size(); i += 3) stacks[i] = {};
  for (std::size_t i = 0; i < stacks.size(); i += 3) stacks[i] = ThreadStack::take(small);
  std::ranges::sort(stacks, {}, &begin_of);
  for (std::size_t i = 1; i < stacks.size(); ++i) {
    EXPECT_GE(begin_of(stacks[i]), begin_of(stacks[i - 1]) + stacks[i - 1].size() + page());
  }
}

TEST(ThreadStack, GoesBackToTheSystemInTheEnd) {
  std::vector<ThreadStack> stacks = take(200, small);
  std::vector<char*> all;
  for (const ThreadStack& stack : stacks) all.push_back(begin_of(stack));
  stacks.clear();
  // But for one slab.
  EXPECT_LE(std::ranges::count_if(all, &is_mapped), 16);
}

TEST(ThreadStack, GivesBackWhatADeepCallHasTouched) {
  ThreadStack stack = ThreadStack::take(large);
  char* const begin = begin_of(stack);
  std::memset(begin, 1, stack.size());
  char* const end = begin + stack.size();
  stack = {};
  stack = ThreadStack::take(large);
  ASSERT_EQ(begin_of(stack), begin);
  EXPECT_FALSE(is_resident(begin));
  EXPECT_TRUE(is_resident(end - page()));
}

TEST(ThreadStack, IsWhatThreadsRunOn) {
  ASSERT_EQ(ThreadStack::suit_threads(), !rouse::test::under_sanitizer);
  if (!ThreadStack::suit_threads()) return;
  const ThreadStack stack = ThreadStack::take(large);  // so that the next one is not the first
  std::array<char*, 3> locals{};
  for (char*& local : locals) {
    StoppableThread thread(
        [&local] {
          char here = 0;
          local = &here;
          // As far down as it was promised.
          std::array<volatile char, large - 128 * 1024> deep;
          deep.front() = here;
        },
        {.stack_size = large});
    thread.start();
    thread.join();
  }
  EXPECT_EQ(locals[0], locals[1]);
  EXPECT_EQ(locals[1], locals[2]);
}

TEST(ThreadStack, IsThereForThreadsOfAChild) {
  if (rouse::test::under_sanitizer) {
    GTEST_SKIP() << "the allocators of the sanitizers do not survive a fork in the middle of them";
  }
  std::atomic<bool> end{false};
  StoppableThread busy([&] {
    while (!end) (void)ThreadStack::take(small);
  });
  busy.start();
  for (int i = rouse::test::rounds(100); i > 0; --i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::alarm(20);
      bool ran = false;
      StoppableThread thread([&] { ran = true; }, {.stack_size = small});
      thread.start();
      thread.join();
      ::_exit(ran ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
  }
  end = true;
}

}  // namespace
