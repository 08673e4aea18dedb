#pragma once
// read_http_answer: one HTTP response from a server that may be hostile: everything is bounded.

#include "checkers/socket.hpp"

#include <cstddef>
#include <string>

namespace health {

struct HttpAnswer {
  int status = 0;
  std::string reason;  ///< "Not Found"
  std::string body;
  bool cut = false;  ///< There is more than the cap; it was not read.
};

/// Reads up to the end of the response, or until `body_cap` bytes of its body are there. Passes
/// over interim responses (1xx). `to_head`: it answers a HEAD and has no body. Throws TargetError
/// for what is not HTTP, too long or cut short; rouse::Stopped.
HttpAnswer read_http_answer(Socket& socket, bool to_head, std::size_t body_cap);

}  // namespace health
