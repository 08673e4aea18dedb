#pragma once
// TlsSession: the server's end of TLS over a connection of LoopbackServer, for servers that do what
// nginx would not.

#include "support/loopback_server.hpp"
#include "support/tls/certificates.hpp"

#include <memory>
#include <string>
#include <string_view>

struct ssl_st;      // OpenSSL's SSL
struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace rouse::test {

class TlsSession {
 public:
  TlsSession(LoopbackServer::Connection& client, const Certificate& certificate);

  /// False when the client has gone or the server ends, as of the following.
  bool handshake();
  bool send(std::string_view data);
  std::string receive_until(std::string_view end);
  /// A record that holds no data of the application: a session ticket.
  bool send_ticket();
  /// The end of TLS; without it a close is a cut.
  bool end();

 private:
  struct Free {
    void operator()(ssl_st* ssl) const noexcept;
    void operator()(ssl_ctx_st* context) const noexcept;
  };

  template <class Call>
  int complete(Call call);
  bool flush();

  LoopbackServer::Connection& client_;
  std::unique_ptr<ssl_ctx_st, Free> context_;
  std::unique_ptr<ssl_st, Free> ssl_;
};

}  // namespace rouse::test
