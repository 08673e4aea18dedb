// Permits under stops, time-outs, raised exceptions and close: none is lost, none is doubled,
// nobody waits for what is free. What they guard is plain data, so that ThreadSanitizer sees two
// who have the same permit.

#include "rouse/wait/sleep.hpp"

#include "support/acquire.hpp"
#include "support/at_once.hpp"
#include "support/on_cpu.hpp"
#include "support/rendezvous.hpp"
#include "support/scale.hpp"
#include "support/stops.hpp"
#include "wait/control_block.hpp"
#include "wait/permits.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <latch>
#include <memory>
#include <random>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::WaitStatus;
using rouse::detail::Acquired;
using rouse::detail::ControlBlock;
using rouse::detail::Deadline;
using rouse::detail::Permits;
using rouse::test::acquire;
using rouse::test::at_once;
using rouse::test::delay;
using rouse::test::OnCpu;
using rouse::test::permits_site;
using rouse::test::rounds;
using rouse::test::Stops;

// Three permits, and what they guard: who has all may write, who has one may read.
struct UnderPermits {
  static constexpr std::uint32_t all = 3;

  Permits permits{all};
  std::atomic<std::uint32_t> held{0};
  long value = 0;

  void use(std::uint32_t n) {
    EXPECT_LE(held.fetch_add(n) + n, all);
    if (n == all) ++value;
    const long before = value;
    delay(8);
    EXPECT_EQ(value, before);
    held.fetch_sub(n);
    permits.release(n);
  }
};

// One of the threads that use them in all forms, while others stop it and raise at it.
class PermitsUser {
 public:
  PermitsUser(UnderPermits& guarded, unsigned number) : guarded_(guarded), random_(number + 1) {}

  void run(int count) {
    for (int i = 0; i < count; ++i) {
      try {
        const auto n = static_cast<std::uint32_t>(1 + random_() % UnderPermits::all);
        if (!acquire(n)) continue;
        guarded_.use(n);
        if (n == UnderPermits::all) ++writes;
      } catch (const std::runtime_error&) {
        ++raised;
      }
    }
  }

  ControlBlock* block = nullptr;
  Stops stops;
  long writes = 0;
  long raised = 0;

 private:
  bool acquire(std::uint32_t n) {
    const auto wait = Deadline::after(std::chrono::nanoseconds(random_() % 20'000));
    switch (random_() % 4) {
      case 0:
        return guarded_.permits.try_acquire(n);
      case 1:
        return guarded_.permits.acquire(wait, {}, permits_site, n) == Acquired::yes;
      case 2:
        return guarded_.permits.acquire(wait, stops.token(), permits_site, n) == Acquired::yes;
      default:
        return ::acquire(guarded_.permits, n, stops.token()) == Acquired::yes;
    }
  }

  UnderPermits& guarded_;
  std::minstd_rand random_;
};

TEST(PermitsRace, AreConservedUnderStopsTimeOutsAndRaises) {
  constexpr int users = 4;
  const int count = rounds(20'000);
  UnderPermits guarded;
  std::deque<PermitsUser> all;
  for (unsigned u = 0; u < users; ++u) all.emplace_back(guarded, u);
  std::latch begun(users + 1);
  std::latch disturbed(1);
  std::atomic<int> running{users};
  std::vector<std::jthread> threads;
  for (std::size_t u = 0; u < users; ++u) {
    threads.emplace_back([&, u] {
      const OnCpu on_cpu(u);
      all[u].block = &ControlBlock::current();
      begun.arrive_and_wait();
      all[u].run(count);
      --running;
      disturbed.wait();
    });
  }
  begun.arrive_and_wait();
  std::minstd_rand random(7);
  while (running > 0) {
    PermitsUser& user = all[random() % users];
    if (random() % 4 != 0) {
      user.stops.request();
    } else {
      user.block->raise(std::make_exception_ptr(std::runtime_error("raised")));
    }
    std::this_thread::yield();
  }
  disturbed.count_down();
  threads.clear();
  long writes = 0;
  for (const PermitsUser& user : all) writes += user.writes;
  EXPECT_EQ(guarded.value, writes);
  EXPECT_EQ(guarded.permits.available(), UnderPermits::all);
  EXPECT_TRUE(guarded.permits.try_acquire(UnderPermits::all));
}

// Together with a stop: the permit is the waiter's, or free; the stop is still there.
TEST(PermitsRace, AreHandedOverOrFreeWhenAStopComesAtTheSameInstant) {
  Permits permits(0);
  std::stop_source source;
  Acquired outcome{};
  int counts[2] = {};
  at_once(
      rounds(15'000),
      {[&](int) { outcome = acquire(permits, 1, source.get_token()); },
       [&](int i) {
         delay(static_cast<unsigned>(i) % 64);
         permits.release();
       },
       [&](int i) {
         delay(static_cast<unsigned>(i) / 64 % 64);
         source.request_stop();
       }},
      [&] { source = std::stop_source(); },
      [&](int) {
        ASSERT_TRUE(outcome == Acquired::yes || outcome == Acquired::stopped);
        ASSERT_EQ(permits.available(), outcome == Acquired::yes ? 0U : 1U);
        ASSERT_EQ(permits.try_acquire(), outcome == Acquired::stopped);
        ASSERT_EQ(rouse::sleep_for(1h, source.get_token()), WaitStatus::stopped);
        ++counts[outcome == Acquired::yes ? 0 : 1];
      });
  RecordProperty("acquired", counts[0]);
  RecordProperty("stopped", counts[1]);
}

// Who waits for more than there is leaves when the permit comes that the next one needs.
TEST(PermitsRace, GoOnToTheNextWhenTheFirstLeavesAtTheInstantOfARelease) {
  Permits permits(0);
  std::stop_source source;
  at_once(
      rounds(15'000),
      {[&](int) { EXPECT_EQ(acquire(permits, 2, source.get_token()), Acquired::stopped); },
       [&](int) { EXPECT_EQ(acquire(permits), Acquired::yes); },
       [&](int i) {
         delay(static_cast<unsigned>(i) % 64);
         permits.release();
       },
       [&](int i) {
         delay(static_cast<unsigned>(i) / 64 % 64);
         source.request_stop();
       }},
      [&] { source = std::stop_source(); }, [&](int) { ASSERT_EQ(permits.available(), 0U); });
}

TEST(PermitsRace, AreAcquiredOrRefusedWhenAReleaseMeetsAClose) {
  Permits permits(0);
  Acquired outcome{};
  int counts[2] = {};
  at_once(
      rounds(15'000),
      {[&](int) { outcome = acquire(permits); },
       [&](int i) {
         delay(static_cast<unsigned>(i) % 64);
         permits.release();
       },
       [&](int i) {
         delay(static_cast<unsigned>(i) / 64 % 64);
         permits.close();
       }},
      [] {},
      [&](int) {
        ASSERT_TRUE(outcome == Acquired::yes || outcome == Acquired::closed);
        ASSERT_EQ(permits.available(), outcome == Acquired::yes ? 0U : 1U);
        permits.reopen();
        ASSERT_EQ(permits.try_acquire(), outcome == Acquired::closed);
        ++counts[outcome == Acquired::yes ? 0 : 1];
      });
  RecordProperty("acquired", counts[0]);
  RecordProperty("refused", counts[1]);
}

// Freed by who has got them all, while the releases are on their way out.
TEST(PermitsRace, MayBeFreedByTheLastHolder) {
  std::unique_ptr<Permits> owned;
  Permits* permits = nullptr;
  const auto release = [&](int i) {
    delay(static_cast<unsigned>(i) % 64);
    permits->release();
  };
  at_once(
      rounds(15'000),
      {[&](int) {
         EXPECT_EQ(acquire(*owned, 2), Acquired::yes);
         owned.reset();
       },
       release, release},
      [&] {
        owned = std::make_unique<Permits>(0U);
        permits = owned.get();
      },
      [&](int) { ASSERT_EQ(owned, nullptr); });
}

}  // namespace
