// What must hold of any condition, and any answer that it is asked of: libFuzzer's entry. An input
// is a condition, up to the end of the line, and a body. Built and run by run.sh.

#include "display.hpp"
#include "expectation.hpp"
#include "expectation_parser.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using health::CheckResult;
using health::Expectation;
using health::Operator;
using health::Status;
using health::Subject;

const std::vector<Subject> every_subject = {Subject::status,    Subject::latency, Subject::size,
                                            Subject::days_left, Subject::body,    Subject::header,
                                            Subject::json};

void require_of_condition(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "expectation_fuzz: does not hold: %s\n", what);
  std::abort();
}

std::optional<Expectation> parsed(std::string_view text) {
  try {
    return health::parse_expectation(text, every_subject);
  } catch (const health::ExpectationError& error) {
    require_of_condition(error.offset() <= text.size(), "the column exists");
    require_of_condition(error.what()[0] != '\0', "there is a message");
    require_of_condition(std::string_view(error.what()).size() < 400, "the message is bounded");
    return std::nullopt;
  }
}

CheckResult judged(const Expectation& expectation, std::string_view body) {
  const std::array<health::HttpHeader, 2> headers = {{{"a", "1"}, {"content-type", "json"}}};
  const health::Facts facts{.status = 200,
                            .latency_ms = 12,
                            .size = static_cast<double>(body.size()),
                            .days_left = 20,
                            .body = body,
                            .headers = headers};
  CheckResult result{.status = Status::ok};
  health::judge(std::span(&expectation, 1), facts, result);
  return result;
}

void check_judgement(Expectation expectation, std::string_view body) {
  const CheckResult result = judged(expectation, body);
  require_of_condition(result.message.empty() == (result.status == Status::ok),
                       "who fails says why");
  require_of_condition(result.status == Status::ok || result.status == expectation.severity,
                       "the severity is that of the condition");
  require_of_condition(result.message.size() < 1000, "the message is bounded");

  if (expectation.op != Operator::equal) return;
  expectation.op = Operator::unequal;
  const CheckResult opposite = judged(expectation, body);
  const bool missing = result.message.find(" is missing") != std::string::npos;
  require_of_condition(missing ? opposite.status != Status::ok
                               : (opposite.status == Status::ok) != (result.status == Status::ok),
                       "'==' and '!=' are opposites, of what is there");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\n'), input.size());
  // Copies of their own, so that AddressSanitizer sees what reads beyond them.
  const std::string text(input.substr(0, end));
  const std::string body(input.substr(std::min(end + 1, input.size())));
  const std::optional<Expectation> expectation = parsed(text);
  if (!expectation) return 0;
  require_of_condition(health::printable(expectation->wanted) == expectation->wanted,
                       "what is shown is printable");
  check_judgement(*expectation, body);
  return 0;
}
