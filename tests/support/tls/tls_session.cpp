#include "support/tls/tls_session.hpp"

#include <array>
#include <stdexcept>

#include <openssl/ssl.h>

namespace rouse::test {

void TlsSession::Free::operator()(ssl_st* ssl) const noexcept { ::SSL_free(ssl); }
void TlsSession::Free::operator()(ssl_ctx_st* context) const noexcept { ::SSL_CTX_free(context); }

TlsSession::TlsSession(LoopbackServer::Connection& client, const Certificate& certificate)
    : client_(client), context_(::SSL_CTX_new(::TLS_server_method())) {
  if (::SSL_CTX_use_certificate(context_.get(), certificate.get()) != 1 ||
      ::SSL_CTX_use_PrivateKey(context_.get(), certificate.key()) != 1) {
    throw std::runtime_error("TLS does not take the certificate");
  }
  ssl_.reset(::SSL_new(context_.get()));
  ::SSL_set_bio(ssl_.get(), ::BIO_new(::BIO_s_mem()), ::BIO_new(::BIO_s_mem()));
}

template <class Call>
int TlsSession::complete(Call call) {
  for (;;) {
    const int result = call();
    const int error = result > 0 ? SSL_ERROR_NONE : ::SSL_get_error(ssl_.get(), result);
    if (!flush() || (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ)) return 0;
    if (error == SSL_ERROR_NONE) return result;
    const std::string got = client_.receive();
    if (got.empty()) return 0;
    ::BIO_write(::SSL_get_rbio(ssl_.get()), got.data(), static_cast<int>(got.size()));
  }
}

bool TlsSession::flush() {
  BIO* const outgoing = ::SSL_get_wbio(ssl_.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(outgoing, &data);
  if (size <= 0) return true;
  const bool sent = client_.send({data, static_cast<std::size_t>(size)});
  (void)BIO_reset(outgoing);
  return sent;
}

bool TlsSession::handshake() {
  return complete([&] { return ::SSL_accept(ssl_.get()); }) > 0;
}

bool TlsSession::send(std::string_view data) {
  return complete([&] {
           return ::SSL_write(ssl_.get(), data.data(), static_cast<int>(data.size()));
         }) > 0;
}

std::string TlsSession::receive_until(std::string_view end) {
  std::string all;
  std::array<char, 4096> buffer;
  while (all.find(end) == std::string::npos) {
    const int got = complete(
        [&] { return ::SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size())); });
    if (got == 0) break;
    all.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return all;
}

bool TlsSession::send_ticket() { return ::SSL_new_session_ticket(ssl_.get()) == 1 && handshake(); }

bool TlsSession::end() {
  ::SSL_shutdown(ssl_.get());
  return flush();
}

}  // namespace rouse::test
