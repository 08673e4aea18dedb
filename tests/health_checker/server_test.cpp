// What the server answers. How it withstands who means harm is in server_hostile_test.cpp.

#include "server/server.hpp"

#include "support/http_client.hpp"

#include <atomic>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;
using rouse::test::http_get;
using rouse::test::HttpClient;
using rouse::test::HttpReply;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class HttpServer : public testing::Test {
 protected:
  HttpServer() {
    results_.add("web", "http", "outside");
    results_.add("a disk", "disk");
    results_.update("web", Status::critical,
                    {.status = Status::critical,
                     .message = "refused",
                     .duration = 12ms,
                     .figures = {{"latency", 12.5, "ms"}}});
  }

  ServerSources sources() { return {.results = results_}; }

  Results results_;
  Log log_{LogOptions{}};
};

TEST_F(HttpServer, ServesThePage) {
  Server server({}, sources(), log_);
  EXPECT_EQ(server.url(), "http://127.0.0.1:" + std::to_string(server.port()) + "/");
  const HttpReply page = http_get(server.port(), "/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.field("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(page.field("Cache-Control"), "no-store");
  EXPECT_EQ(page.field("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(page.field("Referrer-Policy"), "no-referrer");
  EXPECT_THAT(page.body, Not(HasSubstr("@nonce@")));

  const std::string policy = page.field("Content-Security-Policy");
  EXPECT_THAT(policy, StartsWith("default-src 'none'; script-src 'nonce-"));
  const std::string nonce = policy.substr(policy.find("nonce-") + 6, 22);
  EXPECT_THAT(page.body, HasSubstr("<script nonce=\"" + nonce + "\">"));
  EXPECT_NE(http_get(server.port(), "/").field("Content-Security-Policy"), policy);
}

TEST_F(HttpServer, TellsTheStatusOfAll) {
  Server server({}, sources(), log_);
  const HttpReply reply = http_get(server.port(), "/api/v1/status");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.field("Content-Type"), "application/json");
  EXPECT_THAT(reply.body,
              AllOf(HasSubstr("\"name\":\"web\""), HasSubstr("\"state\":\"critical\""),
                    HasSubstr("\"message\":\"refused\""), HasSubstr("\"group\":\"outside\""),
                    HasSubstr("{\"name\":\"latency\",\"unit\":\"ms\",\"value\":12.5}"),
                    HasSubstr("\"state\":null"),
                    HasSubstr("\"counts\":{\"critical\":1,\"ok\":0,\"pending\":1,")));
}

TEST_F(HttpServer, TellsOfOneCheckWithItsHistory) {
  Server server({}, sources(), log_);
  const HttpReply reply = http_get(server.port(), "/api/v1/check?name=web");
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.body, AllOf(HasSubstr("\"uptime\":0.0"), HasSubstr("\"bucket_seconds\":300"),
                                HasSubstr("\"failed\":1"), HasSubstr("\"worst\":\"critical\"")));
  EXPECT_EQ(http_get(server.port(), "/api/v1/check?name=a+disk").status, 200);
  EXPECT_EQ(http_get(server.port(), "/api/v1/check?name=a%20disk").status, 200);
  EXPECT_EQ(http_get(server.port(), "/api/v1/check?name=other").status, 404);
  EXPECT_EQ(http_get(server.port(), "/api/v1/check").status, 400);
}

TEST_F(HttpServer, TellsTheHistoriesOfSome) {
  Server server({}, sources(), log_);
  const HttpReply reply = http_get(server.port(), "/api/v1/history?name=web&name=other");
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.body, AllOf(HasSubstr("{\"web\":{\"buckets\":[[0,0,0.0,0],"),
                                HasSubstr("[1,1,12.0,2]]"), Not(HasSubstr("other"))));
  std::string many = "/api/v1/history?name=web";
  for (int i = 0; i < 100; ++i) many += "&name=web";
  EXPECT_EQ(http_get(server.port(), many).status, 400);
}

TEST_F(HttpServer, EscapesWhatTargetsSay) {
  results_.update("web", Status::ok,
                  {.status = Status::ok,
                   .message = "\xff\xfe \"quoted\" \x1b[2J </script> \xed\xa0\x80",
                   .figures = {{"a\"\n", std::numeric_limits<double>::quiet_NaN(), "\xff"}}});
  Server server({}, sources(), log_);
  const std::string body = http_get(server.port(), "/api/v1/status").body;
  EXPECT_THAT(body, HasSubstr(R"("message":"\\xFF\\xFE \"quoted\" \\x1B[2J </script> \\xED)"));
  EXPECT_THAT(body, HasSubstr(R"({"name":"a\"\\x0A","unit":"\\xFF","value":null})"));
  const std::string metrics = http_get(server.port(), "/metrics").body;
  EXPECT_THAT(metrics, HasSubstr(R"({name="web",figure="a\"\\x0A",unit="\\xFF"} NaN)"));
}

TEST_F(HttpServer, TellsPrometheusTheFigures) {
  ServerSources figures = sources();
  figures.metrics = [](MetricsWriter& writer) {
    writer.gauge("health_scheduling_lag_seconds", "How late checks start.", 0.5);
  };
  Server server({}, figures, log_);
  const HttpReply reply = http_get(server.port(), "/metrics");
  EXPECT_EQ(reply.field("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(
      reply.body,
      AllOf(HasSubstr("health_check_state{name=\"web\",type=\"http\",group=\"outside\"} 2\n"),
            HasSubstr("health_check_up{name=\"web\",type=\"http\",group=\"outside\"} 0\n"),
            HasSubstr("health_check_runs_total{name=\"a disk\",type=\"disk\"} 0\n"),
            HasSubstr("health_check_figure{name=\"web\",figure=\"latency\",unit=\"ms\"} 12.5\n"),
            HasSubstr("health_scheduling_lag_seconds 0.5\n"),
            HasSubstr("health_http_connections 1\n"), HasSubstr("\nprocess_open_fds "),
            Not(HasSubstr("health_check_state{name=\"a disk\""))));
}

TEST_F(HttpServer, TellsWhetherItIsReady) {
  std::atomic<bool> ready = false;
  ServerSources readiness = sources();
  readiness.ready = [&] { return ready.load(); };
  Server server({.token = "secret"}, readiness, log_);
  EXPECT_EQ(http_get(server.port(), "/healthz").status, 200);
  EXPECT_EQ(http_get(server.port(), "/readyz").status, 503);
  ready = true;
  EXPECT_EQ(http_get(server.port(), "/readyz").status, 200);
}

TEST_F(HttpServer, AsksForTheToken) {
  Server server({.token = "secret"}, sources(), log_);
  for (const char* const target : {"/api/v1/status", "/api/v1/check?name=web", "/api/v1/history",
                                   "/api/v1/events", "/metrics", "/no/such/page"}) {
    const HttpReply reply = http_get(server.port(), target);
    EXPECT_EQ(reply.status, 401) << target;
    EXPECT_EQ(reply.field("WWW-Authenticate"), "Bearer realm=\"health\"");
    EXPECT_THAT(reply.body, Not(HasSubstr("web")));
  }
  HttpClient client(server.port());
  EXPECT_EQ(client.get("/metrics", "Authorization: Bearer wrong\r\n").status, 401);
  EXPECT_EQ(client.get("/metrics", "Authorization: Bearer secret\r\n").status, 200);
  EXPECT_EQ(http_get(server.port(), "/").status, 200) << "there is no data in the page itself";
}

TEST_F(HttpServer, KnowsItsHosts) {
  Server server({}, sources(), log_);
  HttpClient evil(server.port());
  evil.send("GET /api/v1/status HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_EQ(evil.read_answer().status, 421);
  HttpClient own(server.port());
  own.send("GET / HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) + "\r\n\r\n");
  EXPECT_EQ(own.read_answer().status, 200);
}

TEST_F(HttpServer, AnswersHeadWithoutABody) {
  Server server({}, sources(), log_);
  HttpClient client(server.port());
  client.send("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const HttpReply reply = client.read_answer(true);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.field("Content-Length"), "3");
  EXPECT_EQ(client.get("/healthz").body, "ok\n") << "nothing lies between the two answers";
  client.send("HEAD /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(client.read_all(), AllOf(HasSubstr("text/event-stream"), Not(HasSubstr("data:"))));
}

TEST_F(HttpServer, KeepsConnectionsForSoManyRequests) {
  Server server({.limits = {.requests = 3}}, sources(), log_);
  HttpClient client(server.port());
  EXPECT_EQ(client.get("/healthz").field("Connection"), "");
  EXPECT_EQ(client.get("/healthz").status, 200);
  EXPECT_EQ(client.get("/healthz").field("Connection"), "close");
  EXPECT_EQ(client.read_all(), "");
  HttpClient old(server.port());
  old.send("GET /healthz HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old.read_all(), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpServer, StreamsWhatChanges) {
  Server server({.news_interval = 1ms, .heartbeat = 1ms}, sources(), log_);
  HttpClient client(server.port());
  client.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(client.read_until("\r\n\r\n"), HasSubstr("Content-Type: text/event-stream\r\n"));
  EXPECT_THAT(client.read_until("\n\n"),
              AllOf(StartsWith("data: {\"all\":true"), HasSubstr("web"), HasSubstr("a disk")));
  EXPECT_EQ(client.read_until("\n\n"), ": quiet\n\n");
  results_.update("web", Status::ok, {.status = Status::ok, .message = "back again"});
  EXPECT_THAT(client.read_until("back again"), HasSubstr("data: {\"all\":false"));
  results_.remove("a disk");
  EXPECT_THAT(client.read_until("\"all\":true"), HasSubstr("\"all\":true"));
  EXPECT_THAT(http_get(server.port(), "/metrics").body, HasSubstr("health_http_streams 1\n"));
  EXPECT_TRUE(server.stop(20s));
  EXPECT_THAT(client.read_all(), Not(HasSubstr("a disk")));
}

TEST_F(HttpServer, BoundsStreamsAndNoticesThatAClientHasGone) {
  Server server({.max_streams = 1}, sources(), log_);
  {
    HttpClient client(server.port());
    client.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ASSERT_THAT(client.read_until("\n\n"), Not(testing::IsEmpty()));
    const HttpReply full = http_get(server.port(), "/api/v1/events");
    EXPECT_EQ(full.status, 503);
    EXPECT_EQ(full.field("Retry-After"), "5");
  }
  // Long before the next heartbeat.
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (server.connections() > 0 && std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
  EXPECT_EQ(server.connections(), 0U);
}

TEST_F(HttpServer, SaysWhatItCannotListenOn) {
  Server server({}, sources(), log_);
  EXPECT_THROW(Server({.port = server.port()}, sources(), log_), std::system_error);
  EXPECT_THROW(Server({.address = "localhost"}, sources(), log_), std::invalid_argument);
  EXPECT_THROW(Server({.max_connections = 0}, sources(), log_), std::invalid_argument);
}

TEST_F(HttpServer, ListensOnIpv6) {
  try {
    Server server({.address = "::1"}, sources(), log_);
    EXPECT_THAT(server.url(), StartsWith("http://[::1]:"));
  } catch (const std::system_error& error) {
    GTEST_SKIP() << "this machine has no ::1: " << error.what();
  }
}

}  // namespace
}  // namespace health
