#pragma once
// Certificate: made by the test that needs it, with whatever is right or wrong about it.
//
/// @code
///   const Certificate ca({.name = "Test CA", .authority = true});
///   const Certificate server({.name = "127.0.0.1", .issuer = &ca});
///   folder.write("server.pem", server.pem());
/// @endcode

#include <chrono>
#include <memory>
#include <string>

struct evp_pkey_st;  // OpenSSL's EVP_PKEY
struct x509_st;      // OpenSSL's X509

namespace rouse::test {

class Certificate;

struct CertificateOptions {
  std::string name;                     ///< Of the subject; of a server also its host or address.
  const Certificate* issuer = nullptr;  ///< Null: it is signed by itself.
  bool authority = false;               ///< May sign others.
  std::chrono::seconds expires_in = std::chrono::hours(24 * 90);  ///< Negative: it has expired.
};

class Certificate {
 public:
  explicit Certificate(const CertificateOptions& options);

  [[nodiscard]] std::string pem() const;
  [[nodiscard]] std::string key_pem() const;
  [[nodiscard]] x509_st* get() const noexcept { return certificate_.get(); }
  [[nodiscard]] evp_pkey_st* key() const noexcept { return key_.get(); }

 private:
  struct Free {
    void operator()(x509_st* certificate) const noexcept;
    void operator()(evp_pkey_st* key) const noexcept;
  };

  std::unique_ptr<evp_pkey_st, Free> key_;
  std::unique_ptr<x509_st, Free> certificate_;
};

}  // namespace rouse::test
