#include "checkers/http_exchange.hpp"

#include "checkers/text.hpp"
#include "checkers/tls_stream.hpp"
#include "display.hpp"

#include <algorithm>
#include <stdexcept>

namespace health {
namespace {

bool has_header(const std::vector<std::string>& lines, std::string_view prefix) {
  return std::ranges::any_of(
      lines, [&](const std::string& line) { return lower(line).starts_with(prefix); });
}

std::string request_text(const HttpRequest& request) {
  std::string text = request.method + " " + request.url.target + " HTTP/1.1\r\n";
  text += "Host: " + request.url.host_header() + "\r\n";
  if (!has_header(request.headers, "user-agent:")) text += "User-Agent: rouse-health-checker\r\n";
  text += "Connection: close\r\n";
  for (const std::string& header : request.headers) text += header + "\r\n";
  // Also of none, where a server may wait for one.
  if (!request.body.empty() || request.method.starts_with('P')) {
    text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  return text + "\r\n" + request.body;
}

/// What anybody may be told.
bool is_harmless_header(std::string_view line) {
  const std::string name = lower(line.substr(0, line.find(':')));
  return name == "accept" || name == "accept-language" || name == "accept-encoding" ||
         name == "accept-charset";
}

/// Where the answer sends us, if it does.
std::optional<std::string> redirect_of(const HttpAnswer& answer) {
  switch (answer.status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
      return find_header(answer.headers, "location");
    default:
      return std::nullopt;
  }
}

class Exchange {
 public:
  Exchange(const HttpRequest& request, const BodyLimits& limits, const ResolverOptions& resolver,
           const TlsContext* context)
      : request_(request), limits_(limits), resolver_(resolver), context_(context) {}

  HttpExchange run() {
    for (int followed = 0;; ++followed) {
      HttpExchange result = ask();
      result.redirects = followed;
      const auto location = redirect_of(result.answer);
      if (request_.redirects == 0 || !location) return result;
      if (followed == request_.redirects) {
        throw TargetError("more than " + std::to_string(followed) +
                          (followed == 1 ? " redirect" : " redirects") + ", the next to " +
                          first_line(*location, 200));
      }
      follow(result.answer.status, *location);
      // Its block, if it has one, goes back before the next one is waited for.
    }
  }

 private:
  HttpExchange ask() const {
    const Url& url = request_.url;
    Socket socket = Socket::connect(resolve(url.host, url.port, resolver_));
    HttpExchange result;
    if (url.tls) {
      TlsStream stream(std::move(socket), *context_, url.host);
      result.certificate = stream.certificate();
      result.answer = ask(stream);
    } else {
      result.answer = ask(socket);
    }
    return result;
  }

  HttpAnswer ask(Stream& stream) const {
    stream.write_all(request_text(request_));
    return read_http_answer(stream, request_.method == "HEAD", limits_);
  }

  void follow(int status, const std::string& location) {
    const std::string to = "redirected to " + first_line(location, 200);
    Url url;
    try {
      url = redirected(request_.url, location);
    } catch (const std::invalid_argument& error) {
      throw TargetError(to + ", which is no URL to follow: " + error.what());
    }
    if (request_.url.tls && !url.tls) throw TargetError(to + ", from https to http");
    const bool repeats = status == 307 || status == 308;
    if (!repeats && request_.method != "HEAD" && (status == 303 || request_.method == "POST")) {
      request_.method = "GET";
      drop_body();
    }
    if (!url.same_origin(request_.url)) {
      if (!request_.body.empty()) throw TargetError(to + ", another server, with the body");
      if (changes_something()) {
        throw TargetError(to + ", another server, with a " + request_.method);
      }
      std::erase_if(request_.headers,
                    [](const std::string& line) { return !is_harmless_header(line); });
    }
    request_.url = std::move(url);
  }

  [[nodiscard]] bool changes_something() const {
    return request_.method != "GET" && request_.method != "HEAD" && request_.method != "OPTIONS";
  }

  void drop_body() {
    request_.body.clear();
    std::erase_if(request_.headers,
                  [](const std::string& line) { return lower(line).starts_with("content-"); });
  }

  HttpRequest request_;
  const BodyLimits& limits_;
  const ResolverOptions& resolver_;
  const TlsContext* const context_;
};

}  // namespace

HttpExchange http_exchange(const HttpRequest& request, const BodyLimits& limits,
                           const ResolverOptions& resolver, const TlsContext* context) {
  return Exchange(request, limits, resolver, context).run();
}

}  // namespace health
