#include "checkers/tls_stream.hpp"

#include "checkers/tls_error.hpp"

#include <algorithm>
#include <array>
#include <new>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace health {
namespace {

constexpr std::size_t most_in_a_record = 16 * 1024;

}  // namespace

void TlsStream::Free::operator()(ssl_st* ssl) const noexcept { ::SSL_free(ssl); }

TlsStream::TlsStream(Socket socket, const TlsContext& context, std::string server_name,
                     Distrust distrust)
    : socket_(std::move(socket)), context_(context), ssl_(::SSL_new(context.get())) {
  if (ssl_ == nullptr) throw std::bad_alloc();
  incoming_ = ::BIO_new(::BIO_s_mem());
  outgoing_ = ::BIO_new(::BIO_s_mem());
  ::SSL_set_bio(ssl_.get(), incoming_, outgoing_);
  if (incoming_ == nullptr || outgoing_ == nullptr) throw std::bad_alloc();

  expect_name(std::move(server_name));
  // Without it the chain is verified too, and the outcome kept; only nothing follows from it.
  if (context.verifies() && distrust == Distrust::refused) {
    ::SSL_set_verify(ssl_.get(), SSL_VERIFY_PEER, nullptr);
  }
  if (complete("TLS handshake", [&] { return ::SSL_connect(ssl_.get()); }) == 0) {
    throw TargetError("TLS handshake: the server ended it");
  }
}

void TlsStream::expect_name(std::string name) {
  X509_VERIFY_PARAM* const wanted = ::SSL_get0_param(ssl_.get());
  // "fe80::1%eth0": the interface is nothing to the server.
  const std::string address = name.substr(0, name.find('%'));
  if (::X509_VERIFY_PARAM_set1_ip_asc(wanted, address.c_str()) == 1) return;
  ::ERR_clear_error();
  if (name.ends_with('.')) name.pop_back();
  ::X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (::X509_VERIFY_PARAM_set1_host(wanted, name.c_str(), name.size()) != 1 ||
      ::SSL_set_tlsext_host_name(ssl_.get(), name.c_str()) != 1) {
    throw TargetError("TLS handshake: \"" + name.substr(0, 80) + "\" cannot be a server's name");
  }
}

std::size_t TlsStream::read(std::span<char> buffer) {
  const int most = static_cast<int>(std::min(buffer.size(), most_in_a_record));
  return static_cast<std::size_t>(
      complete("reading", [&] { return ::SSL_read(ssl_.get(), buffer.data(), most); }));
}

void TlsStream::write_all(std::string_view data) {
  while (!data.empty()) {
    const std::string_view part = data.substr(0, most_in_a_record);
    const int sent = complete("writing", [&] {
      return ::SSL_write(ssl_.get(), part.data(), static_cast<int>(part.size()));
    });
    if (sent == 0) throw TargetError("writing: the peer has ended TLS");
    data.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::string TlsStream::distrust() const {
  const long problem = ::SSL_get_verify_result(ssl_.get());
  if (!context_.verifies() || problem == X509_V_OK) return {};
  return ::X509_verify_cert_error_string(problem);
}

template <class Call>
int TlsStream::complete(const char* what, Call call) {
  for (;;) {
    ::ERR_clear_error();
    const int result = call();
    const int error = result > 0 ? SSL_ERROR_NONE : ::SSL_get_error(ssl_.get(), result);
    switch (error) {
      case SSL_ERROR_NONE:
        send_pending();
        return result;
      case SSL_ERROR_ZERO_RETURN:
        return 0;
      case SSL_ERROR_WANT_READ:
        send_pending();
        receive(what);
        break;
      default:
        fail(what);
    }
  }
}

void TlsStream::fail(const char* what) {
  std::string reason = take_tls_error();
  const std::string distrusted = distrust();
  if (!::SSL_is_init_finished(ssl_.get()) && !distrusted.empty()) {
    throw TargetError("certificate verify failed: " + distrusted);
  }
  throw TargetError(std::string(what) + ": " + std::move(reason));
}

void TlsStream::send_pending() {
  char* data = nullptr;
  const long size = BIO_get_mem_data(outgoing_, &data);
  if (size <= 0) return;
  socket_.write_all({data, static_cast<std::size_t>(size)});
  (void)BIO_reset(outgoing_);
}

void TlsStream::receive(const char* what) {
  std::array<char, most_in_a_record> buffer;
  const std::size_t got = socket_.read(buffer);
  if (got == 0) {
    throw TargetError(std::string(what) + ": the connection was closed without an end of TLS");
  }
  if (::BIO_write(incoming_, buffer.data(), static_cast<int>(got)) != static_cast<int>(got)) {
    throw std::bad_alloc();
  }
}

}  // namespace health
