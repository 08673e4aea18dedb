// Generators that many threads use, while others come, go, fork and count boots: no number and no
// id comes twice.

#include "rouse/resource/cycle_id.hpp"
#include "rouse/resource/number_generator.hpp"

#include "support/at_once.hpp"
#include "support/each_once.hpp"
#include "support/in_child.hpp"
#include "support/rendezvous.hpp"
#include "support/scale.hpp"
#include "support/temporary_directory.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using rouse::CycleId;
using rouse::CycleIdGenerator;
using rouse::LeasedNumberGenerator;
using rouse::NumberGenerator;
using rouse::test::at_once;
using rouse::test::delay;
using rouse::test::EachOnce;
using rouse::test::in_child;
using rouse::test::rounds;
using rouse::test::TemporaryDirectory;

std::uint64_t as_index(std::int64_t number) { return static_cast<std::uint64_t>(number); }

// The same action on several threads.
std::vector<std::function<void(int)>> times(int threads, const std::function<void(int)>& action) {
  return std::vector<std::function<void(int)>>(static_cast<std::size_t>(threads), action);
}

// Each round has a generator of its own, in the place of the last one, whose ranges the threads
// still have.
TEST(IdsRace, LeasesOfAGeneratorThatIsGoneAreForgotten) {
  std::optional<LeasedNumberGenerator> numbers;
  std::optional<EachOnce> seen;
  const auto take = [&](int) {
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(seen->add(as_index(numbers->next())));
  };
  at_once(
      rounds(3000), times(3, take),
      [&] {
        numbers.emplace();
        seen.emplace(3 * (16 + 32));
      },
      [](int) {});
}

// The first and the last ranges of threads that begin and end, against a thread that stays.
TEST(IdsRace, ThreadsThatEndLeaveNoNumberToOthers) {
  LeasedNumberGenerator numbers;
  const int count = rounds(1000);
  EachOnce seen(static_cast<std::uint64_t>(count) * (2 * 16 + 1024));
  const auto begin_and_end = [&](int) {
    std::jthread([&] { EXPECT_TRUE(seen.add(as_index(numbers.next()))); }).join();
  };
  std::vector<std::function<void(int)>> actions = times(2, begin_and_end);
  actions.emplace_back([&](int) {
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(seen.add(as_index(numbers.next())));
  });
  at_once(
      count, actions, [] {}, [](int) {});
}

// The last numbers: who comes too late is told so.
TEST(IdsRace, TheLastNumbersGoToOneEach) {
  constexpr std::int64_t left = 40;
  std::optional<NumberGenerator> numbers;
  std::optional<LeasedNumberGenerator> leased;
  std::optional<EachOnce> seen;
  std::optional<EachOnce> seen_leased;
  const auto take_all = [&](auto& generator, EachOnce& of) {
    try {
      for (;;) EXPECT_TRUE(of.add(as_index(generator.next() - (INT64_MAX - left + 1))));
    } catch (const std::overflow_error&) {
    }
  };
  at_once(
      rounds(500),
      times(3,
            [&](int) {
              take_all(*numbers, *seen);
              take_all(*leased, *seen_leased);
            }),
      [&] {
        numbers.emplace(INT64_MAX - left + 1);
        leased.emplace(INT64_MAX - left + 1);
        seen.emplace(left);
        seen_leased.emplace(left);
      },
      [&](int) {
        EXPECT_TRUE(seen->has_all());
        EXPECT_TRUE(seen_leased->has_all());
      });
}

TEST(IdsRace, AResetComesBeforeOrAfterANumber) {
  NumberGenerator numbers;
  CycleIdGenerator ids("127.0.0.1", 1);
  std::array<std::int64_t, 2> number{};
  std::array<std::uint64_t, 2> counter{};
  std::vector<std::function<void(int)>> actions;
  for (std::size_t i = 0; i < 2; ++i) {
    actions.emplace_back([&, i](int round) {
      delay(static_cast<unsigned>(round) * 7 % 50);
      number[i] = numbers.next();
      counter[i] = CycleId(ids.next()).counter();
    });
  }
  actions.emplace_back([&](int round) {
    delay(static_cast<unsigned>(round) * 11 % 50);
    numbers.reset(1000);
    ids.reset_next(1000);
  });
  at_once(
      rounds(5000), actions,
      [&] {
        numbers.reset(0);
        ids.reset_next(0);
      },
      [&](int) {
        EXPECT_NE(number[0], number[1]);
        EXPECT_NE(counter[0], counter[1]);
        for (const std::int64_t n : number) EXPECT_EQ(n % 1000 / 2, 0) << n;
        for (const std::uint64_t n : counter) EXPECT_EQ(n % 1000 / 2, 0U) << n;
      });
}

// Threads of one process do not exclude each other by flock(2) unless each opens the lock itself.
TEST(IdsRace, ThreadsThatComeTogetherGetDifferentBootNumbers) {
  const TemporaryDirectory directory;
  const std::string path = directory / "boot";
  const int count = rounds(20);
  EachOnce seen(static_cast<std::uint64_t>(count) * 3);
  const auto boot = [&](int) {
    EXPECT_TRUE(seen.add(CycleIdGenerator("::1", 1, {.boot_file = path}).boot() - 1U));
  };
  at_once(
      count, times(3, boot), [] {}, [](int) {});
  EXPECT_TRUE(seen.has_all());
}

TEST(IdsRace, ForksAmidOfIdsRepeatNone) {
  CycleIdGenerator ids("127.0.0.1", 1);
  const int forks = rounds(30);
  constexpr int each = 1000;
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> taken{0};
  const std::uint64_t start = CycleId(ids.next()).counter() + 1;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([&] {
        while (!done) {
          (void)ids.next();
          ++taken;
        }
      });
    }
    for (int i = 0; i < forks; ++i) {
      EXPECT_EQ(in_child([&] {
                  std::uint64_t last = CycleId(ids.next()).counter();
                  for (int n = 1; n < each; ++n) {
                    const std::uint64_t next = CycleId(ids.next()).counter();
                    if (next <= last) return 1;
                    last = next;
                  }
                  return 0;
                }),
                0);
    }
    done = true;
  }
  // As many as were given to all of them, so none to two.
  EXPECT_EQ(CycleId(ids.next()).counter() - start,
            taken + static_cast<std::uint64_t>(forks) * each);
}

}  // namespace
