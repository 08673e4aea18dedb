#include "expectation_parser.hpp"

#include "checkers/text.hpp"
#include "display.hpp"
#include "json_document.hpp"
#include "settings.hpp"
#include "suggest.hpp"
#include "units.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <re2/re2.h>

namespace health {
namespace {

constexpr std::size_t longest_in_messages = 100;

template <class Meaning>
struct Word {
  std::string_view text;
  Meaning meaning;
};

constexpr Word<Subject> subject_words[] = {
    {"status", Subject::status}, {"latency", Subject::latency},
    {"size", Subject::size},     {"days_left", Subject::days_left},
    {"body", Subject::body},     {"header", Subject::header},
    {"json", Subject::json}};

constexpr Word<Operator> operator_words[] = {
    {"==", Operator::equal},          {"!=", Operator::unequal},     {"<", Operator::less},
    {"<=", Operator::at_most},        {">", Operator::greater},      {">=", Operator::at_least},
    {"contains", Operator::contains}, {"matches", Operator::matches}};

constexpr Word<Status> severity_words[] = {{"warning", Status::warning},
                                           {"critical", Status::critical}};

/// "'a', 'b'"
std::string listed(const std::vector<std::string_view>& words) {
  std::string all;
  for (const std::string_view word : words) {
    all += (all.empty() ? "'" : ", '") + std::string(word) + "'";
  }
  return all;
}

std::string word_text(std::string_view word) { return "'" + cut(printable(word), 40) + "'"; }

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_sign(char c) { return c == '=' || c == '!' || c == '<' || c == '>'; }
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

bool asks_text(Subject subject) { return subject == Subject::body || subject == Subject::header; }

bool goes_with(Operator op, Subject subject) {
  if (subject == Subject::json || op == Operator::equal || op == Operator::unequal) return true;
  return (op == Operator::contains || op == Operator::matches) == asks_text(subject);
}

/// A number without a unit, or nothing.
std::optional<double> plain_number(std::string_view text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  if (error != std::errc{} || rest != end || text.empty() || !(value >= -1e15 && value <= 1e15)) {
    return std::nullopt;
  }
  return value;
}

std::optional<double> parse_milliseconds(std::string_view text) {
  const auto duration = parse_duration(text);
  if (!duration) return std::nullopt;
  return static_cast<double>(duration->count());
}

std::optional<double> parse_size(std::string_view text) {
  const auto bytes = parse_bytes(text);
  if (!bytes) return std::nullopt;
  return static_cast<double>(*bytes);
}

std::optional<double> parse_days(std::string_view text) {
  constexpr double per_day = 86'400'000;
  if (const auto number = plain_number(text)) return number;
  const auto duration = parse_milliseconds(text);
  return duration ? std::optional(*duration / per_day) : std::nullopt;
}

class ConditionParser {
 public:
  ConditionParser(std::string_view text, const std::vector<Subject>& subjects)
      : text_(text), subjects_(subjects) {}

  Expectation parse() {
    read_severity();
    read_subject();
    result_.what = for_messages(subject_at_);
    skip_blanks();
    const std::size_t wanted_at = at_;
    read_operator();
    read_value();
    result_.wanted = for_messages(wanted_at);
    skip_blanks();
    if (at_ < text_.size()) {
      fail(at_, "the condition ends before this: put a value that has blanks in quotes");
    }
    return std::move(result_);
  }

 private:
  [[noreturn]] static void fail(std::size_t at, const std::string& message) {
    throw ExpectationError(at, message);
  }

  /// What was read since `begin`.
  [[nodiscard]] std::string for_messages(std::size_t begin) const {
    return cut(printable(trimmed(text_.substr(begin, at_ - begin))), longest_in_messages);
  }

  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }

  template <class Belongs>
  std::string_view take_while(Belongs belongs) {
    const std::size_t begin = at_;
    while (at_ < text_.size() && belongs(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  void read_severity() {
    skip_blanks();
    const std::size_t begin = at_;
    const std::string_view word = take_while(is_letter);
    if (at_ == text_.size() || text_[at_] != ':') {
      at_ = begin;
      return;
    }
    const auto* const known = std::ranges::find(severity_words, word, &Word<Status>::text);
    if (known == std::end(severity_words)) {
      const std::vector<std::string_view> words = {"warning", "critical"};
      fail(begin, word_text(word) + " is no severity" + suggestion(word, words) + " (there are " +
                      listed(words) + ")");
    }
    result_.severity = known->meaning;
    ++at_;
  }

  void read_subject() {
    skip_blanks();
    subject_at_ = at_;
    const std::string_view word = take_while(is_letter);
    std::vector<std::string_view> words;
    for (const auto& known : subject_words) {
      if (std::ranges::find(subjects_, known.meaning) == subjects_.end()) continue;
      words.push_back(known.text);
      if (known.text == word) {
        result_.subject = known.meaning;
        read_argument();
        return;
      }
    }
    const std::string all = " (there are " + listed(words) + ")";
    if (word.empty()) fail(subject_at_, "a condition begins with what it is about" + all);
    fail(subject_at_,
         word_text(word) + " is nothing to look at here" + suggestion(word, words) + all);
  }

  void read_argument() {
    if (result_.subject != Subject::header && result_.subject != Subject::json) return;
    skip_blanks();
    const std::size_t begin = at_;
    const bool in_quotes = at_ < text_.size() && text_[at_] == '"';
    std::string argument =
        in_quotes ? read_quoted()
                  : std::string(take_while([](char c) { return !is_blank(c) && !is_sign(c); }));
    if (result_.subject == Subject::json) {
      require_pointer(argument, begin, in_quotes);
      result_.argument = std::move(argument);
      return;
    }
    if (argument.empty() || !std::ranges::all_of(argument, [](char c) {
          return is_letter(c) ||
                 std::string_view("!#$%&'*+.^`|~").find(c) != std::string_view::npos;
        })) {
      fail(begin, "the name of a header must follow: header content-type contains json");
    }
    result_.argument = lower(argument);
  }

  static void require_pointer(const std::string& pointer, std::size_t begin, bool in_quotes) {
    if (pointer.empty() && in_quotes) return;  // the document
    if (pointer.empty() || pointer[0] != '/') {
      fail(begin, "a JSON pointer must follow: json /status/ready == true");
    }
    for (std::size_t i = pointer.find('~'); i != std::string::npos; i = pointer.find('~', i + 1)) {
      const char next = i + 1 < pointer.size() ? pointer[i + 1] : ' ';
      if (next == '0' || next == '1') continue;
      fail(begin + (in_quotes ? 0 : i),
           "in a JSON pointer '~' is written ~0, and '/' in a name ~1");
    }
  }

  void read_operator() {
    const std::size_t begin = at_;
    std::string_view word = take_while(is_letter);
    // Also those of others: "=~".
    if (word.empty()) word = take_while([](char c) { return is_sign(c) || c == '~'; });
    std::vector<std::string_view> words;
    for (const auto& known : operator_words) {
      if (!goes_with(known.meaning, result_.subject)) continue;
      words.push_back(known.text);
      if (known.text == word) {
        result_.op = known.meaning;
        return;
      }
    }
    const std::string all = "there are " + listed(words);
    if (word.empty()) fail(begin, "an operator must follow: " + all);
    fail(begin,
         word_text(word) + " is no operator for this" + suggestion(word, words) + " (" + all + ")");
  }

  void read_value() {
    skip_blanks();
    const std::size_t begin = at_;
    const bool in_quotes = at_ < text_.size() && text_[at_] == '"';
    const std::string value =
        in_quotes ? read_quoted() : std::string(take_while([](char c) { return !is_blank(c); }));
    if (value.empty() && !in_quotes) fail(begin, "a value must follow");

    if (result_.op == Operator::matches) {
      const std::size_t quotes = in_quotes ? 2 : 0;
      const bool as_it_is = at_ - begin == value.size() + quotes;
      set_regex(value, begin + quotes / 2, as_it_is);
    } else if (result_.subject == Subject::json) {
      set_json(value, begin, in_quotes);
    } else if (asks_text(result_.subject)) {
      result_.text = value;
    } else {
      set_number(value, begin);
    }
  }

  void set_number(const std::string& value, std::size_t begin) {
    std::optional<double> number;
    const char* must_be = "";
    switch (result_.subject) {
      case Subject::latency:
        number = parse_milliseconds(value);
        must_be = "a duration: 500ms, 2s";
        break;
      case Subject::size:
        number = parse_size(value);
        must_be = "a size: 512, 4k, 1MiB";
        break;
      case Subject::days_left:
        number = parse_days(value);
        must_be = "a number of days: 14, 14d";
        break;
      default:
        number = plain_number(value);
        must_be = "a number: 200";
    }
    if (!number) fail(begin, word_text(value) + " must be " + must_be);
    result_.number = *number;
  }

  void set_json(const std::string& value, std::size_t begin, bool in_quotes) {
    try {
      result_.text = json_literal(value, in_quotes);
    } catch (const JsonError& error) {
      fail(begin, error.what());
    }
  }

  void set_regex(const std::string& pattern, std::size_t begin, bool as_it_is) {
    re2::RE2::Options quiet;
    quiet.set_log_errors(false);
    // Bodies are bytes; as UTF-8 RE2 would match nothing in one that is not.
    quiet.set_encoding(re2::RE2::Options::EncodingLatin1);
    auto regex = std::make_shared<const re2::RE2>(pattern, quiet);
    if (!regex->ok()) {
      // RE2 tells which part is wrong, not where it is.
      const std::size_t part = as_it_is ? pattern.find(regex->error_arg()) : 0;
      fail(begin + std::min(part, pattern.size()), "bad pattern: " + regex->error());
    }
    result_.regex = std::move(regex);
  }

  std::string read_quoted() {
    const std::size_t begin = at_++;
    std::string value;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        return value;
      }
      // Before anything else a backslash is itself, for patterns.
      const bool escapes = text_[at_] == '\\' && at_ + 1 < text_.size() &&
                           (text_[at_ + 1] == '"' || text_[at_ + 1] == '\\');
      if (escapes) ++at_;
      value += text_[at_];
    }
    fail(begin, "the quote is not closed");
  }

  const std::string_view text_;
  const std::vector<Subject>& subjects_;
  std::size_t at_ = 0;
  std::size_t subject_at_ = 0;
  Expectation result_;
};

}  // namespace

Expectation parse_expectation(std::string_view text, const std::vector<Subject>& subjects) {
  return ConditionParser(text, subjects).parse();
}

std::vector<Expectation> read_expectations(Settings& settings,
                                           const std::vector<Subject>& subjects) {
  std::vector<Expectation> expectations;
  for (const Settings::ListedText& entry : settings.listed_texts("expect")) {
    try {
      expectations.push_back(parse_expectation(entry.text, subjects));
    } catch (const ExpectationError& error) {
      settings.error_within(entry, error.offset(), std::string("'expect': ") + error.what());
    }
  }
  return expectations;
}

}  // namespace health
