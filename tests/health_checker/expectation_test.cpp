// The language of conditions: what is understood, what is said of mistakes and where, and what is
// judged.

#include "expectation.hpp"

#include "expectation_parser.hpp"
#include "json_document.hpp"
#include "settings.hpp"

#include <array>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <toml++/toml.h>

namespace health {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const std::vector<Subject> any_subject = {Subject::status,    Subject::latency, Subject::size,
                                          Subject::days_left, Subject::body,    Subject::header,
                                          Subject::json};

constexpr std::string_view json_body =
    R"({"ready": false, "n": 3, "big": 9007199254740993, "list": ["a", 7], "text": "up and well",)"
    R"( "a/b": {"m~n": null}, "a b": 1})";

/// What a condition says of an answer; "" if it holds.
std::string judged(std::string_view condition, std::string_view body = json_body) {
  const std::array<HttpHeader, 3> headers = {
      {{"content-type", "application/json"}, {"via", "a"}, {"via", "b"}}};
  const Facts facts{.status = 503,
                    .latency_ms = 612.5,
                    .size = 2048,
                    .days_left = 13.5,
                    .body = body,
                    .headers = headers};
  CheckResult result{.status = Status::ok};
  const Expectation expectation = parse_expectation(condition, any_subject);
  judge(std::span(&expectation, 1), facts, result);
  EXPECT_EQ(result.status, result.message.empty() ? Status::ok : expectation.severity);
  return result.message;
}

struct Mistake {
  std::size_t offset = 0;
  std::string message;
};

Mistake mistake_in(std::string_view condition, const std::vector<Subject>& subjects = any_subject) {
  try {
    (void)parse_expectation(condition, subjects);
  } catch (const ExpectationError& error) {
    return {error.offset(), error.what()};
  }
  return {std::string::npos, "it was taken"};
}

TEST(Expectation, NumbersAreCompared) {
  for (const char* holds :
       {"status == 503", "status != 200", "status < 504", "status <= 503", "status > 502",
        "status >= 503", "latency < 613ms", "latency > 612ms", "latency<1s", "size == 2k",
        "size < 1MiB", "size>=2048", "days_left > 13", "days_left < 14d", "days_left > 312h"}) {
    EXPECT_EQ(judged(holds), "") << holds;
  }
  EXPECT_EQ(judged("status < 300"), "; status is 503, expected < 300");
  EXPECT_EQ(judged("latency < 500ms"), "; latency is 612.5 ms, expected < 500ms");
  EXPECT_EQ(judged("size < 1k"), "; size is 2.0 KiB, expected < 1k");
  EXPECT_EQ(judged("days_left>14"), "; days_left is 13.5, expected >14");
}

TEST(Expectation, TextsAreSearched) {
  EXPECT_EQ(judged("body contains well", "all is well"), "");
  EXPECT_EQ(judged("body matches \"(?i)^ALL.*\\w$\"", "all is well"), "");
  EXPECT_EQ(judged("body matches \"\xff\"", "\xfe\xff"), "");  // bytes, not UTF-8
  EXPECT_EQ(judged("body == x", ""), "; body is empty, expected == x");
  EXPECT_EQ(judged("body contains \"not \\\"here\\\\\"", "all is well\nsecond line"),
            "; body is \"all is well\"..., expected contains \"not \\\"here\\\\\"");
  EXPECT_EQ(judged("header content-type contains json"), "");
  EXPECT_EQ(judged("header Content-Type == application/json"), "");
  EXPECT_EQ(judged("header via == \"a, b\""), "");
  EXPECT_EQ(judged("header server contains nginx"),
            "; header server is missing, expected contains nginx");
  EXPECT_EQ(judged("header server != x"), "; header server is missing, expected != x");
}

TEST(Expectation, JsonIsPointedInto) {
  for (const char* holds :
       {"json /ready == false", "json /n == 3", "json /n < 3.5", "json /n != \"3\"",
        "json /big == 9007199254740993", "json /big != 9007199254740992", "json /list/1 == 7",
        "json /list contains a", "json /list contains 7", "json /text contains \" and \"",
        "json /text matches \"^up\"", "json /text > \"up\"", "json /a~1b/m~0n == null",
        "json \"/a b\" == 1", "json \"\" contains ready", "json /text == \"up and well\""}) {
    EXPECT_EQ(judged(holds), "") << holds;
  }
  EXPECT_EQ(judged("json /ready == true"), "; json /ready is false, expected == true");
  EXPECT_EQ(judged("json /ready == \"false\""), "; json /ready is false, expected == \"false\"");
  EXPECT_EQ(judged("json /nowhere != 1"), "; json /nowhere is missing, expected != 1");
  EXPECT_EQ(judged("json /list/9 == 1"), "; json /list/9 is missing, expected == 1");
  EXPECT_EQ(judged("json /list/99999999999999999999 == 1"),
            "; json /list/99999999999999999999 is missing, expected == 1");
  EXPECT_EQ(judged("json /text < 4"), "; json /text is \"up and well\", expected < 4");
  EXPECT_EQ(judged("json /list matches a"), "; json /list is an array of 2, expected matches a");
  EXPECT_THAT(judged("json /ready == true", "<html>"),
              StartsWith("; json /ready is missing (the body is no JSON: parse error at line 1"));
}

TEST(Expectation, HostileJsonIsRefused) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_THAT(judged("json /0 == 1", deep), HasSubstr("nested deeper than 64 levels"));
  std::string deep_object;
  for (int i = 0; i < 1000; ++i) deep_object += "{\"a\":";
  EXPECT_THAT(judged("json /a == 1", deep_object), HasSubstr("nested deeper than 64 levels"));
  std::string many = "[0";
  for (int i = 0; i < 200'000; ++i) many += ",0";
  EXPECT_THAT(judged("json /0 == 0", many + "]"), HasSubstr("more than 50000 values"));
  EXPECT_EQ(judged("json /0 == 0", "[" + std::string(60, '[') + std::string(60, ']') + "]"),
            "; json /0 is an array of 1, expected == 0");
  EXPECT_THAT(judged("json /0 == 0", "[\"\xff\"]"), HasSubstr("no JSON"));
  EXPECT_THAT(judged("json /0 == 0", "[1e999]"), HasSubstr("no JSON"));
  EXPECT_THAT(judged("json /0 == 0", ""), HasSubstr("no JSON"));
}

TEST(Expectation, TheSeverityMayBeLess) {
  const Facts slow{.status = 200, .latency_ms = 700};
  const std::vector<Expectation> both = {parse_expectation("warning: latency < 500ms", any_subject),
                                         parse_expectation("critical: latency < 1s", any_subject)};
  CheckResult result{.status = Status::ok};
  judge(both, slow, result);
  EXPECT_EQ(result.status, Status::warning);

  const Facts slower{.status = 200, .latency_ms = 1700};
  result = {.status = Status::ok};
  judge(both, slower, result);
  EXPECT_EQ(result.status, Status::critical);
  EXPECT_EQ(result.message,
            "; latency is 1700.0 ms, expected < 500ms; latency is 1700.0 ms, expected < 1s");
}

TEST(Expectation, AFailureNeverMakesItBetterAndIsBounded) {
  CheckResult result{.status = Status::critical, .message = "bad"};
  judge({}, {}, result);
  EXPECT_EQ(result.status, Status::critical);
  const std::vector<Expectation> many(10, parse_expectation("warning: status == 1", any_subject));
  judge(many, {}, result);
  EXPECT_EQ(result.status, Status::critical);
  EXPECT_THAT(result.message, AllOf(StartsWith("bad; status is 0"), HasSubstr("; and 7 more")));
}

TEST(ExpectationParser, PointsAtTheMistake) {
  const auto is_at = [](std::string_view condition, std::size_t offset, std::string_view says) {
    const Mistake mistake = mistake_in(condition);
    EXPECT_EQ(mistake.offset, offset) << condition << ": " << mistake.message;
    EXPECT_THAT(mistake.message, HasSubstr(std::string(says))) << condition;
  };
  is_at("", 0, "a condition begins with what it is about (there are 'status', 'latency',");
  is_at("latncy < 5ms", 0, "'latncy' is nothing to look at here; did you mean 'latency'?");
  is_at("warnign: status == 1", 0, "'warnign' is no severity; did you mean 'warning'?");
  is_at("warning: stats == 1", 9, "did you mean 'status'?");
  is_at("status", 6, "an operator must follow");
  is_at("status = 200", 7, "'=' is no operator for this; did you mean '=='?");
  is_at("status =< 200", 7, "'=<' is no operator");
  is_at("status ~= 200", 7, "'~=' is no operator");
  is_at("status contains 2", 7, "there are '==', '!=', '<'");
  is_at("body < 3", 5, "there are '==', '!=', 'contains', 'matches'");
  is_at("body containz x", 5, "did you mean 'contains'?");
  is_at("status <", 8, "a value must follow");
  is_at("status < 20x", 9, "'20x' must be a number");
  is_at("latency < 500", 10, "a duration: 500ms");
  is_at("latency < 500 ms", 10, "a duration");
  is_at("size < 1MB2", 7, "a size");
  is_at("days_left > soon", 12, "a number of days");
  is_at("status < 200 ok", 13, "put a value that has blanks in quotes");
  is_at("body contains \"open", 14, "the quote is not closed");
  is_at("header == json", 7, "the name of a header must follow");
  is_at("header a:b == json", 7, "the name of a header must follow");
  is_at("json ready == true", 5, "a JSON pointer must follow");
  is_at("json == true", 5, "a JSON pointer must follow");
  is_at("json /a~b == true", 7, "'~' is written ~0");
  is_at("body matches \"ab(c\"", 14, "bad pattern: missing )");
  is_at("body matches a[z-a]", 15, "bad pattern: invalid character class range");
}

TEST(ExpectationParser, KnowsWhatThereIsToLookAt) {
  EXPECT_EQ(mistake_in("days_left > 3", {Subject::latency, Subject::days_left}).message,
            "it was taken");
  EXPECT_THAT(mistake_in("body == x", {Subject::latency, Subject::days_left}).message,
              HasSubstr("(there are 'latency', 'days_left')"));
}

TEST(ExpectationParser, BoundsWhatItRepeats) {
  const std::string long_word(4000, 'x');
  EXPECT_LT(mistake_in(long_word).message.size(), 300U);
  EXPECT_LT(judged("body == \"" + long_word + "\"").size(), 300U);
  EXPECT_LT(judged("json /" + long_word + " == 1").size(), 300U);
}

/// "line:column: message" of each mistake in a table of `text`.
std::vector<std::string> errors_of(std::string_view text) {
  const toml::table table = toml::parse(text);
  std::vector<ConfigError> errors;
  Settings settings(table, "check 'x'", "f.toml", errors);
  (void)read_expectations(settings, any_subject);
  std::vector<std::string> texts;
  for (const ConfigError& error : errors) texts.push_back(error.to_string());
  return texts;
}

TEST(ExpectationParser, ErrorsHaveTheirColumnInTheFile) {
  EXPECT_THAT(errors_of("a = 1\nexpect = [\"status < 300\", \"status < x\"]\n"),
              ElementsAre(HasSubstr("f.toml:2:37: check 'x': 'expect': 'x' must be a number")));
  EXPECT_THAT(errors_of("expect = [\n  'json /a == 1',\n  'bdy == 1',\n]\n"),
              ElementsAre(HasSubstr("f.toml:3:4: check 'x': 'expect': 'bdy' is nothing")));
  // Characters count, not bytes.
  EXPECT_THAT(errors_of("expect = ['body == \xc3\xa4\xc3\xb6 x']\n"),
              ElementsAre(HasSubstr("f.toml:1:23: ")));
  EXPECT_THAT(errors_of("expect = 'status < 300'\n"), ElementsAre(HasSubstr("an array")));
}

TEST(ExpectationParser, WhereTheTextIsEscapedTheCharacterIsTold) {
  EXPECT_THAT(errors_of("expect = [\"body == \\\"a\\\" x\"]\n"),
              ElementsAre(AllOf(HasSubstr("f.toml:1:11: "), HasSubstr("(at character 13 of it)"))));
  EXPECT_THAT(errors_of("expect = [\"\"\"status < x\"\"\"]\n"),
              ElementsAre(AllOf(HasSubstr("f.toml:1:11: "), HasSubstr("(at character 10 of it)"))));
  EXPECT_THAT(errors_of("expect = ['''\nstatus < x''']\n"),
              ElementsAre(HasSubstr("(at character 10 of it)")));
}

TEST(JsonLiteral, IsTextUnlessItIsSomethingElse) {
  EXPECT_EQ(json_literal("true", false), "true");
  EXPECT_EQ(json_literal("-1.5e3", false), "-1.5e3");
  EXPECT_EQ(json_literal("up", false), "\"up\"");
  EXPECT_EQ(json_literal("[1]", false), "\"[1]\"");
  EXPECT_EQ(json_literal("true", true), "\"true\"");
  EXPECT_THROW((void)json_literal("\xff", false), JsonError);
}

}  // namespace
}  // namespace health
