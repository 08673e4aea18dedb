#include "checkers/tls_context.hpp"

#include "checkers/tls_error.hpp"

#include <filesystem>
#include <map>
#include <mutex>
#include <new>
#include <stdexcept>
#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace health {
namespace {

void believe(SSL_CTX* context, const std::string& ca_file) {
  if (ca_file.empty()) {
    // Looks into the folder when a certificate is needed.
    if (::SSL_CTX_set_default_verify_paths(context) != 1) throw std::bad_alloc();
    return;
  }
  // OpenSSL would wait for somebody to write to a FIFO.
  std::error_code error;
  const auto kind = std::filesystem::status(ca_file, error).type();
  if (kind == std::filesystem::file_type::not_found) throw std::invalid_argument("is not there");
  if (error) throw std::invalid_argument(error.message());
  if (kind != std::filesystem::file_type::regular) throw std::invalid_argument("is not a file");
  ::ERR_clear_error();  // what take_tls_error() takes is of this call
  if (::SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr) != 1) {
    throw std::invalid_argument("cannot be read as certificates in PEM: " + take_tls_error());
  }
}

}  // namespace

TlsContext::TlsContext(const TlsOptions& options)
    : context_(::SSL_CTX_new(::TLS_client_method())), verifies_(options.verify) {
  if (context_ == nullptr) throw std::bad_alloc();
  try {
    ::SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION);
    ::SSL_CTX_set_options(context_, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    ::SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
    // A certificate that is listed in the file is believed, whoever signed it.
    ::X509_VERIFY_PARAM_set_flags(::SSL_CTX_get0_param(context_), X509_V_FLAG_PARTIAL_CHAIN);
    if (options.verify) believe(context_, options.ca_file);
  } catch (...) {
    ::SSL_CTX_free(context_);
    throw;
  }
}

TlsContext::~TlsContext() { ::SSL_CTX_free(context_); }

std::shared_ptr<const TlsContext> TlsContext::make(const TlsOptions& options) {
  static std::mutex mutex;
  static std::map<std::pair<bool, std::string>, std::weak_ptr<const TlsContext>> known;
  const std::scoped_lock lock(mutex);
  auto& entry = known[{options.verify, options.verify ? options.ca_file : ""}];
  auto context = entry.lock();
  if (context == nullptr) entry = context = std::make_shared<const TlsContext>(options);
  return context;
}

}  // namespace health
