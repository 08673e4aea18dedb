#include "server/gate.hpp"
#include "server/target.hpp"

#include <optional>
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

int refusal_of(std::string_view text) {
  try {
    (void)parse_target(text);
    return 0;
  } catch (const Refusal& refusal) {
    return refusal.status();
  }
}

TEST(Target, IsAPathAndParameters) {
  const Target target = parse_target("/api/v1/history?name=a+b&x&name=%c3%A9%26&&name=c=d");
  EXPECT_EQ(target.path, "/api/v1/history");
  EXPECT_THAT(target.values("name"), ElementsAre("a b", "é&", "c=d"));
  EXPECT_THAT(target.values("x"), ElementsAre(""));
  EXPECT_THAT(target.values("y"), IsEmpty());
  EXPECT_THAT(parse_target("/").parameters, IsEmpty());
  EXPECT_THAT(parse_target("/?").parameters, IsEmpty());
}

TEST(Target, RefusesPathsThatAreNotPlain) {
  for (const std::string_view text :
       {"", "metrics", "*", "http://localhost/metrics", "//metrics", "/api//v1", "/../etc/passwd",
        "/api/../metrics", "/..", "/.", "/./metrics", "/%2e%2e/", "/%6detrics", "/a\\b", "/a#b",
        "/a\x01", "/a\x7f"}) {
    EXPECT_EQ(refusal_of(text), 400) << text;
  }
  EXPECT_EQ(refusal_of(std::string_view("/a\0b", 4)), 400);
  EXPECT_EQ(refusal_of("/" + std::string(longest_target, 'a')), 414);
  EXPECT_EQ(refusal_of("/...and/.hidden/a..b"), 0) << "odd, but plain";
}

TEST(Target, RefusesBrokenParameters) {
  for (const std::string_view text :
       {"/?a=%", "/?a=%4", "/?a=%zz", "/?a=%00", "/?%0a=b", "/?a=\x1b", "/?a=%-1"}) {
    EXPECT_EQ(refusal_of(text), 400) << text;
  }
}

TEST(Gate, OnLoopbackKnowsItsNamesOnly) {
  const Gate gate("127.0.0.2", "");
  EXPECT_TRUE(gate.loopback());
  for (const char* const host :
       {"localhost", "LocalHost:80", "127.0.0.1:1", "[::1]:8080", "[::1]", "::1", "127.0.0.2:80"}) {
    EXPECT_TRUE(gate.knows_host(host)) << host;
  }
  for (const char* const host : {"", "evil.example", "evil.example:80", "localhost.evil.example",
                                 "127.0.0.3", "[::1", "localhost:80:80", "@localhost"}) {
    EXPECT_FALSE(gate.knows_host(host)) << host;
  }
  EXPECT_TRUE(gate.knows_host(std::nullopt)) << "HTTP/1.0";
  EXPECT_TRUE(Gate("0.0.0.0", "").knows_host("any.name"));
}

TEST(Gate, KnowsALoopbackAddressHoweverItIsWritten) {
  for (const char* const address : {"0:0:0:0:0:0:0:1", "::ffff:127.0.0.9", "::ffff:7f00:9"}) {
    const Gate gate(address, "");
    EXPECT_TRUE(gate.loopback()) << address;
    EXPECT_TRUE(gate.knows_host("[" + std::string(address) + "]:80")) << address;
    EXPECT_FALSE(gate.knows_host("evil.example")) << address;
  }
  EXPECT_TRUE(Gate("::ffff:127.0.0.9", "").knows_host("127.0.0.9"));
  EXPECT_FALSE(Gate("::ffff:192.0.2.1", "").loopback());
}

TEST(Gate, AdmitsTheTokenOnly) {
  const Gate gate("127.0.0.1", "secret");
  EXPECT_TRUE(gate.admits("Bearer secret"));
  EXPECT_TRUE(gate.admits("bearer secret"));
  for (const char* const authorization :
       {"", "secret", "Bearer", "Bearer ", "Bearer secre", "Bearer secrets", "Bearer Secret",
        "Bearer secretsecret", "Basic secret", "Bearer  secret"}) {
    EXPECT_FALSE(gate.admits(authorization)) << authorization;
  }
  EXPECT_TRUE(Gate("127.0.0.1", "").admits(""));
  EXPECT_TRUE(Gate("127.0.0.1", "").admits("Bearer anything"));
}

}  // namespace
}  // namespace health
