// A forked child may wait: it has its own eventfd and thread id, and no lock of a vanished thread.

#include "rouse/wait/event.hpp"
#include "rouse/wait/fd.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"

#include "support/observed_thread.hpp"
#include "wait/control_block.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <stop_token>

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

}  // namespace
