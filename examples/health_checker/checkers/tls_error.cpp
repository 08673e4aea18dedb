#include "checkers/tls_error.hpp"

#include "checkers/fd.hpp"

#include <openssl/err.h>

namespace health {

std::string take_tls_error() {
  // The first of them is the cause; the others are where it came along.
  const unsigned long code = ::ERR_get_error();
  ::ERR_clear_error();
  if (code == 0) return "unknown error";
  if (ERR_SYSTEM_ERROR(code)) return error_text(ERR_GET_REASON(code));
  const char* const reason = ::ERR_reason_error_string(code);
  return reason == nullptr ? "error " + std::to_string(code) : reason;
}

}  // namespace health
