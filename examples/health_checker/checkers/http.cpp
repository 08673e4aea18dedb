#include "checkers/http.hpp"

#include "checkers/kinds.hpp"
#include "checkers/text.hpp"
#include "checkers/tls_keys.hpp"
#include "display.hpp"
#include "expectation_parser.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <stdexcept>

#include <re2/re2.h>

namespace health {
namespace {

/// "200" or "200-299".
std::optional<std::pair<int, int>> parse_status_range(std::string_view text) {
  std::pair<int, int> range;
  const char* const end = text.data() + text.size();
  auto parsed = std::from_chars(text.data(), end, range.first);
  if (parsed.ec != std::errc{}) return std::nullopt;
  range.second = range.first;
  if (parsed.ptr != end && *parsed.ptr == '-') {
    parsed = std::from_chars(parsed.ptr + 1, end, range.second);
    if (parsed.ec != std::errc{}) return std::nullopt;
  }
  const bool sensible = range.first >= 100 && range.first <= range.second && range.second <= 999;
  return parsed.ptr == end && sensible ? std::optional(range) : std::nullopt;
}

/// "Name: value", so that it stays one line of the request.
bool is_header_line(std::string_view line) {
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  constexpr std::string_view not_in_names = "()<>@,;:\\\"/[]?={} \t";
  const auto control = [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; };
  return colon != std::string_view::npos && !name.empty() &&
         name.find_first_of(not_in_names) == std::string_view::npos &&
         std::ranges::none_of(line, control);
}

/// What every request has already.
bool is_own_header(std::string_view line) {
  const std::string name = lower(line.substr(0, line.find(':')));
  return name == "host" || name == "connection" || name == "content-length" ||
         name == "transfer-encoding";
}

std::unique_ptr<const re2::RE2> make_regex(const std::string& pattern) {
  if (pattern.empty()) return nullptr;
  re2::RE2::Options quiet;
  quiet.set_log_errors(false);
  // Bodies are bytes; as UTF-8 RE2 would match nothing in one that is not.
  quiet.set_encoding(re2::RE2::Options::EncodingLatin1);
  auto regex = std::make_unique<re2::RE2>(pattern, quiet);
  if (!regex->ok()) throw std::invalid_argument("bad pattern: " + regex->error());
  return regex;
}

}  // namespace

HttpChecker::HttpChecker(HttpOptions options, rouse::BufferPool& pool)
    : options_(std::move(options)),
      limits_{.pool = pool, .cap = options_.body_cap},
      tls_(options_.tls),
      body_regex_(make_regex(options_.body_regex)) {
  const bool may_need_tls = options_.request.url.tls || options_.request.redirects > 0;
  if (tls_ == nullptr && may_need_tls) tls_ = TlsContext::make({});
}

HttpChecker::~HttpChecker() = default;

CheckResult HttpChecker::check(std::stop_token) {
  const auto started = std::chrono::steady_clock::now();
  try {
    const HttpExchange exchange =
        http_exchange(options_.request, limits_, options_.resolver, tls_.get());
    return judge(exchange, milliseconds(std::chrono::steady_clock::now() - started));
  } catch (const TargetError& error) {
    return verdict(Status::critical, error.what());
  }
}

CheckResult HttpChecker::judge(const HttpExchange& exchange, double latency_ms) const {
  const HttpAnswer& answer = exchange.answer;
  const std::string_view body = answer.body.text();
  CheckResult result;
  result.status = options_.latency_ms.grade(latency_ms);
  result.message = std::to_string(answer.status);
  if (!answer.reason.empty()) result.message += " " + first_line(answer.reason, 80);
  result.message += " in " + number_text(latency_ms, 1) + " ms";
  if (exchange.redirects > 0) {
    result.message += " after " + std::to_string(exchange.redirects) +
                      (exchange.redirects == 1 ? " redirect" : " redirects");
  }
  if (answer.cut) result.message += ", only " + bytes_text(body.size()) + " of it read";
  Facts facts{.status = answer.status,
              .latency_ms = latency_ms,
              .size = static_cast<double>(body.size()),
              .days_left = std::nullopt,
              .body = body,
              .headers = answer.headers};
  result.figures = {{"latency", latency_ms, "ms"}, {"size", facts.size, "B"}};
  if (exchange.certificate) {
    facts.days_left = exchange.certificate->days_left;
    result.figures.push_back({"days_left", *facts.days_left, "d"});
  }

  const bool expected = std::ranges::any_of(options_.expected, [&](auto range) {
    return range.first <= answer.status && answer.status <= range.second;
  });
  if (!expected) {
    result.status = Status::critical;
    result.message += ", an unexpected status";
  } else if (body_regex_ != nullptr &&
             !re2::RE2::PartialMatch(re2::StringPiece(body.data(), body.size()), *body_regex_)) {
    result.status = Status::critical;
    result.message += ", the body does not match /" + options_.body_regex + "/";
  } else if (result.status != Status::ok) {
    result.message += ", too slow";
  }
  health::judge(options_.expect, facts, result);
  return result;
}

namespace {

void read_request(Settings& settings, HttpRequest& request) {
  const std::string url = settings.required_text("url");
  try {
    if (!url.empty()) request.url = parse_url(url);
  } catch (const std::invalid_argument& error) {
    settings.error_at("url", std::string("'url': ") + error.what());
  }
  request.method =
      settings.choice("method", {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"});
  request.redirects = static_cast<int>(settings.integer("redirects", 0, 0, most_redirects));
  request.headers = settings.text_list("headers");
  for (const std::string& line : request.headers) {
    if (!is_header_line(line)) {
      settings.error_at("headers", "'headers': \"" + line + "\" is not \"Name: value\"");
    } else if (is_own_header(line)) {
      settings.error_at("headers", "'headers': \"" + line + "\" is for the checker to say");
    }
  }
  request.body = settings.text("body", "");
  const bool takes_body = request.method[0] == 'P' || request.method == "DELETE";
  if (!takes_body && !request.body.empty()) {
    settings.error_at("body", "'body': none is sent with " + request.method);
  }
}

void read_status(Settings& settings, HttpOptions& options) {
  const bool elsewhere = std::ranges::any_of(
      options.expect, [](const Expectation& one) { return one.subject == Subject::status; });
  if (elsewhere) options.expected = {{100, 999}};
  if (settings.has("status")) options.expected.clear();
  for (const std::string& text : settings.text_list("status")) {
    if (const auto range = parse_status_range(text)) {
      options.expected.push_back(*range);
    } else {
      settings.error_at("status", "'status': \"" + text + "\" is neither \"200\" nor \"200-299\"");
    }
  }
}

void read_latency(Settings& settings, Ceiling& latency_ms) {
  const auto read = [&](std::string_view key, double& threshold) {
    const auto value =
        settings.optional_duration(key, std::chrono::milliseconds(1), std::chrono::hours(24));
    if (value) threshold = milliseconds(*value);
  };
  read("latency_warning", latency_ms.warning);
  read("latency_critical", latency_ms.critical);
}

/// What there is to set conditions to.
std::vector<Subject> subjects_of(const HttpRequest& request) {
  std::vector<Subject> subjects = {Subject::status, Subject::latency, Subject::header};
  if (request.method != "HEAD") {
    subjects.insert(subjects.end(), {Subject::size, Subject::body, Subject::json});
  }
  if (request.url.tls || request.redirects > 0) subjects.push_back(Subject::days_left);
  return subjects;
}

}  // namespace

std::unique_ptr<BaseChecker> make_http(Settings& settings) {
  HttpOptions options;
  read_request(settings, options.request);
  options.expect = read_expectations(settings, subjects_of(options.request));
  read_status(settings, options);
  read_latency(settings, options.latency_ms);
  options.body_regex = settings.text("body_regex", "");
  if (options.request.method == "HEAD" && !options.body_regex.empty()) {
    settings.error_at("body_regex", "'body_regex': the answer to a HEAD has no body");
  }
  options.tls = read_tls_context(settings);
  options.resolver.servers = settings.text_list("dns_servers");

  try {
    return std::make_unique<HttpChecker>(options);
  } catch (const std::invalid_argument& error) {
    settings.error_at("body_regex", std::string("'body_regex': ") + error.what());
    options.body_regex.clear();
    return std::make_unique<HttpChecker>(options);
  }
}

}  // namespace health
