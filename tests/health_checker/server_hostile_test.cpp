// Clients that mean harm: they are refused, cut off, told of in the log, and hold up nobody.

#include "rouse/wait/fd.hpp"

#include "server/server.hpp"
#include "support/http_client.hpp"
#include "support/temporary_directory.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;
using rouse::test::http_get;
using rouse::test::HttpClient;
using rouse::test::HttpReply;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view hello_request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
constexpr std::string_view events_request =
    "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
constexpr std::string_view status_request =
    "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n";

class HostileClient : public testing::Test {
 protected:
  /// Whether all connections end, without a stop.
  static bool all_end(const Server& server) {
    const auto end = std::chrono::steady_clock::now() + rouse::test::child_limit;
    while (server.connections() > 0 && std::chrono::steady_clock::now() < end) {
      std::this_thread::yield();
    }
    return server.connections() == 0;
  }

  static int answer_to(const Server& server, std::string_view request) {
    HttpClient client(server.port());
    client.send(request);
    return client.read_answer().status;
  }

  /// More of them than fits into the buffers of a connection: 9 MB.
  void add_large_results() {
    for (int i = 0; i < 10'000; ++i) {
      const std::string name = "check " + std::to_string(i);
      results_.add(name, "tcp");
      results_.update(name, Status::ok, {.status = Status::ok, .message = std::string(900, 'x')});
    }
  }

  std::string logged() const {
    std::ifstream file(folder_ / "log");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  rouse::test::TemporaryDirectory folder_;
  Results results_;
  Log log_{LogOptions{.file = folder_ / "log"}};
};

TEST_F(HostileClient, IsRefusedWhatIsNotHttp) {
  Server server({}, {.results = results_}, log_);
  for (const std::string_view request :
       {"\r\n\r\n", "nonsense\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", "GET /\x01 HTTP/1.1\r\n\r\n",
        "\x16\x03\x01\x02\x01\x01\xfc\x03\x03\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
        "Transfer-Encoding: chunked\r\n\r\n",
        "GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /%2e%2e/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET //metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"}) {
    EXPECT_EQ(answer_to(server, request), 400) << request;
  }
  EXPECT_EQ(answer_to(server, std::string_view("GET /\0 HTTP/1.1\r\n\r\n", 20)), 400);
  EXPECT_EQ(answer_to(server, "GET /no HTTP/1.1\r\nHost: localhost\r\n\r\n"), 404);
}

TEST_F(HostileClient, IsRefusedOtherMethodsAndBodies) {
  Server server({}, {.results = results_}, log_);
  for (const std::string method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"}) {
    HttpClient client(server.port());
    client.send(method + " / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody");
    const HttpReply reply = client.read_answer();
    EXPECT_EQ(reply.status, 405) << method;
    EXPECT_EQ(reply.field("Allow"), "GET, HEAD");
    EXPECT_EQ(client.read_all(), "") << "what follows is no request";
  }
  EXPECT_EQ(answer_to(server, std::string(hello_request) + "Content-Length: 4\r\n\r\nbody"), 413);
  EXPECT_EQ(
      answer_to(server, std::string(hello_request) + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
      413);
  EXPECT_EQ(answer_to(server, std::string(hello_request) + "Content-Length: 0\r\n\r\n"), 200);
}

TEST_F(HostileClient, IsRefusedWhatIsTooLong) {
  Server server({}, {.results = results_}, log_);
  EXPECT_EQ(
      answer_to(server, std::string(hello_request) + "X: " + std::string(9000, 'x') + "\r\n\r\n"),
      431);
  EXPECT_EQ(
      answer_to(server, "GET /" + std::string(5000, 'x') + " HTTP/1.1\r\nHost: localhost\r\n\r\n"),
      414);
  // Without an end.
  HttpClient client(server.port());
  client.send(hello_request);
  while (client.send("X: " + std::string(1000, 'x') + "\r\n")) {
  }
  EXPECT_TRUE(all_end(server));
}

// What it sends behind that is read, or the connection would be reset.
TEST_F(HostileClient, SeesWhyItIsRefused) {
  Server server({.limits = {.linger_time = 1h}}, {.results = results_}, log_);
  HttpClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" +
              std::string(100'000, 'x'));
  EXPECT_EQ(client.read_answer().status, 405);
  ASSERT_EQ(rouse::wait_readable_for(client.fd(), 20s), rouse::WaitStatus::ready);
  char byte = 0;
  EXPECT_EQ(::recv(client.fd(), &byte, 1, 0), 0) << std::strerror(errno);
}

TEST_F(HostileClient, IsCutOffWhenItStaysAfterItWasRefused) {
  Server server({.limits = {.linger_time = 50ms}}, {.results = results_}, log_);
  HttpClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 405);
  EXPECT_TRUE(all_end(server));
}

TEST_F(HostileClient, IsCutOffWhenItsHeaderTakesTooLong) {
  Server server({.limits = {.header_time = 2s}}, {.results = results_}, log_);
  HttpClient byte_by_byte(server.port());
  byte_by_byte.send("GET / HTTP/1.1\r\nX: ");
  while (rouse::wait_readable_for(byte_by_byte.fd(), 5ms) == rouse::WaitStatus::timeout) {
    if (!byte_by_byte.send("x")) break;
  }
  EXPECT_EQ(byte_by_byte.read_answer().status, 408);
  HttpClient silent(server.port());
  EXPECT_EQ(silent.read_all(), "");
  EXPECT_TRUE(all_end(server));
}

TEST_F(HostileClient, IsCutOffWhenItIsIdle) {
  Server server({.limits = {.idle_time = 50ms}}, {.results = results_}, log_);
  HttpClient client(server.port());
  EXPECT_EQ(client.get("/healthz").status, 200);
  EXPECT_EQ(client.read_all(), "");
}

TEST_F(HostileClient, IsCutOffWhenItDoesNotRead) {
  add_large_results();
  Server server({.limits = {.write_time = 100ms}}, {.results = results_}, log_);
  HttpClient stream(server.port());
  HttpClient answer(server.port());
  stream.send(events_request);
  answer.send(status_request);
  ASSERT_EQ(rouse::wait_readable_for(stream.fd(), 20s), rouse::WaitStatus::ready);
  ASSERT_EQ(rouse::wait_readable_for(answer.fd(), 20s), rouse::WaitStatus::ready);
  EXPECT_TRUE(all_end(server));
}

TEST_F(HostileClient, IsCutOffWhenItReadsTooSlowly) {
  add_large_results();
  Server server({.limits = {.write_time = 1h, .answer_time = 100ms}}, {.results = results_}, log_);
  HttpClient answer(server.port());
  answer.send(status_request);
  ASSERT_EQ(rouse::wait_readable_for(answer.fd(), 20s), rouse::WaitStatus::ready);
  EXPECT_TRUE(all_end(server));
}

TEST_F(HostileClient, IsAnsweredInOrderWhenItDoesNotWait) {
  Server server({}, {.results = results_}, log_);
  HttpClient client(server.port());
  std::string requests;
  for (int i = 0; i < 50; ++i) {
    requests += "GET /" + std::string(i % 2 == 0 ? "healthz" : "readyz") +
                " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  }
  client.send(requests);
  client.half_close();
  for (int i = 0; i < 50; ++i)
    EXPECT_EQ(client.read_answer().body, i % 2 == 0 ? "ok\n" : "ready\n");
  EXPECT_EQ(client.read_all(), "");
}

TEST_F(HostileClient, MayCloseItsHalf) {
  Server server({}, {.results = results_}, log_);
  HttpClient asks(server.port());
  asks.send(std::string(hello_request) + "\r\n");
  asks.half_close();
  EXPECT_EQ(asks.read_answer().status, 200);
  EXPECT_EQ(asks.read_all(), "");
  HttpClient begins(server.port());
  begins.send(hello_request);
  begins.half_close();
  EXPECT_EQ(begins.read_answer().status, 400);
  HttpClient says_nothing(server.port());
  says_nothing.half_close();
  EXPECT_EQ(says_nothing.read_all(), "");
}

TEST_F(HostileClient, TakesNoMoreThanAllConnections) {
  constexpr std::size_t most = 64;
  constexpr std::size_t all = 200;
  Server server({.max_connections = most, .limits = {.header_time = 1h}}, {.results = results_},
                log_);
  std::vector<std::unique_ptr<HttpClient>> clients;
  std::vector<pollfd> polled;
  for (std::size_t i = 0; i < all; ++i) {
    clients.push_back(std::make_unique<HttpClient>(server.port()));
    polled.push_back({clients.back()->fd(), POLLIN, 0});
  }
  // Those that are turned away are told so; the others are waited for.
  std::size_t turned_away = 0;
  while (turned_away < all - most) {
    ASSERT_EQ(rouse::wait_fds_for(polled, 20s), rouse::WaitStatus::ready);
    for (std::size_t i = 0; i < all; ++i) {
      if (polled[i].fd < 0 || polled[i].revents == 0) continue;
      polled[i].fd = -1;
      ++turned_away;
      EXPECT_EQ(clients[i]->read_answer().status, 503);
    }
  }
  EXPECT_EQ(server.connections(), most);
  clients.clear();
  EXPECT_TRUE(all_end(server));
  EXPECT_EQ(http_get(server.port(), "/healthz").status, 200);
}

TEST_F(HostileClient, CannotFillTheLogOrForgeItsLines) {
  {
    Server server({}, {.results = results_}, log_);
    EXPECT_EQ(answer_to(server, "GET /\x1b[2J\xff HTTP/1.1\r\nHost: localhost\r\n\r\n"), 400);
    for (int i = 0; i < 200; ++i) EXPECT_EQ(http_get(server.port(), "/../").status, 400);
  }
  const std::string log = logged();
  EXPECT_THAT(log, AllOf(HasSubstr("GET /\\x1B[2J\\xFF HTTP/1.1\n"), HasSubstr(": 400: "),
                         Not(HasSubstr("\x1b"))));
  EXPECT_LT(std::ranges::count(log, '\n'), 150) << "200 were refused";
}

TEST_F(HostileClient, CannotHoldUpAStop) {
  add_large_results();
  constexpr std::size_t all = 64;
  Server server(
      {.max_connections = all, .limits = {.header_time = 1h, .idle_time = 1h, .write_time = 1h}},
      {.results = results_}, log_);
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (std::size_t i = 0; i < all; ++i) {
    HttpClient& client = *clients.emplace_back(std::make_unique<HttpClient>(server.port()));
    const bool unread = i % 32 < 2;
    if (unread) {
      client.send(i % 32 == 0 ? status_request : events_request);
      ASSERT_EQ(rouse::wait_readable_for(client.fd(), 20s), rouse::WaitStatus::ready);
    } else if (i % 32 == 2) {
      client.send(events_request);
      EXPECT_THAT(client.read_until("\n\n"), EndsWith("\n\n"));
    } else if (i % 4 == 3) {
      client.send(hello_request);
    } else if (i % 4 == 0) {
      EXPECT_EQ(client.get("/healthz").status, 200);
    }  // the others say nothing
  }
  // The last ones may still be in the backlog.
  while (server.connections() < all) std::this_thread::yield();
  const rouse::StopReport report = server.stop(20s);
  EXPECT_TRUE(report) << report.to_string();
  EXPECT_EQ(server.connections(), 0U);
  RecordProperty("stop_us", static_cast<int>(report.elapsed / 1us));
}

}  // namespace
}  // namespace health
