// http over TLS, redirects, methods and conditions: against nginx, and against servers that do what
// they must not.

#include "rouse/wait/event.hpp"

#include "checkers/http.hpp"
#include "expectation_parser.hpp"
#include "support/checks.hpp"
#include "support/loopback.hpp"
#include "support/loopback_server.hpp"
#include "support/temporary_directory.hpp"
#include "support/tls/certificates.hpp"
#include "support/tls/tls_session.hpp"

#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;
using rouse::test::at_once;
using rouse::test::Certificate;
using rouse::test::LoopbackServer;
using rouse::test::Nginx;
using rouse::test::run_check;
using rouse::test::TemporaryDirectory;
using rouse::test::TlsSession;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Client = LoopbackServer::Connection;

const std::vector<Subject> subjects = {Subject::status,    Subject::latency, Subject::size,
                                       Subject::days_left, Subject::body,    Subject::header,
                                       Subject::json};

std::vector<Expectation> conditions(std::initializer_list<const char*> texts) {
  std::vector<Expectation> list;
  for (const char* text : texts) list.push_back(parse_expectation(text, subjects));
  return list;
}

std::string url_of(std::string_view scheme, std::uint16_t port, std::string_view target) {
  return std::string(scheme) + "://127.0.0.1:" + std::to_string(port) + std::string(target);
}

CheckResult checked(HttpOptions options) {
  HttpChecker checker(std::move(options));
  return run_check(checker);
}

HttpOptions to(const std::string& url, int redirects = 0) {
  HttpOptions options;
  options.request.url = parse_url(url);
  options.request.redirects = redirects;
  return options;
}

class Https : public testing::Test {
 protected:
  static void SetUpTestSuite() { shared_ = new Shared; }
  static void TearDownTestSuite() {
    delete shared_;
    shared_ = nullptr;
  }

  static std::string plain(std::string_view target) {
    return url_of("http", shared_->nginx.port(), target);
  }
  static std::string secure(std::string_view target, std::size_t site = 0) {
    return url_of("https", shared_->nginx.tls_port(site), target);
  }
  static HttpOptions believing(HttpOptions options) {
    options.tls = TlsContext::make({.ca_file = shared_->ca_file});
    return options;
  }

 private:
  struct Shared {
    Certificate ca{{.name = "Test CA", .authority = true}};
    Certificate good{{.name = "127.0.0.1", .issuer = &ca}};
    Certificate self_signed{{.name = "127.0.0.1"}};
    Nginx nginx{{.tls = {{good.pem(), good.key_pem()}, {self_signed.pem(), self_signed.key_pem()}},
                 .locations = R"(
    location /json {
      default_type application/json;
      return 200 '{"ready": false, "queue": {"length": 17}}';
    }
    location /loop { return 302 /loop; }
    location /1 { return 301 /2/3; }
    location /2/3 { return 307 ../end?a=b; }
    location /method { return 200 "$request_method $content_length $http_x_own"; }
    location /to-secure { return 301 https://$arg_to; }
    location /to-plain { return 301 http://$arg_to; }
    absolute_redirect off;
)"}};
    TemporaryDirectory folder;
    std::string ca_file = folder.write("ca.pem", ca.pem());
  };

  static inline Shared* shared_ = nullptr;
};

TEST_F(Https, APageOfABelievedServer) {
  HttpOptions options = believing(to(secure("/")));
  options.expect = conditions({"status == 200", "body contains \"all is well\"", "size == 11",
                               "days_left > 14", "latency < 20s", "header server matches nginx"});
  const CheckResult result = checked(options);
  EXPECT_EQ(result.status, Status::ok) << result.message;
  EXPECT_THAT(result.message, StartsWith("200 OK in "));
  ASSERT_EQ(result.figures.size(), 3U);
  EXPECT_EQ(result.figures[2].name, "days_left");
  EXPECT_NEAR(result.figures[2].value, 90, 0.1);
}

TEST_F(Https, ManyAtOnceShareContextAndPool) {
  const HttpOptions options = believing(to(secure("/1"), 2));
  HttpOptions distrusting = options;
  distrusting.tls = nullptr;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      EXPECT_EQ(checked(options).status, Status::ok);
      EXPECT_EQ(checked(distrusting).status, Status::critical);
    });
  }
}

TEST_F(Https, OthersAreRefusedBeforeAnythingIsSent) {
  const CheckResult result = checked(believing(to(secure("/", 1))));
  EXPECT_EQ(result.status, Status::critical);
  EXPECT_EQ(result.message, "certificate verify failed: self-signed certificate");
  EXPECT_THAT(checked(to(secure("/"))).message, StartsWith("certificate verify failed: "));
  HttpOptions any = to(secure("/", 1));
  any.tls = TlsContext::make({.verify = false});
  EXPECT_EQ(checked(any).status, Status::ok);
}

TEST_F(Https, FailedConditionsSayWhatWasFound) {
  HttpOptions options = to(plain("/json"));
  options.expect = conditions({"json /ready == true", "warning: json /queue/length < 10",
                               "header content-type contains json"});
  const CheckResult result = checked(options);
  EXPECT_EQ(result.status, Status::critical);
  EXPECT_THAT(result.message, HasSubstr("; json /ready is false, expected == true; "
                                        "json /queue/length is 17, expected < 10"));
  options.expect = conditions({"warning: json /queue/length < 10"});
  EXPECT_EQ(checked(options).status, Status::warning);
}

TEST_F(Https, MethodsAndBodies) {
  for (const char* method : {"GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    HttpOptions options = to(plain("/method"));
    options.request.method = method;
    options.request.headers = {"X-Own: yes"};
    if (method[0] == 'P') options.request.body = "a=b";
    options.body_regex = std::string("^") + method + (method[0] == 'P' ? " 3 yes$" : "  yes$");
    const CheckResult result = checked(options);
    EXPECT_EQ(result.status, Status::ok) << method << ": " << result.message;
  }
}

TEST_F(Https, RedirectsAreFollowedAsFarAsAllowed) {
  const CheckResult unfollowed = checked(to(plain("/1")));
  EXPECT_EQ(unfollowed.status, Status::ok);
  EXPECT_THAT(unfollowed.message, StartsWith("301 Moved Permanently in"));
  const CheckResult followed = checked(to(plain("/1"), 2));
  EXPECT_EQ(followed.status, Status::ok) << followed.message;
  EXPECT_THAT(followed.message, AllOf(StartsWith("200 OK in"), HasSubstr(" after 2 redirects")));
  EXPECT_EQ(checked(to(plain("/1"), 1)).message, "more than 1 redirect, the next to ../end?a=b");
  EXPECT_EQ(checked(to(plain("/loop"), 10)).message, "more than 10 redirects, the next to /loop");
}

TEST_F(Https, FromHttpToHttpsButNotBack) {
  const auto from = [&](const std::string& url, std::string_view to_where) {
    return url + std::string(to_where.substr(to_where.find("//") + 2));
  };
  const CheckResult result = checked(believing(to(from(plain("/to-secure?to="), secure("/")), 1)));
  EXPECT_EQ(result.status, Status::ok) << result.message;
  EXPECT_EQ(result.figures.size(), 3U);
  EXPECT_EQ(checked(believing(to(from(plain("/to-secure?to="), secure("/", 1)), 1))).message,
            "certificate verify failed: self-signed certificate");
  const std::string plain_page = plain("/");
  EXPECT_EQ(checked(believing(to(from(secure("/to-plain?to="), plain_page), 1))).message,
            "redirected to " + plain_page + ", from https to http");
}

/// Remembers what it was asked, and redirects to `location`, or answers with "end" without one.
class Asked {
 public:
  explicit Asked(std::string status = "", std::string location = "")
      : server_(std::in_place,
                [this, status = std::move(status), location = std::move(location)](Client& client) {
                  request_ = client.receive_until("\r\n\r\n");
                  client.send(location.empty() ? "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend"
                                               : "HTTP/1.1 " + status + " Elsewhere\r\nLocation: " +
                                                     location + "\r\nContent-Length: 0\r\n\r\n");
                }) {}

  [[nodiscard]] std::string url() const { return server_->url(); }
  /// Ends the server, whose thread has written it.
  [[nodiscard]] const std::string& request() {
    server_.reset();
    return request_;
  }

 private:
  std::string request_;
  std::optional<LoopbackServer> server_;
};

TEST(HttpRedirect, CredentialsStayWithTheirServer) {
  Asked end;
  Asked begin("302", end.url());
  HttpOptions options = to(begin.url(), 1);
  options.request.headers = {
      "Authorization: Bearer secret", "cookie: id=secret", "X-Api-Key: secret",
      "Accept-Secret: secret",        "Accept: text/html", "accept-language: de"};
  EXPECT_EQ(checked(options).status, Status::ok);
  EXPECT_THAT(begin.request(), HasSubstr("Bearer secret"));
  EXPECT_THAT(end.request(), AllOf(StartsWith("GET / "), HasSubstr("Accept: text/html"),
                                   HasSubstr("accept-language: de"), Not(HasSubstr("secret"))));
}

TEST(HttpRedirect, TheyStayWithTheSameServer) {
  std::vector<std::string> requests;
  {
    LoopbackServer server([&](Client& client) {
      requests.push_back(client.receive_until("\r\n\r\n"));
      client.send(requests.size() == 1 ? "HTTP/1.1 301 Moved\r\nLocation: /b\r\n\r\n"
                                       : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    HttpOptions options = to(server.url("/a"), 1);
    options.request.headers = {"Authorization: Bearer secret"};
    EXPECT_EQ(checked(options).status, Status::ok);
  }
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_THAT(requests[1], AllOf(StartsWith("GET /b "), HasSubstr("Bearer secret")));
}

TEST(HttpRedirect, APostIsRepeatedOnlyWhereTheStatusSaysSo) {
  const auto second_request = [](const std::string& status) {
    std::vector<std::string> requests;
    {
      LoopbackServer server([&](Client& client) {
        std::string& request = requests.emplace_back(client.receive_until("\r\n\r\n"));
        if (request.starts_with("POST") && !request.ends_with("a=b")) {
          request += client.receive_until("a=b");
        }
        client.send(requests.size() == 1 ? "HTTP/1.1 " + status +
                                               " X\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n"
                                         : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      });
      HttpOptions options = to(server.url("/"), 1);
      options.request.method = "POST";
      options.request.body = "a=b";
      options.request.headers = {"Content-Type: text/x"};
      EXPECT_EQ(checked(options).status, Status::ok);
    }
    return requests.size() == 2 ? requests[1] : "";
  };
  EXPECT_THAT(second_request("308"),
              AllOf(StartsWith("POST /next "), HasSubstr("text/x"), HasSubstr("\r\n\r\na=b")));
  EXPECT_THAT(second_request("302"),
              AllOf(StartsWith("GET /next "), Not(HasSubstr("ontent")), Not(HasSubstr("a=b"))));
}

TEST(HttpRedirect, TheBodyStaysWithItsServer) {
  const Asked end;
  const Asked begin("307", end.url());
  HttpOptions options = to(begin.url(), 1);
  options.request.method = "POST";
  options.request.body = "secret";
  EXPECT_EQ(checked(options).message,
            "redirected to " + end.url() + ", another server, with the body");
}

TEST(HttpRedirect, WhatChangesSomethingStaysWithItsServer) {
  for (const std::string method : {"POST", "PUT", "PATCH", "DELETE"}) {
    const Asked end;
    const Asked begin("307", end.url());
    HttpOptions options = to(begin.url(), 1);
    options.request.method = method;
    EXPECT_EQ(checked(options).message,
              "redirected to " + end.url() + ", another server, with a " + method);
  }
}

TEST(HttpRedirect, BadLocationsAreNoUrls) {
  for (const char* location :
       {"ftp://a/", "javascript:x", "http://u:p@a/", "//", "/a b", "http://a:0/", "/\xc3\xa4"}) {
    const Asked begin("302", location);
    const CheckResult result = checked(to(begin.url(), 1));
    EXPECT_EQ(result.status, Status::critical);
    EXPECT_THAT(result.message, HasSubstr("which is no URL to follow: ")) << location;
  }
  const Asked nowhere("302", "/");
  EXPECT_EQ(checked(to(nowhere.url(), 1)).message, "more than 1 redirect, the next to /");
}

TEST(HttpRedirect, TargetsAreResolvedAgainstWhereTheyCameFrom) {
  const auto leads_to = [](std::string_view location) {
    const Url url = redirected(parse_url("https://h:8443/a/b/c?d"), location);
    return (url.tls ? "https://" : "http://") + url.host_header() + url.target;
  };
  EXPECT_EQ(leads_to("http://i/x?y#z"), "http://i/x?y");
  EXPECT_EQ(leads_to("HTTPS://i"), "https://i/");
  EXPECT_EQ(leads_to("//i/x"), "https://i/x");
  EXPECT_EQ(leads_to("/x"), "https://h:8443/x");
  EXPECT_EQ(leads_to("x"), "https://h:8443/a/b/x");
  EXPECT_EQ(leads_to("./x/./y/"), "https://h:8443/a/b/x/y/");
  EXPECT_EQ(leads_to("../x"), "https://h:8443/a/x");
  EXPECT_EQ(leads_to("../../../../x/.."), "https://h:8443/");
  EXPECT_EQ(leads_to(".."), "https://h:8443/a/");
  EXPECT_EQ(leads_to("/x//y"), "https://h:8443/x//y");
  EXPECT_EQ(leads_to("?e=http://f"), "https://h:8443/a/b/c?e=http://f");
  EXPECT_EQ(leads_to("x?e:f"), "https://h:8443/a/b/x?e:f");
  EXPECT_EQ(leads_to(""), "https://h:8443/a/b/c?d");
}

TEST(HttpsHostileServer, ACutIsNotAnEnd) {
  const Certificate certificate({.name = "127.0.0.1"});
  const auto answer = [&](bool ends) {
    LoopbackServer server([&](Client& client) {
      TlsSession session(client, certificate);
      if (!session.handshake()) return;
      (void)session.receive_until("\r\n\r\n");
      (void)session.send("HTTP/1.1 200 OK\r\n\r\nhalf of it");
      if (ends) (void)session.end();
    });
    HttpOptions options = to(url_of("https", server.port(), "/"));
    options.tls = TlsContext::make({.verify = false});
    return checked(options);
  };
  EXPECT_EQ(answer(true).status, Status::ok);
  EXPECT_EQ(answer(false).message, "reading: the connection was closed without an end of TLS");
}

TEST(HttpsHostileServer, ABodyWithoutEndIsCut) {
  const Certificate certificate({.name = "127.0.0.1"});
  LoopbackServer server([&](Client& client) {
    TlsSession session(client, certificate);
    if (!session.handshake() || !session.send("HTTP/1.1 200 OK\r\n\r\n")) return;
    while (session.send(std::string(10'000, 'x'))) {
    }
  });
  HttpOptions options = to(url_of("https", server.port(), "/"));
  options.tls = TlsContext::make({.verify = false});
  const CheckResult result = checked(options);
  EXPECT_EQ(result.status, Status::ok) << result.message;
  EXPECT_THAT(result.message, HasSubstr("only 1.0 MiB of it read"));
}

TEST(HttpsHostileServer, SilenceInTheHandshakeIsEndedByAStop) {
  LoopbackServer server;
  HttpChecker checker(to(url_of("https", server.port(), "/")));
  const auto stopped = rouse::test::stop_check(
      checker, [&] { (void)server.connected().wait_for(rouse::test::long_enough); });
  EXPECT_TRUE(stopped.stopped);
  EXPECT_LT(stopped.after, at_once);
}

class BodyPool : public testing::Test {
 protected:
  rouse::BufferPool pool_{{.block_size = rouse::medium_block, .blocks = 1}};
  LoopbackServer server_{[](Client& client) {
    (void)client.receive_until("\r\n\r\n");
    client.send("HTTP/1.1 200 OK\r\n\r\n" + std::string(200'000, 'x'));
  }};
};

TEST_F(BodyPool, ABodyIsNoLongerThanABlock) {
  HttpChecker checker(to(server_.url()), pool_);
  const CheckResult result = run_check(checker);
  EXPECT_THAT(result.message, HasSubstr("only 132.0 KiB of it read"));
  EXPECT_EQ(pool_.used_blocks(), 0U);
}

TEST_F(BodyPool, WithoutABlockItsTurnIsWaitedFor) {
  std::optional<rouse::Buffer> taken = pool_.allocate();
  HttpChecker checker(to(server_.url()), pool_);
  EXPECT_FALSE(run_check(checker, 50ms).has_value());
  const auto stopped = rouse::test::stop_check(
      checker, [&] { (void)rouse::test::becomes_true([&] { return pool_.stats().waiters > 0; }); });
  EXPECT_TRUE(stopped.stopped);
  EXPECT_LT(stopped.after, at_once);

  std::thread other([&] {
    EXPECT_TRUE(rouse::test::becomes_true([&] { return pool_.stats().waiters > 0; }));
    taken.reset();
  });
  EXPECT_EQ(run_check(checker).status, Status::ok);
  other.join();
}

TEST_F(BodyPool, AShortBodyTakesNone) {
  const std::optional<rouse::Buffer> taken = pool_.allocate();
  LoopbackServer server([](Client& client) {
    (void)client.receive_until("\r\n\r\n");
    client.send("HTTP/1.1 200 OK\r\n\r\n" + std::string(Body::longest_without_block, 'x'));
  });
  HttpChecker checker(to(server.url()), pool_);
  EXPECT_EQ(run_check(checker).status, Status::ok);
}

}  // namespace
}  // namespace health
