// Exceptions that are raised at a thread, against everything else that ends a wait.

#include "rouse/wait/event.hpp"
#include "rouse/wait/fd.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/wait_any.hpp"

#include "support/on_cpu.hpp"
#include "support/rendezvous.hpp"
#include "support/scale.hpp"
#include "wait/control_block.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <optional>
#include <stop_token>
#include <thread>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::WaitStatus;
using rouse::detail::ControlBlock;
using rouse::test::delay;
using rouse::test::OnCpu;
using rouse::test::Rendezvous;
using rouse::test::rounds;

struct Raised {
  int number;
};

// An exception is thrown exactly once: by the wait that it meets, or by a later one if what the
// wait was for came first.
TEST(RaiseRace, IsThrownOnceWhetherOrNotItEndsTheWaitItMeets) {
  const int count = rounds(8'000);
  const OnCpu here(0);
  ControlBlock& self = ControlBlock::current();
  std::optional<Event> event;
  Rendezvous meet(3);
  std::jthread raiser([&] {
    const OnCpu on_cpu(1);
    for (int i = 0; i < count; ++i) {
      meet.arrive();
      delay(static_cast<unsigned>(i) % 83 * 4);
      EXPECT_TRUE(self.raise(std::make_exception_ptr(Raised{i})));
      meet.arrive();
    }
  });
  std::jthread setter([&] {
    const OnCpu on_cpu(2);
    for (int i = 0; i < count; ++i) {
      meet.arrive();
      delay(static_cast<unsigned>(i) % 79 * 4);
      event->set();
      meet.arrive();
    }
  });
  for (int i = 0; i < count; ++i) {
    event.emplace();
    int thrown = 0;
    const auto wait = [&](auto call) {
      try {
        return call() == WaitStatus::ready;
      } catch (const Raised& raised) {
        EXPECT_EQ(raised.number, i);
        ++thrown;
        return false;
      }
    };
    meet.arrive();
    const bool ready = wait([&] { return event->wait(); });
    EXPECT_TRUE(!ready || event->is_set());
    meet.arrive();
    EXPECT_TRUE(wait([&] { return event->wait(); }));  // set: does not block, so does not throw
    if (thrown == 0) wait([] { return rouse::sleep_for(1h); });
    EXPECT_EQ(thrown, 1);
    EXPECT_EQ(rouse::sleep_for(0s), WaitStatus::timeout);
  }
}

// Whatever the thread waits in, and if a stop comes at the same time.
TEST(RaiseRace, EndsWhicheverWaitItMeets) {
  const int count = rounds(4'000);
  const OnCpu here(0);
  ControlBlock& self = ControlBlock::current();
  const int quiet = ::eventfd(0, EFD_CLOEXEC);
  Event never;
  Event nor_this;
  std::optional<std::stop_source> source;
  Rendezvous meet(3);
  std::jthread raiser([&] {
    const OnCpu on_cpu(1);
    for (int i = 0; i < count; ++i) {
      meet.arrive();
      delay(static_cast<unsigned>(i) % 83 * 4);
      EXPECT_TRUE(self.raise(std::make_exception_ptr(Raised{i})));
      meet.arrive();
    }
  });
  std::jthread stopper([&] {
    const OnCpu on_cpu(2);
    for (int i = 0; i < count; ++i) {
      meet.arrive();
      if (i % 2 == 0) source->request_stop();
      meet.arrive();
    }
  });
  for (int i = 0; i < count; ++i) {
    source.emplace();
    const std::stop_token stop = source->get_token();
    meet.arrive();
    bool thrown = false;
    while (!thrown) {
      try {
        WaitStatus status = WaitStatus::ready;
        switch (i % 4) {
          case 0:
            status = never.wait(stop);
            break;
          case 1:
            status = rouse::sleep_for(1h, stop);
            break;
          case 2:
            status = rouse::wait_readable(quiet, stop);
            break;
          default:
            status = rouse::wait_any(never, nor_this, stop).status;
            break;
        }
        EXPECT_EQ(status, WaitStatus::stopped);
        EXPECT_TRUE(stop.stop_requested());
      } catch (const Raised& raised) {
        EXPECT_EQ(raised.number, i);
        thrown = true;
      }
    }
    meet.arrive();
    EXPECT_EQ(rouse::sleep_for(0s), WaitStatus::timeout);
  }
  ::close(quiet);
}

}  // namespace
