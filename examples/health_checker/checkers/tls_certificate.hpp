#pragma once
// TlsCertificate: what there is to tell of a server's certificate.

#include <string>

struct ssl_st;  // OpenSSL's SSL

namespace health {

/// Names are as RFC 2253 writes them ("CN=www.example.org,O=Example"), printable ASCII, and at most
/// 200 characters.
struct TlsCertificate {
  std::string subject;
  std::string issuer;
  std::string expires;   ///< "2027-02-28 12:00:00 UTC"
  double days_left = 0;  ///< Negative when it has expired.
  /// Whose certificate of the chain expires even earlier: then the two above are of that one.
  std::string sooner;

  /// "CN=www.example.org, by CN=Example CA, expires in 12.3 d (2027-02-28 12:00:00 UTC)"
  [[nodiscard]] std::string to_string() const;
};

/// Of the server at the other end, after the handshake. Of its chain what was verified is looked
/// at. Throws TargetError if it has none.
TlsCertificate certificate_of(const ssl_st* connection);

}  // namespace health
