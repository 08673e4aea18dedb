// NumberGenerator and LeasedNumberGenerator: each number once, the order that is promised, the end.

#include "rouse/resource/number_generator.hpp"

#include "support/each_once.hpp"
#include "support/in_child.hpp"
#include "support/scale.hpp"

#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>

#include <gtest/gtest.h>

namespace {

using rouse::LeasedNumberGenerator;
using rouse::NumberGenerator;
using rouse::test::EachOnce;
using rouse::test::expect_each_once;
using rouse::test::in_child;
using rouse::test::rounds;

constexpr std::int64_t last_number = std::numeric_limits<std::int64_t>::max();
constexpr int threads = 8;
// In all 1.6 million numbers of each kind; 10^8 by ROUSE_TEST_SCALE=63.
int numbers_per_thread() { return rounds(200'000); }

// A static one needs no construction at run time, and is there until the end.
static_assert(std::is_trivially_destructible_v<NumberGenerator>);
static_assert(std::is_trivially_destructible_v<LeasedNumberGenerator>);
[[maybe_unused]] constinit NumberGenerator constant_initialized(7);

template <class Action>
std::string refusal(Action action) {
  try {
    action();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(NumberGenerator, CountsFromItsStart) {
  NumberGenerator numbers;
  for (std::int64_t i = 0; i < 100; ++i) EXPECT_EQ(numbers.next(), i);
  NumberGenerator later(41);
  EXPECT_EQ(later.next(), 41);
  EXPECT_EQ(later.next(), 42);
}

TEST(NumberGenerator, GoesOnWhereItIsToldTo) {
  NumberGenerator numbers;
  (void)numbers.next();
  numbers.reset(1000);
  EXPECT_EQ(numbers.next(), 1000);
  numbers.reset();
  EXPECT_EQ(numbers.next(), 0);
}

TEST(NumberGenerator, RefusesANegativeStart) {
  EXPECT_EQ(refusal([] { const NumberGenerator numbers(-1); }),
            "NumberGenerator: start -1 is negative");
  NumberGenerator numbers(5);
  EXPECT_EQ(refusal([&] { numbers.reset(std::numeric_limits<std::int64_t>::min()); }),
            "NumberGenerator: start -9223372036854775808 is negative");
  EXPECT_EQ(numbers.next(), 5);
}

TEST(NumberGenerator, RepeatsNothingAfterTheLastNumber) {
  NumberGenerator numbers(last_number - 1);
  EXPECT_EQ(numbers.next(), last_number - 1);
  EXPECT_EQ(numbers.next(), last_number);
  for (int i = 0; i < 100; ++i) EXPECT_THROW((void)numbers.next(), std::overflow_error);
  numbers.reset(3);
  EXPECT_EQ(numbers.next(), 3);
}

TEST(NumberGenerator, GivesEachNumberOnceToAnyThread) {
  NumberGenerator numbers;
  const int count = numbers_per_thread();
  EachOnce seen(static_cast<std::uint64_t>(count) * threads);
  expect_each_once(seen, threads, count,
                   [&] { return static_cast<std::uint64_t>(numbers.next()); });
  EXPECT_TRUE(seen.has_all());
}

TEST(NumberGenerator, IncreasesFromOneThreadToTheNext) {
  NumberGenerator numbers;
  std::int64_t last = -1;
  for (int i = 0; i < 20; ++i) {
    std::jthread([&] {
      for (int n = 0; n < 10; ++n) {
        const std::int64_t next = numbers.next();
        EXPECT_GT(next, last);
        last = next;
      }
    }).join();
  }
}

TEST(NumberGenerator, GoesOnInAForkedChild) {
  NumberGenerator numbers;
  EXPECT_EQ(numbers.next(), 0);
  EXPECT_EQ(in_child([&] { return static_cast<int>(numbers.next()); }), 1);
  EXPECT_EQ(numbers.next(), 1);
}

TEST(NumberGenerator, IsThereForTheWholeProcess) {
  const std::int64_t first = rouse::process_numbers().next();
  EXPECT_GE(first, 0);
  std::int64_t second = -1;
  std::jthread([&] { second = rouse::process_numbers().next(); }).join();
  EXPECT_GT(second, first);
}

TEST(LeasedNumberGenerator, RefusesANegativeStart) {
  EXPECT_EQ(refusal([] { const LeasedNumberGenerator numbers(-7); }),
            "LeasedNumberGenerator: start -7 is negative");
}

TEST(LeasedNumberGenerator, CountsInAThreadThatIsAlone) {
  LeasedNumberGenerator numbers(10);
  for (std::int64_t i = 10; i < 10'000; ++i) EXPECT_EQ(numbers.next(), i);
}

TEST(LeasedNumberGenerator, GivesEachNumberOnceToAnyThread) {
  LeasedNumberGenerator numbers;
  const int count = numbers_per_thread();
  // Each thread leaves a part of its last range.
  EachOnce seen((static_cast<std::uint64_t>(count) + 1024) * threads);
  expect_each_once(seen, threads, count,
                   [&] { return static_cast<std::uint64_t>(numbers.next()); });
}

TEST(LeasedNumberGenerator, IncreasesInEachThread) {
  LeasedNumberGenerator numbers;
  const auto take = [&] {
    std::int64_t last = -1;
    for (int i = 0; i < 20'000; ++i) {
      const std::int64_t next = numbers.next();
      EXPECT_GT(next, last);
      last = next;
    }
  };
  std::jthread other(take);
  take();
}

TEST(LeasedNumberGenerator, LeavesOutLittleWhenThreadsEndSoon) {
  LeasedNumberGenerator numbers;
  EachOnce seen(100 * 16);
  for (int i = 0; i < 100; ++i) {
    expect_each_once(seen, 1, 1, [&] { return static_cast<std::uint64_t>(numbers.next()); });
  }
}

// More of them than a thread has places.
TEST(LeasedNumberGenerator, MayBeOneOfMany) {
  constexpr std::uint64_t turns = 1000;
  std::deque<LeasedNumberGenerator> generators;
  std::deque<EachOnce> seen;
  for (int i = 0; i < 40; ++i) {
    generators.emplace_back();
    seen.emplace_back(turns * 16);
  }
  for (std::uint64_t turn = 0; turn < turns; ++turn) {
    for (std::size_t i = 0; i < generators.size(); ++i) {
      EXPECT_TRUE(seen[i].add(static_cast<std::uint64_t>(generators[i].next())));
    }
  }
}

TEST(LeasedNumberGenerator, InheritsNothingFromOneThatWasInItsPlace) {
  std::optional<LeasedNumberGenerator> numbers(std::in_place);
  EXPECT_EQ(numbers->next(), 0);
  for (int i = 1; i < 100; ++i) {
    numbers.emplace(1000 * i);
    EXPECT_EQ(numbers->next(), 1000 * i);
  }
}

TEST(LeasedNumberGenerator, HandsOutTheLastNumberAndThenNone) {
  LeasedNumberGenerator numbers(last_number - 20);
  for (std::int64_t i = last_number - 20; i < last_number; ++i) EXPECT_EQ(numbers.next(), i);
  EXPECT_EQ(numbers.next(), last_number);
  for (int i = 0; i < 100; ++i) EXPECT_THROW((void)numbers.next(), std::overflow_error);
  std::jthread([&] { EXPECT_THROW((void)numbers.next(), std::overflow_error); }).join();
}

// Made before the thread's ranges are, and so destroyed after them.
TEST(LeasedNumberGenerator, WorksInDestructorsAtTheEndOfAThread) {
  static LeasedNumberGenerator numbers;
  static EachOnce seen(100);
  struct Late {
    int taken = 0;
    ~Late() {
      for (int i = 0; i < 10; ++i) {
        taken += seen.add(static_cast<std::uint64_t>(numbers.next())) ? 1 : 0;
      }
      EXPECT_EQ(taken, 20);
    }
  };
  std::jthread([] {
    thread_local Late late;
    for (int i = 0; i < 10; ++i) {
      late.taken += seen.add(static_cast<std::uint64_t>(numbers.next())) ? 1 : 0;
    }
  }).join();
  EXPECT_TRUE(seen.add(static_cast<std::uint64_t>(numbers.next())));
}

TEST(LeasedNumberGenerator, RepeatsNothingFromBeforeAForkInTheChild) {
  LeasedNumberGenerator numbers;
  EachOnce seen(10'000);
  const auto take = [&](int count) {
    int taken = 0;
    for (int i = 0; i < count; ++i) {
      taken += seen.add(static_cast<std::uint64_t>(numbers.next())) ? 1 : 0;
    }
    return taken;
  };
  std::jthread([&] { EXPECT_EQ(take(100), 100); }).join();
  EXPECT_EQ(take(100), 100);
  EXPECT_EQ(in_child([&] { return take(200); }), 200);
  EXPECT_EQ(take(200), 200);
}

}  // namespace
