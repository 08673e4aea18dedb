// Conditions of ports: used, free, used by a process.

#include "rouse/detail/thread_name.hpp"
#include "rouse/service/condition.hpp"

#include "service/backoff.hpp"
#include "service/process_search.hpp"
#include "service/process_state.hpp"
#include "service/socket_table.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace rouse {
namespace {

using detail::BoundSocket;
using detail::ConditionState;
using detail::IpAddress;
using detail::Look;
using detail::ProcessEntry;
using detail::ProcessMatcher;
using detail::ProcessSearch;
using detail::Sources;

std::chrono::nanoseconds port_interval(const PortOptions& options) {
  return detail::checked_interval("port", options.interval.nanoseconds());
}

std::uint16_t checked_port(int port) {
  constexpr int highest = 65535;
  if (port < 1 || port > highest) {
    throw std::invalid_argument("rouse: port " + std::to_string(port) + " is not from 1 to 65535");
  }
  return static_cast<std::uint16_t>(port);
}

// Which of the sockets on a port are meant.
class SocketFilter {
 public:
  explicit SocketFilter(const PortOptions& options)
      : protocol_(options.protocol), family_(options.family) {
    if (options.address.empty()) return;
    address_ = IpAddress::parse(options.address);
    if (!address_) {
      throw std::invalid_argument("rouse: port: '" + detail::printable(options.address) +
                                  "' is not a numeric address");
    }
    if (family_ != AddressFamily::any && address_->is_v4() != (family_ == AddressFamily::v4)) {
      throw std::invalid_argument("rouse: port: '" + detail::printable(options.address) +
                                  "' is not an address of " +
                                  (family_ == AddressFamily::v4 ? "IPv4" : "IPv6"));
    }
  }

  std::vector<BoundSocket> sockets_on(std::uint16_t port) const {
    std::vector<BoundSocket> sockets = detail::sockets_on_port(protocol_, port);
    std::erase_if(sockets, [this](const BoundSocket& socket) {
      return address_ ? !socket.serves(*address_) : !socket.serves(family_);
    });
    return sockets;
  }

  const char* protocol_name() const noexcept { return protocol_ == Protocol::tcp ? "TCP" : "UDP"; }

 private:
  Protocol protocol_;
  AddressFamily family_;
  std::optional<IpAddress> address_;
};

enum class PortState : std::uint8_t { used, free };

class PortIs final : public ConditionState {
 public:
  PortIs(PortState wanted, int port, const PortOptions& options)
      : wanted_(wanted),
        port_(checked_port(port)),
        filter_(options),
        backoff_(port_interval(options)) {}

  void begin() override { backoff_.reset(); }

  Look look(Sources& sources) override {
    const PortState state = filter_.sockets_on(port_).empty() ? PortState::free : PortState::used;
    if (state == wanted_) return Look::yes;
    sources.look_again(backoff_.next());
    return Look::no;
  }

  std::string describe() const override {
    return std::string(filter_.protocol_name()) + " port " + std::to_string(port_) +
           (wanted_ == PortState::used ? " in use" : " free");
  }
  const char* wait_name() const noexcept override {
    return wanted_ == PortState::used ? "wait_until_port_used" : "wait_until_port_free";
  }

 private:
  const PortState wanted_;
  const std::uint16_t port_;
  const SocketFilter filter_;
  detail::Backoff backoff_;
};

class ProcessUsesPorts final : public detail::ProcessState {
 public:
  ProcessUsesPorts(ProcessMatcher matcher, const std::vector<int>& ports,
                   const PortOptions& options)
      : ProcessUsesPorts(ports, options) {
    matcher_ = std::move(matcher);
  }
  ProcessUsesPorts(::pid_t pid, const std::vector<int>& ports, const PortOptions& options)
      : ProcessUsesPorts(ports, options) {
    pid_ = detail::checked_pid(pid);
  }

  void begin() override {
    ProcessState::begin();
    backoff_.reset();
  }

  Look look(Sources& sources) override {
    if (!search_.under_way()) {
      found_ = {};
      denied_ = nullptr;
      find_sockets();
    }
    // Nobody has all of them before each is used.
    const Look found = std::ranges::none_of(sockets_, &Inodes::empty)
                           ? find_process(ProcessSearch::extent_of(sources))
                           : Look::no;
    if (found != Look::no) return found;
    if (denied_) std::rethrow_exception(denied_);
    sources.look_again(backoff_.next());
    return Look::no;
  }

  void end() noexcept override {
    search_.abandon();
    denied_ = nullptr;
  }

  std::string describe() const override {
    std::string text = matcher_ ? "a " + matcher_->describe() : "process " + std::to_string(pid_);
    text += std::string(" that uses ") + filter_.protocol_name() + " ports";
    for (const std::uint16_t port : ports_) text += ' ' + std::to_string(port);
    return text;
  }
  const char* wait_name() const noexcept override { return "wait_until_process_uses_ports"; }

 private:
  using Inodes = std::vector<std::uint64_t>;

  ProcessUsesPorts(const std::vector<int>& ports, const PortOptions& options)
      : filter_(options), backoff_(port_interval(options)) {
    for (const int port : ports) ports_.push_back(checked_port(port));
  }

  void find_sockets() {
    sockets_.clear();
    for (const std::uint16_t port : ports_) {
      Inodes& inodes = sockets_.emplace_back();
      for (const BoundSocket& socket : filter_.sockets_on(port)) inodes.push_back(socket.inode);
    }
  }

  Look find_process(ProcessSearch::Extent extent) {
    if (matcher_) {
      return search_.look(
          *matcher_,
          [this](const ProcessEntry& process, const ProcessInfo& info) {
            return accept(process, info);
          },
          extent);
    }
    const auto process = ProcessEntry::open(pid_);
    const auto info = process ? process->info() : std::nullopt;
    return info && accept(*process, *info) ? Look::yes : Look::no;
  }

  bool accept(const ProcessEntry& process, const ProcessInfo& info) {
    if (!has_all(process)) return false;
    found_ = info;
    return true;
  }

  bool has_all(const ProcessEntry& process) {
    try {
      const Inodes own = process.socket_inodes();
      return std::ranges::all_of(sockets_, [&own](const Inodes& port) {
        return std::ranges::find_first_of(own, port) != own.end();
      });
    } catch (const std::system_error& error) {
      if (error.code() != std::errc::permission_denied) throw;
      // It is an error only if no other process is seen to have them.
      if (!denied_) denied_ = std::current_exception();
      return false;
    }
  }

  std::optional<ProcessMatcher> matcher_;  // without: pid_
  ::pid_t pid_ = 0;
  const SocketFilter filter_;
  std::vector<std::uint16_t> ports_;
  detail::Backoff backoff_;
  ProcessSearch search_;
  std::vector<Inodes> sockets_;  // those on each of the ports
  std::exception_ptr denied_;
};

}  // namespace

Condition until::port_used(int port, PortOptions options) {
  return Condition(std::make_shared<PortIs>(PortState::used, port, options));
}

Condition until::port_free(int port, PortOptions options) {
  return Condition(std::make_shared<PortIs>(PortState::free, port, options));
}

ProcessCondition until::process_uses_ports(std::string path, std::vector<int> ports,
                                           PortOptions options) {
  return ProcessCondition(std::make_shared<ProcessUsesPorts>(ProcessMatcher(path), ports, options));
}

ProcessCondition until::process_uses_ports(::pid_t pid, std::vector<int> ports,
                                           PortOptions options) {
  return ProcessCondition(std::make_shared<ProcessUsesPorts>(pid, ports, options));
}

}  // namespace rouse
