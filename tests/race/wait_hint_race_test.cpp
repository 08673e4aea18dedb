// Hints from several threads against the wait, the stop and the descriptor that they meet: none is
// lost, none hides anything else, and a hint that was taken may be destroyed.

#include "rouse/wait/wait_hint.hpp"

#include "support/on_cpu.hpp"
#include "support/pipe.hpp"
#include "support/rendezvous.hpp"
#include "support/scale.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <stop_token>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using rouse::WaitStatus;
using rouse::detail::BlockSite;
using rouse::detail::Deadline;
using rouse::detail::WaitHint;
using rouse::test::delay;
using rouse::test::OnCpu;
using rouse::test::Pipe;
using rouse::test::Rendezvous;
using rouse::test::rounds;

constexpr BlockSite race_site{"wait_hint_race", 0};

WaitStatus wait_in_some_form(WaitHint& hint, int i, ::pollfd& polled,
                             const std::stop_token& stop = {}) {
  const std::span<::pollfd> all(&polled, 1);
  return hint.wait(i % 2 == 0 ? all : all.first(0), race_site, Deadline::never(), stop);
}

// Each round each giver gives once, and the waiter sleeps until it has seen them all. A hint that
// is lost shows as a wait that hangs.
TEST(WaitHintRace, EndsTheWaitWhoeverGivesIt) {
  constexpr std::size_t givers = 3;
  const int count = rounds(10'000);
  std::array<std::atomic<bool>, givers> given{};
  WaitHint hint;
  Rendezvous meet(givers + 1);
  std::vector<std::jthread> threads;
  for (std::size_t g = 0; g < givers; ++g) {
    threads.emplace_back([&, g] {
      const OnCpu on_cpu(g);
      for (int i = 0; i < count; ++i) {
        meet.arrive();
        delay(static_cast<unsigned>(i) * (static_cast<unsigned>(g) + 1) % 64);
        given[g].store(true, std::memory_order_relaxed);
        hint.give();
        meet.arrive();
      }
    });
  }
  const Pipe quiet;
  ::pollfd polled{quiet.read_end(), POLLIN, 0};
  const auto seen = [](const auto& each) { return each.load(std::memory_order_relaxed); };
  for (int i = 0; i < count; ++i) {
    meet.arrive();
    while (!std::ranges::all_of(given, seen)) {
      ASSERT_EQ(wait_in_some_form(hint, i, polled), WaitStatus::ready);
      ASSERT_TRUE(hint.take());
    }
    meet.arrive();
    (void)hint.take();  // of a giver that was seen before its hint
    for (auto& each : given) each.store(false, std::memory_order_relaxed);
  }
}

// All that ends a wait at the same instant: each is told, by this wait or by the next.
TEST(WaitHintRace, KeepsWhatADescriptorOrAStopHasForestalled) {
  const int count = rounds(10'000);
  const Pipe pipe;
  WaitHint hint;
  std::stop_source source;
  Rendezvous meet(3);
  int stopped = 0;
  std::jthread giver([&] {
    const OnCpu on_cpu(1);
    for (int i = 0; i < count; ++i) {
      meet.arrive();
      delay(static_cast<unsigned>(i) % 64);
      hint.give();
      meet.arrive();
    }
  });
  std::jthread disturber([&] {
    for (int i = 0; i < count; ++i) {
      meet.arrive();
      delay(static_cast<unsigned>(i) / 64 % 64);
      if (i % 4 < 2) {
        source.request_stop();
      } else {
        pipe.put();
      }
      meet.arrive();
    }
  });
  const OnCpu on_cpu(0);
  for (int i = 0; i < count; ++i) {
    source = std::stop_source();
    ::pollfd polled{pipe.read_end(), POLLIN, 0};
    meet.arrive();
    const WaitStatus status = wait_in_some_form(hint, i, polled, source.get_token());
    const bool taken = hint.take();
    if (status == WaitStatus::ready) {
      ASSERT_TRUE(taken || polled.revents == POLLIN);
    } else {
      ASSERT_EQ(status, WaitStatus::stopped);
      ASSERT_TRUE(source.stop_requested());
      ++stopped;
    }
    meet.arrive();
    ASSERT_EQ(hint.take(), !taken);
    if (i % 4 >= 2) {
      char byte = 0;
      ASSERT_EQ(::read(pipe.read_end(), &byte, 1), 1);
    }
  }
  RecordProperty("stopped", stopped);
}

// The waiter frees the hint as soon as it has taken it, while give() may still be on its way out.
TEST(WaitHintRace, MayBeDestroyedRightAfterItWasTaken) {
  const int count = rounds(10'000);
  std::atomic<WaitHint*> handed_over{nullptr};
  const OnCpu here(0);
  std::jthread giver([&] {
    const OnCpu on_cpu(1);
    for (int i = 0; i < count; ++i) {
      WaitHint* hint = nullptr;
      while ((hint = handed_over.exchange(nullptr, std::memory_order_acq_rel)) == nullptr) {
        std::this_thread::yield();
      }
      hint->give();
    }
  });
  const Pipe quiet;
  ::pollfd polled{quiet.read_end(), POLLIN, 0};
  for (int i = 0; i < count; ++i) {
    const auto hint = std::make_unique<WaitHint>();
    handed_over.store(hint.get(), std::memory_order_release);
    ASSERT_EQ(wait_in_some_form(*hint, i, polled), WaitStatus::ready);
    ASSERT_TRUE(hint->take());
  }
}

}  // namespace
