// Stops that come at any time, to any wait.

#include "rouse/thread/stop_all.hpp"
#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/fd.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/stop_scope.hpp"
#include "rouse/wait/this_thread.hpp"
#include "rouse/wait/wait_any.hpp"

#include "support/scale.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <latch>
#include <random>
#include <stop_token>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::StoppableThread;
using rouse::StopScope;
using rouse::WaitStatus;
using rouse::test::rounds;

// Each thread goes through all kinds of waits, none of which ends by itself; the stop comes at a
// random one. A stop that is lost shows as a join that hangs.
TEST(StopRace, EndsWhicheverWaitItMeets) {
  int pipe[2] = {-1, -1};
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC | O_NONBLOCK), 0);
  const int count = rounds(1'000);
  for (int i = 0; i < count; ++i) {
    Event never;
    Event neither;
    std::stop_source foreign;
    const std::stop_token token = foreign.get_token();
    std::atomic<unsigned> turns{0};
    StoppableThread thread([&](std::stop_token stop) {
      while (!stop.stop_requested()) {
        switch (turns.fetch_add(1) % 6) {
          case 0:
            if (never.wait_for(3us) == WaitStatus::stopped) return;
            break;
          case 1:
            if (rouse::sleep_for(3us, token) == WaitStatus::stopped) return;
            break;
          case 2:
            if (rouse::wait_readable_for(pipe[0], 3us) == WaitStatus::stopped) return;
            break;
          case 3:
            if (rouse::wait_any(never, neither, std::chrono::steady_clock::now() + 3us).status ==
                WaitStatus::stopped) {
              return;
            }
            break;
          case 4: {
            const rouse::Shield shield;
            if (rouse::sleep_for(2us) == WaitStatus::stopped) ADD_FAILURE();
            break;
          }
          default: {
            StopScope inner = StopScope::with_deadline(3us);
            const rouse::this_thread::Bind bind(inner);
            if (never.wait(token) != WaitStatus::stopped) ADD_FAILURE();
            break;
          }
        }
      }
    });
    thread.start();
    while (turns < static_cast<unsigned>(i % 13)) std::this_thread::yield();
    thread.request_stop();
    thread.join();
  }
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST(StopRace, EndsWaitsThatOnlyAStopCanEnd) {
  int pipe[2] = {-1, -1};
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC | O_NONBLOCK), 0);
  const int count = rounds(2'000);
  for (int i = 0; i < count; ++i) {
    Event never;
    std::stop_source foreign;
    std::atomic<bool> running{false};
    WaitStatus status = WaitStatus::timeout;
    StoppableThread thread([&] {
      running = true;
      switch (i % 4) {
        case 0:
          status = never.wait(foreign.get_token());
          break;
        case 1:
          status = rouse::sleep_for(std::chrono::hours::max());
          break;
        case 2:
          status = rouse::wait_readable(pipe[0], foreign.get_token());
          break;
        default:
          status = rouse::wait_any(never, foreign.get_token()).status;
          break;
      }
    });
    thread.start();
    while (!running) std::this_thread::yield();
    for (int spin = 0; spin < (i % 50) * 20; ++spin)
      std::atomic_signal_fence(std::memory_order_seq_cst);
    // Both at once, in either order.
    if (i % 3 == 0) foreign.request_stop();
    thread.request_stop();
    thread.join();
    ASSERT_EQ(status, WaitStatus::stopped) << i;
  }
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST(StopRace, StopAllEndsThreadsThatAreJustStarting) {
  const int count = rounds(100);
  for (int i = 0; i < count; ++i) {
    std::deque<StoppableThread> threads;
    for (int t = 0; t < 10; ++t) {
      threads.emplace_back([] { (void)rouse::sleep_for(1h); });
      threads.back().start();
    }
    const rouse::StopReport report = rouse::stop_all(threads, 1min);
    ASSERT_TRUE(report) << report.to_string();
  }
}

}  // namespace
