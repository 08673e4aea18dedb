#pragma once
// Expectation: what must hold of what a check has found, as one line of the configuration.
//
//   expect = ["status < 300", "latency < 500ms", 'json /ready == true',
//             'body matches "(?i)welcome"', "header content-type contains json",
//             "warning: days_left > 14"]
//
//   condition = [ ("warning" | "critical") ":" ] subject operator value
//   subject   = "status"             the code of an HTTP answer
//             | "latency"            value: "500ms", "2s"
//             | "size"               of the body; value: "1MiB", "4k", 512
//             | "days_left"          until the certificate expires; value: 14, "14d"
//             | "body"
//             | "header" NAME        of several with that name the values, joined by ", "
//             | "json" POINTER       what RFC 6901 points to in the body: /checks/0/name
//   operator  = "==" | "!=" | "<" | "<=" | ">" | ">="    numbers; and json: two numbers or texts
//             | "==" | "!=" | "contains" | "matches"     text; "matches" is RE2's, anywhere in it
//   value     = a word without blanks | '"' any text, with \" and \\ '"'
//
// A json value without quotes is true, false, null, a number, or text; in quotes it is text.
// "contains" asks an array for an element and an object for a member.
// What is not there (a header, a json value, JSON at all) meets no condition, not even "!=".
// A condition that does not hold is critical, unless it says "warning:".

#include "base_checker.hpp"
#include "checkers/http_header.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace health {

enum class Subject { status, latency, size, days_left, body, header, json };
enum class Operator { equal, unequal, less, at_most, greater, at_least, contains, matches };

/// A condition, as the parser (expectation_parser.hpp) understood it.
struct Expectation {
  Status severity = Status::critical;
  Subject subject{};
  std::string argument;  ///< The header's name in lower case, or the JSON pointer.
  Operator op{};
  double number = 0;                      ///< To compare with: milliseconds, bytes, days.
  std::string text;                       ///< Or this; of json as JSON writes it.
  std::shared_ptr<const re2::RE2> regex;  ///< Of "matches".
  std::string what;                       ///< "json /ready", for messages.
  std::string wanted;                     ///< "== true", as it was written.
};

/// What a check has found. It refers to body and headers.
struct Facts {
  int status = 0;
  double latency_ms = 0;
  double size = 0;
  std::optional<double> days_left = {};
  std::string_view body = {};
  std::span<const HttpHeader> headers = {};
};

/// Whether `a op b`; false for "contains" and "matches", which ask something else.
template <class T>
bool compare(const T& a, Operator op, const T& b) {
  switch (op) {
    case Operator::equal:
      return a == b;
    case Operator::unequal:
      return a != b;
    case Operator::less:
      return a < b;
    case Operator::at_most:
      return a <= b;
    case Operator::greater:
      return a > b;
    case Operator::at_least:
      return a >= b;
    case Operator::contains:
    case Operator::matches:
      return false;
  }
  return false;
}

/// Adds to `result` what is not as expected: "; json /ready is false, expected == true", and the
/// status that follows.
void judge(std::span<const Expectation> expectations, const Facts& facts, CheckResult& result);

}  // namespace health
