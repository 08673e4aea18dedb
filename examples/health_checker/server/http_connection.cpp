#include "server/http_connection.hpp"

#include "rouse/wait/stop_scope.hpp"
#include "rouse/wait/this_thread.hpp"
#include "rouse/wait/wait_status.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/serializer.hpp>

namespace health {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using Clock = std::chrono::steady_clock;

constexpr std::size_t write_step = std::size_t{64} * 1024;

/// Calls `f`, whose waits end at `limit`, or after it: then it returns false. A stop stays a stop.
template <class When, class F>
bool ends_within(const When& limit, F f) {
  rouse::StopScope scope = rouse::StopScope::with_deadline(limit, rouse::this_thread::stop_token());
  try {
    const rouse::this_thread::Bind bind(scope);
    f();
    return true;
  } catch (const rouse::Stopped&) {
    if (scope.reason().kind != rouse::StopReason::deadline) throw;
    return false;
  }
}

// Not by strftime, whose names depend on the locale.
std::string http_date() {
  constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s, %02d %s %d %02d:%02d:%02d GMT",
                days[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                months[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour,
                utc.tm_min, utc.tm_sec);
  return text.data();
}

[[noreturn]] void refuse_body() { throw Refusal(413, "a request with a body"); }

[[noreturn]] void refuse(const error_code& error) {
  if (error == http::error::header_limit) throw Refusal(431, "a header that is too long");
  if (error == http::error::body_limit) refuse_body();
  throw Refusal(400, "not valid HTTP: " + error.message());
}

}  // namespace

HttpConnection::HttpConnection(Socket socket, const HttpLimits& limits)
    : socket_(std::move(socket)), limits_(limits) {}

std::optional<Request> HttpConnection::read() {
  if (last_) return std::nullopt;
  first_line_.clear();
  head_ = false;
  if (pending_.empty()) {
    bool received = false;
    const std::chrono::milliseconds limit = served_ == 0 ? limits_.header_time : limits_.idle_time;
    if (!ends_within(limit, [&] { received = receive(); }) || !received) return std::nullopt;
  }
  std::optional<Request> request;
  if (!ends_within(limits_.header_time, [&] { request = parse(); })) {
    throw Refusal(408, "a request that takes too long");
  }
  ++served_;
  last_ = last_ || served_ >= limits_.requests;
  return request;
}

Request HttpConnection::parse() {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(limits_.header));
  parser.body_limit(0);
  for (;;) {
    if (first_line_.empty() && !pending_.empty()) {
      first_line_ = pending_.substr(0, std::min(pending_.find_first_of("\r\n"), longest_target));
    }
    error_code error;
    pending_.erase(0, parser.put(boost::asio::buffer(pending_), error));
    const http::verb method = parser.get().method();
    const bool known = method == http::verb::get || method == http::verb::head;
    // First: that a POST has a body is not what is wrong with it.
    if (!known && (parser.is_header_done() || error == http::error::body_limit)) {
      throw Refusal(405, "a method other than GET and HEAD");
    }
    if (error && error != http::error::need_more) refuse(error);
    if (parser.is_header_done()) break;
    if (pending_.size() >= limits_.header) refuse(http::error::header_limit);
    if (!receive()) throw Refusal(400, "a request that ends too early");
  }
  if (!parser.is_done()) refuse_body();

  const auto& message = parser.get();
  last_ = !message.keep_alive();
  head_ = message.method() == http::verb::head;
  const auto hosts = message.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && message.version() >= 11)) {
    throw Refusal(400, "not one Host header");
  }
  Request request{.head = head_,
                  .target = std::string(message.target()),
                  .host = {},
                  .authorization = std::string(message[http::field::authorization])};
  if (hosts == 1) request.host = std::string(message[http::field::host]);
  return request;
}

bool HttpConnection::receive() {
  std::array<char, 4096> buffer;
  const std::size_t got = socket_.read(buffer);
  pending_.append(buffer.data(), got);
  return got > 0;
}

std::string HttpConnection::header_of(const Response& response, bool stream) const {
  http::response<http::empty_body> message(
      http::int_to_status(static_cast<unsigned>(response.status)), 11);
  message.set(http::field::date, http_date());
  message.set(http::field::content_type, response.type);
  if (!stream) message.content_length(response.body.size());
  for (const auto& [name, value] : response.headers) message.set(name, value);
  message.keep_alive(!last_);

  http::response_serializer<http::empty_body> serializer(message);
  std::string header;
  error_code error;
  while (!error && !serializer.is_done()) {
    serializer.next(error, [&](error_code&, const auto& buffers) {
      std::size_t all = 0;
      for (const boost::asio::const_buffer part : boost::beast::buffers_range_ref(buffers)) {
        header.append(static_cast<const char*>(part.data()), part.size());
        all += part.size();
      }
      serializer.consume(all);
    });
  }
  return header;
}

void HttpConnection::send(const Response& response) {
  const auto end = Clock::now() + limits_.answer_time;
  std::string header = header_of(response, false);
  if (head_) return write(header, end);
  // A small answer in one packet.
  const std::size_t beside = std::min(response.body.size(), write_step);
  write(header.append(response.body, 0, beside), end);
  write(std::string_view(response.body).substr(beside), end);
}

void HttpConnection::send_last(const Response& response) {
  last_ = true;
  send(response);
}

void HttpConnection::linger() {
  constexpr std::size_t most = std::size_t{256} * 1024;
  ::shutdown(socket_.fd(), SHUT_WR);
  std::array<char, 4096> buffer;
  (void)ends_within(limits_.linger_time, [&] {
    std::size_t all = 0;
    for (std::size_t got = 1; got > 0 && all < most; all += got) got = socket_.read(buffer);
  });
}

void HttpConnection::begin_stream(const Response& head) {
  last_ = true;  // only the end of the connection ends it
  write(header_of(head, true));
}

void HttpConnection::write(std::string_view data) { write(data, Clock::time_point::max()); }

void HttpConnection::write(std::string_view data, Clock::time_point end) {
  while (!data.empty()) {
    const std::string_view step = data.substr(0, write_step);
    const auto limit = std::min(Clock::now() + limits_.write_time, end);
    if (!ends_within(limit, [&] { socket_.write_all(step); })) {
      throw TargetError("the client does not read, or too slowly");
    }
    data.remove_prefix(step.size());
  }
}

}  // namespace health
