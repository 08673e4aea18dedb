// Exceptions that are raised at an InterruptibleThread, against its end, its join, its stop, and
// against signals that must not be lost.

#include "rouse/thread/interruptible_thread.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/sleep.hpp"

#include "support/at_once.hpp"
#include "support/on_cpu.hpp"
#include "support/rendezvous.hpp"
#include "support/scale.hpp"

#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>

#include <boost/thread/condition_variable.hpp>
#include <boost/thread/mutex.hpp>
#include <boost/thread/thread.hpp>
#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::InterruptibleThread;
using rouse::WaitStatus;
using rouse::test::at_once;
using rouse::test::delay;
using rouse::test::OnCpu;
using rouse::test::Rendezvous;
using rouse::test::rounds;

struct Raised {};

unsigned shift(int round) { return static_cast<unsigned>(round) % 101 * 16; }

// Calls `wait` until it returns; returns how often it threw instead.
template <class Wait>
int exceptions_of(Wait wait) {
  for (int thrown = 0;; ++thrown) {
    try {
      wait();
      return thrown;
    } catch (const Raised&) {
    }
  }
}

// Each token is taken once, whatever is raised meanwhile; each exception that was accepted is
// thrown.
TEST(InterruptRace, NoSignalIsLostToARaise) {
  const int tokens = rounds(20'000);
  Event token;
  Event taken;
  std::latch finished(1);  // no wait of the library: nothing is thrown in it
  int thrown = 0;
  InterruptibleThread consumer([&] {
    const OnCpu on_cpu(1);
    for (int i = 0; i < tokens; ++i) {
      thrown += exceptions_of([&] { (void)token.wait(); });
      token.clear();
      taken.set();
    }
    finished.wait();
    thrown += exceptions_of(&rouse::interruption_point);
  });
  consumer.start();
  int accepted = 0;
  std::jthread raiser([&](std::stop_token stop) {
    while (!stop.stop_requested()) {
      if (consumer.raise<Raised>()) ++accepted;
      delay(shift(accepted));
    }
  });
  const OnCpu here(0);
  for (int i = 0; i < tokens; ++i) {
    token.set();
    ASSERT_EQ(taken.wait(), WaitStatus::ready);
    taken.clear();
  }
  raiser.request_stop();
  raiser.join();
  finished.count_down();
  consumer.join();
  EXPECT_EQ(thrown, accepted);
  EXPECT_GT(thrown, 0);
}

// The control block goes on to the next thread while somebody raises at the one that had it.
TEST(InterruptRace, WhatComesTooLateNeverReachesTheNextThread) {
  std::unique_ptr<InterruptibleThread> first;
  std::atomic<bool> finished{false};
  std::atomic<int> disturbed{0};
  int refused = 0;
  at_once(
      rounds(1'000),
      {[&](int i) {
         delay(shift(i));
         first->join();
         InterruptibleThread second([&] {
           try {
             boost::this_thread::interruption_point();
             if (rouse::sleep_for(1us) != WaitStatus::timeout) ++disturbed;
             rouse::interruption_point();
             boost::this_thread::interruption_point();
           } catch (...) {
             ++disturbed;
           }
         });
         second.start();
         second.join();
         finished = true;
       },
       [&](int) {
         while (!finished) {
           if (!first->raise<Raised>()) ++refused;
         }
       }},
      [&] {
        finished = false;
        first = std::make_unique<InterruptibleThread>([] {
          try {
            (void)rouse::sleep_for(1us);
          } catch (const Raised&) {
          }
        });
        first->start();
      },
      [&](int) {});
  EXPECT_EQ(disturbed, 0);
  EXPECT_GT(refused, 0);
}

// It ends the thread, or is dropped with it; join() tells which.
TEST(InterruptRace, ARaiseMeetsTheNaturalEnd) {
  std::optional<InterruptibleThread> thread;
  Event release;
  bool accepted = false;
  at_once(
      rounds(1'500),
      {[&](int i) {
         delay(shift(i));
         accepted = thread->raise<Raised>();
       },
       [&](int i) {
         delay(shift(i / 101));
         release.set();
       }},
      [&] {
        release.clear();
        thread.emplace([&] { (void)release.wait(); });
        thread->start();
      },
      [&](int) {
        bool thrown = false;
        try {
          thread->join();
        } catch (const Raised&) {
          thrown = true;
        }
        EXPECT_TRUE(accepted || !thrown);
        EXPECT_FALSE(thread->raise<Raised>());
      });
}

// Whichever comes first ends the wait; the other is there for the next.
TEST(InterruptRace, ARaiseMeetsAStop) {
  std::optional<InterruptibleThread> thread;
  std::atomic<bool> accepted{false};
  bool stopped = false;
  int thrown = 0;
  at_once(
      rounds(1'500),
      {[&](int i) {
         delay(shift(i));
         accepted = thread->raise<Raised>();
       },
       [&](int i) {
         delay(shift(i / 101));
         thread->request_stop();
       }},
      [&] {
        accepted = stopped = false;
        thrown = 0;
        thread.emplace([&] {
          while (thrown == 0 || !stopped) {
            thrown += exceptions_of([&] {
              if (rouse::sleep_for(1h) == WaitStatus::stopped) stopped = true;
            });
          }
        });
        thread->start();
      },
      [&](int) {
        thread->join();
        EXPECT_TRUE(accepted);
        EXPECT_EQ(thrown, 1);
      });
}

// The first that is accepted ends the thread; one of those who join is told.
TEST(InterruptRace, RaisesMeetJoins) {
  std::optional<InterruptibleThread> thread;
  std::atomic<int> accepted{0};
  std::atomic<int> told{0};
  const auto raise = [&](int i) {
    delay(shift(i));
    if (thread->raise<Raised>()) ++accepted;
  };
  const auto join = [&](int) {
    try {
      thread->join();
    } catch (const Raised&) {
      ++told;
    }
  };
  at_once(
      rounds(1'000), {raise, raise, join, join},
      [&] {
        accepted = 0;
        told = 0;
        thread.emplace([] { (void)rouse::sleep_for(1h); });
        thread->start();
      },
      [&](int) {
        EXPECT_GE(accepted, 1);
        EXPECT_EQ(told, 1);
      });
}

TEST(InterruptRace, TerminateMeetsTheNaturalEnd) {
  std::optional<InterruptibleThread> thread;
  Event release;
  at_once(
      rounds(1'000),
      {[&](int i) {
         delay(shift(i));
         EXPECT_TRUE(thread->terminate(1h, 10us));
         EXPECT_FALSE(thread->running());
       },
       [&](int i) {
         delay(shift(i / 101));
         release.set();
       }},
      [&] {
        release.clear();
        thread.emplace([&] { (void)release.wait(); });
        thread->start();
      },
      [&](int) { thread->join(); });
}

// Whichever library's wait it meets: rouse throws it once, and Boost has nothing left to throw.
TEST(InterruptRace, ARaiseMeetsWaitsOfBothLibraries) {
  const int count = rounds(4'000);
  Rendezvous meet(2);
  InterruptibleThread thread([&] {
    const OnCpu on_cpu(1);
    boost::mutex mutex;
    boost::condition_variable never;
    for (int i = 0; i < count; ++i) {
      meet.arrive();
      int thrown = 0;
      bool interrupted = false;
      try {
        if (i % 2 == 0) {
          boost::unique_lock<boost::mutex> lock(mutex);
          never.wait(lock);
        } else {
          (void)rouse::sleep_for(1h);
        }
      } catch (const boost::thread_interrupted&) {
        interrupted = true;
      } catch (const Raised&) {
        ++thrown;
      }
      EXPECT_EQ(interrupted, i % 2 == 0);
      thrown += exceptions_of(&rouse::interruption_point);
      EXPECT_EQ(thrown, 1);
      EXPECT_FALSE(boost::this_thread::interruption_requested());
      meet.arrive();
    }
  });
  thread.start();
  const OnCpu here(0);
  for (int i = 0; i < count; ++i) {
    meet.arrive();
    delay(shift(i));
    EXPECT_TRUE(thread.raise<Raised>());
    meet.arrive();
  }
  thread.join();
}

}  // namespace
