#pragma once
// read_http_answer: one HTTP response from a server that may be hostile: everything is bounded.

#include "rouse/resource/buffer_pool.hpp"

#include "checkers/body.hpp"
#include "checkers/http_header.hpp"
#include "checkers/socket.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace health {

struct HttpAnswer {
  int status = 0;
  std::string reason;               ///< "Not Found"
  std::vector<HttpHeader> headers;  ///< As they came.
  Body body;
  bool cut = false;  ///< There is more than the cap; it was not read.
};

/// What is read of a body: up to `cap` bytes, and no more than a block of `pool`.
struct BodyLimits {
  rouse::BufferPool& pool;
  std::size_t cap = 0;
};

/// Reads up to the end of the response, or until its body is cut. Passes over interim responses
/// (1xx). `to_head`: it answers a HEAD and has no body. Throws TargetError for what is not HTTP,
/// too long or cut short; rouse::Stopped.
HttpAnswer read_http_answer(Stream& stream, bool to_head, const BodyLimits& limits);

}  // namespace health
