#pragma once
// TlsContext: whose certificates are believed. Connections that ask for the same share one.
//
// Revocation is not looked at: that would be one more server that must answer.
// Thread safety: any thread.

#include <memory>
#include <string>

struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace health {

struct TlsOptions {
  bool verify = true;        ///< False: any certificate will do.
  std::string ca_file = {};  ///< PEM, with one certificate or more; empty: those of the system.
};

class TlsContext {
 public:
  /// Reads `ca_file` now and not again, unless nobody holds a context of it any longer. Throws
  /// std::invalid_argument, which says what is wrong with the file.
  static std::shared_ptr<const TlsContext> make(const TlsOptions& options);

  explicit TlsContext(const TlsOptions& options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  [[nodiscard]] ssl_ctx_st* get() const noexcept { return context_; }
  [[nodiscard]] bool verifies() const noexcept { return verifies_; }

 private:
  ssl_ctx_st* const context_;
  const bool verifies_;
};

}  // namespace health
