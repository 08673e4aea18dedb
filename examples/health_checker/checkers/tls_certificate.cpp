#include "checkers/tls_certificate.hpp"

#include "checkers/socket.hpp"
#include "checkers/text.hpp"
#include "display.hpp"

#include <cmath>
#include <memory>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace health {
namespace {

constexpr std::size_t longest_subject = 200;

struct FreeBio {
  void operator()(BIO* bio) const noexcept { ::BIO_free(bio); }
};

std::string name_text(const X509_NAME* name) {
  const std::unique_ptr<BIO, FreeBio> out(::BIO_new(::BIO_s_mem()));
  if (out == nullptr || ::X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) < 0) return "?";
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return size <= 0 ? "no name"
                   : cut(printable({text, static_cast<std::size_t>(size)}), longest_subject);
}

std::string time_text(const ASN1_TIME* time) {
  std::tm parts{};
  char text[64];
  if (::ASN1_TIME_to_tm(time, &parts) != 1) return "?";
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return {text, size};
}

double days_until(const ASN1_TIME* time) {
  constexpr double seconds_per_day = 86'400;
  int days = 0;
  int seconds = 0;
  // What is no time has passed.
  if (::ASN1_TIME_diff(&days, &seconds, nullptr, time) != 1) return -1;
  return days + seconds / seconds_per_day;
}

}  // namespace

std::string TlsCertificate::to_string() const {
  const std::string days = number_text(std::abs(days_left), 1) + " d";
  std::string text = subject + ", by " + issuer + ", ";
  if (!sooner.empty()) text += "whose chain's " + sooner + " ";
  text += days_left < 0 ? "expired " + days + " ago" : "expires in " + days;
  return text + " (" + expires + ")";
}

TlsCertificate certificate_of(const ssl_st* connection) {
  struct FreeCertificate {
    void operator()(X509* certificate) const noexcept { ::X509_free(certificate); }
  };
  const std::unique_ptr<X509, FreeCertificate> own(::SSL_get_peer_certificate(connection));
  if (own == nullptr) throw TargetError("the server has no certificate");

  TlsCertificate result;
  result.subject = name_text(::X509_get_subject_name(own.get()));
  result.issuer = name_text(::X509_get_issuer_name(own.get()));
  const X509* first = own.get();
  result.days_left = days_until(::X509_get0_notAfter(first));
  const STACK_OF(X509)* const chain = ::SSL_get_verify_result(connection) == X509_V_OK
                                          ? ::SSL_get0_verified_chain(connection)
                                          : nullptr;
  for (int i = 1; chain != nullptr && i < sk_X509_num(chain); ++i) {
    const X509* const other = sk_X509_value(chain, i);
    const double days = days_until(::X509_get0_notAfter(other));
    if (days >= result.days_left) continue;
    first = other;
    result.days_left = days;
    result.sooner = name_text(::X509_get_subject_name(other));
  }
  result.expires = time_text(::X509_get0_notAfter(first));
  return result;
}

}  // namespace health
