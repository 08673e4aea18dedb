#include "support/tls/certificates.hpp"

#include <atomic>
#include <stdexcept>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace rouse::test {
namespace {

void require(bool done) {
  if (!done) throw std::runtime_error("cannot make a certificate");
}

void extend(X509* certificate, X509* issuer, int what, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = ::X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
  require(extension != nullptr && ::X509_add_ext(certificate, extension, -1) == 1);
  ::X509_EXTENSION_free(extension);
}

template <class Write>
std::string pem_of(Write write) {
  BIO* const out = ::BIO_new(::BIO_s_mem());
  require(out != nullptr && write(out) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  std::string text(data, static_cast<std::size_t>(size));
  ::BIO_free(out);
  return text;
}

}  // namespace

void Certificate::Free::operator()(x509_st* certificate) const noexcept {
  ::X509_free(certificate);
}
void Certificate::Free::operator()(evp_pkey_st* key) const noexcept { ::EVP_PKEY_free(key); }

Certificate::Certificate(const CertificateOptions& options)
    : key_(EVP_EC_gen("P-256")), certificate_(::X509_new()) {
  require(key_ != nullptr && certificate_ != nullptr);
  static std::atomic<long> serial{1};
  X509* const made = certificate_.get();
  X509* const issuer = options.issuer == nullptr ? made : options.issuer->get();
  EVP_PKEY* const signer = options.issuer == nullptr ? key() : options.issuer->key();

  constexpr long day = 86'400;
  const auto expires_in = static_cast<long>(options.expires_in.count());
  ::X509_set_version(made, 2);
  ::ASN1_INTEGER_set(::X509_get_serialNumber(made), serial++);
  ::X509_gmtime_adj(X509_getm_notBefore(made), std::min(0L, expires_in) - day);
  ::X509_gmtime_adj(X509_getm_notAfter(made), expires_in);
  ::X509_NAME_add_entry_by_txt(::X509_get_subject_name(made), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(options.name.data()),
                               static_cast<int>(options.name.size()), -1, 0);
  ::X509_set_issuer_name(made, ::X509_get_subject_name(issuer));
  ::X509_set_pubkey(made, key());
  if (options.authority) {
    extend(made, issuer, NID_basic_constraints, "critical,CA:TRUE");
    extend(made, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    const bool is_address = options.name.find_first_not_of("0123456789.") == std::string::npos;
    const bool is_name =
        options.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz.*-") == std::string::npos;
    if (is_address || is_name) {
      extend(made, issuer, NID_subject_alt_name, (is_address ? "IP:" : "DNS:") + options.name);
    }
  }
  require(::X509_sign(made, signer, ::EVP_sha256()) > 0);
}

std::string Certificate::pem() const {
  return pem_of([&](BIO* out) { return ::PEM_write_bio_X509(out, get()); });
}

std::string Certificate::key_pem() const {
  return pem_of([&](BIO* out) {
    return ::PEM_write_bio_PrivateKey(out, key(), nullptr, nullptr, 0, nullptr, nullptr);
  });
}

}  // namespace rouse::test
