#pragma once
// Gate: who may ask. A token, and against DNS rebinding the Host header.
//
// A page of somebody else can make a browser resolve its own name to 127.0.0.1 and then read from
// this server as if it were that page's; but the browser still sends that name as the Host.
// Thread safety: all functions from any thread.

#include <netinet/in.h>

#include <optional>
#include <string>
#include <string_view>

namespace health {

class Gate {
 public:
  /// `address` is what the server listens on; only if it is a loopback address the Host is looked
  /// at, since under which names others are reached is not known here. An empty token lets all in.
  Gate(const std::string& address, std::string token);

  /// `host` as in the header: with or without a port. Only HTTP/1.0 goes without.
  [[nodiscard]] bool knows_host(const std::optional<std::string>& host) const;

  /// `authorization` as in the header. How long it takes does not depend on how much is right.
  [[nodiscard]] bool admits(std::string_view authorization) const noexcept;

  [[nodiscard]] bool loopback() const noexcept { return loopback_; }

 private:
  const std::optional<in6_addr> address_;
  const std::string token_;
  const bool loopback_;
};

}  // namespace health
