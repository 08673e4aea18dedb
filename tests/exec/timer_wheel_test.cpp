// Entries that wait for their time: each is taken at its deadline and not before, whatever happens
// to others meanwhile. Random programs are checked against a sorted map.

#include "exec/timer_wheel.hpp"

#include "support/scale.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using rouse::detail::TimerEntry;
using rouse::detail::TimerWheel;
using rouse::test::rounds;

constexpr std::int64_t never_due = TimerWheel::never;
constexpr std::size_t no_limit = SIZE_MAX;

struct DerivedEntry : TimerEntry {
  std::uint16_t two_bytes = 0;
  std::uint32_t four_bytes = 0;
};
static_assert(sizeof(DerivedEntry) == 32);

std::multiset<std::int64_t> deadlines(const TimerEntry* list) {
  std::multiset<std::int64_t> result;
  for (; list != nullptr; list = list->next) {
    EXPECT_EQ(list->link, nullptr);
    result.insert(list->deadline);
  }
  return result;
}

/// Of what is due; all of it.
std::multiset<std::int64_t> take(TimerWheel& wheel, std::int64_t now) {
  const TimerWheel::Advanced advanced = wheel.advance(now, no_limit);
  EXPECT_TRUE(advanced.through);
  return deadlines(advanced.due);
}

/// A wheel with an entry for each deadline.
struct Filled {
  Filled(std::int64_t now, const std::vector<std::int64_t>& at) : wheel(now), entries(at.size()) {
    for (std::size_t i = 0; i < at.size(); ++i) wheel.insert(entries[i], at[i], now);
  }

  TimerWheel wheel;
  std::vector<TimerEntry> entries;
};

using Deadlines = std::multiset<std::int64_t>;

TEST(TimerWheel, IsEmptyAtFirst) {
  TimerWheel wheel(17);
  EXPECT_TRUE(wheel.empty());
  EXPECT_EQ(wheel.size(), 0U);
  EXPECT_EQ(wheel.elapsed(), 17);
  EXPECT_EQ(wheel.next(), never_due);
  EXPECT_EQ(wheel.wake_at(), never_due);
  EXPECT_EQ(wheel.take_any(), nullptr);
  EXPECT_EQ(take(wheel, 1'000), Deadlines{});
  EXPECT_EQ(wheel.elapsed(), 1'000);
}

TEST(TimerWheel, TakesAnEntryAtItsDeadlineAndNotBefore) {
  const std::int64_t starts[] = {
      0, 1, 63, 64, 4'095, 1'700'000'000'123'456'789, INT64_MIN, -4'097, -1, INT64_MAX / 2};
  for (const std::int64_t start : starts) {
    for (unsigned shift = 0; shift < 63; ++shift) {
      for (const std::int64_t more : {-1, 0, 1}) {
        std::int64_t deadline = 0;
        const std::int64_t ahead = (std::int64_t{1} << shift) + more;
        if (ahead <= 0 || __builtin_add_overflow(start, ahead, &deadline)) continue;
        if (deadline == never_due) continue;
        Filled filled(start, {deadline});
        ASSERT_EQ(filled.wheel.next(), deadline);
        ASSERT_EQ(take(filled.wheel, deadline - 1), Deadlines{}) << start << "+" << ahead;
        ASSERT_EQ(filled.wheel.next(), deadline);
        ASSERT_EQ(take(filled.wheel, deadline), Deadlines{deadline}) << start << "+" << ahead;
        ASSERT_TRUE(filled.wheel.empty());
        ASSERT_EQ(filled.wheel.next(), never_due);
      }
    }
  }
}

TEST(TimerWheel, TakesEntriesOfAllLevelsInTurn) {
  std::vector<std::int64_t> at;
  for (unsigned shift = 0; shift < 63; ++shift) {
    for (const std::int64_t more : {-1, 0, 1}) at.push_back((std::int64_t{1} << shift) + more);
  }
  Filled filled(-1, at);
  std::sort(at.begin(), at.end());
  for (auto each = at.begin(); each != at.end();) {
    const auto end = std::upper_bound(each, at.end(), *each);
    ASSERT_EQ(filled.wheel.next(), *each);
    ASSERT_EQ(take(filled.wheel, *each - 1), Deadlines{});
    ASSERT_EQ(take(filled.wheel, *each), Deadlines(each, end));
    each = end;
  }
  EXPECT_TRUE(filled.wheel.empty());
}

TEST(TimerWheel, TakesTimesBelowZeroBeforeThoseAbove) {
  Filled filled(INT64_MIN, {5, INT64_MAX - 1, -5, INT64_MIN / 2});
  for (const std::int64_t deadline : {INT64_MIN / 2, std::int64_t{-5}, std::int64_t{5}}) {
    EXPECT_EQ(filled.wheel.next(), deadline);
    EXPECT_EQ(take(filled.wheel, deadline), Deadlines{deadline});
  }
  EXPECT_EQ(filled.wheel.next(), INT64_MAX - 1);
}

TEST(TimerWheel, TakesThePastAtOnce) {
  Filled filled(1'000, {INT64_MIN, -1, 0, 999, 1'000, 1'001});
  EXPECT_EQ(filled.wheel.next(), INT64_MIN);
  EXPECT_EQ(filled.wheel.wake_at(), INT64_MIN);
  EXPECT_EQ(take(filled.wheel, 1'000), (Deadlines{INT64_MIN, -1, 0, 999, 1'000}));
  EXPECT_EQ(filled.wheel.next(), 1'001);
}

TEST(TimerWheel, CountsAnEarlierTimeAsTheLatest) {
  Filled filled(1'000, {900, 1'100});
  EXPECT_EQ(take(filled.wheel, 5), (Deadlines{900}));
  EXPECT_EQ(filled.wheel.elapsed(), 1'000);
}

TEST(TimerWheel, NeverTakesWhatIsNeverDue) {
  Filled filled(INT64_MAX, std::vector<std::int64_t>(2'000, never_due));
  TimerEntry entry;
  filled.wheel.insert(entry, 500, INT64_MAX);
  EXPECT_EQ(filled.wheel.next(), 500);
  EXPECT_EQ(take(filled.wheel, INT64_MAX), Deadlines{500});
  EXPECT_EQ(filled.wheel.next(), never_due);
  EXPECT_EQ(filled.wheel.wake_at(), never_due);
  EXPECT_EQ(filled.wheel.size(), 2'000U);
  for (TimerEntry& each : filled.entries) filled.wheel.remove(each);
  EXPECT_TRUE(filled.wheel.empty());
}

TEST(TimerWheel, KeepsWhatIsNeverDueWhateverTheTime) {
  TimerWheel wheel(0);
  TimerEntry entry;
  wheel.insert(entry, 5, 0);
  wheel.remove(entry);
  wheel.insert(entry, never_due, INT64_MAX);
  EXPECT_EQ(wheel.next(), never_due);
  EXPECT_EQ(take(wheel, INT64_MAX), Deadlines{});
  EXPECT_EQ(wheel.size(), 1U);
}

TEST(TimerWheel, HasWhatIsNeverDueInNobodysWay) {
  Filled filled(0, std::vector<std::int64_t>(2'000, never_due));
  EXPECT_EQ(filled.wheel.wake_at(), never_due);
  TimerEntry entry;
  filled.wheel.insert(entry, 70, 0);
  EXPECT_EQ(filled.wheel.next(), 70);
  // A single entry is touched.
  const TimerWheel::Advanced advanced = filled.wheel.advance(INT64_MAX / 2, 1);
  EXPECT_TRUE(advanced.through);
  EXPECT_EQ(deadlines(advanced.due), Deadlines{70});
}

TEST(TimerWheel, TakesAllOfEqualDeadlines) {
  constexpr std::int64_t deadline = 3'600'000'000'000;
  Filled filled(0, std::vector<std::int64_t>(5'000, deadline));
  EXPECT_EQ(filled.wheel.next(), deadline);
  EXPECT_EQ(take(filled.wheel, deadline - 1), Deadlines{});
  EXPECT_EQ(take(filled.wheel, deadline).count(deadline), 5'000U);
  EXPECT_TRUE(filled.wheel.empty());
}

TEST(TimerWheel, TakesManySlotsAtOnce) {
  std::vector<std::int64_t> at;
  for (std::int64_t i = 1; i < 2'000; ++i) at.push_back(i * i * i);
  Filled filled(0, at);
  const auto due = at.begin() + 1'500;
  EXPECT_EQ(take(filled.wheel, *due - 1), Deadlines(at.begin(), due));
  EXPECT_EQ(filled.wheel.next(), *due);
  EXPECT_EQ(take(filled.wheel, INT64_MAX), Deadlines(due, at.end()));
}

TEST(TimerWheel, RemovesAnEntryWhereverItIsInItsSlot) {
  for (std::size_t removed = 0; removed < 3; ++removed) {
    Filled filled(0, {100, 101, 102});
    Deadlines left{100, 101, 102};
    left.erase(filled.entries[removed].deadline);
    filled.wheel.remove(filled.entries[removed]);
    EXPECT_EQ(filled.entries[removed].link, nullptr);
    EXPECT_EQ(filled.wheel.size(), 2U);
    EXPECT_LE(filled.wheel.next(), *left.begin());
    EXPECT_EQ(take(filled.wheel, 200), left);
  }
}

TEST(TimerWheel, KnowsTheNextAfterItsSlotIsEmpty) {
  Filled filled(0, {-5, 10, 100'000, 7'000'000'000});
  for (const std::int64_t next :
       {std::int64_t{10}, std::int64_t{100'000}, std::int64_t{7'000'000'000}, never_due}) {
    filled.wheel.remove(*std::find_if(filled.entries.begin(), filled.entries.end(),
                                      [](const TimerEntry& each) { return each.link != nullptr; }));
    EXPECT_EQ(filled.wheel.next(), next);
  }
  EXPECT_TRUE(filled.wheel.empty());
}

TEST(TimerWheel, MayInsertAgainWhatWasTakenOrRemoved) {
  Filled filled(0, {50});
  TimerEntry& entry = filled.entries.front();
  filled.wheel.remove(entry);
  filled.wheel.insert(entry, 60, 0);
  EXPECT_EQ(take(filled.wheel, 60), Deadlines{60});
  filled.wheel.insert(entry, 70, 60);
  EXPECT_EQ(filled.wheel.next(), 70);
  EXPECT_EQ(take(filled.wheel, 70), Deadlines{70});
}

TEST(TimerWheel, TouchesNoMoreThanItsBudget) {
  std::vector<std::int64_t> at;
  for (std::int64_t i = 0; i < 100; ++i) at.push_back(1'000'000 + i);
  Filled filled(0, at);
  Deadlines taken;
  for (int calls = 1;; ++calls) {
    const TimerWheel::Advanced advanced = filled.wheel.advance(1'000'049, 1);
    const Deadlines due = deadlines(advanced.due);
    ASSERT_LE(due.size(), 1U);
    taken.insert(due.begin(), due.end());
    if (advanced.through) break;
    ASSERT_LE(filled.wheel.next(), 1'000'049);
    ASSERT_LT(calls, 100 * 10);
  }
  EXPECT_EQ(taken, Deadlines(at.begin(), at.begin() + 50));
  EXPECT_EQ(filled.wheel.next(), 1'000'050);
  EXPECT_EQ(filled.wheel.size(), 50U);
}

TEST(TimerWheel, SpendsItsBudgetOnThePastToo) {
  Filled filled(1'000, {1, 2, 3, 4});
  const TimerWheel::Advanced advanced = filled.wheel.advance(1'000, 3);
  EXPECT_FALSE(advanced.through);
  EXPECT_EQ(deadlines(advanced.due).size(), 3U);
  EXPECT_EQ(filled.wheel.size(), 1U);
  EXPECT_EQ(take(filled.wheel, 1'000).size(), 1U);
}

// Sixteen entries of one slot, of which each second is due, and eight have been touched.
struct HalfSpread : Filled {
  HalfSpread() : Filled(0, all()) {
    const TimerWheel::Advanced advanced = wheel.advance(now, 8);
    EXPECT_FALSE(advanced.through);
    const std::size_t taken = deadlines(advanced.due).size();
    EXPECT_GT(taken, 0U);
    EXPECT_LT(taken, 8U);
    for (const TimerEntry* each = advanced.due; each != nullptr; each = each->next) {
      left.erase(left.find(each->deadline));
    }
  }

  static std::vector<std::int64_t> all() {
    std::vector<std::int64_t> result;
    for (std::int64_t i = 0; i < 16; ++i) result.push_back(i % 2 == 0 ? now - i : now + i);
    return result;
  }

  static constexpr std::int64_t now = 1'000'000;
  Deadlines left{[] {
    const std::vector<std::int64_t> at = all();
    return Deadlines(at.begin(), at.end());
  }()};
};

TEST(TimerWheel, GoesOnWithAHalfSpreadSlot) {
  HalfSpread half;
  EXPECT_LE(half.wheel.next(), *half.left.begin());
  EXPECT_LE(half.wheel.wake_at(), half.wheel.elapsed());
  EXPECT_EQ(take(half.wheel, half.now),
            Deadlines(half.left.begin(), half.left.upper_bound(half.now)));
  EXPECT_EQ(half.wheel.next(), half.now + 1);
}

TEST(TimerWheel, RemovesWhileASlotIsHalfSpread) {
  for (std::size_t removed = 0; removed < 16; ++removed) {
    HalfSpread half;
    if (half.entries[removed].link == nullptr) continue;
    half.left.erase(half.left.find(half.entries[removed].deadline));
    half.wheel.remove(half.entries[removed]);
    ASSERT_LE(half.wheel.next(), *half.left.begin());
    ASSERT_EQ(take(half.wheel, half.now + 100), half.left);
  }
}

TEST(TimerWheel, RemovesAllOfAHalfSpreadSlot) {
  HalfSpread half;
  for (TimerEntry& each : half.entries) {
    if (each.link != nullptr) half.wheel.remove(each);
  }
  EXPECT_TRUE(half.wheel.empty());
  EXPECT_EQ(half.wheel.next(), never_due);
  // Nothing holds it back any more.
  half.wheel.insert(half.entries.front(), half.now + 2'000, half.now + 1'000);
  EXPECT_EQ(half.wheel.elapsed(), half.now + 1'000);
}

TEST(TimerWheel, GoesOnAfterAllOfASlotThatWasSpreadAheadAreRemoved) {
  Filled filled(0, std::vector<std::int64_t>(10'000, 5'000'000'000));
  const std::int64_t wake_at = filled.wheel.wake_at();
  EXPECT_FALSE(filled.wheel.advance(wake_at, 100).through);
  TimerEntry sooner;
  filled.wheel.insert(sooner, wake_at + 100'000, wake_at);
  for (TimerEntry& each : filled.entries) filled.wheel.remove(each);
  EXPECT_EQ(filled.wheel.next(), wake_at + 100'000);
  filled.wheel.insert(filled.entries.front(), never_due, wake_at + 1);
  EXPECT_EQ(filled.wheel.elapsed(), wake_at + 1);
}

TEST(TimerWheel, TakesFromAHalfSpreadSlotWhatHasBecomeDueSince) {
  HalfSpread half;
  EXPECT_EQ(deadlines(half.wheel.advance(half.now + 100, 8).due).size(), 8U);
}

TEST(TimerWheel, InsertsWhileASlotIsHalfSpread) {
  HalfSpread half;
  TimerEntry past;
  TimerEntry soon;
  TimerEntry same_place_in_the_next_round;
  half.wheel.insert(past, 7, half.now + 10'000'000);
  half.wheel.insert(soon, half.now + 1, half.now + 10'000'000);
  half.wheel.insert(same_place_in_the_next_round, half.now + (1 << 24), half.now + 10'000'000);
  half.left.insert({7, half.now + 1});
  EXPECT_EQ(half.wheel.next(), 7);
  EXPECT_EQ(take(half.wheel, half.now + 100), half.left);
  EXPECT_EQ(half.wheel.next(), half.now + (1 << 24));
}

TEST(TimerWheel, WakesAtTheDeadlineOfFew) {
  Filled filled(0, std::vector<std::int64_t>(1'000, 5'000'000'000));
  EXPECT_EQ(filled.wheel.wake_at(), 5'000'000'000);
}

TEST(TimerWheel, WakesAheadOfManyEntries) {
  constexpr std::int64_t deadline = 5'000'000'000;
  Filled filled(0, std::vector<std::int64_t>(10'000, deadline));
  const std::int64_t wake_at = filled.wheel.wake_at();
  EXPECT_EQ(filled.wheel.next(), deadline);
  EXPECT_LT(wake_at, deadline);
  EXPECT_GT(wake_at, deadline - 10'000'000);
  EXPECT_EQ(take(filled.wheel, wake_at - 1), Deadlines{});
  EXPECT_EQ(filled.wheel.wake_at(), wake_at);
  // Spread, they are to be moved again later or not at all, so time goes on.
  EXPECT_EQ(take(filled.wheel, wake_at), Deadlines{});
  EXPECT_EQ(filled.wheel.elapsed(), wake_at);
  EXPECT_GT(filled.wheel.wake_at(), wake_at);
}

TEST(TimerWheel, WakesForManyEntriesNotBeforeTheirSlotBegins) {
  constexpr std::int64_t begin = std::int64_t{1} << 36;
  Filled filled(0, std::vector<std::int64_t>(10'000, begin + 5));
  EXPECT_EQ(filled.wheel.wake_at(), begin);
  EXPECT_EQ(take(filled.wheel, begin), Deadlines{});
  EXPECT_EQ(take(filled.wheel, begin + 5).size(), 10'000U);
}

TEST(TimerWheel, WakesAtOnceForAHalfSpreadSlot) {
  Filled filled(0, std::vector<std::int64_t>(10'000, 5'000'000'000));
  const std::int64_t wake_at = filled.wheel.wake_at();
  EXPECT_FALSE(filled.wheel.advance(wake_at, 100).through);
  EXPECT_EQ(filled.wheel.wake_at(), wake_at);
  EXPECT_EQ(filled.wheel.next(), 5'000'000'000);
}

TEST(TimerWheel, GoesOnWithTheTimeOfInserts) {
  constexpr std::int64_t minute = 60'000'000'000;
  TimerWheel wheel(0);
  std::vector<TimerEntry> entries(3);
  wheel.insert(entries[0], 60 * minute, 10 * minute);
  EXPECT_EQ(wheel.elapsed(), 10 * minute);
  wheel.insert(entries[1], 60 * minute, 30 * minute);
  EXPECT_EQ(wheel.elapsed(), 30 * minute);
  wheel.insert(entries[2], 50 * minute, 20 * minute);
  EXPECT_EQ(wheel.elapsed(), 30 * minute);
  EXPECT_EQ(take(wheel, 55 * minute), Deadlines{50 * minute});
  EXPECT_EQ(take(wheel, 60 * minute), (Deadlines{60 * minute, 60 * minute}));
}

TEST(TimerWheel, StaysBeforeTheSlotsOfItsEntriesUntilTheyAreDue) {
  Filled filled(0, {130});
  TimerEntry entry;
  filled.wheel.insert(entry, 140, 129);
  EXPECT_EQ(filled.wheel.elapsed(), 127);
  EXPECT_EQ(take(filled.wheel, 135), Deadlines{130});
  EXPECT_EQ(filled.wheel.elapsed(), 135);
  EXPECT_EQ(filled.wheel.next(), 140);
}

TEST(TimerWheel, GivesAllBack) {
  HalfSpread half;
  TimerEntry past;
  TimerEntry late;
  half.wheel.insert(past, 1, 0);
  half.wheel.insert(late, never_due, 0);
  half.left.insert({1, never_due});
  Deadlines taken;
  while (TimerEntry* const entry = half.wheel.take_any()) {
    EXPECT_EQ(entry->link, nullptr);
    taken.insert(entry->deadline);
  }
  EXPECT_EQ(taken, half.left);
  EXPECT_TRUE(half.wheel.empty());
  EXPECT_EQ(half.wheel.next(), never_due);
}

// --- random programs -----------------------------------------------------------------------------

// A wheel beside a model of it.
class Program {
 public:
  Program(std::uint64_t seed, std::size_t entries)
      : random_(seed), now_(start()), wheel_(now_), entries_(entries) {
    for (std::size_t i = 0; i < entries; ++i) idle_.push_back(i);
  }

  void run(int steps) {
    removes_ = chance(2);
    for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) {
      switch (pick(removes_ ? 8 : 6)) {
        case 0:
        case 1:
        case 2:
        case 3:
          insert();
          break;
        case 4:
          advance(later(), chance(3) ? 1 + pick(8) : no_limit);
          break;
        case 5:
          advance(std::max(now_, chance(2) ? wheel_.next() : wheel_.wake_at()), no_limit);
          break;
        default:
          remove();
      }
      check();
    }
    if (!testing::Test::HasFatalFailure()) take_the_rest();
  }

 private:
  using Model = std::multimap<std::int64_t, std::size_t>;

  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  bool chance(std::uint64_t of) { return pick(of) == 0; }

  std::int64_t start() {
    switch (pick(4)) {
      case 0:
        return 0;
      case 1:
        return -static_cast<std::int64_t>(pick(1'000));
      case 2:
        return (std::int64_t{1} << pick(62)) - 1;
      default:
        return static_cast<std::int64_t>(random_() >> 2);
    }
  }

  // Of all orders of magnitude, and often where a level begins.
  std::int64_t later() {
    std::int64_t result = 0;
    const auto ahead = static_cast<std::int64_t>(random_() >> (1 + pick(63)));
    if (__builtin_add_overflow(now_, ahead, &result)) result = never_due - 1;
    if (chance(4)) {
      const unsigned shift = 6 * static_cast<unsigned>(pick(10));
      const std::int64_t begin = (result >> shift << shift) - static_cast<std::int64_t>(pick(2));
      result = std::max(now_, begin);
    }
    return std::min(result, never_due - 1);
  }

  std::int64_t deadline() {
    switch (pick(12)) {
      case 0:
        return now_ - static_cast<std::int64_t>(pick(100));
      case 1:
        return never_due;
      case 2:
      case 3:
        return model_.empty() ? 0 : model_.begin()->first;
      case 4:
        return model_.empty() ? 0 : std::prev(model_.end())->first;
      default:
        return later();
    }
  }

  void insert() {
    if (idle_.empty()) return;
    const std::size_t place = pick(idle_.size());
    std::swap(idle_[place], idle_.back());
    const std::size_t entry = idle_.back();
    idle_.pop_back();
    const std::int64_t at = deadline();
    wheel_.insert(entries_[entry], at, chance(2) ? now_ : now_ - 1'000);
    model_.emplace(at, entry);
    ++inserted_;
  }

  void remove() {
    if (model_.empty()) return;
    const auto removed =
        std::next(model_.begin(), static_cast<std::ptrdiff_t>(pick(model_.size())));
    wheel_.remove(entries_[removed->second]);
    idle_.push_back(removed->second);
    model_.erase(removed);
  }

  void advance(std::int64_t now, std::size_t budget) {
    now_ = std::min(now, never_due - 1);
    const TimerWheel::Advanced advanced = wheel_.advance(now, budget);
    through_ = advanced.through;
    std::size_t taken = 0;
    for (TimerEntry* each = advanced.due; each != nullptr; each = each->next, ++taken) {
      ASSERT_LE(each->deadline, now_);
      const auto entry = static_cast<std::size_t>(each - entries_.data());
      auto [found, end] = model_.equal_range(each->deadline);
      while (found != end && found->second != entry) ++found;
      ASSERT_NE(found, end);
      model_.erase(found);
      idle_.push_back(entry);
    }
    ASSERT_LE(taken, budget);
    if (through_) {
      ASSERT_TRUE(model_.empty() || model_.begin()->first > now_);
    }
  }

  void check() {
    ASSERT_EQ(wheel_.size(), model_.size());
    const std::int64_t first = model_.empty() ? never_due : model_.begin()->first;
    ASSERT_LE(wheel_.next(), first);
    if (!removes_ && through_) {
      ASSERT_EQ(wheel_.next(), first);
    }
    ASSERT_LE(wheel_.wake_at(), wheel_.next());
    ASSERT_GE(wheel_.wake_at(), std::min(wheel_.elapsed(), wheel_.next()));
    ASSERT_LE(wheel_.elapsed(), now_);
  }

  // Entry by entry, and sleeping until next() in between. A deadline needs few steps.
  void take_the_rest() {
    std::size_t steps = 0;
    while (wheel_.next() != never_due) {
      ASSERT_NO_FATAL_FAILURE(advance(std::max(now_, wheel_.next()), 1));
      ASSERT_NO_FATAL_FAILURE(check());
      ASSERT_LE(++steps, 24 * inserted_);
    }
    ASSERT_TRUE(model_.empty() || model_.begin()->first == never_due);
    while (wheel_.take_any() != nullptr) {
    }
    ASSERT_TRUE(wheel_.empty());
  }

  std::mt19937_64 random_;
  std::int64_t now_;
  TimerWheel wheel_;
  std::vector<TimerEntry> entries_;
  std::vector<std::size_t> idle_;
  Model model_;
  std::size_t inserted_ = 0;
  bool removes_ = false;
  bool through_ = true;
};

TEST(TimerWheel, FollowsItsModelInShortPrograms) {
  const int programs = rounds(20'000);
  for (int i = 0; i < programs; ++i) {
    const auto seed = static_cast<std::uint64_t>(i);
    Program program(seed, 1 + seed % 24);
    program.run(60);
    ASSERT_FALSE(HasFatalFailure()) << "seed " << seed;
  }
}

TEST(TimerWheel, FollowsItsModelInLongPrograms) {
  const int programs = rounds(20);
  for (int i = 0; i < programs; ++i) {
    const auto seed = static_cast<std::uint64_t>(i);
    Program program(seed, 5'000);
    program.run(10'000);
    ASSERT_FALSE(HasFatalFailure()) << "seed " << seed;
  }
}

}  // namespace
