// start() against everything else that can be done to a StoppableThread at the same instant.

#include "rouse/thread/stop_all.hpp"
#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/sleep.hpp"

#include "support/at_once.hpp"
#include "support/rendezvous.hpp"
#include "support/scale.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <system_error>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::StoppableThread;
using rouse::WaitStatus;
using rouse::test::at_once;
using rouse::test::delay;
using rouse::test::rounds;

// A join that comes before start() has returned says that the thread was never started; one that
// comes later joins. Nothing in between.
TEST(StartRace, AJoinFindsTheThreadNotStartedOrJoinsIt) {
  std::optional<StoppableThread> thread;
  std::atomic<bool> ran{false};
  std::atomic<int> joined{0};
  int early = 0;
  const auto join = [&](int i) {
    delay(static_cast<unsigned>(i) % 101 * 16);
    for (bool done = false; !done;) {
      try {
        if (i % 3 == 0) {
          thread->join();
          done = true;
        } else {
          done = thread->try_join_for(i % 3 == 1 ? 1h : 0h);
        }
      } catch (const std::system_error& e) {
        EXPECT_EQ(e.code(), std::errc::invalid_argument) << e.what();
        ++early;
      }
      if (!done) std::this_thread::yield();
    }
    EXPECT_TRUE(ran);  // its end happened before
    EXPECT_FALSE(thread->running());
    EXPECT_EQ(thread->native_id(), 0);
    ++joined;
  };
  at_once(
      rounds(1'500), {[&](int) { thread->start(); }, join},
      [&] {
        ran = false;
        thread.emplace([&] { ran = true; });
      },
      [&](int) { EXPECT_EQ(thread->activity().blocked_in, "ended"); });
  EXPECT_EQ(joined, rounds(1'500));
  RecordProperty("early", early);
}

TEST(StartRace, SeveralJoinsAllSeeTheEndAndOneTakesTheException) {
  std::optional<StoppableThread> thread;
  std::atomic<int> thrown{0};
  const auto join = [&](int) {
    for (;;) {
      try {
        thread->join();
        return;
      } catch (const std::system_error&) {
        std::this_thread::yield();  // not started yet
      } catch (const std::runtime_error&) {
        ++thrown;
        return;
      }
    }
  };
  at_once(
      rounds(1'000), {[&](int) { thread->start(); }, join, join},
      [&] {
        thrown = 0;
        thread.emplace([] { throw std::runtime_error("of the thread"); });
      },
      [&](int) { EXPECT_EQ(thrown, 1); });
}

TEST(StartRace, OneOfSeveralStartsStartsIt) {
  std::optional<StoppableThread> thread;
  std::atomic<int> runs{0};
  std::atomic<int> refused{0};
  const auto start = [&](int) {
    try {
      thread->start();
    } catch (const std::logic_error&) {
      ++refused;
    }
  };
  at_once(
      rounds(1'000), {start, start},
      [&] {
        runs = 0;
        refused = 0;
        thread.emplace([&] { ++runs; });
      },
      [&](int) {
        thread->join();
        EXPECT_EQ(runs, 1);
        EXPECT_EQ(refused, 1);
      });
}

TEST(StartRace, AStopThatComesBeforeOrAfterEndsTheThread) {
  std::optional<StoppableThread> thread;
  WaitStatus status = WaitStatus::timeout;
  at_once(
      rounds(1'500),
      {[&](int) { thread->start(); },
       [&](int i) {
         delay(static_cast<unsigned>(i) % 101 * 16);
         EXPECT_TRUE(thread->request_stop());
       }},
      [&] {
        status = WaitStatus::timeout;
        thread.emplace([&] { status = rouse::sleep_for(1h); });
      },
      [&](int) {
        thread->join();
        EXPECT_EQ(status, WaitStatus::stopped);
      });
}

// A thread that stop_all finds not started counts as stopped; it runs later, and finds the stop
// requested.
TEST(StartRace, StopAllMeetsThreadsThatAreJustStarting) {
  std::array<std::unique_ptr<StoppableThread>, 3> threads;
  std::atomic<int> stopped{0};
  at_once(
      rounds(600),
      {[&](int) {
         for (const auto& thread : threads) thread->start();
       },
       [&](int i) {
         delay(static_cast<unsigned>(i) % 101 * 32);
         const rouse::StopReport report = rouse::stop_all(threads, 1min);
         EXPECT_TRUE(report) << report.to_string();
         EXPECT_EQ(report.stopped, threads.size());
       }},
      [&] {
        stopped = 0;
        for (auto& thread : threads) {
          thread = std::make_unique<StoppableThread>([&] {
            if (rouse::sleep_for(1h) == WaitStatus::stopped) ++stopped;
          });
        }
      },
      [&](int) {
        for (const auto& thread : threads) thread->join();
        EXPECT_EQ(stopped, 3);
      });
}

// What asks is answered as before or as after, and never waits for ever.
TEST(StartRace, QuestionsAreAnsweredAtAnyTime) {
  std::optional<StoppableThread> thread;
  std::atomic<bool> over{false};
  const auto ask = [&](int) {
    bool ran = false;
    while (!over) {
      const bool running = thread->running();
      EXPECT_FALSE(ran && !running && !thread->stop_token().stop_requested());
      ran = ran || running;
      EXPECT_GE(thread->native_id(), 0);
      EXPECT_FALSE(thread->activity().blocked_in.empty());
      EXPECT_EQ(thread->name(), "asked");
      (void)thread->wait_for(0s);
    }
  };
  at_once(
      rounds(300),
      {[&](int i) {
         thread->start();
         delay(static_cast<unsigned>(i) % 101 * 32);
         thread->request_stop();
         thread->join();
         over = true;
       },
       ask},
      [&] {
        over = false;
        thread.emplace([] { (void)rouse::sleep_for(1h); }, rouse::ThreadOptions{.name = "asked"});
      },
      [&](int) { EXPECT_FALSE(thread->running()); });
}

// It does not run before start() has put away what the others need to see it.
TEST(StartRace, TheThreadIsStartedWhenItRuns) {
  std::optional<StoppableThread> thread;
  std::atomic<bool> right{false};
  const auto throws_deadlock = [](auto call) {
    try {
      call();
      return false;
    } catch (const std::system_error& e) {
      return e.code() == std::errc::resource_deadlock_would_occur;
    }
  };
  at_once(
      rounds(1'500), {[&](int) { thread->start(); }},
      [&] {
        right = false;
        thread.emplace([&] {
          right = thread->running() && thread->native_id() > 0 &&
                  throws_deadlock([&] { thread->join(); }) &&
                  throws_deadlock([&] { (void)thread->wait(); });
        });
      },
      [&](int) {
        thread->join();
        EXPECT_TRUE(right);
      });
}

// The owner gives up at any time: the destructor stops and joins what has started.
TEST(StartRace, ADestructorMayComeRightAfterTheStart) {
  const int count = rounds(1'000);
  std::atomic<int> ended{0};
  for (int i = 0; i < count; ++i) {
    StoppableThread thread([&] {
      (void)rouse::sleep_for(1h);
      ++ended;
    });
    thread.start();
  }
  EXPECT_EQ(ended, count);
}

}  // namespace
