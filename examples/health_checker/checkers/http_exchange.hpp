#pragma once
// http_exchange: a request and its answer, with redirects followed as far as it is allowed.
//
// A redirect is somebody else's word, so it is followed with care:
// - each is resolved and connected anew, and its certificate is checked;
// - not from https to http;
// - to another origin (scheme, host or port) only a GET, HEAD or OPTIONS is followed, and of the
//   check's own headers go Accept, Accept-Language, Accept-Encoding and Accept-Charset only: the
//   others may be credentials. They stay away, also when it leads back;
// - the request's body is sent again only where the status says so (307, 308), and not to another
//   origin; otherwise what was a POST becomes a GET.

#include "checkers/http_answer.hpp"
#include "checkers/resolver.hpp"
#include "checkers/tls_certificate.hpp"
#include "checkers/tls_context.hpp"
#include "checkers/url.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace health {

inline constexpr int most_redirects = 10;

struct HttpRequest {
  Url url;
  std::string method = "GET";
  std::vector<std::string> headers;  ///< "Name: value", besides what every request has.
  std::string body;
  int redirects = 0;  ///< So many are followed; 0: the first one is the answer.
};

struct HttpExchange {
  HttpAnswer answer;
  int redirects = 0;                          ///< How many were followed.
  std::optional<TlsCertificate> certificate;  ///< Of the last server, if it was asked by https.
};

/// `context` may be null where there is neither https nor a redirect that is followed. Throws
/// TargetError, std::system_error, rouse::Stopped.
HttpExchange http_exchange(const HttpRequest& request, const BodyLimits& limits,
                           const ResolverOptions& resolver, const TlsContext* context);

}  // namespace health
