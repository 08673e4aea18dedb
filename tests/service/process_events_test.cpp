// What the kernel's process connector tells, where it tells anything.

#include "service/process_events.hpp"

#include "rouse/service/condition.hpp"

#include "support/child_process.hpp"
#include "support/idle_process.hpp"
#include "support/in_child.hpp"
#include "support/refused_call.hpp"

#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using rouse::detail::ProcessEvents;
using rouse::test::IdleProcess;
using rouse::test::in_child;
using Forks = ProcessEvents::Forks;
using Taken = ProcessEvents::Taken;

/// Whether the pid is among what has been told so far, if the kernel tells anything; else true.
bool tells(std::optional<ProcessEvents>& events, ::pid_t pid) {
  if (!events) return true;
  std::vector<::pid_t> pids;
  Taken taken = Taken::some;
  while (taken == Taken::some) taken = events->take(pids, 10);
  return taken == Taken::lost || std::ranges::count(pids, pid) != 0;
}

TEST(ProcessEvents, ArePermittedOrNot) {
  EXPECT_EQ(ProcessEvents::listen(Forks::ignored).has_value(), rouse::until::connector_in_use());
  EXPECT_EQ(rouse::until::connector_in_use(), rouse::until::connector_in_use());
}

TEST(ProcessEvents, AreNotForOtherNamespacesAndSandboxes) {
  EXPECT_EQ(in_child([] {
              if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return 0;  // that is one
              return rouse::until::connector_in_use() ? 1 : 0;
            }),
            0);
  EXPECT_EQ(in_child([] {
              rouse::test::refuse_call(SYS_socket, EPERM, AF_NETLINK);
              return rouse::until::connector_in_use() ? 1 : 0;
            }),
            0);
}

TEST(ProcessEvents, TellWhoExecutes) {
  auto events = ProcessEvents::listen(Forks::ignored);
  const auto program = IdleProcess::running({"/bin/sleep", {"sleep", "1000"}});
  EXPECT_TRUE(tells(events, program.pid()));
  EXPECT_NE(tells(events, program.pid()), events.has_value());  // once
}

TEST(ProcessEvents, TellWhoIsGivenAName) {
  auto events = ProcessEvents::listen(Forks::ignored);
  const IdleProcess process([] { ::prctl(PR_SET_NAME, "rouse-named"); });
  EXPECT_TRUE(tells(events, process.pid()));
}

TEST(ProcessEvents, TellWhoForksIfAsked) {
  auto silent = ProcessEvents::listen(Forks::ignored);
  auto events = ProcessEvents::listen(Forks::told);
  const IdleProcess process;
  EXPECT_TRUE(tells(events, process.pid()));
  EXPECT_NE(tells(silent, process.pid()), silent.has_value());
}

TEST(ProcessEvents, AreReadableWhenThereAreSome) {
  auto events = ProcessEvents::listen(Forks::told);
  const IdleProcess process;
  ::pollfd poll{events ? events->fd() : -1, POLLIN, 0};
  EXPECT_EQ(::poll(&poll, 1, 0), events ? 1 : 0);
}

TEST(ProcessEvents, SayWhenSomeWereLost) {
  auto events = ProcessEvents::listen(Forks::told);
  const int none = 0;  // as little as the kernel gives
  if (events) {
    ASSERT_EQ(::setsockopt(events->fd(), SOL_SOCKET, SO_RCVBUF, &none, sizeof none), 0);
  }
  std::vector<::pid_t> pids;
  for (int i = 0; i < 50; ++i) EXPECT_EQ(in_child([] { return 0; }), 0);
  EXPECT_EQ(events ? events->take(pids, 1) : Taken::lost, Taken::lost);
}

}  // namespace
