#pragma once
// http: requests a page (without TLS) and looks at status, latency and text. Redirects are
// reported, not followed.
//
//   url = "http://127.0.0.1:8080/health"
//   method = "GET"                     # or "HEAD"
//   status = ["200-299", "401"]        # what is expected; default: 200-399
//   latency_warning = "500ms"          # to the end of the answer; default: none
//   latency_critical = "2s"
//   body_regex = "\"status\": *\"up\""  # RE2, anywhere in the first MiB of the body
//   headers = ["Accept: text/html"]    # sent besides Host, User-Agent and Connection
//   dns_servers = ["192.0.2.1:53"]     # default: those of the system

#include "base_checker.hpp"
#include "checkers/grade.hpp"
#include "checkers/resolver.hpp"
#include "checkers/url.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace re2 {
class RE2;
}

namespace health {

struct HttpAnswer;

struct HttpOptions {
  Url url;
  bool head = false;
  std::vector<std::pair<int, int>> expected = {{200, 399}};  ///< Ranges, both ends included.
  Ceiling latency_ms;
  std::string body_regex;  ///< Empty: any body.
  std::vector<std::string> headers;
  std::size_t body_cap = 1024 * 1024;  ///< Bytes of the body that are read and matched.
  ResolverOptions resolver;
};

class HttpChecker : public BaseChecker {
 public:
  /// Throws std::invalid_argument, with RE2's reason, for a bad pattern.
  explicit HttpChecker(HttpOptions options);
  ~HttpChecker() override;
  CheckResult check(std::stop_token stop) override;

 private:
  [[nodiscard]] CheckResult judge(const HttpAnswer& answer, double latency_ms) const;

  const HttpOptions options_;
  std::string request_;
  std::unique_ptr<const re2::RE2> body_regex_;
};

}  // namespace health
