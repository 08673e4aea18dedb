// Stops and deadlines that meet in one tree of scopes.

#include "rouse/wait/event.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/stop_scope.hpp"
#include "rouse/wait/this_thread.hpp"

#include "support/on_cpu.hpp"
#include "support/rendezvous.hpp"
#include "support/scale.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::StopReason;
using rouse::StopScope;
using rouse::WaitStatus;
using rouse::test::OnCpu;
using rouse::test::rounds;
using rouse::this_thread::Bind;

TEST(ScopeRace, AWaitThatEndsByADeadlineFindsItsOwnScopeStopped) {
  const int count = rounds(500);
  for (int i = 0; i < count; ++i) {
    StopScope parent = StopScope::with_deadline(std::chrono::microseconds(100));
    std::vector<std::jthread> threads;
    std::atomic<int> wrong{0};
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        StopScope child(parent);
        const Bind bind(child);
        (void)rouse::sleep_for(1h);
        if (child.reason().kind != StopReason::deadline) ++wrong;
        if (parent.reason().kind != StopReason::deadline) ++wrong;
      });
    }
    threads.clear();
    ASSERT_EQ(wrong, 0);
  }
}

TEST(ScopeRace, AScopeThatIsStoppedFromAboveWhileItsDeadlinePassesHasOneReason) {
  const int count = rounds(2'000);
  for (int i = 0; i < count; ++i) {
    StopScope root;
    StopScope scope = StopScope::with_deadline(std::chrono::microseconds(i % 40), root);
    std::jthread stopper([&] { root.request_stop("from above"); });
    {
      const Bind bind(scope);
      ASSERT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
    }
    const auto first = scope.reason();
    stopper.join();
    EXPECT_EQ(first.kind, scope.reason().kind);
    EXPECT_NE(first.kind, StopReason::none);
  }
}

// Scopes are made below one that is stopped, and destroyed, all at the same instant: each that
// still lives has its parent's reason.
TEST(ScopeRace, ChildrenComeAndGoWhileTheirParentIsStopped) {
  const int count = rounds(2'000);
  std::optional<StopScope> root;
  rouse::test::Rendezvous meet(4);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      const OnCpu on_cpu(0);
      for (int i = 0; i < count; ++i) {
        meet.arrive();
        for (int turn = 0; turn < 4; ++turn) {
          StopScope child(*root);
          StopScope grandchild = StopScope::with_deadline(1h, child);
          const Bind bind(t == 0 ? child : grandchild);
          if (rouse::sleep_for(0s) == WaitStatus::stopped) {
            EXPECT_EQ(child.reason().code, 7);
          }
        }
        meet.arrive();
      }
    });
  }
  threads.emplace_back([&] {
    const OnCpu on_cpu(1);
    for (int i = 0; i < count; ++i) {
      meet.arrive();
      rouse::test::delay(static_cast<unsigned>(i) % 101 * 8);
      EXPECT_TRUE(root->request_stop({StopReason::requested, 7}));
      meet.arrive();
    }
  });
  for (int i = 0; i < count; ++i) {
    root.emplace();
    meet.arrive();
    meet.arrive();
    StopScope late(*root);
    EXPECT_EQ(late.reason().code, 7);
  }
}

// Whoever loses the race to decide the reason still finds the scope stopped, for one reason.
TEST(ScopeRace, OneOfManyRequestsDecides) {
  const int count = rounds(500);
  constexpr int requesters = 2;
  constexpr std::size_t scopes = 64;  // each comes to the next as soon as it is done with one
  std::array<std::optional<StopScope>, scopes> round;
  std::array<std::atomic<int>, scopes> decided;
  rouse::test::Rendezvous meet(requesters + 1);
  std::vector<std::jthread> threads;
  for (int t = 0; t < requesters; ++t) {
    threads.emplace_back([&, t] {
      const OnCpu on_cpu(static_cast<std::size_t>(t));
      for (int i = 0; i < count; ++i) {
        meet.arrive();
        for (std::size_t s = 0; s < scopes; ++s) {
          if (round[s]->request_stop({StopReason::requested, t})) decided[s] += 1 + t;
          EXPECT_TRUE(round[s]->stop_requested());
          EXPECT_NE(round[s]->reason().kind, StopReason::none);
        }
        meet.arrive();
      }
    });
  }
  for (int i = 0; i < count; ++i) {
    for (std::size_t s = 0; s < scopes; ++s) {
      decided[s] = 0;
      round[s].emplace();
    }
    meet.arrive();
    meet.arrive();
    for (std::size_t s = 0; s < scopes; ++s) EXPECT_EQ(decided[s], 1 + round[s]->reason().code);
  }
}

}  // namespace
