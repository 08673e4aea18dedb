#include "checkers/port.hpp"

#include "rouse/service/autowait.hpp"

#include "checkers/grade.hpp"
#include "checkers/kinds.hpp"

#include <chrono>
#include <stdexcept>
#include <utility>

namespace health {

using namespace std::chrono_literals;
using rouse::WaitStatus;

PortChecker::PortChecker(PortOptions options) : options_(std::move(options)) {}

CheckResult PortChecker::check(std::stop_token) {
  const rouse::PortOptions now{
      .protocol = options_.protocol, .address = options_.address, .timeout = 0s};
  owner_.reset();
  const std::string port = "port " + std::to_string(options_.port);
  // A wait of no time is a look.
  if (rouse::wait_until_port_used(options_.port, now) != WaitStatus::ready) {
    return verdict(options_.free ? Status::ok : Status::critical, port + " is free");
  }
  if (options_.owner.empty()) {
    return verdict(options_.free ? Status::critical : Status::ok, port + " is used");
  }
  const auto found = rouse::wait_until_process_uses_ports(options_.owner, {options_.port}, now);
  if (found != WaitStatus::ready) {
    return verdict(Status::critical, port + " is used, but not by " + options_.owner);
  }
  owner_ = found.process;
  return verdict(Status::ok, port + " is used by " + found.process.name + " (pid " +
                                 std::to_string(found.process.pid) + ")");
}

std::optional<std::vector<rouse::Condition>> PortChecker::new_events() {
  std::vector<rouse::Condition> events;
  if (owner_) events.push_back(rouse::until::process_gone(*owner_));
  return events;
}

std::unique_ptr<BaseChecker> make_port(Settings& settings) {
  PortOptions options;
  options.port = static_cast<int>(settings.required_integer("port", 1, 65'535));
  options.protocol = settings.choice("protocol", {"tcp", "udp"}) == "udp" ? rouse::Protocol::udp
                                                                          : rouse::Protocol::tcp;
  options.address = settings.text("address", "");
  options.free = settings.choice("state", {"used", "free"}) == "free";
  options.owner = settings.text("owner", "");
  if (options.free && !options.owner.empty()) {
    settings.error_at("owner", "'owner' has no meaning with state = \"free\"");
  }
  try {
    // Says what is wrong with the address; the check itself would do so too late.
    (void)rouse::until::port_used(options.port, {.address = options.address});
  } catch (const std::invalid_argument& error) {
    settings.error_at("address", std::string("'address': ") + error.what());
  }
  return std::make_unique<PortChecker>(std::move(options));
}

}  // namespace health
