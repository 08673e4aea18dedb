#pragma once
// port: whether a port of this machine is used, and by whom. It connects to nothing.
//
//   port = 5432
//   protocol = "tcp"       # or "udp"
//   address = "127.0.0.1"  # numeric; default: any
//   state = "used"         # or "free": then nobody may use it
//   owner = "postgres"     # the program that must use it, by name or path; default: any
//
// With an owner the check has an event: the end of the process that uses the port. Whose port it is
// can be seen for processes of the same user only, but by root.

#include "base_checker.hpp"

#include <optional>
#include <string>

namespace health {

struct PortOptions {
  int port = 0;
  rouse::Protocol protocol = rouse::Protocol::tcp;
  std::string address = {};
  bool free = false;
  std::string owner = {};
};

class PortChecker : public BaseChecker {
 public:
  explicit PortChecker(PortOptions options);
  CheckResult check(std::stop_token stop) override;
  std::optional<std::vector<rouse::Condition>> new_events() override;

 private:
  const PortOptions options_;
  std::optional<rouse::ProcessInfo> owner_;  // that the last run found
};

}  // namespace health
