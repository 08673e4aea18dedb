// Signal against stop against time-out, at the same instant: what was signalled is received, what
// was not is not.

#include "rouse/wait/event.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"
#include "rouse/wait/wait_any.hpp"

#include "support/on_cpu.hpp"
#include "support/scale.hpp"

#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <optional>
#include <random>
#include <stop_token>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::WaitStatus;
using rouse::test::OnCpu;
using rouse::test::rounds;
using rouse::this_thread::Bind;

// One permit at a time goes through an event that the consumer clears: a wake-up that is lost shows
// as a consumer that hangs, one that is stolen as a permit that nobody got.
TEST(EventRace, ConservesPermitsWhileWaitsAreStoppedAndTimeOut) {
  const int permits = rounds(40'000);
  Event work;
  std::atomic<int> offered{0};
  std::stop_source ambient;
  std::atomic<int> taken{0};
  const OnCpu here(0);
  std::jthread consumer([&] {
    const OnCpu on_cpu(1);
    const Bind bind(ambient.get_token());
    std::minstd_rand random(7);
    while (taken < permits) {
      WaitStatus status = WaitStatus::timeout;
      switch (random() % 4) {
        case 0:
          status = work.wait();
          break;
        case 1:
          status = work.wait_for(std::chrono::nanoseconds(random() % 20'000));
          break;
        case 2: {
          // A stop of its own, from another thread, at about the time of the permit.
          std::stop_source source;
          std::jthread stopper;
          if (random() % 64 == 0)
            stopper = std::jthread([source]() mutable { source.request_stop(); });
          status = work.wait_for(5us, source.get_token());
          break;
        }
        default:
          status = work.wait_for(0s);
          break;
      }
      if (status != WaitStatus::ready) continue;
      work.clear();
      taken += offered.exchange(0);
    }
  });
  for (int i = 0; i < permits; ++i) {
    offered.fetch_add(1);
    work.set();
    if (i % 16 == 0) std::this_thread::yield();
  }
  consumer.join();
  EXPECT_EQ(taken, permits);
}

// All three at once on one wait. Whatever it returns must be true, and what it did not return must
// still be there.
TEST(EventRace, TellsTheTruthWhenSignalStopAndTimeOutCoincide) {
  const int count = rounds(10'000);
  struct Round {
    Event event;
    std::stop_source source;
  };
  std::unique_ptr<Round> round;
  std::atomic<bool> finished{false};
  std::latch started(3);

  // Two helpers act on the current round as soon as it begins.
  std::atomic<int> generation{0};
  std::atomic<int> acted{0};
  const OnCpu here(0);
  const auto helper = [&](auto act) {
    const OnCpu on_cpu(1);
    started.arrive_and_wait();
    for (int seen = 0;;) {
      int now = generation.load(std::memory_order_acquire);
      while (now == seen) {
        if (finished) return;
        std::this_thread::yield();
        now = generation.load(std::memory_order_acquire);
      }
      seen = now;
      act();
      acted.fetch_add(1, std::memory_order_acq_rel);
    }
  };
  std::jthread setter([&] { helper([&] { round->event.set(); }); });
  std::jthread stopper([&] { helper([&] { round->source.request_stop(); }); });
  started.arrive_and_wait();

  std::minstd_rand random(11);
  int counts[3] = {};
  for (int i = 0; i < count; ++i) {
    round = std::make_unique<Round>();
    acted = 0;
    const std::stop_token token = round->source.get_token();
    const bool is_ambient = random() % 2 == 0;
    generation.fetch_add(1, std::memory_order_acq_rel);
    {
      std::optional<Bind> bind;
      if (is_ambient) bind.emplace(token);
      const auto limit = std::chrono::nanoseconds(random() % 100'000);
      const WaitStatus status =
          is_ambient ? round->event.wait_for(limit) : round->event.wait_for(limit, token);
      ++counts[static_cast<int>(status)];
      EXPECT_TRUE(status != WaitStatus::ready || round->event.is_set());
      EXPECT_TRUE(status != WaitStatus::stopped || token.stop_requested());
      // Neither is lost: both arrive in later waits.
      {
        const rouse::Shield shield;
        EXPECT_EQ(round->event.wait(), WaitStatus::ready);
      }
      EXPECT_EQ(rouse::sleep_for(1h, token), WaitStatus::stopped);
    }
    while (acted.load(std::memory_order_acquire) < 2) std::this_thread::yield();
  }
  finished = true;
  RecordProperty("ready", counts[0]);
  RecordProperty("stopped", counts[1]);
  RecordProperty("timeout", counts[2]);
}

TEST(EventRace, ReleasesEverybodyWhoWaitedAtASetThatIsTakenBackAtOnce) {
  const int count = rounds(2'000);
  constexpr int waiters = 3;
  Event gate;
  std::atomic<int> arrived{0};
  std::atomic<int> released{0};
  std::atomic<bool> finished{false};
  {
    std::vector<std::jthread> threads;
    for (int w = 0; w < waiters; ++w) {
      threads.emplace_back([&, w] {
        const OnCpu on_cpu(static_cast<std::size_t>(w));
        while (!finished) {
          arrived.fetch_add(1);
          if (gate.wait() == WaitStatus::ready) released.fetch_add(1);
        }
      });
    }
    // Every wait that began is released by some later set: nobody hangs though the event is never
    // left set.
    while (released < count) {
      gate.set();
      gate.clear();
      std::this_thread::yield();
    }
    finished = true;
    gate.set();
  }
  EXPECT_EQ(arrived, released);
}

TEST(EventRace, WaitAnyGetsEachOfTwoSignalsOnce) {
  const int permits = rounds(20'000);
  Event events[2];
  std::atomic<int> offered[2] = {0, 0};
  std::atomic<int> taken{0};
  {
    std::jthread consumer([&] {
      const OnCpu on_cpu(0);
      while (taken < 2 * permits) {
        const rouse::AnyReady woken = rouse::wait_any(events[0], events[1]);
        ASSERT_EQ(woken.status, WaitStatus::ready);
        events[woken.index].clear();
        taken += offered[woken.index].exchange(0);
      }
    });
    std::vector<std::jthread> producers;
    for (int which = 0; which < 2; ++which) {
      producers.emplace_back([&, which] {
        const OnCpu on_cpu(1);
        for (int i = 0; i < permits; ++i) {
          offered[which].fetch_add(1);
          events[which].set();
          if (i % 32 == 0) std::this_thread::yield();
        }
      });
    }
  }
  EXPECT_EQ(taken, 2 * permits);
}

}  // namespace
