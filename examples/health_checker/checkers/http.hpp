#pragma once
// http: requests a page, with TLS or without, and looks at what is answered.
//
//   url = "https://www.example.org/health"
//   method = "GET"                     # or HEAD, POST, PUT, DELETE, OPTIONS, PATCH
//   headers = ["Accept: text/html"]    # sent besides Host, User-Agent and Connection
//   body = "{\"ping\": 1}"             # sent with POST, PUT, PATCH or DELETE
//   redirects = 3                      # so many are followed, up to 10, as http_exchange.hpp says;
//                                      # default: 0, a redirect is the answer
//   expect = ["status < 300", "latency < 500ms", "json /ready == true", "warning: days_left > 14"]
//                                      # conditions; expectation.hpp has their language
//   status = ["200-299", "401"]        # default: 200-399, or any if `expect` has one about it
//   latency_warning = "500ms"          # to the end of the answer; default: none
//   latency_critical = "2s"
//   body_regex = "\"status\": *\"up\""  # RE2, anywhere in the first MiB of the body
//   verify = true                      # https: the server's certificate; false: any will do
//   ca_file = "/etc/ssl/own-ca.pem"    # certificates that are believed; default: the system's
//   dns_servers = ["192.0.2.1:53"]     # default: those of the system

#include "base_checker.hpp"
#include "checkers/body_pool.hpp"
#include "checkers/grade.hpp"
#include "checkers/http_exchange.hpp"
#include "checkers/resolver.hpp"
#include "checkers/tls_context.hpp"
#include "expectation.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace health {

struct HttpOptions {
  HttpRequest request;
  std::vector<std::pair<int, int>> expected = {{200, 399}};  ///< Ranges, both ends included.
  Ceiling latency_ms;
  std::string body_regex;  ///< Empty: any body.
  std::vector<Expectation> expect;
  std::size_t body_cap = 1024 * 1024;     ///< Bytes of the body that are read and looked at.
  std::shared_ptr<const TlsContext> tls;  ///< Null: the certificates of the system are believed.
  ResolverOptions resolver;
};

class HttpChecker : public BaseChecker {
 public:
  /// Throws std::invalid_argument, with RE2's reason, for a bad pattern. Bodies are read into
  /// blocks of `pool`, which outlives the checker.
  explicit HttpChecker(HttpOptions options, rouse::BufferPool& pool = body_pool());
  ~HttpChecker() override;
  CheckResult check(std::stop_token stop) override;

 private:
  [[nodiscard]] CheckResult judge(const HttpExchange& exchange, double latency_ms) const;

  const HttpOptions options_;
  const BodyLimits limits_;
  std::shared_ptr<const TlsContext> tls_;
  std::unique_ptr<const re2::RE2> body_regex_;
};

}  // namespace health
