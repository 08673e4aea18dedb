// Processes that end or begin, and ports that are taken and given back, at the very moment that
// somebody begins to wait for it: no wait misses it.

#include "rouse/service/autowait.hpp"

#include "support/at_once.hpp"
#include "support/conditions.hpp"
#include "support/idle_process.hpp"
#include "support/scale.hpp"
#include "support/test_socket.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::WaitStatus;
using rouse::test::at_once;
using rouse::test::delay;
using rouse::test::IdleProcess;
using rouse::test::rounds;
using rouse::test::TestSocket;

// Longer than it takes to be told, and shorter than it takes to look again.
constexpr rouse::ProcessOptions told_only{.timeout = 5s, .interval = 1h};

// AddressSanitizer's memory makes a fork ten times as slow.
constexpr int forks_of_ten = rouse::test::under_asan ? 2 : 10;

// Forks a child that ends at once, or nearly so.
::pid_t start_mayfly(unsigned lifetime) {
  const ::pid_t pid = ::fork();
  if (pid == 0) {
    delay(lifetime);
    ::_exit(0);
  }
  return pid;
}

TEST(ProcessWaitRace, MissesNoEndOfAChild) {
  int missed = 0;
  for (int i = 0; i < rounds(800 * forks_of_ten); ++i) {
    const ::pid_t pid = start_mayfly(static_cast<unsigned>(i) % 64 * 500);
    ASSERT_GT(pid, 0);
    if (rouse::wait_until_process_gone(pid, told_only) != WaitStatus::ready) ++missed;
    EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
  }
  EXPECT_EQ(missed, 0);
}

// No zombie is left that would keep the pid.
TEST(ProcessWaitRace, MissesNoEndOfAChildThatNobodyReaps) {
  const auto before = ::signal(SIGCHLD, SIG_IGN);
  int missed = 0;
  for (int i = 0; i < rounds(200 * forks_of_ten); ++i) {
    const ::pid_t pid = start_mayfly(static_cast<unsigned>(i) % 64 * 500);
    ASSERT_GT(pid, 0);
    if (rouse::wait_until_process_gone(pid, told_only) != WaitStatus::ready) ++missed;
  }
  ::signal(SIGCHLD, before);
  EXPECT_EQ(missed, 0);
}

TEST(ProcessWaitRace, MissesNoEndOfWhatAPathFinds) {
  int missed = 0;
  std::optional<IdleProcess> process;
  at_once(
      rounds(300),
      {[&](int i) {
         delay(static_cast<unsigned>(i) * 300);
         process->kill();
       },
       [&](int) {
         if (rouse::wait_until_process_gone("rouse-mayfly", told_only) != WaitStatus::ready) {
           ++missed;
         }
       }},
      [&] { process.emplace([] { ::prctl(PR_SET_NAME, "rouse-mayfly"); }); },
      [&](int) { process.reset(); });
  EXPECT_EQ(missed, 0);
}

// Told by the kernel's events, or looked for again soon.
TEST(ProcessWaitRace, MissesNoProcessThatBegins) {
  int missed = 0;
  std::optional<IdleProcess> process;
  at_once(
      rounds(300),
      {[&](int i) {
         delay(static_cast<unsigned>(i) * 300);
         process.emplace([] { ::prctl(PR_SET_NAME, "rouse-mayfly"); });
       },
       [&](int) {
         if (rouse::wait_until_process_exists("rouse-mayfly", told_only) != WaitStatus::ready) {
           ++missed;
         }
       }},
      [] {}, [&](int) { process.reset(); });
  EXPECT_EQ(missed, 0);
}

TEST(ProcessWaitRace, MissesNoPortThatIsTakenOrGivenBack) {
  int missed = 0;
  std::optional<TestSocket> server;
  const rouse::PortOptions patience{.timeout = 20s};
  at_once(
      rounds(300),
      {[&](int i) {
         if (i % 2 == 0) {
           server->listen();
         } else {
           server->close();
         }
       },
       [&](int i) {
         const int port = server->port();
         const WaitStatus status = i % 2 == 0 ? rouse::wait_until_port_used(port, patience)
                                              : rouse::wait_until_port_free(port, patience);
         if (status != WaitStatus::ready) ++missed;
       }},
      [&] {
        if (!server || server->fd() < 0)
          server.emplace(rouse::test::TestSocketOptions{.listens = false});
      },
      [](int) {});
  EXPECT_EQ(missed, 0);
}

}  // namespace
