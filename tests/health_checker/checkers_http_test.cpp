#include "rouse/wait/event.hpp"
#include "rouse/wait/sleep.hpp"

#include "checkers/http.hpp"
#include "support/checks.hpp"
#include "support/loopback_server.hpp"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;
using rouse::test::at_once;
using rouse::test::LoopbackServer;
using rouse::test::run_check;
using testing::HasSubstr;
using testing::StartsWith;
using Client = LoopbackServer::Connection;

HttpOptions to(const LoopbackServer& server, std::string_view target = "/") {
  HttpOptions options;
  options.request.url = parse_url(server.url(target));
  return options;
}

/// Answers each request with `answer` and closes.
LoopbackServer::Handler answering(std::string answer) {
  return [answer = std::move(answer)](Client& client) {
    (void)client.receive_until("\r\n\r\n");
    client.send(answer);
  };
}

CheckResult check_answer(std::string answer) {
  LoopbackServer server(answering(std::move(answer)));
  HttpChecker checker(to(server));
  return run_check(checker);
}

TEST(HttpChecker, TellsStatusLatencyAndSize) {
  const CheckResult result = check_answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_EQ(result.status, Status::ok) << result.message;
  EXPECT_THAT(result.message, StartsWith("200 OK in "));
  ASSERT_EQ(result.figures.size(), 2U);
  EXPECT_EQ(result.figures[0].name, "latency");
  EXPECT_EQ(result.figures[1].name, "size");
  EXPECT_EQ(result.figures[1].value, 5);
}

TEST(HttpChecker, SendsAWellFormedRequest) {
  std::string request;
  LoopbackServer server([&](Client& client) {
    request = client.receive_until("\r\n\r\n");
    client.send("HTTP/1.0 204 No Content\r\n\r\n");
  });
  HttpOptions options = to(server, "/a?b=c");
  options.request.headers = {"Accept: text/html"};
  {
    HttpChecker checker(options);
    EXPECT_EQ(run_check(checker).status, Status::ok);
  }
  EXPECT_EQ(request, "GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                         "\r\nUser-Agent: rouse-health-checker\r\nConnection: close\r\n"
                         "Accept: text/html\r\n\r\n");
}

TEST(HttpChecker, HeadHasNoBody) {
  std::string request;
  LoopbackServer server([&](Client& client) {
    request = client.receive_until("\r\n\r\n");
    client.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    client.wait_for_close();
  });
  HttpOptions options = to(server);
  options.request.method = "HEAD";
  HttpChecker checker(options);
  EXPECT_EQ(run_check(checker).status, Status::ok);
  EXPECT_THAT(request, StartsWith("HEAD / HTTP/1.1\r\n"));
}

TEST(HttpChecker, AnUnexpectedStatusIsCritical) {
  const CheckResult result =
      check_answer("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(result.status, Status::critical);
  EXPECT_THAT(result.message, HasSubstr("503 Service Unavailable"));
}

TEST(HttpChecker, ARedirectIsReportedNotFollowed) {
  const std::string redirect =
      "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
  EXPECT_EQ(check_answer(redirect).status, Status::ok);

  LoopbackServer server(answering(redirect));
  HttpOptions options = to(server);
  options.expected = {{200, 299}, {401, 401}};
  HttpChecker checker(options);
  EXPECT_EQ(run_check(checker).status, Status::critical);
}

TEST(HttpChecker, TheBodyMustMatch) {
  LoopbackServer server(
      answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                "4\r\n{\"a\"\r\n6;x=y\r\n: \"up\"\r\n0\r\nTrailer: z\r\n\r\n"));
  HttpOptions options = to(server);
  options.body_regex = "\"a\": *\"up\"";
  HttpChecker good(options);
  const CheckResult result = run_check(good);
  EXPECT_EQ(result.status, Status::ok) << result.message;
  options.body_regex = "down$";
  HttpChecker bad(options);
  EXPECT_THAT(run_check(bad).message, HasSubstr("the body does not match /down$/"));
}

TEST(HttpChecker, ABadPatternThrowsWithTheReason) {
  HttpOptions options;
  options.body_regex = "(unclosed";
  try {
    HttpChecker checker(options);
    FAIL() << "it was taken";
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(), HasSubstr("missing )"));
  }
}

TEST(HttpChecker, SlowAnswersAreGraded) {
  LoopbackServer server(answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  HttpOptions options = to(server);
  options.latency_ms = {.warning = 0, .critical = 1e9};
  HttpChecker warned(options);
  EXPECT_EQ(run_check(warned).status, Status::warning);
  options.latency_ms = {.warning = 0, .critical = 0};
  HttpChecker critical(options);
  EXPECT_EQ(run_check(critical).status, Status::critical);
}

TEST(HttpChecker, InterimAnswersArePassedOver) {
  EXPECT_EQ(check_answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
                         "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                .message.substr(0, 13),
            "404 Not Found");
}

// From here on: servers that do what they must not.

TEST(HttpHostileServer, InterimAnswersWithoutEnd) {
  LoopbackServer server([](Client& client) {
    while (client.send("HTTP/1.1 100 Continue\r\n\r\n")) {
    }
  });
  HttpChecker checker(to(server));
  EXPECT_EQ(run_check(checker).message, "interim answers (1xx) without end");
}

TEST(HttpHostileServer, HeadersWithoutEnd) {
  LoopbackServer server([](Client& client) {
    client.send("HTTP/1.1 200 OK\r\n");
    while (client.send("X-Header: and another one\r\n")) {
    }
  });
  HttpChecker checker(to(server));
  const CheckResult result = run_check(checker);
  EXPECT_EQ(result.status, Status::critical);
  EXPECT_THAT(result.message, HasSubstr("header"));
}

TEST(HttpHostileServer, OneHeaderWithoutEnd) {
  LoopbackServer server([](Client& client) {
    client.send("HTTP/1.1 200 OK\r\nX-Header: ");
    while (client.send(std::string(1000, 'x'))) {
    }
  });
  HttpChecker checker(to(server));
  const CheckResult result = run_check(checker);
  EXPECT_EQ(result.status, Status::critical);
  EXPECT_THAT(result.message, HasSubstr("header"));
}

TEST(HttpHostileServer, ABodyWithoutEndIsCut) {
  LoopbackServer server([](Client& client) {
    (void)client.receive_until("\r\n\r\n");
    client.send("HTTP/1.1 200 OK\r\n\r\nneedle");
    while (client.send(std::string(10'000, 'x'))) {
    }
  });
  HttpOptions options = to(server);
  options.body_regex = "needle";
  HttpChecker checker(options);
  const CheckResult result = run_check(checker);
  EXPECT_EQ(result.status, Status::ok);
  EXPECT_THAT(result.message, HasSubstr("only 1.0 MiB of it read"));
  EXPECT_EQ(result.figures.at(1).value, 1024 * 1024);
}

TEST(HttpHostileServer, ChunksWithoutEndAreCut) {
  LoopbackServer server([](Client& client) {
    client.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    const std::string chunk = "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
    while (client.send(chunk)) {
    }
  });
  HttpChecker checker(to(server));
  EXPECT_THAT(run_check(checker).message, HasSubstr("only 1.0 MiB of it read"));
}

TEST(HttpHostileServer, AChunkLineWithoutEnd) {
  LoopbackServer server([](Client& client) {
    client.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;");
    while (client.send(std::string(1000, 'x'))) {
    }
  });
  HttpChecker checker(to(server));
  EXPECT_EQ(run_check(checker).status, Status::critical);
}

TEST(HttpHostileServer, AHugeAnnouncedLengthAllocatesNothing) {
  const CheckResult result =
      check_answer("HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\nabc");
  EXPECT_EQ(result.status, Status::critical);
  EXPECT_EQ(result.message, "the answer ends too early");
}

TEST(HttpHostileServer, WrongLengths) {
  EXPECT_EQ(check_answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc").message,
            "the answer ends too early");
  EXPECT_THAT(check_answer("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc").message,
              StartsWith("not a valid HTTP answer"));
  EXPECT_THAT(
      check_answer("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n").message,
      StartsWith("not a valid HTTP answer"));
  // More than announced: what is announced counts.
  EXPECT_EQ(check_answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabcdef").figures.at(1).value,
            2);
}

TEST(HttpHostileServer, Garbage) {
  EXPECT_THAT(check_answer("SSH-2.0-OpenSSH_9.2\r\n").message,
              StartsWith("not a valid HTTP answer"));
  EXPECT_EQ(check_answer(std::string(100, '\0') + "\xff\xfe\r\n\r\n").status, Status::critical);
  EXPECT_EQ(check_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").status,
            Status::critical);
  EXPECT_EQ(check_answer("HTTP/9.9 abc\r\n\r\n").status, Status::critical);
}

TEST(HttpHostileServer, ClosesInsteadOfAnswering) {
  LoopbackServer server([](Client& client) { (void)client.receive_until("\r\n\r\n"); });
  HttpChecker checker(to(server));
  EXPECT_EQ(run_check(checker).message, "the connection was closed without an answer");
}

TEST(HttpHostileServer, ClosesInTheMiddle) {
  EXPECT_EQ(check_answer("HTTP/1.1 200 OK\r\nContent-").message, "the answer ends too early");
  EXPECT_EQ(check_answer("HT").message, "the answer ends too early");
}

TEST(HttpHostileServer, ResetsTheConnection) {
  LoopbackServer server([](Client& client) {
    (void)client.receive();
    client.reset_on_close();
  });
  HttpChecker checker(to(server));
  const CheckResult result = run_check(checker);
  EXPECT_EQ(result.status, Status::critical);
  EXPECT_EQ(result.message, "reading: Connection reset by peer");
}

TEST(HttpHostileServer, NeverAnswers) {
  LoopbackServer server;
  HttpChecker checker(to(server));
  const auto stopped = rouse::test::stop_check(
      checker, [&] { (void)server.connected().wait_for(rouse::test::long_enough); });
  EXPECT_TRUE(stopped.stopped);
  EXPECT_LT(stopped.after, at_once);

  const auto started = std::chrono::steady_clock::now();
  EXPECT_FALSE(run_check(checker, 50ms).has_value());
  EXPECT_LT(std::chrono::steady_clock::now() - started, 50ms + at_once);
}

TEST(HttpHostileServer, DripsByteAfterByte) {
  LoopbackServer server([](Client& client) {
    client.send("HTTP/1.1 200 OK\r\nX-Header: ");
    while (client.send("x") && rouse::sleep_for(5ms) == rouse::WaitStatus::timeout) {
    }
  });
  HttpChecker checker(to(server));
  const auto started = std::chrono::steady_clock::now();
  EXPECT_FALSE(run_check(checker, 200ms).has_value());
  EXPECT_LT(std::chrono::steady_clock::now() - started, 200ms + at_once);
}

TEST(HttpHostileServer, AFloodOfNothingIsEndedByAStop) {
  // Each byte of body behind 4 KiB of chunk line: a MiB of body would be 4 GiB of data, and there
  // is always some to be read.
  rouse::Event flowing;
  LoopbackServer server([&](Client& client) {
    client.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    const std::string chunk = "1;a=" + std::string(4096, 'x') + "\r\nx\r\n";
    for (int i = 0; client.send(chunk); ++i) {
      if (i == 200) flowing.set();
    }
  });
  HttpChecker checker(to(server));
  const auto stopped =
      rouse::test::stop_check(checker, [&] { (void)flowing.wait_for(rouse::test::long_enough); });
  EXPECT_TRUE(stopped.stopped);
  EXPECT_LT(stopped.after, at_once);
}

TEST(Url, Parts) {
  const Url plain = parse_url("http://example.org");
  EXPECT_EQ(plain.host, "example.org");
  EXPECT_EQ(plain.port, 80);
  EXPECT_EQ(plain.target, "/");
  EXPECT_EQ(plain.host_header(), "example.org");
  const Url full = parse_url("http://[::1]:8080/a/b?c=d#fragment");
  EXPECT_EQ(full.host, "::1");
  EXPECT_EQ(full.port, 8080);
  EXPECT_EQ(full.target, "/a/b?c=d");
  EXPECT_EQ(full.host_header(), "[::1]:8080");
  EXPECT_EQ(parse_url("http://h?q").target, "/?q");
}

TEST(Url, WhatIsWrongIsSaid) {
  for (const char* bad :
       {"", "example.org", "https:/a", "ftp://a", "http://", "http://:80",
        "http://a:", "http://a:0", "http://a:65536", "http://a:8x", "http://u@a/", "http://[::1",
        "http://[::1]x", "http://a/b c", "http://a/\r\nX: y", "http://a/\xc3\xa9"}) {
    EXPECT_THROW((void)parse_url(bad), std::invalid_argument) << bad;
  }
}

}  // namespace
}  // namespace health
