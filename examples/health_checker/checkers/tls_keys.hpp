#pragma once
// The keys of every kind that speaks TLS:
//
//   verify = true                    # false: any certificate will do
//   ca_file = "/etc/ssl/own-ca.pem"  # certificates that are believed; default: the system's

#include "checkers/tls_context.hpp"
#include "settings.hpp"

#include <memory>

namespace health {

/// What is wrong with the file is recorded in `settings`. Null where the keys are not there.
std::shared_ptr<const TlsContext> read_tls_context(Settings& settings);

}  // namespace health
