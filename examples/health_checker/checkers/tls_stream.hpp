#pragma once
// TlsStream: a Socket with TLS over it, by OpenSSL.
//
/// @code
///   const auto context = TlsContext::make({});  // outlives the stream
///   TlsStream stream(Socket::connect(addresses), *context, "www.example.org");
///   stream.write_all("GET / HTTP/1.0\r\n\r\n");
/// @endcode
//
// OpenSSL never touches the socket: it reads from and writes to memory, which is filled and sent by
// the Socket's own calls, 16 KiB at a time. So each wait ends at a stop and at the check's timeout,
// as without TLS, and so does a flood.
// Thread safety: one thread at a time.
// Errors: those of Socket. What is wrong with the peer's TLS is a TargetError in OpenSSL's words.

#include "checkers/socket.hpp"
#include "checkers/tls_certificate.hpp"
#include "checkers/tls_context.hpp"

#include <memory>
#include <string>

struct bio_st;  // OpenSSL's BIO

namespace health {

class TlsStream final : public Stream {
 public:
  /// What becomes of a certificate that the context does not believe.
  enum class Distrust { refused, reported };

  /// Shakes hands with the server, as whom it must show a certificate of `server_name` (a name or
  /// an address). `context` outlives the stream. Unless it is told only to report it, a distrusted
  /// certificate is a TargetError: "certificate verify failed: self-signed certificate".
  TlsStream(Socket socket, const TlsContext& context, std::string server_name,
            Distrust distrust = Distrust::refused);

  /// 0 when the peer has ended TLS; TargetError when it just closes, for then somebody else may
  /// have cut off the rest.
  std::size_t read(std::span<char> buffer) override;
  void write_all(std::string_view data) override;

  /// Why the certificate is not believed; empty if it is, or if the context believes any.
  [[nodiscard]] std::string distrust() const;
  [[nodiscard]] TlsCertificate certificate() const { return certificate_of(ssl_.get()); }

 private:
  struct Free {
    void operator()(ssl_st* ssl) const noexcept;
  };

  void expect_name(std::string name);
  /// Repeats `call` until it has its result, which is 0 where the peer has ended TLS.
  template <class Call>
  int complete(const char* what, Call call);
  [[noreturn]] void fail(const char* what);
  void send_pending();
  void receive(const char* what);

  Socket socket_;
  const TlsContext& context_;
  std::unique_ptr<ssl_st, Free> ssl_;
  bio_st* incoming_ = nullptr;  // both owned by ssl_
  bio_st* outgoing_ = nullptr;
};

}  // namespace health
