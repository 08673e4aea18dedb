// tcp, its sockets and its name look-ups, against servers of this test on the loopback device.

#include "rouse/wait/fd.hpp"

#include "checkers/resolver.hpp"
#include "checkers/socket.hpp"
#include "checkers/tcp.hpp"
#include "support/checks.hpp"
#include "support/loopback_server.hpp"
#include "support/processes.hpp"
#include "support/scale.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;
using rouse::test::at_once;
using rouse::test::ClosedPort;
using rouse::test::LoopbackServer;
using rouse::test::run_check;
using testing::HasSubstr;
using testing::StartsWith;

TcpOptions to_port(std::uint16_t port) {
  TcpOptions options;
  options.host = "127.0.0.1";
  options.port = port;
  return options;
}

/// A name server on the loopback device. Knows two names: "both.test" has the addresses 127.0.0.9
/// and 127.0.0.1, "one.test" has 127.0.0.1. Silent if told so.
class NameServer {
 public:
  explicit NameServer(bool answers) : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
        ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
      throw std::runtime_error("cannot bind a UDP port of 127.0.0.1");
    }
    port_ = ntohs(address.sin_port);
    if (!answers) return;
    thread_ = std::jthread([this](std::stop_token stop) {
      while (rouse::wait_readable(fd_.get(), stop) == rouse::WaitStatus::ready) answer();
    });
  }

  [[nodiscard]] ResolverOptions options() const {
    return {.servers = {"127.0.0.1:" + std::to_string(port_)}};
  }

  /// Blocks until somebody has asked something.
  void wait_for_query() const { (void)rouse::wait_readable_for(fd_.get(), 20s); }

 private:
  void answer() {
    std::array<char, 512> buffer;
    sockaddr_in client{};
    socklen_t length = sizeof client;
    const ssize_t got = ::recvfrom(fd_.get(), buffer.data(), buffer.size(), 0,
                                   reinterpret_cast<sockaddr*>(&client), &length);
    if (got < 12) return;
    std::string message(buffer.data(), static_cast<std::size_t>(got));
    // The question: labels, a zero, two bytes each for type and class. What follows is dropped.
    const std::size_t name_end = message.find('\0', 12);
    message.resize(name_end + 5);
    const bool asks_v4 = message[name_end + 2] == 1;
    std::vector<std::string> addresses;
    bool known = false;
    if (message.find("\4both\4test") != std::string::npos) {
      known = true;
      addresses = {std::string("\x7f\0\0\x09", 4), std::string("\x7f\0\0\x01", 4)};
    } else if (message.find("\3one\4test") != std::string::npos) {
      known = true;
      addresses = {std::string("\x7f\0\0\x01", 4)};
    }
    if (!asks_v4) addresses.clear();
    message[2] = '\x81';                   // an answer
    message[3] = known ? '\x80' : '\x83';  // no error, or no such name
    message[7] = static_cast<char>(addresses.size());
    message[9] = message[11] = 0;
    for (const std::string& address : addresses) {
      message += std::string("\xc0\x0c\0\1\0\1\0\0\0\1\0\4", 12) + address;
    }
    (void)::sendto(fd_.get(), message.data(), message.size(), 0,
                   reinterpret_cast<sockaddr*>(&client), length);
  }

  Fd fd_;
  std::uint16_t port_ = 0;
  std::jthread thread_;
};

/// Listens, but its queue of connections is full: the kernel ignores further ones.
class FullListener {
 public:
  FullListener() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), length);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length);
    ::listen(listener_.get(), 0);
    port_ = ntohs(address.sin_port);
    for (int i = 0; i < 4; ++i) {
      fillers_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      (void)::connect(fillers_.back().get(), reinterpret_cast<sockaddr*>(&address), length);
    }
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  Fd listener_;
  std::vector<Fd> fillers_;
  std::uint16_t port_ = 0;
};

TEST(TcpChecker, ConnectsAndTellsTheLatency) {
  LoopbackServer server([](LoopbackServer::Connection&) {});
  TcpChecker checker(to_port(server.port()));
  const CheckResult result = run_check(checker);
  EXPECT_EQ(result.status, Status::ok) << result.message;
  EXPECT_THAT(result.message, StartsWith("connected in "));
  ASSERT_EQ(result.figures.size(), 1U);
  EXPECT_EQ(result.figures[0].name, "latency");
  EXPECT_EQ(result.figures[0].unit, "ms");
  EXPECT_GE(result.figures[0].value, 0);
}

TEST(TcpChecker, ARefusedConnectionIsCritical) {
  const ClosedPort closed;
  TcpChecker checker(to_port(closed.port()));
  const CheckResult result = run_check(checker);
  EXPECT_EQ(result.status, Status::critical);
  EXPECT_EQ(result.message, "127.0.0.1:" + std::to_string(closed.port()) + ": Connection refused");
}

TEST(TcpChecker, SendsAndExpectsTheBeginningOfTheAnswer) {
  LoopbackServer server([](LoopbackServer::Connection& client) {
    if (client.receive_until("\r\n") == "PING\r\n") client.send("+PO");
    client.send("NG\r\nand more");
  });
  TcpOptions options = to_port(server.port());
  options.send = "PING\r\n";
  options.expect = "+PONG";
  TcpChecker checker(options);
  const CheckResult result = run_check(checker);
  EXPECT_EQ(result.status, Status::ok) << result.message;
}

TEST(TcpChecker, AnotherAnswerIsCriticalAndShown) {
  LoopbackServer server([](LoopbackServer::Connection& client) {
    client.send("-ERR go away\r\n");
    client.wait_for_close();
  });
  TcpOptions options = to_port(server.port());
  options.expect = "+OK";
  TcpChecker checker(options);
  const CheckResult result = run_check(checker);
  EXPECT_EQ(result.status, Status::critical);
  EXPECT_EQ(result.message, "answered \"-ERR go away\"");
}

TEST(TcpChecker, ACloseInsteadOfAnAnswerIsCritical) {
  LoopbackServer server([](LoopbackServer::Connection&) {});
  TcpOptions options = to_port(server.port());
  options.expect = "+OK";
  TcpChecker checker(options);
  EXPECT_EQ(run_check(checker).message, "closed before it said anything");
}

TEST(TcpChecker, ASilentServerIsEndedByStopAndTimeout) {
  LoopbackServer server;
  TcpOptions options = to_port(server.port());
  options.expect = "+OK";
  TcpChecker checker(options);
  const auto stopped = rouse::test::stop_check(
      checker, [&] { (void)server.connected().wait_for(rouse::test::long_enough); });
  EXPECT_TRUE(stopped.stopped);
  EXPECT_LT(stopped.after, at_once);
  EXPECT_FALSE(run_check(checker, 50ms).has_value());
}

TEST(TcpChecker, AConnectWithoutAnAnswerIsEndedByStopAndTimeout) {
  const FullListener full;
  TcpChecker checker(to_port(full.port()));
  const auto started = std::chrono::steady_clock::now();
  EXPECT_FALSE(run_check(checker, 50ms).has_value());
  EXPECT_LT(std::chrono::steady_clock::now() - started, 50ms + at_once);
  const auto stopped = rouse::test::stop_check(checker, [] {});
  EXPECT_TRUE(stopped.stopped);
  EXPECT_LT(stopped.after, at_once);
}

TEST(Socket, TriesTheNextAddressWhileTheFirstIsSilent) {
  const FullListener silent;
  LoopbackServer server([](LoopbackServer::Connection&) {});
  std::vector<Address> addresses = resolve("127.0.0.1", silent.port());
  addresses.push_back(resolve("127.0.0.1", server.port()).at(0));
  rouse::StopScope scope = rouse::StopScope::with_deadline(rouse::test::long_enough);
  rouse::this_thread::Bind bind(scope);
  EXPECT_GE(Socket::connect(addresses).fd(), 0);
}

TEST(Socket, ToldOfEveryAddressThatFails) {
  const ClosedPort first;
  const ClosedPort second;
  std::vector<Address> addresses = resolve("127.0.0.1", first.port());
  addresses.push_back(resolve("127.0.0.1", second.port()).at(0));
  try {
    (void)Socket::connect(addresses);
    FAIL() << "connected";
  } catch (const TargetError& error) {
    EXPECT_THAT(error.what(), HasSubstr(":" + std::to_string(first.port()) + ": Connection"));
    EXPECT_THAT(error.what(), HasSubstr(":" + std::to_string(second.port()) + ": Connection"));
  }
}

TEST(Socket, RunningOutOfDescriptorsIsSaidByName) {
  const std::vector<Address> addresses = resolve("127.0.0.1", 9);
  rlimit old{};
  ::getrlimit(RLIMIT_NOFILE, &old);
  const rlimit none{.rlim_cur = 3, .rlim_max = old.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  // Looked at when there are descriptors again: UBSan needs some to look at an object.
  std::exception_ptr thrown;
  try {
    (void)Socket::connect(addresses);
  } catch (...) {
    thrown = std::current_exception();
  }
  ::setrlimit(RLIMIT_NOFILE, &old);
  ASSERT_NE(thrown, nullptr);
  try {
    std::rethrow_exception(thrown);
  } catch (const std::system_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("EMFILE"));
  }
}

TEST(Resolver, AddressesAreThemselves) {
  const NameServer silent(false);
  EXPECT_EQ(resolve("127.0.0.1", 7, silent.options()).at(0).to_string(), "127.0.0.1:7");
  EXPECT_EQ(resolve("127.0.0.1", 80).at(0).to_string(), "127.0.0.1:80");
  EXPECT_EQ(resolve("::1", 80).at(0).to_string(), "[::1]:80");
}

TEST(Resolver, KnowsLocalhost) {
  const NameServer silent(false);
  const auto addresses = resolve("localhost", 80, silent.options());
  ASSERT_FALSE(addresses.empty());
  for (const Address& address : addresses) {
    EXPECT_THAT(address.to_string(), testing::AnyOf("127.0.0.1:80", "[::1]:80"));
  }
}

TEST(Resolver, AsksTheServer) {
  const NameServer server(true);
  EXPECT_EQ(resolve("both.test", 7, server.options()).size(), 2U);
  const auto one = resolve("one.test", 7, server.options());
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].to_string(), "127.0.0.1:7");
}

TEST(Resolver, AnUnknownNameIsAnErrorOfTheTarget) {
  const NameServer server(true);
  TcpOptions options = to_port(1);
  options.host = "nobody.test";
  options.resolver = server.options();
  TcpChecker checker(options);
  const CheckResult result = run_check(checker);
  EXPECT_EQ(result.status, Status::critical);
  EXPECT_EQ(result.message, "look up nobody.test: Domain name not found");
}

TEST(Resolver, ASilentServerIsEndedByAStop) {
  const NameServer silent(false);
  TcpOptions options = to_port(1);
  options.host = "one.test";
  options.resolver = silent.options();
  TcpChecker checker(options);
  const auto stopped = rouse::test::stop_check(checker, [&] { silent.wait_for_query(); });
  EXPECT_TRUE(stopped.stopped);
  EXPECT_LT(stopped.after, at_once);
}

TEST(Resolver, ASilentServerIsEndedByTheTimeout) {
  const NameServer silent(false);
  TcpOptions options = to_port(1);
  options.host = "one.test";
  options.resolver = silent.options();
  TcpChecker checker(options);
  const std::size_t before = rouse::test::count_descriptors();
  const auto started = std::chrono::steady_clock::now();
  EXPECT_FALSE(run_check(checker, 100ms).has_value());
  EXPECT_LT(std::chrono::steady_clock::now() - started, 100ms + at_once);
  // But for the eventfd of this thread.
  EXPECT_LE(rouse::test::count_descriptors(), before + 1);
}

TEST(Resolver, ManyThreadsLookUpAtOnce) {
  const NameServer server(true);
  std::vector<std::jthread> threads;
  std::atomic<int> found = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < rouse::test::rounds(50); ++round) {
        found += static_cast<int>(resolve("one.test", 7, server.options()).size());
      }
    });
  }
  threads.clear();
  EXPECT_EQ(found, 8 * rouse::test::rounds(50));
}

TEST(Resolver, BadServersAreABrokenCheck) {
  EXPECT_THROW((void)resolve("one.test", 7, {.servers = {"not an address"}}), std::runtime_error);
}

}  // namespace
}  // namespace health
