#pragma once
// tls: whether a server shows a certificate that is believed, is its own, and does not expire soon.
//
//   host = "mail.example.org"        # or an address
//   port = 993                       # default: 443
//   server_name = "example.org"      # whose certificate it must be; default: the host
//   warning = "21d"                  # when so little is left until it expires; default: 21d
//   critical = "7d"                  # default: 7d
//   expect = ["latency < 500ms"]     # conditions on latency and days_left; see expectation.hpp
//   verify = true                    # false: only look when it expires
//   ca_file = "/etc/ssl/own-ca.pem"  # certificates that are believed; default: the system's
//   dns_servers = ["192.0.2.1:53"]   # default: those of the system
//
// Of a chain counts what expires first. Revocation is not looked at.

#include "base_checker.hpp"
#include "checkers/grade.hpp"
#include "checkers/resolver.hpp"
#include "checkers/tls_context.hpp"
#include "expectation.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace health {

struct TlsCheckOptions {
  std::string host;
  std::uint16_t port = 443;
  std::string server_name;  ///< Empty: the host.
  Floor days_left = {.warning = 21, .critical = 7};
  std::vector<Expectation> expect;
  std::shared_ptr<const TlsContext> tls;  ///< Null: the certificates of the system are believed.
  ResolverOptions resolver;
};

class TlsChecker : public BaseChecker {
 public:
  explicit TlsChecker(TlsCheckOptions options);
  CheckResult check(std::stop_token stop) override;

 private:
  const TlsCheckOptions options_;
  const std::shared_ptr<const TlsContext> tls_;
};

}  // namespace health
