// No memory, at each allocation of each function of this layer: std::bad_alloc,
// nothing leaked, and what was there before is as it was. What must not throw does without.

#include "rouse/rouse.hpp"

#include "support/faults/allocation_rows.hpp"
#include "support/faults/faults.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::SignalStop;
using rouse::StoppableThread;
using rouse::WaitStatus;
using rouse::test::AllocationRows;
using rouse::test::allocations_made;
using rouse::test::long_name;
using rouse::test::Promise;
using rouse::test::stopped_token;
using rouse::test::strongly;
using std::chrono::steady_clock;

std::shared_ptr<StoppableThread> started_thread(std::function<void()> body) {
  auto thread = std::make_shared<StoppableThread>(std::move(body));
  thread->start();
  return thread;
}

std::shared_ptr<StoppableThread> sleeping_thread() {
  return started_thread([] { (void)rouse::sleep_for(1h); });
}

std::shared_ptr<StoppableThread> waiting_thread() {
  auto thread = started_thread([] {
    Event event;
    EXPECT_EQ(event.wait(), WaitStatus::stopped);
  });
  while (!thread->activity().blocked_in.starts_with("Event::wait")) std::this_thread::yield();
  return thread;
}

template <class Body>
auto on_thread(std::shared_ptr<StoppableThread> (*make)(), Body body) {
  return [make, body] {
    auto thread = make();
    return [thread, body] { body(*thread); };
  };
}

AllocationRows rows() {
  using enum Promise;
  AllocationRows row;

  row.header = "rouse/thread/stoppable_thread.hpp";
  row("StoppableThread", throws,
      [] { return [] { EXPECT_FALSE(StoppableThread([] {}, {.name = long_name}).running()); }; });
  row("~StoppableThread", survives, [] {
    auto thread = std::make_shared<std::shared_ptr<StoppableThread>>(sleeping_thread());
    return [thread] { thread->reset(); };
  });
  row("start", throws, [] {
    struct State {
      std::array<char, 64> large{};
      bool ran = false;
    };
    auto state = std::make_shared<State>();
    auto thread = std::make_shared<StoppableThread>(
        [state, large = state->large] { state->ran = large[0] == 0; });
    return [state, thread] {
      strongly([&] { thread->start(); },
               [&] {
                 EXPECT_FALSE(thread->running());
                 EXPECT_EQ(thread->native_id(), 0);
                 EXPECT_FALSE(state->ran);
               });
      (void)thread->wait();
      EXPECT_TRUE(state->ran);
    };
  });
  row("request_stop", allocates_nothing, on_thread(&sleeping_thread, [](StoppableThread& thread) {
        EXPECT_TRUE(thread.request_stop());
      }));
  row("join", throws, [] {
    // The thread ends when the one that joins it has come as far as to allocate.
    auto before = std::make_shared<std::atomic<long>>(-1);
    auto thread = started_thread([before] {
      while (*before == -1 || allocations_made() == *before) std::this_thread::yield();
    });
    return [thread, before] {
      *before = allocations_made();
      thread->join();
    };
  });
  row("try_join_for", throws, on_thread(&sleeping_thread, [](StoppableThread& thread) {
        strongly([&] { EXPECT_FALSE(thread.try_join_for(0s)); },
                 [&] { EXPECT_TRUE(thread.running()); });
      }));
  row("wait", throws, [] {
    auto thread = sleeping_thread();
    return [thread, stop = stopped_token()] { EXPECT_EQ(thread->wait(stop), WaitStatus::stopped); };
  });
  row("wait_for", throws, on_thread(&sleeping_thread, [](StoppableThread& thread) {
        EXPECT_EQ(thread.wait_for(0s), WaitStatus::timeout);
      }));
  row("wait_until", throws, on_thread(&sleeping_thread, [](StoppableThread& thread) {
        EXPECT_EQ(thread.wait_until(steady_clock::now()), WaitStatus::timeout);
      }));
  row("running", allocates_nothing,
      on_thread(&sleeping_thread, [](StoppableThread& thread) { EXPECT_TRUE(thread.running()); }));
  row("native_id", throws, on_thread(&sleeping_thread, [](StoppableThread& thread) {
        EXPECT_GT(thread.native_id(), 0);
      }));
  row("name", allocates_nothing, on_thread(&sleeping_thread, [](StoppableThread& thread) {
        EXPECT_FALSE(thread.name().empty());
      }));
  row("stop_token", allocates_nothing, on_thread(&sleeping_thread, [](StoppableThread& thread) {
        EXPECT_FALSE(thread.stop_token().stop_requested());
      }));
  row("activity", throws, on_thread(&waiting_thread, [](StoppableThread& thread) {
        EXPECT_TRUE(thread.activity().blocked_in.starts_with("Event::wait (0x"));
      }));
  row("Running", throws, [] {
    auto thread = std::make_shared<std::optional<rouse::Running<StoppableThread>>>();
    return [thread] {
      thread->emplace([] { (void)rouse::sleep_for(1h); }, rouse::ThreadOptions{.name = long_name});
      EXPECT_TRUE((*thread)->running());
    };
  });
  row("~Running", survives, [] {
    auto thread = std::make_shared<std::unique_ptr<rouse::Running<StoppableThread>>>(
        std::make_unique<rouse::Running<StoppableThread>>([] { (void)rouse::sleep_for(1h); }));
    return [thread] { thread->reset(); };
  });

  row.header = "rouse/thread/interruptible_thread.hpp";
  const auto interruptible = [](auto body) {
    return [body] {
      auto thread =
          std::make_shared<rouse::InterruptibleThread>([] { (void)rouse::sleep_for(1h); });
      thread->start();
      return [thread, body] { body(*thread); };
    };
  };
  row("InterruptibleThread", throws, [] {
    return [] { EXPECT_FALSE(rouse::InterruptibleThread([] {}, {.name = long_name}).running()); };
  });
  row("~InterruptibleThread", survives, [] {
    auto thread = std::make_shared<std::unique_ptr<rouse::InterruptibleThread>>(
        std::make_unique<rouse::InterruptibleThread>([] { (void)rouse::sleep_for(1h); }));
    (*thread)->start();
    return [thread] { thread->reset(); };
  });
  row("raise", allocates_nothing, interruptible([](rouse::InterruptibleThread& thread) {
        EXPECT_TRUE(thread.raise<rouse::Terminated>());
      }));
  row("terminate", throws, interruptible([](rouse::InterruptibleThread& thread) {
        strongly([&] { EXPECT_TRUE(thread.terminate(1h)); },
                 [&] { EXPECT_TRUE(thread.running()); });
      }));
  row("interruption_point", allocates_nothing, [] { return &rouse::interruption_point; });

  row.header = "rouse/thread/stop_all.hpp";
  row("stop_all", throws, [] {
    auto threads = std::make_shared<std::deque<StoppableThread>>();
    for (int i = 0; i < 3; ++i) {
      threads->emplace_back([] { (void)rouse::sleep_for(1h); });
      threads->back().start();
    }
    return [threads] {
      strongly([&] { EXPECT_TRUE(rouse::stop_all(*threads, 1h)); },
               [&] {
                 for (const StoppableThread& thread : *threads) {
                   EXPECT_FALSE(thread.stop_token().stop_requested());
                 }
               });
    };
  });
  row("stop_all", throws, [] {  // of a thread that does not obey, whose straggler needs memory
    struct State {
      Event release;
      StoppableThread thread{[this] {
                               const rouse::Shield shield;
                               EXPECT_EQ(release.wait(), WaitStatus::ready);
                             },
                             {.name = long_name}};
      ~State() { release.set(); }
    };
    auto state = std::make_shared<State>();
    state->thread.start();
    return [state] { EXPECT_FALSE(rouse::stop_all(std::array{&state->thread}, 0s)); };
  });
  const auto report = [] {
    rouse::StopReport result;
    result.stopped = 1;
    result.stragglers.push_back({long_name, 7, {"a call that takes its time", 1s}});
    return std::make_shared<rouse::StopReport>(std::move(result));
  };
  row("to_string", throws, [report] {
    return [told = report()] { EXPECT_NE(told->to_string().find(long_name), std::string::npos); };
  });
  row("operator bool", allocates_nothing,
      [report] { return [told = report()] { EXPECT_FALSE(*told); }; });

  row.header = "rouse/thread/signal_stop.hpp";
  row("SignalStop", throws, [] {
    return [] {
      strongly([] { EXPECT_FALSE(SignalStop({SIGUSR1}).stop_requested()); },
               [] {
                 sigset_t mask{};
                 ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
                 EXPECT_EQ(::sigismember(&mask, SIGUSR1), 0);
               });
    };
  });
  row("~SignalStop", survives, [] {
    auto signals = std::make_shared<std::unique_ptr<SignalStop>>(
        std::make_unique<SignalStop>(std::initializer_list<int>{SIGUSR1}));
    // It is destroyed on another thread, which does not change the mask of this one.
    sigset_t mask{};
    ::sigemptyset(&mask);
    ::sigaddset(&mask, SIGUSR1);
    ::pthread_sigmask(SIG_UNBLOCK, &mask, nullptr);
    return [signals] { signals->reset(); };
  });
  return row;
}

TEST(AllocationFailure, AtEachAllocationOfEachFunctionKeepsItsPromise) {
  rows().expect_promises_kept();
}

TEST(AllocationFailure, IsTestedForEachFunctionOfEachHeader) {
  rows().expect_complete("thread", {"rouse/thread/thread_activity.hpp"});
}

}  // namespace
