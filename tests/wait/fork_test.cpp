// A forked child may wait: it has its own eventfd and thread id, and no lock of a vanished thread.

#include "rouse/wait/event.hpp"
#include "rouse/wait/fd.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"

#include "support/observed_thread.hpp"
#include "support/scale.hpp"
#include "wait/control_block.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <stop_token>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::WaitStatus;
using rouse::detail::ControlBlock;

// Runs `body` in a forked child and returns its exit code.
template <class Body>
int in_child(Body body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::alarm(20);
    std::_Exit(body());
  }
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

TEST(Fork, LeavesAChildThatCanWait) {
  rouse::Event never;
  EXPECT_EQ(never.wait_for(1us), WaitStatus::timeout);
  EXPECT_EQ(in_child([&] {
              if (never.wait_for(1ms) != WaitStatus::timeout) return 1;
              if (rouse::sleep_for(1ms) != WaitStatus::timeout) return 2;
              never.set();
              if (never.wait() != WaitStatus::ready) return 3;
              if (ControlBlock::current().native_id.load() != ::getpid()) return 4;
              return 0;
            }),
            0);
}

TEST(Fork, GivesTheChildAnEventfdOfItsOwn) {
  std::stop_source source;
  const rouse::this_thread::Bind bind(source.get_token());
  EXPECT_EQ(rouse::wait_fds_for({}, 1ms), WaitStatus::timeout);
  ASSERT_GE(ControlBlock::current().event_fd.load(), 0);
  EXPECT_EQ(in_child([&] {
              if (ControlBlock::current().event_fd.load() != -1) return 1;
              if (rouse::wait_fds_for({}, 1ms) != WaitStatus::timeout) return 2;
              source.request_stop();
              return rouse::wait_fds({}) == WaitStatus::stopped ? 0 : 3;
            }),
            0);
  EXPECT_EQ(rouse::wait_fds_for({}, 1ms), WaitStatus::timeout);
}

TEST(Fork, ForgetsTheWaitersThatDoNotExistInTheChild) {
  rouse::Event event;
  rouse::test::ObservedThread waiter([&] { EXPECT_EQ(event.wait(), WaitStatus::ready); });
  waiter.await_blocked();
  EXPECT_EQ(in_child([&] {
              event.set();  // would wake a stack that nobody runs on
              return event.wait() == WaitStatus::ready ? 0 : 1;
            }),
            0);
  event.set();
}

TEST(Fork, TakesNoLockOfAVanishedThreadWithIt) {
  if (rouse::test::under_tsan) {
    // ThreadSanitizer itself does not survive forks of a busy multi-threaded process.
    SUCCEED() << "run without ThreadSanitizer";
    return;
  }
  std::atomic<bool> done{false};
  rouse::Event busy;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([&] {
        while (!done.load(std::memory_order_relaxed)) {
          (void)busy.wait_for(1us);
          busy.set();
          busy.clear();
        }
      });
    }
    for (int round = 0; round < rouse::test::rounds(200) && !HasFailure(); ++round) {
      EXPECT_EQ(in_child([&] {
                  rouse::Event mine;
                  if (mine.wait_for(1us) != WaitStatus::timeout) return 1;
                  (void)busy.wait_for(1us);
                  busy.set();
                  return busy.wait() == WaitStatus::ready ? 0 : 2;
                }),
                0)
          << round;
    }
    done = true;
  }
}

}  // namespace
