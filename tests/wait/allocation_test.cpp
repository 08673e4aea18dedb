// Waits allocate nothing: operator new counts.

#include "rouse/wait/event.hpp"
#include "rouse/wait/fd.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"
#include "rouse/wait/wait_any.hpp"
#include "rouse/wait/wait_hint.hpp"

#include "support/faults/empty_pool.hpp"
#include "support/faults/faults.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <new>
#include <stop_token>
#include <thread>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::WaitStatus;
using rouse::detail::Deadline;
using rouse::test::Call;
using rouse::test::Fault;

TEST(Allocation, IsNotDoneByAnyWait) {
  int pipe[2] = {-1, -1};
  ASSERT_EQ(::pipe(pipe), 0);
  std::stop_source ambient;
  std::stop_source foreign;
  const rouse::this_thread::Bind bind(ambient.get_token());
  rouse::Event a;
  rouse::Event b;
  std::array<pollfd, 1> fds{{{pipe[0], POLLIN, 0}}};
  std::array<pollfd, 64> many;
  many.fill(fds[0]);
  rouse::detail::WaitHint hint;
  const std::stop_token token = foreign.get_token();
  std::array<WaitStatus, 8> statuses{};

  const long before = rouse::test::allocations_made();
  statuses[0] = a.wait_for(1us, token);
  statuses[1] = rouse::sleep_for(1us, token);
  statuses[2] = rouse::wait_readable_for(pipe[0], 1us, token);
  statuses[3] = rouse::wait_fds_for(fds, 1us, token);
  statuses[4] = rouse::wait_any(a, b, std::chrono::steady_clock::now() + 1us, token).status;
  {
    const rouse::Shield shield;
    statuses[5] = rouse::sleep_for(1us);
  }
  statuses[6] = hint.wait({}, {"hint", 0}, Deadline::after(1us), token);
  statuses[7] = hint.wait(many, {"hint", 0}, Deadline::after(1us), token);
  hint.give();
  EXPECT_EQ(rouse::test::allocations_made(), before);

  for (const WaitStatus status : statuses) EXPECT_EQ(status, WaitStatus::timeout);
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST(Allocation, ThatFailsInAThreadsFirstWaitLeavesEverythingAsItWas) {
  rouse::Event event;
  bool thrown = false;
  WaitStatus next = WaitStatus::ready;
  const rouse::test::EmptyPool empty;
  std::thread thread([&] {
    try {
      const Fault out_of_memory(Call::allocation, ENOMEM);
      (void)event.wait_for(1ms);
    } catch (const std::bad_alloc&) {
      thrown = true;
    }
    next = event.wait_for(1ms);
  });
  thread.join();
  EXPECT_TRUE(thrown);
  EXPECT_EQ(next, WaitStatus::timeout);
}

}  // namespace
