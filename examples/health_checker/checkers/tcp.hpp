#pragma once
// tcp: connects to a port; sends and expects what it is told to.
//
//   host = "db.example.org"  # or an address
//   port = 5432
//   send = "PING\r\n"        # sent when connected; default: nothing
//   expect = "+PONG"         # what the answer must begin with; default: any or none
//   dns_servers = ["192.0.2.1:53"]  # default: those of the system

#include "base_checker.hpp"
#include "checkers/resolver.hpp"

#include <cstdint>
#include <string>

namespace health {

struct TcpOptions {
  std::string host;
  std::uint16_t port = 0;
  std::string send;
  std::string expect;
  ResolverOptions resolver;
};

class TcpChecker : public BaseChecker {
 public:
  explicit TcpChecker(TcpOptions options);
  CheckResult check(std::stop_token stop) override;

 private:
  const TcpOptions options_;
};

}  // namespace health
