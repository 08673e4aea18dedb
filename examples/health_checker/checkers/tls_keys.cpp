#include "checkers/tls_keys.hpp"

#include <stdexcept>

namespace health {

std::shared_ptr<const TlsContext> read_tls_context(Settings& settings) {
  TlsOptions options;
  options.verify = settings.flag("verify", true);
  options.ca_file = settings.text("ca_file", "");
  if (!options.verify && !options.ca_file.empty()) {
    settings.error_at("ca_file", "'ca_file' has no meaning with verify = false");
  }
  if (options.verify && options.ca_file.empty()) return nullptr;
  try {
    return TlsContext::make(options);
  } catch (const std::invalid_argument& error) {
    settings.error_at("ca_file", "'ca_file': " + options.ca_file + " " + error.what());
    return nullptr;
  }
}

}  // namespace health
