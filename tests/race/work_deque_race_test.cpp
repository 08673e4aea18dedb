// The owner of a deque against thieves: every task goes to exactly one of them, and what its owner
// wrote before it pushed the task is there. The tasks are plain data, so that ThreadSanitizer sees
// two who have one.

#include "exec/work_deque.hpp"
#include "support/as_task.hpp"
#include "support/at_once.hpp"
#include "support/on_cpu.hpp"
#include "support/rendezvous.hpp"
#include "support/scale.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <random>
#include <span>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using rouse::detail::Task;
using rouse::detail::WorkDeque;
using rouse::test::as_task;
using rouse::test::at_once;
using rouse::test::delay;
using rouse::test::from_task;
using rouse::test::OnCpu;
using rouse::test::rounds;

struct Token {
  int pushed = 0;
  int taken = 0;

  static bool take_from(WorkDeque& deque) {
    auto* const token = from_task<Token>(deque.take());
    if (token == nullptr) return false;
    ++token->taken;
    return true;
  }
};

bool all_taken_once(std::span<const Token> tokens) {
  for (const Token& token : tokens) {
    if (token.pushed != 1 || token.taken != 1) return false;
  }
  return true;
}

// Pushes one by one and in bursts, takes back what nobody has taken yet, and takes the oldest.
void own(WorkDeque& deque, std::span<Token> tokens) {
  std::minstd_rand random(5);
  for (std::size_t next = 0; next < tokens.size();) {
    const std::size_t burst = std::min<std::size_t>(1 + random() % 8, tokens.size() - next);
    std::vector<Task*> tasks;
    for (Token& token : tokens.subspan(next, burst)) {
      ++token.pushed;
      tasks.push_back(&as_task(token));
    }
    std::span<Task* const> left = tasks;
    while (!left.empty()) {
      left = left.subspan(deque.push(left));
      if (!left.empty()) Token::take_from(deque);
    }
    next += burst;
    for (std::size_t newest = next; newest-- > next - burst && random() % 2 == 0;) {
      if (!deque.take_back(as_task(tokens[newest]))) break;
      ++tokens[newest].taken;
    }
    if (random() % 4 == 0) Token::take_from(deque);
  }
  while (Token::take_from(deque)) {
  }
}

TEST(WorkDequeRace, GivesEveryTaskToOne) {
  WorkDeque deque;
  std::vector<Token> tokens(static_cast<std::size_t>(rounds(600'000)));
  std::atomic<bool> ended{false};
  const OnCpu here(0);
  {
    std::vector<std::jthread> thieves;
    for (std::size_t i = 1; i <= 3; ++i) {
      thieves.emplace_back([&deque, &ended, i] {
        const OnCpu on_cpu(i);
        // Also what is left when the owner has ended.
        for (bool last = false; !last;) {
          last = ended;
          while (Token::take_from(deque)) {
          }
          std::this_thread::yield();
        }
      });
    }
    own(deque, tokens);
    ended = true;
  }
  EXPECT_TRUE(all_taken_once(tokens));
  EXPECT_TRUE(deque.empty());
}

// The owner takes back the last of one, two or three tasks while two thieves take.
TEST(WorkDequeRace, GivesTheLastTaskToOne) {
  WorkDeque deque;
  std::array<Token, 3> tokens;
  std::size_t count = 0;
  long taken_back = 0;
  long stolen = 0;
  const auto take = [&](int round) {
    delay(static_cast<unsigned>(round) * 3 % 17);
    Token::take_from(deque);
  };
  at_once(
      rounds(40'000),
      {[&](int round) {
         delay(static_cast<unsigned>(round) * 5 % 19);
         if (deque.take_back(as_task(tokens[count - 1]))) {
           ++tokens[count - 1].taken;
           ++taken_back;
         } else {
           ++stolen;
         }
       },
       take, take},
      [&] {
        tokens = {};
        count = count % tokens.size() + 1;
        for (Token& token : std::span(tokens).first(count)) {
          ++token.pushed;
          ASSERT_TRUE(deque.push(as_task(token)));
        }
      },
      [&](int) {
        while (Token::take_from(deque)) {
        }
        ASSERT_TRUE(all_taken_once(std::span(tokens).first(count))) << count;
      });
  EXPECT_GT(taken_back, 0);
  EXPECT_GT(stolen, 0);
}

}  // namespace
