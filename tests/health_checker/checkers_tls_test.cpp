// tls, and the stream under it: against nginx with certificates that are right and wrong, and
// against servers that do what they must not.

#include "rouse/wait/event.hpp"
#include "rouse/wait/sleep.hpp"

#include "checkers/socket.hpp"
#include "checkers/tls.hpp"
#include "checkers/tls_stream.hpp"
#include "expectation_parser.hpp"
#include "support/checks.hpp"
#include "support/loopback.hpp"
#include "support/loopback_server.hpp"
#include "support/temporary_directory.hpp"
#include "support/tls/certificates.hpp"
#include "support/tls/tls_session.hpp"

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;
using rouse::test::at_once;
using rouse::test::Certificate;
using rouse::test::CertificateOptions;
using rouse::test::LoopbackServer;
using rouse::test::Nginx;
using rouse::test::run_check;
using rouse::test::TemporaryDirectory;
using rouse::test::TlsSession;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using Client = LoopbackServer::Connection;

constexpr std::chrono::hours day{24};

/// One nginx whose ports show one certificate each.
class TlsSites : public testing::Test {
 protected:
  enum Site {
    good,
    named,
    self_signed,
    expired,
    soon,
    other_name,
    whole_chain,
    cut_chain,
    old_chain
  };

  static void SetUpTestSuite() { shared_ = new Shared; }
  static void TearDownTestSuite() {
    delete shared_;
    shared_ = nullptr;
  }

  static TlsCheckOptions to(Site site) {
    TlsCheckOptions options;
    options.host = "127.0.0.1";
    options.port = shared_->nginx.tls_port(site);
    options.tls = TlsContext::make({.ca_file = shared_->ca_file});
    return options;
  }

  static CheckResult checked(TlsCheckOptions options) {
    TlsChecker checker(std::move(options));
    return run_check(checker);
  }

 private:
  struct Shared {
    static rouse::test::NginxOptions::Tls files(const Certificate& own,
                                                const std::string& others = "") {
      return {.certificates = own.pem() + others, .key = own.key_pem()};
    }

    Certificate ca{{.name = "Test CA", .authority = true, .expires_in = 3650 * day}};
    Certificate middle{{.name = "Middle CA", .issuer = &ca, .authority = true}};
    Certificate short_lived{
        {.name = "Hasty CA", .issuer = &ca, .authority = true, .expires_in = 10 * day}};
    Nginx nginx{
        {.tls = {
             files(Certificate({.name = "127.0.0.1", .issuer = &ca})),
             files(Certificate({.name = "www.example.test", .issuer = &ca})),
             files(Certificate({.name = "127.0.0.1"})),
             files(Certificate({.name = "127.0.0.1", .issuer = &ca, .expires_in = -12 * day})),
             files(Certificate({.name = "127.0.0.1", .issuer = &ca, .expires_in = 10 * day + 1h})),
             files(Certificate({.name = "127.0.0.2", .issuer = &ca})),
             files(Certificate({.name = "127.0.0.1", .issuer = &middle}), middle.pem()),
             files(Certificate({.name = "127.0.0.1", .issuer = &middle})),
             files(Certificate({.name = "127.0.0.1", .issuer = &short_lived}),
                   short_lived.pem())}}};
    TemporaryDirectory folder;
    std::string ca_file = folder.write("ca.pem", ca.pem());
  };

  static inline Shared* shared_ = nullptr;
};

TEST_F(TlsSites, ABelievedCertificateIsTold) {
  const CheckResult result = checked(to(good));
  EXPECT_EQ(result.status, Status::ok) << result.message;
  EXPECT_THAT(
      result.message,
      AllOf(StartsWith("CN=127.0.0.1, by CN=Test CA, expires in 90.0 d (20"), HasSubstr(" UTC)")));
  ASSERT_EQ(result.figures.size(), 2U);
  EXPECT_EQ(result.figures[0].name, "days_left");
  EXPECT_NEAR(result.figures[0].value, 90, 0.1);
  EXPECT_EQ(result.figures[1].name, "latency");
}

TEST_F(TlsSites, TheNameMayBeAnotherThanTheHost) {
  TlsCheckOptions options = to(named);
  options.server_name = "www.example.test";
  EXPECT_EQ(checked(options).status, Status::ok);
  options.server_name = "www.example.test.";
  EXPECT_EQ(checked(options).status, Status::ok);
  options.server_name = "example.test";
  const CheckResult result = checked(options);
  EXPECT_EQ(result.status, Status::critical);
  EXPECT_THAT(result.message, StartsWith("certificate verify failed: hostname mismatch: "
                                         "CN=www.example.test, by CN=Test CA"));
  options.server_name = std::string(300, 'a');
  EXPECT_THAT(checked(options).message, HasSubstr("cannot be a server's name"));
}

TEST_F(TlsSites, WhatIsNotBelievedIsCriticalAndSaysWhy) {
  const auto expect = [](Site site, const std::string& why) {
    const CheckResult result = checked(to(site));
    EXPECT_EQ(result.status, Status::critical) << result.message;
    EXPECT_THAT(result.message, StartsWith("certificate verify failed: " + why + ": CN="));
  };
  expect(self_signed, "self-signed certificate");
  expect(expired, "certificate has expired");
  expect(other_name, "IP address mismatch");
  expect(cut_chain, "unable to get local issuer certificate");
  EXPECT_THAT(checked(to(expired)).message, HasSubstr("expired 12.0 d ago"));
  EXPECT_NEAR(checked(to(expired)).figures.at(0).value, -12, 0.1);
}

TEST_F(TlsSites, TheSystemDoesNotKnowTheTestsAuthority) {
  TlsCheckOptions options = to(good);
  options.tls = nullptr;
  EXPECT_THAT(checked(options).message,
              StartsWith("certificate verify failed: unable to get local issuer certificate"));
}

TEST_F(TlsSites, TheChainCounts) {
  EXPECT_EQ(checked(to(whole_chain)).status, Status::ok);
  const CheckResult result = checked(to(old_chain));
  EXPECT_EQ(result.status, Status::warning);
  EXPECT_THAT(result.message, HasSubstr("whose chain's CN=Hasty CA expires in 10.0 d"));
}

TEST_F(TlsSites, ThresholdsAreInDays) {
  EXPECT_EQ(checked(to(soon)).status, Status::warning);
  TlsCheckOptions options = to(soon);
  options.days_left = {.warning = 9, .critical = 8};
  EXPECT_EQ(checked(options).status, Status::ok);
  options.days_left = {.warning = 30, .critical = 11};
  EXPECT_EQ(checked(options).status, Status::critical);
  options.days_left = {};
  options.expect = {parse_expectation("warning: days_left > 14", {Subject::days_left})};
  const CheckResult result = checked(options);
  EXPECT_EQ(result.status, Status::warning);
  EXPECT_THAT(result.message, HasSubstr("; days_left is 10.0, expected > 14"));
}

TEST_F(TlsSites, WithoutVerificationOnlyTheDateCounts) {
  for (const Site site : {self_signed, other_name, cut_chain}) {
    TlsCheckOptions options = to(site);
    options.tls = TlsContext::make({.verify = false});
    EXPECT_EQ(checked(options).status, Status::ok);
  }
  TlsCheckOptions options = to(expired);
  options.tls = TlsContext::make({.verify = false});
  EXPECT_EQ(checked(options).status, Status::critical);
}

TEST_F(TlsSites, APlainPortIsNoTls) {
  TlsCheckOptions options = to(good);
  LoopbackServer server([](Client& client) {
    (void)client.receive();
    client.send("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  options.port = server.port();
  const CheckResult result = checked(options);
  EXPECT_EQ(result.status, Status::critical);
  EXPECT_EQ(result.message, "TLS handshake: wrong version number");
}

TEST(TlsContext, IsSharedByThoseWhoAskForTheSame) {
  const auto one = TlsContext::make({});
  EXPECT_EQ(one, TlsContext::make({}));
  EXPECT_NE(one, TlsContext::make({.verify = false}));
  EXPECT_TRUE(one->verifies());
}

TEST(TlsContext, WhatAFileListsIsBelievedWhoeverSignedIt) {
  const Certificate ca({.name = "Unknown CA", .authority = true});
  const Certificate own({.name = "127.0.0.1", .issuer = &ca});
  const TemporaryDirectory folder;
  LoopbackServer server([&](Client& client) {
    TlsSession session(client, own);
    if (session.handshake()) client.wait_for_close();
  });
  TlsCheckOptions options;
  options.host = "127.0.0.1";
  options.port = server.port();
  options.tls = TlsContext::make({.ca_file = folder.write("own.pem", own.pem())});
  TlsChecker checker(options);
  const CheckResult result = run_check(checker);
  EXPECT_EQ(result.status, Status::ok) << result.message;
}

// From here on: servers that do what they must not.

class TlsHostileServer : public testing::Test {
 protected:
  static TlsCheckOptions to(const LoopbackServer& server) {
    TlsCheckOptions options;
    options.host = "127.0.0.1";
    options.port = server.port();
    return options;
  }

  static CheckResult checked(const LoopbackServer& server) {
    TlsChecker checker(to(server));
    return run_check(checker);
  }

  const Certificate certificate_{{.name = "127.0.0.1"}};
};

TEST_F(TlsHostileServer, SilenceInTheHandshakeIsEndedByAStop) {
  LoopbackServer server;
  TlsChecker checker(to(server));
  const auto stopped = rouse::test::stop_check(
      checker, [&] { (void)server.connected().wait_for(rouse::test::long_enough); });
  EXPECT_TRUE(stopped.stopped);
  EXPECT_LT(stopped.after, at_once);

  const auto started = std::chrono::steady_clock::now();
  EXPECT_FALSE(run_check(checker, 50ms).has_value());
  EXPECT_LT(std::chrono::steady_clock::now() - started, 50ms + at_once);
}

TEST_F(TlsHostileServer, AHandshakeThatDripsIsEndedByAStop) {
  rouse::Event dripping;
  LoopbackServer server([&](Client& client) {
    (void)client.receive();
    client.send(std::string_view("\x16\x03\x03\x3f\x00\x02\x00\x3e\xfc", 9));
    for (int i = 0; client.send("x") && rouse::sleep_for(1ms) == rouse::WaitStatus::timeout; ++i) {
      if (i == 10) dripping.set();
    }
  });
  TlsChecker checker(to(server));
  const auto stopped =
      rouse::test::stop_check(checker, [&] { (void)dripping.wait_for(rouse::test::long_enough); });
  EXPECT_TRUE(stopped.stopped);
  EXPECT_LT(stopped.after, at_once);
}

TEST_F(TlsHostileServer, ClosesInTheHandshake) {
  LoopbackServer server([](Client& client) { (void)client.receive(); });
  EXPECT_EQ(checked(server).message,
            "TLS handshake: the connection was closed without an end of TLS");
}

TEST_F(TlsHostileServer, SendsGarbage) {
  LoopbackServer server([](Client& client) {
    (void)client.receive();
    client.send(std::string(20'000, '\x17'));
  });
  const CheckResult result = checked(server);
  EXPECT_EQ(result.status, Status::critical);
  EXPECT_THAT(result.message, StartsWith("TLS handshake: "));
}

TEST_F(TlsHostileServer, RefusesByAnAlert) {
  LoopbackServer server([](Client& client) {
    (void)client.receive();
    client.send(std::string_view("\x15\x03\x03\x00\x02\x02\x28", 7));
    client.wait_for_close();
  });
  EXPECT_THAT(checked(server).message, HasSubstr("handshake failure"));
}

TEST_F(TlsHostileServer, AnEnormousHandshakeMessage) {
  LoopbackServer server([](Client& client) {
    (void)client.receive();
    // Records of 16 KiB that make up a message of 16 MiB.
    std::string record("\x16\x03\x03\x40\x00\x02\xff\xff\xff", 9);
    record.append(0x4000 - 4, 'x');
    while (client.send(record)) {
    }
  });
  const CheckResult result = checked(server);
  EXPECT_EQ(result.status, Status::critical);
  EXPECT_THAT(result.message, HasSubstr("excessive message size"));
}

TEST_F(TlsHostileServer, ANameWithControlBytesIsEscaped) {
  const Certificate forged({.name = "a\r\n2026 all is well\x1b[2J"});
  LoopbackServer server([&](Client& client) {
    TlsSession session(client, forged);
    (void)session.handshake();
  });
  const CheckResult result = checked(server);
  EXPECT_THAT(result.message, HasSubstr("CN=a\\0D\\0A2026 all is well\\1B[2J"));
}

TEST_F(TlsHostileServer, AFloodOfRecordsWithoutDataIsEndedByAStop) {
  rouse::Event flowing;
  LoopbackServer server([&](Client& client) {
    TlsSession session(client, certificate_);
    if (!session.handshake()) return;
    for (int i = 0; session.send_ticket(); ++i) {
      if (i == 100) flowing.set();
    }
  });
  /// Reads until the peer has nothing more to say.
  class Reader : public BaseChecker {
   public:
    explicit Reader(TlsCheckOptions options) : options_(std::move(options)) {}
    CheckResult check(std::stop_token) override {
      const auto context = TlsContext::make({.verify = false});
      TlsStream stream(Socket::connect(resolve(options_.host, options_.port)), *context, "x");
      std::array<char, 100> buffer;
      (void)stream.read(buffer);
      return {};
    }

   private:
    TlsCheckOptions options_;
  };
  Reader reader(to(server));
  const auto stopped =
      rouse::test::stop_check(reader, [&] { (void)flowing.wait_for(rouse::test::long_enough); });
  EXPECT_TRUE(stopped.stopped);
  EXPECT_LT(stopped.after, at_once);
}

}  // namespace
}  // namespace health
