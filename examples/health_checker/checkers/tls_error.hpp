#pragma once
// take_tls_error: why OpenSSL's last call on this thread has failed.

#include <string>

namespace health {

/// In OpenSSL's words: "wrong version number". Forgets it.
std::string take_tls_error();

}  // namespace health
