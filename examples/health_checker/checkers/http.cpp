#include "checkers/http.hpp"

#include "checkers/http_answer.hpp"
#include "checkers/kinds.hpp"
#include "checkers/text.hpp"

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

std::string make_request(const HttpOptions& options) {
  std::string request = (options.head ? "HEAD " : "GET ") + options.url.target + " HTTP/1.1\r\n";
  request += "Host: " + options.url.host_header() + "\r\n";
  request += "User-Agent: rouse-health-checker\r\nConnection: close\r\n";
  for (const std::string& header : options.headers) request += header + "\r\n";
  return request + "\r\n";
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

HttpChecker::HttpChecker(HttpOptions options)
    : options_(std::move(options)),
      request_(make_request(options_)),
      body_regex_(make_regex(options_.body_regex)) {}

HttpChecker::~HttpChecker() = default;

CheckResult HttpChecker::check(std::stop_token) {
  const auto started = std::chrono::steady_clock::now();
  try {
    const Url& url = options_.url;
    Socket socket = Socket::connect(resolve(url.host, url.port, options_.resolver));
    socket.write_all(request_);
    const HttpAnswer answer = read_http_answer(socket, options_.head, options_.body_cap);
    return judge(answer, milliseconds(std::chrono::steady_clock::now() - started));
  } catch (const TargetError& error) {
    return verdict(Status::critical, error.what());
  }
}

CheckResult HttpChecker::judge(const HttpAnswer& answer, double latency_ms) const {
  CheckResult result;
  result.status = options_.latency_ms.grade(latency_ms);
  result.message = std::to_string(answer.status);
  if (!answer.reason.empty()) result.message += " " + first_line(answer.reason, 80);
  result.message += " in " + number_text(latency_ms, 1) + " ms";
  if (answer.cut) result.message += ", only " + bytes_text(options_.body_cap) + " of it read";
  result.figures = {{"latency", latency_ms, "ms"},
                    {"size", static_cast<double>(answer.body.size()), "B"}};

  const bool expected = std::ranges::any_of(options_.expected, [&](auto range) {
    return range.first <= answer.status && answer.status <= range.second;
  });
  if (!expected) {
    result.status = Status::critical;
    result.message += ", an unexpected status";
  } else if (body_regex_ != nullptr && !re2::RE2::PartialMatch(answer.body, *body_regex_)) {
    result.status = Status::critical;
    result.message += ", the body does not match /" + options_.body_regex + "/";
  } else if (result.status != Status::ok) {
    result.message += ", too slow";
  }
  return result;
}

std::unique_ptr<BaseChecker> make_http(Settings& settings) {
  using std::chrono::milliseconds;
  HttpOptions options;
  const std::string url = settings.required_text("url");
  try {
    if (!url.empty()) options.url = parse_url(url);
  } catch (const std::invalid_argument& error) {
    settings.error_at("url", std::string("'url': ") + error.what());
  }
  options.head = settings.choice("method", {"GET", "HEAD"}) == "HEAD";

  if (settings.has("status")) options.expected.clear();
  for (const std::string& text : settings.text_list("status")) {
    if (const auto range = parse_status_range(text)) {
      options.expected.push_back(*range);
    } else {
      settings.error_at("status", "'status': \"" + text + "\" is neither \"200\" nor \"200-299\"");
    }
  }
  const auto latency = [&](std::string_view key, double& threshold) {
    const auto value = settings.optional_duration(key, milliseconds(1), std::chrono::hours(24));
    if (value) threshold = health::milliseconds(*value);
  };
  latency("latency_warning", options.latency_ms.warning);
  latency("latency_critical", options.latency_ms.critical);

  options.headers = settings.text_list("headers");
  for (const std::string& line : options.headers) {
    if (!is_header_line(line)) {
      settings.error_at("headers", "'headers': \"" + line + "\" is not \"Name: value\"");
    }
  }
  options.body_regex = settings.text("body_regex", "");
  if (options.head && !options.body_regex.empty()) {
    settings.error_at("body_regex", "'body_regex': the answer to a HEAD has no body");
  }
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
