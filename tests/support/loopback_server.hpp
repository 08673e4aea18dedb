#pragma once
// LoopbackServer: a TCP server on 127.0.0.1 that does with each connection what the test says.
//
/// @code
///   LoopbackServer server([](LoopbackServer::Connection& client) { client.send("hello"); });
///   connect_to("127.0.0.1", server.port());
/// @endcode
//
// One connection at a time. The destructor ends a handler that still sends or receives.

#include "rouse/wait/event.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

namespace rouse::test {

class LoopbackServer {
 public:
  class Connection {
   public:
    explicit Connection(int fd) : fd_(fd) {}

    /// False when the client has gone or the server ends.
    bool send(std::string_view data);
    /// Some bytes; empty when the client has gone or the server ends.
    std::string receive();
    /// Everything up to and with `end`.
    std::string receive_until(std::string_view end);
    /// Until the client has gone or the server ends.
    void wait_for_close();
    /// The close that follows becomes a reset.
    void reset_on_close();

   private:
    int fd_;
  };

  using Handler = std::function<void(Connection&)>;

  /// Without a handler nobody accepts: the kernel does, and nothing is ever answered.
  explicit LoopbackServer(Handler handler = nullptr);
  ~LoopbackServer();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url(std::string_view target = "/") const;

  /// Set when the first connection is there (also without a handler, as far as it can be known).
  Event& connected() { return connected_; }

 private:
  void serve();

  Handler handler_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  Event connected_;
  std::jthread thread_;
};

/// A port of 127.0.0.1 that nobody listens on (and that nobody else is given while this lives).
class ClosedPort {
 public:
  ClosedPort();
  ~ClosedPort();
  ClosedPort(const ClosedPort&) = delete;
  ClosedPort& operator=(const ClosedPort&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  std::uint16_t port_ = 0;
  int fd_ = -1;
};

}  // namespace rouse::test
