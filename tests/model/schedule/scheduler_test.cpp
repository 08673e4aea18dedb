// The scheduler itself: it finds what C++ permits, and only that.

#include "model/schedule/explorer.hpp"

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace rouse::test::model;
using rouse::detail::Atomic;
namespace os = rouse::detail::os;
using std::memory_order;

constexpr auto relaxed = memory_order::relaxed;
constexpr auto acquire = memory_order::acquire;
constexpr auto release = memory_order::release;
constexpr auto acq_rel = memory_order::acq_rel;
constexpr auto seq_cst = memory_order::seq_cst;

struct Words {
  Atomic<int> x{0};
  Atomic<int> y{0};
  Plain<int> data;
  int seen[4] = {};
};

Exploration explore_both(void (*build)(Model&)) {
  return explore({"litmus", build}, {.random = 2'000, .preemptions = 3, .seconds = 30});
}

bool found(void (*build)(Model&)) { return explore_both(build).failed; }

template <memory_order Store, memory_order Load>
void message_passing(Model& model) {
  auto& s = model.make<Words>();
  model.thread([&s] {
    s.x.store(1, relaxed);
    s.y.store(1, Store);
  });
  model.thread([&s] {
    if (s.y.load(Load) == 1) check(s.x.load(relaxed) == 1, "x is seen");
  });
}

TEST(Scheduler, ShowsOldValuesWhereNothingOrdersThem) {
  EXPECT_TRUE(found(message_passing<relaxed, acquire>));
  EXPECT_TRUE(found(message_passing<release, relaxed>));
  EXPECT_FALSE(found(message_passing<release, acquire>));
}

template <memory_order Exchange, memory_order Load>
void store_buffering(Model& model) {
  auto& s = model.make<Words>();
  model.thread([&s] {
    (void)s.x.exchange(1, Exchange);
    s.seen[0] = s.y.load(Load);
  });
  model.thread([&s] {
    (void)s.y.exchange(1, seq_cst);
    s.seen[1] = s.x.load(seq_cst);
  });
  model.at_end([&s] { check(s.seen[0] == 1 || s.seen[1] == 1, "one sees the other"); });
}

TEST(Scheduler, ShowsStoreBufferingButAmongSequentiallyConsistentOperations) {
  EXPECT_TRUE(found(store_buffering<acq_rel, seq_cst>));
  EXPECT_TRUE(found(store_buffering<seq_cst, acquire>));
  EXPECT_FALSE(found(store_buffering<seq_cst, seq_cst>));
}

// Two observers of two writers: only if all is sequentially consistent do they agree who was first.
template <memory_order Load>
void independent_reads(Model& model) {
  auto& s = model.make<Words>();
  model.thread([&s] { s.x.store(1, seq_cst); });
  model.thread([&s] { s.y.store(1, seq_cst); });
  model.thread([&s] {
    s.seen[0] = s.x.load(Load);
    s.seen[1] = s.y.load(Load);
  });
  model.thread([&s] {
    s.seen[2] = s.y.load(Load);
    s.seen[3] = s.x.load(Load);
  });
  model.at_end([&s] {
    check(!(s.seen[0] == 1 && s.seen[1] == 0 && s.seen[2] == 1 && s.seen[3] == 0), "one order");
  });
}

TEST(Scheduler, ShowsOneOrderOfSequentiallyConsistentOperations) {
  EXPECT_TRUE(found(independent_reads<acquire>));
  EXPECT_FALSE(found(independent_reads<seq_cst>));
}

void coherence(Model& model) {
  auto& s = model.make<Words>();
  model.thread([&s] {
    s.x.store(1, relaxed);
    s.x.store(2, relaxed);
  });
  model.thread([&s] {
    const int first = s.x.load(relaxed);
    check(s.x.load(relaxed) >= first, "a thread never sees an older value after a newer one");
  });
}

TEST(Scheduler, KeepsCoherence) { EXPECT_FALSE(found(coherence)); }

// The additions in between hand on what the store carried; a store does not.
template <bool StoreInBetween>
void release_sequence(Model& model) {
  auto& s = model.make<Words>();
  model.thread([&s] {
    s.data.write(1);
    s.x.store(1, release);
  });
  model.thread([&s] {
    if (s.x.load(relaxed) != 1) return;
    if (StoreInBetween) {
      s.x.store(2, relaxed);
    } else {
      s.x.fetch_add(1, relaxed);
    }
  });
  model.thread([&s] {
    if (s.x.load(acquire) == 2) check(s.data.read() == 1, "the data are there");
  });
}

TEST(Scheduler, KeepsReleaseSequences) {
  EXPECT_FALSE(found(release_sequence<false>));
  EXPECT_TRUE(found(release_sequence<true>));
}

void lost_update(Model& model) {
  auto& s = model.make<Words>();
  for (int i = 0; i < 2; ++i) {
    model.thread([&s] { s.x.store(s.x.load(acquire) + 1, release); });
  }
  model.at_end([&s] { check(s.x.load(relaxed) == 2, "no update is lost"); });
}

void atomic_update(Model& model) {
  auto& s = model.make<Words>();
  for (int i = 0; i < 2; ++i) model.thread([&s] { s.x.fetch_add(1, relaxed); });
  model.at_end([&s] { check(s.x.load(relaxed) == 2, "no update is lost"); });
}

TEST(Scheduler, SwitchesBetweenAnyTwoOperations) {
  EXPECT_TRUE(found(lost_update));
  EXPECT_FALSE(found(atomic_update));
}

template <memory_order Store, memory_order Load>
void plain_data(Model& model) {
  auto& s = model.make<Words>();
  model.thread([&s] {
    s.data.write(1);
    s.x.store(1, Store);
  });
  model.thread([&s] {
    if (s.x.load(Load) == 1) (void)s.data.read();
  });
}

TEST(Scheduler, FindsDataRaces) {
  EXPECT_TRUE(found(plain_data<relaxed, acquire>));
  EXPECT_TRUE(found(plain_data<release, relaxed>));
  EXPECT_FALSE(found(plain_data<release, acquire>));
}

struct Sleeper {
  Atomic<std::uint32_t> word{0};
};

// Looks, and then sleeps without comparing: what comes in between is lost.
void lost_wake(Model& model) {
  auto& s = model.make<Sleeper>();
  model.thread([&s] {
    while (s.word.load(acquire) == 0) os::futex_wait(s.word, s.word.load(acquire), INT64_MAX);
  });
  model.thread([&s] {
    s.word.store(1, release);
    os::futex_wake_one(s.word);
  });
}

void kept_wake(Model& model) {
  auto& s = model.make<Sleeper>();
  model.thread([&s] {
    while (s.word.load(acquire) == 0) os::futex_wait(s.word, 0, INT64_MAX);
  });
  model.thread([&s] {
    s.word.store(1, release);
    os::futex_wake_one(s.word);
  });
}

TEST(Scheduler, FindsLostWakesAsDeadlocks) {
  const Exploration lost = explore_both(lost_wake);
  EXPECT_TRUE(lost.failed);
  EXPECT_TRUE(lost.report.starts_with("deadlock")) << lost.report;
  EXPECT_FALSE(found(kept_wake));
}

void touches_the_dead(Model& model) {
  struct State {
    std::unique_ptr<Atomic<int>> word = std::make_unique<Atomic<int>>(0);
    Atomic<int> done{0};
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    s.word->store(1, release);
    s.word->load(relaxed);
  });
  model.thread([&s] {
    if (s.word->load(acquire) == 1) s.word->~Atomic<int>();
  });
  model.at_end([&s] { (void)s.word.release(); });
}

TEST(Scheduler, FindsWhatTouchesADeadAtomic) {
  const Exploration dead = explore_both(touches_the_dead);
  EXPECT_TRUE(dead.failed);
  EXPECT_TRUE(dead.report.starts_with("an atomic was touched after its end")) << dead.report;
}

void spins_for_ever(Model& model) {
  auto& s = model.make<Words>();
  model.thread([&s] {
    while (s.x.load(acquire) == 0) os::cpu_relax();
  });
}

TEST(Scheduler, EndsWhatGoesOnForEver) { EXPECT_TRUE(found(spins_for_ever)); }

// Two threads with two operations each: all 4! / (2! 2!) = 6 orders occur, so that each claim that
// one does not is refuted.
template <int First, int Second, int Third, int Fourth>
void order_does_not_occur(Model& model) {
  struct State : Words {
    std::vector<int> order;
  };
  auto& s = model.make<State>();
  for (int i = 0; i < 2; ++i) {
    model.thread([&s, i] {
      for (int n = 0; n < 2; ++n) {
        s.x.fetch_add(1, relaxed);
        s.order.push_back(i);
      }
    });
  }
  model.at_end([&s] {
    check(s.order != std::vector{First, Second, Third, Fourth}, "the order does not occur");
  });
}

bool occurs(void (*build)(Model&)) {
  return explore({"order", build}, {.preemptions = 2, .seconds = 30}).failed;
}

TEST(Scheduler, EnumeratesAllOrders) {
  EXPECT_TRUE(occurs(order_does_not_occur<0, 0, 1, 1>));
  EXPECT_TRUE(occurs(order_does_not_occur<0, 1, 0, 1>));
  EXPECT_TRUE(occurs(order_does_not_occur<0, 1, 1, 0>));
  EXPECT_TRUE(occurs(order_does_not_occur<1, 0, 0, 1>));
  EXPECT_TRUE(occurs(order_does_not_occur<1, 0, 1, 0>));
  EXPECT_TRUE(occurs(order_does_not_occur<1, 1, 0, 0>));
  EXPECT_FALSE(occurs(order_does_not_occur<0, 0, 0, 0>));
}

TEST(Scheduler, ComesToTheEndOfItsSearch) {
  const Exploration all =
      explore({"order", order_does_not_occur<0, 0, 0, 0>}, {.preemptions = 3, .seconds = 30});
  EXPECT_EQ(all.preemptions, 3U);
  EXPECT_LT(all.exhaustive, 200U);
}

// A report's replay line leads to the same failure, step by step.
class Replay : public testing::Test {
 protected:
  static std::string line_of(const Exploration& exploration) {
    const std::string name = "ROUSE_MODEL_REPLAY=";
    const std::size_t begin = exploration.report.find(name) + name.size();
    return exploration.report.substr(begin, exploration.report.find('\n', begin) - begin);
  }
  static void repeats(const Effort& effort, const std::string& kind) {
    const Scenario scenario{"message_passing", message_passing<relaxed, acquire>};
    const Exploration first = explore(scenario, effort);
    ASSERT_TRUE(first.failed);
    const std::string line = line_of(first);
    EXPECT_TRUE(line.starts_with(kind)) << line;
    ::setenv("ROUSE_MODEL_REPLAY", line.c_str(), 1);
    const Exploration second = explore(scenario, effort);
    ::unsetenv("ROUSE_MODEL_REPLAY");
    EXPECT_EQ(first.report, second.report);
  }
};

TEST_F(Replay, RepeatsARandomSchedule) { repeats({.random = 2'000, .seconds = 30}, "random:"); }

TEST_F(Replay, RepeatsAnExhaustiveSchedule) {
  repeats({.preemptions = 3, .seconds = 30}, "choices:");
}

}  // namespace
