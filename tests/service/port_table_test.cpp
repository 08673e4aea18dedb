// Who holds a port: what sock_diag tells, and that /proc/net tells the same.

#include "service/socket_table.hpp"
#include "support/in_child.hpp"
#include "support/refused_call.hpp"
#include "support/test_socket.hpp"

#include <linux/netlink.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <fstream>
#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using rouse::AddressFamily;
using rouse::Protocol;
using rouse::detail::BoundSocket;
using rouse::detail::IpAddress;
using rouse::test::TestSocket;
using rouse::test::TestSocketOptions;
using testing::IsEmpty;
using testing::SizeIs;

IpAddress address(const std::string& text) { return IpAddress::parse(text).value(); }

Protocol protocol_of(const TestSocketOptions& options) {
  return options.type == SOCK_STREAM ? Protocol::tcp : Protocol::udp;
}

struct SocketCase {
  const char* name;
  TestSocketOptions socket;
  bool v4;                      // serves IPv4
  bool v6;                      // serves IPv6
  std::vector<const char*> on;  // addresses that it serves
  std::vector<const char*> not_on;
};

std::vector<SocketCase> socket_cases() {
  std::vector<SocketCase> all;
  for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
    all.push_back({"IPv4",
                   {.type = type},
                   true,
                   false,
                   {"127.0.0.1", "::ffff:127.0.0.1"},
                   {"127.0.0.2", "::1", "0.0.0.0"}});
    all.push_back({"another address",
                   {.type = type, .address = "127.0.0.2"},
                   true,
                   false,
                   {"127.0.0.2"},
                   {"127.0.0.1"}});
    all.push_back({"all of IPv4",
                   {.type = type, .address = "0.0.0.0"},
                   true,
                   false,
                   {"127.0.0.1", "10.1.2.3", "0.0.0.0"},
                   {"::1", "::"}});
    all.push_back({"IPv6",
                   {.type = type, .family = AF_INET6, .address = "::1"},
                   false,
                   true,
                   {"::1"},
                   {"127.0.0.1", "::2", "::"}});
    all.push_back({"all of both",
                   {.type = type, .family = AF_INET6, .address = "::"},
                   true,
                   true,
                   {"::1", "::", "127.0.0.1", "0.0.0.0"},
                   {}});
    all.push_back({"mapped",
                   {.type = type, .family = AF_INET6, .address = "::ffff:127.0.0.1"},
                   true,
                   false,
                   {"127.0.0.1"},
                   {"::1", "127.0.0.2"}});
  }
  return all;
}

void PrintTo(const SocketCase& each, std::ostream* stream) { *stream << each.name; }

class EachSocket : public testing::TestWithParam<SocketCase> {
 protected:
  static void expect_found(const std::vector<BoundSocket>& found, const TestSocket& socket) {
    const SocketCase& expected = GetParam();
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_EQ(found[0].inode, socket.inode());
    EXPECT_TRUE(found[0].serves(AddressFamily::any));
    EXPECT_EQ(found[0].serves(AddressFamily::v4), expected.v4);
    EXPECT_EQ(found[0].serves(AddressFamily::v6), expected.v6);
    for (const char* text : expected.on) EXPECT_TRUE(found[0].serves(address(text))) << text;
    for (const char* text : expected.not_on) EXPECT_FALSE(found[0].serves(address(text))) << text;
  }
};

TEST_P(EachSocket, IsToldAlikeByBothSources) {
  TestSocket socket(GetParam().socket);
  const Protocol protocol = protocol_of(GetParam().socket);
  const auto asked = rouse::detail::ask_sock_diag(protocol, socket.port());
  ASSERT_TRUE(asked.has_value());
  expect_found(*asked, socket);
  expect_found(rouse::detail::read_proc_net(protocol, socket.port()), socket);

  socket.close();
  EXPECT_THAT(rouse::detail::ask_sock_diag(protocol, socket.port()), testing::Optional(IsEmpty()));
  EXPECT_THAT(rouse::detail::read_proc_net(protocol, socket.port()), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(PortTable, EachSocket, testing::ValuesIn(socket_cases()),
                         [](const testing::TestParamInfo<SocketCase>& each) {
                           std::string name = each.param.name;
                           std::ranges::replace(name, ' ', '_');
                           return name + (each.param.socket.type == SOCK_STREAM ? "_tcp" : "_udp");
                         });

TEST(PortTable, KnowsASocketThatLeavesIPv4Out) {
  for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
    const TestSocket socket({.type = type, .family = AF_INET6, .address = "::", .v6_only = true});
    const auto found = rouse::detail::ask_sock_diag(protocol_of({.type = type}), socket.port());
    ASSERT_THAT(found, testing::Optional(SizeIs(1)));
    EXPECT_TRUE(found->front().serves(AddressFamily::v6));
    EXPECT_FALSE(found->front().serves(AddressFamily::v4));
    EXPECT_FALSE(found->front().serves(address("127.0.0.1")));
  }
}

TEST(PortTable, TakesASocketForWhatTheSystemMakesItWhereItIsNotTold) {
  const TestSocket socket({.family = AF_INET6, .address = "::", .v6_only = true});
  const auto found = rouse::detail::read_proc_net(Protocol::tcp, socket.port());
  ASSERT_THAT(found, SizeIs(1));
  std::ifstream file("/proc/sys/net/ipv6/bindv6only");
  int v6_only = 0;
  file >> v6_only;
  EXPECT_EQ(found[0].v6_only, v6_only == 1);
}

TEST(PortTable, HasUdpSocketsThatAreConnected) {
  const TestSocket peer({.type = SOCK_DGRAM});
  const TestSocket peer6({.type = SOCK_DGRAM, .family = AF_INET6, .address = "::1"});
  TestSocket socket({.type = SOCK_DGRAM, .address = "0.0.0.0"});
  socket.connect(AF_INET, "127.0.0.1", peer.port());
  TestSocket socket6({.type = SOCK_DGRAM, .family = AF_INET6, .address = "::"});
  socket6.connect(AF_INET6, "::1", peer6.port());
  for (const auto& source : {*rouse::detail::ask_sock_diag(Protocol::udp, socket.port()),
                             rouse::detail::read_proc_net(Protocol::udp, socket.port())}) {
    ASSERT_THAT(source, SizeIs(1));
    EXPECT_EQ(source[0].address, address("127.0.0.1"));
  }
  for (const auto& source : {*rouse::detail::ask_sock_diag(Protocol::udp, socket6.port()),
                             rouse::detail::read_proc_net(Protocol::udp, socket6.port())}) {
    ASSERT_THAT(source, SizeIs(1));
    EXPECT_EQ(source[0].address, address("::1"));
  }
}

TEST(PortTable, LeavesOutWhatDoesNotListen) {
  const TestSocket server;
  TestSocket client({.listens = false});
  const std::uint16_t port = client.port();
  client.connect(AF_INET, "127.0.0.1", server.port());
  EXPECT_THAT(rouse::detail::ask_sock_diag(Protocol::tcp, port), testing::Optional(IsEmpty()));
  EXPECT_THAT(rouse::detail::read_proc_net(Protocol::tcp, port), IsEmpty());
  EXPECT_THAT(rouse::detail::ask_sock_diag(Protocol::udp, server.port()),
              testing::Optional(IsEmpty()));
}

// An answer of many parts.
TEST(PortTable, HasAllOfManySockets) {
  constexpr std::size_t count = 500;
  std::deque<TestSocket> sockets;
  std::uint16_t port = 0;
  for (std::size_t i = 0; i < count; ++i) {
    port = sockets.emplace_back(TestSocketOptions{.port = port, .shares_port = true}).port();
  }
  EXPECT_THAT(rouse::detail::ask_sock_diag(Protocol::tcp, port), testing::Optional(SizeIs(count)));
  EXPECT_THAT(rouse::detail::read_proc_net(Protocol::tcp, port), SizeIs(count));
}

TEST(PortTable, ReadsProcNetWhereNetlinkIsRefused) {
  const TestSocket socket;
  for (const int error : {EPERM, EACCES, EPROTONOSUPPORT, ENOENT}) {
    EXPECT_EQ(rouse::test::in_child([&] {
                rouse::test::refuse_call(SYS_socket, error, AF_NETLINK);
                if (rouse::detail::ask_sock_diag(Protocol::tcp, socket.port())) return 1;
                const auto found = rouse::detail::sockets_on_port(Protocol::tcp, socket.port());
                return found.size() == 1 && found[0].inode == socket.inode() ? 0 : 2;
              }),
              0)
        << error;
  }
}

TEST(IpAddress, IsNumeric) {
  for (const char* text :
       {"", "localhost", "127.0.0.1:80", "127.1", "256.0.0.1", "::1%lo", "[::1]"}) {
    EXPECT_FALSE(IpAddress::parse(text).has_value()) << text;
  }
  EXPECT_TRUE(address("1.2.3.4").is_v4());
  EXPECT_EQ(address("::ffff:1.2.3.4"), address("1.2.3.4"));
  EXPECT_FALSE(address("fe80::1").is_v4());
}

}  // namespace
