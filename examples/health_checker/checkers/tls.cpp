#include "checkers/tls.hpp"

#include "checkers/kinds.hpp"
#include "checkers/text.hpp"
#include "checkers/tls_keys.hpp"
#include "checkers/tls_stream.hpp"
#include "expectation_parser.hpp"

#include <chrono>
#include <utility>

namespace health {

TlsChecker::TlsChecker(TlsCheckOptions options)
    : options_(std::move(options)),
      tls_(options_.tls != nullptr ? options_.tls : TlsContext::make({})) {}

CheckResult TlsChecker::check(std::stop_token) {
  const auto started = std::chrono::steady_clock::now();
  try {
    Socket socket = Socket::connect(resolve(options_.host, options_.port, options_.resolver));
    // Of a certificate that is not believed, too, it is worth knowing whose it is.
    const TlsStream stream(std::move(socket), *tls_,
                           options_.server_name.empty() ? options_.host : options_.server_name,
                           TlsStream::Distrust::reported);
    const double latency_ms = milliseconds(std::chrono::steady_clock::now() - started);
    const TlsCertificate certificate = stream.certificate();

    CheckResult result =
        verdict(options_.days_left.grade(certificate.days_left), certificate.to_string(),
                {{"days_left", certificate.days_left, "d"}, {"latency", latency_ms, "ms"}});
    if (const std::string distrust = stream.distrust(); !distrust.empty()) {
      result.status = Status::critical;
      result.message = "certificate verify failed: " + distrust + ": " + result.message;
    }
    Facts facts;
    facts.latency_ms = latency_ms;
    facts.days_left = certificate.days_left;
    judge(options_.expect, facts, result);
    return result;
  } catch (const TargetError& error) {
    return verdict(Status::critical, error.what());
  }
}

std::unique_ptr<BaseChecker> make_tls(Settings& settings) {
  constexpr std::chrono::hours day{24};
  constexpr auto most = 3660 * day;
  TlsCheckOptions options;
  options.host = settings.required_text("host");
  options.port = static_cast<std::uint16_t>(settings.integer("port", options.port, 1, 65'535));
  options.server_name = settings.text("server_name", "");
  const auto read_days = [&](std::string_view key, double& days) {
    const auto value = settings.optional_duration(key, std::chrono::milliseconds(0), most);
    if (value) days = std::chrono::duration<double>(*value) / day;
  };
  read_days("warning", options.days_left.warning);
  read_days("critical", options.days_left.critical);
  if (options.days_left.warning < options.days_left.critical) {
    const char* const key = settings.has("warning") ? "warning" : "critical";
    settings.error_at(key, "'warning' must not be less than 'critical', or it never comes");
  }
  options.expect = read_expectations(settings, {Subject::latency, Subject::days_left});
  options.tls = read_tls_context(settings);
  options.resolver.servers = settings.text_list("dns_servers");
  return std::make_unique<TlsChecker>(std::move(options));
}

}  // namespace health
