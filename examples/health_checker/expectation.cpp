#include "expectation.hpp"

#include "checkers/grade.hpp"
#include "checkers/text.hpp"
#include "json_document.hpp"

#include <utility>

#include <re2/re2.h>

namespace health {
namespace {

constexpr std::size_t longest_excerpt = 80;
constexpr int most_failures_told = 3;

std::string excerpt(std::string_view text) {
  const std::string line = first_line(text, longest_excerpt);
  return "\"" + line + (line.size() < trimmed(text).size() ? "\"..." : "\"");
}

bool text_holds(std::string_view text, const Expectation& expected) {
  switch (expected.op) {
    case Operator::equal:
      return text == expected.text;
    case Operator::unequal:
      return text != expected.text;
    case Operator::contains:
      return text.find(expected.text) != std::string_view::npos;
    case Operator::matches:
      return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *expected.regex);
    default:
      return false;
  }
}

/// Asks facts for conditions. The body is parsed as JSON when that is first needed.
class Judge {
 public:
  explicit Judge(const Facts& facts) : facts_(facts) {}

  /// What was found instead: "503", "missing"; nothing if the condition holds.
  std::optional<std::string> mismatch(const Expectation& expected) {
    switch (expected.subject) {
      case Subject::status:
        return number(expected, facts_.status, std::to_string(facts_.status));
      case Subject::latency:
        return number(expected, facts_.latency_ms, number_text(facts_.latency_ms, 1) + " ms");
      case Subject::size:
        return number(expected, facts_.size, bytes_text(static_cast<std::uint64_t>(facts_.size)));
      case Subject::days_left:
        if (!facts_.days_left) return "missing";
        return number(expected, *facts_.days_left, number_text(*facts_.days_left, 1));
      case Subject::body:
        if (text_holds(facts_.body, expected)) return std::nullopt;
        return facts_.body.empty() ? "empty" : excerpt(facts_.body);
      case Subject::header:
        return header(expected);
      case Subject::json:
        return json(expected);
    }
    return "?";
  }

 private:
  static std::optional<std::string> number(const Expectation& expected, double value,
                                           std::string text) {
    if (compare(value, expected.op, expected.number)) return std::nullopt;
    return text;
  }

  std::optional<std::string> header(const Expectation& expected) const {
    const auto value = find_header(facts_.headers, expected.argument);
    if (!value) return "missing";
    if (text_holds(*value, expected)) return std::nullopt;
    return excerpt(*value);
  }

  std::optional<std::string> json(const Expectation& expected) {
    const JsonDocument* const document = parsed_body();
    if (document == nullptr) return "missing (the body is no JSON: " + json_problem_ + ")";
    const JsonDocument::Found found = document->find(expected.argument);
    if (!found.there) return "missing";
    const bool holds = expected.op == Operator::matches
                           ? found.is_text && text_holds(found.text, expected)
                           : document->holds(expected.argument, expected.op, expected.text);
    if (holds) return std::nullopt;
    return found.shown;
  }

  const JsonDocument* parsed_body() {
    if (json_ || !json_problem_.empty()) return json_ ? &*json_ : nullptr;
    try {
      return &json_.emplace(facts_.body);
    } catch (const JsonError& error) {
      json_problem_ = first_line(error.what(), 200);
      return nullptr;
    }
  }

  const Facts& facts_;
  std::optional<JsonDocument> json_;
  std::string json_problem_;
};

}  // namespace

void judge(std::span<const Expectation> expectations, const Facts& facts, CheckResult& result) {
  Judge judge(facts);
  int failed = 0;
  for (const Expectation& expected : expectations) {
    const auto found = judge.mismatch(expected);
    if (!found) continue;
    result.status = worse(result.status, expected.severity);
    if (++failed > most_failures_told) continue;
    result.message += "; " + expected.what + " is " + *found + ", expected " + expected.wanted;
  }
  if (failed > most_failures_told) {
    result.message += "; and " + std::to_string(failed - most_failures_told) + " more";
  }
}

}  // namespace health
