// Waits for ports: that are used, are free, are used by a process.

#include "rouse/service/autowait.hpp"

#include "support/conditions.hpp"
#include "support/idle_process.hpp"
#include "support/in_child.hpp"
#include "support/loopback_server.hpp"
#include "support/refused_call.hpp"
#include "support/test_socket.hpp"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::AddressFamily;
using rouse::PortOptions;
using rouse::Protocol;
using rouse::WaitStatus;
using rouse::test::ClosedPort;
using rouse::test::IdleProcess;
using rouse::test::in_child;
using rouse::test::status_after;
using rouse::test::TestSocket;
using testing::HasSubstr;

bool is_used(int port, PortOptions options = {}) {
  options.timeout = 0s;
  const bool used = rouse::wait_until_port_used(port, options) == WaitStatus::ready;
  const bool free = rouse::wait_until_port_free(port, options) == WaitStatus::ready;
  EXPECT_NE(used, free);
  return used;
}

TEST(PortUsed, IsByAServer) {
  const TestSocket server;
  EXPECT_TRUE(is_used(server.port()));
  EXPECT_TRUE(is_used(server.port(), {.family = AddressFamily::v4}));
  EXPECT_TRUE(is_used(server.port(), {.address = "127.0.0.1"}));
  EXPECT_FALSE(is_used(server.port(), {.protocol = Protocol::udp}));
  EXPECT_FALSE(is_used(server.port(), {.family = AddressFamily::v6}));
  EXPECT_FALSE(is_used(server.port(), {.address = "127.0.0.2"}));
  EXPECT_FALSE(is_used(server.port(), {.address = "::1"}));
}

TEST(PortUsed, IsNotByWhoDoesNotListen) {
  const ClosedPort bound;
  EXPECT_FALSE(is_used(bound.port()));
}

TEST(PortUsed, IsByWhoListensOnAllAddresses) {
  const TestSocket all({.family = AF_INET6, .address = "::"});
  for (const AddressFamily family : {AddressFamily::v4, AddressFamily::v6}) {
    EXPECT_TRUE(is_used(all.port(), {.family = family}));
  }
  EXPECT_TRUE(is_used(all.port(), {.address = "127.0.0.1"}));
  EXPECT_TRUE(is_used(all.port(), {.address = "::1"}));

  const TestSocket v6({.family = AF_INET6, .address = "::", .v6_only = true});
  EXPECT_FALSE(is_used(v6.port(), {.family = AddressFamily::v4}));
  EXPECT_FALSE(is_used(v6.port(), {.address = "127.0.0.1"}));
  EXPECT_TRUE(is_used(v6.port(), {.address = "::1"}));
}

TEST(PortUsed, IsByWhoHasBoundAUdpPort) {
  const TestSocket socket({.type = SOCK_DGRAM, .family = AF_INET6, .address = "::1"});
  EXPECT_TRUE(is_used(socket.port(), {.protocol = Protocol::udp}));
  EXPECT_TRUE(is_used(socket.port(), {.protocol = Protocol::udp, .family = AddressFamily::v6}));
  EXPECT_FALSE(is_used(socket.port(), {.protocol = Protocol::udp, .family = AddressFamily::v4}));
  EXPECT_FALSE(is_used(socket.port()));
}

TEST(PortUsed, IsReadyWhenSomebodyListens) {
  TestSocket server({.listens = false});
  const PortOptions soon{.interval = 10ms};
  EXPECT_EQ(status_after(rouse::until::port_used(server.port(), soon), [&] { server.listen(); }),
            WaitStatus::ready);
  EXPECT_EQ(status_after(rouse::until::port_free(server.port(), soon), [&] { server.close(); }),
            WaitStatus::ready);
}

TEST(PortUsed, IsKnownWhereNetlinkIsRefused) {
  const TestSocket server;
  const ClosedPort closed;
  EXPECT_EQ(in_child([&] {
              rouse::test::refuse_call(SYS_socket, EPERM, AF_NETLINK);
              return is_used(server.port()) && !is_used(closed.port()) ? 0 : 1;
            }),
            0);
}

TEST(PortUsed, RefusesWhatIsNoPort) {
  for (const int port : {0, -1, 65536, 70000}) {
    EXPECT_THROW((void)rouse::until::port_used(port), std::invalid_argument) << port;
    EXPECT_THROW((void)rouse::until::port_free(port), std::invalid_argument) << port;
    EXPECT_THROW((void)rouse::until::process_uses_ports("napper", {80, port}),
                 std::invalid_argument)
        << port;
    EXPECT_THROW((void)rouse::until::process_uses_ports(::getpid(), {port}), std::invalid_argument)
        << port;
  }
  EXPECT_THROW((void)rouse::until::process_uses_ports(0, {80}), std::invalid_argument);
  EXPECT_NO_THROW((void)rouse::until::port_used(1));
  EXPECT_NO_THROW((void)rouse::until::port_used(65535));
}

TEST(PortUsed, RefusesWhatIsNoAddressOfTheFamily) {
  const auto refused = [](PortOptions options) {
    try {
      (void)rouse::until::port_used(80, options);
      return false;
    } catch (const std::invalid_argument& error) {
      EXPECT_THAT(error.what(), HasSubstr("'" + options.address + "'"));
      return true;
    }
  };
  EXPECT_TRUE(refused({.address = "localhost"}));
  EXPECT_TRUE(refused({.address = "1.2.3"}));
  EXPECT_TRUE(refused({.family = AddressFamily::v4, .address = "::1"}));
  EXPECT_TRUE(refused({.family = AddressFamily::v6, .address = "1.2.3.4"}));
  EXPECT_TRUE(refused({.family = AddressFamily::v6, .address = "::ffff:1.2.3.4"}));
  EXPECT_FALSE(refused({.family = AddressFamily::v4, .address = "::ffff:1.2.3.4"}));
  EXPECT_FALSE(refused({.family = AddressFamily::v4, .address = "1.2.3.4"}));
  EXPECT_FALSE(refused({.family = AddressFamily::v6, .address = "::1"}));
  EXPECT_THROW((void)rouse::until::port_used(80, {.interval = 0s}), std::invalid_argument);
}

// --- by a process
// ----------------------------------------------------------------------------------

rouse::ProcessFound uses_now(::pid_t pid, const std::vector<int>& ports) {
  return rouse::wait_until_process_uses_ports(pid, ports, {.timeout = 0s});
}
rouse::ProcessFound uses_now(const std::string& path, const std::vector<int>& ports) {
  return rouse::wait_until_process_uses_ports(path, ports, {.timeout = 0s});
}

TEST(ProcessUsesPorts, NeedsAllOfThem) {
  const TestSocket one;
  const TestSocket two({.family = AF_INET6, .address = "::1"});
  const ClosedPort closed;
  EXPECT_EQ(uses_now(::getpid(), {one.port(), two.port()}).process.pid, ::getpid());
  EXPECT_EQ(uses_now(::getpid(), {one.port(), closed.port()}), WaitStatus::timeout);
  EXPECT_EQ(uses_now(::getpid(), {one.port(), closed.port()}).process.pid, 0);
  EXPECT_EQ(rouse::wait_until_process_uses_ports(::getpid(), {one.port()},
                                                 {.protocol = Protocol::udp, .timeout = 0s}),
            WaitStatus::timeout);
}

TEST(ProcessUsesPorts, NeedsThemInOneProcess) {
  std::optional<TestSocket> ours(std::in_place);
  const std::uint16_t port = ours->port();
  const IdleProcess heir([] { ::prctl(PR_SET_NAME, "rouse-heir"); });  // has it as well
  const TestSocket later;
  EXPECT_EQ(uses_now("rouse-heir", {port}).process.pid, heir.pid());
  EXPECT_EQ(uses_now(heir.pid(), {port}).process.pid, heir.pid());
  EXPECT_EQ(uses_now("rouse-heir", {port, later.port()}), WaitStatus::timeout);
  ours.reset();
  EXPECT_EQ(uses_now(::getpid(), {port}), WaitStatus::timeout);
  EXPECT_EQ(uses_now("rouse-heir", {port}).status, WaitStatus::ready);
}

TEST(ProcessUsesPorts, TakesThatOfSeveralWhichHasThem) {
  const IdleProcess without([] { ::prctl(PR_SET_NAME, "rouse-servers"); });
  const TestSocket server;
  const IdleProcess with([] { ::prctl(PR_SET_NAME, "rouse-servers"); });
  EXPECT_EQ(uses_now("rouse-servers", {server.port()}).process.pid, with.pid());
}

TEST(ProcessUsesPorts, IsReadyWhenTheLastOneIsUsed) {
  const TestSocket one;
  TestSocket two({.listens = false});
  const auto condition =
      rouse::until::process_uses_ports(::getpid(), {one.port(), two.port()}, {.interval = 10ms});
  EXPECT_EQ(status_after(condition, [&] { two.listen(); }), WaitStatus::ready);
  EXPECT_EQ(condition.process().pid, ::getpid());
}

// Its descriptors are as those of another user's process.
TEST(ProcessUsesPorts, CannotBeKnownOfAnotherUsersProcess) {
  const TestSocket server;
  const IdleProcess closed([] {
    ::prctl(PR_SET_NAME, "rouse-closed");
    ::prctl(PR_SET_DUMPABLE, 0);
  });
  const auto says_who = [&](auto action) {
    try {
      action();
      return false;
    } catch (const std::system_error& error) {
      return error.code() == std::errc::permission_denied &&
             std::string(error.what())
                 .starts_with("rouse: process " + std::to_string(closed.pid()));
    }
  };
  EXPECT_EQ(in_child([&] {
              if (::geteuid() == 0 && ::setuid(rouse::test::nobody) != 0) return 1;
              if (!says_who([&] { (void)uses_now(closed.pid(), {server.port()}); })) return 2;
              if (!says_who([&] { (void)uses_now("rouse-closed", {server.port()}); })) return 3;
              // Another one is seen to have it.
              ::prctl(PR_SET_DUMPABLE, 1);
              const IdleProcess open([] {
                ::prctl(PR_SET_NAME, "rouse-closed");
                ::prctl(PR_SET_DUMPABLE, 1);
              });
              return uses_now("rouse-closed", {server.port()}).process.pid == open.pid() ? 0 : 4;
            }),
            0);
}

TEST(ProcessKilled, NeedsTheProcessGoneAndThePortsFree) {
  std::optional<TestSocket> server(std::in_place);
  const std::uint16_t port = server->port();
  IdleProcess process([] { ::prctl(PR_SET_NAME, "rouse-killed"); });
  const auto killed = [&] {
    const PortOptions now{.timeout = 0s};
    const WaitStatus by_pid = rouse::wait_until_process_killed(process.pid(), {port}, now);
    EXPECT_EQ(rouse::wait_until_process_killed("rouse-killed", {port}, now), by_pid);
    return by_pid == WaitStatus::ready;
  };
  EXPECT_FALSE(killed());
  process.kill();
  EXPECT_FALSE(killed());  // we hold the port
  server.reset();
  EXPECT_TRUE(killed());
}

TEST(PortConditions, SayWhatIsWaitedFor) {
  EXPECT_EQ(rouse::until::port_used(80).describe(), "TCP port 80 in use");
  EXPECT_EQ(rouse::until::port_free(53, {.protocol = Protocol::udp}).describe(),
            "UDP port 53 free");
  EXPECT_EQ(rouse::until::process_uses_ports("nginx", {80, 443}).describe(),
            "a process nginx that uses TCP ports 80 443");
  EXPECT_EQ(rouse::until::process_uses_ports(7, {80}).describe(),
            "process 7 that uses TCP ports 80");
}

}  // namespace
