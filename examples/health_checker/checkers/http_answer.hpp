#pragma once
// read_http_answer: one HTTP response from a server that may be hostile: everything is bounded.

#include "rouse/resource/buffer_pool.hpp"

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
  rouse::Buffer body;               ///< Of one block; of none where there is no body.
  bool cut = false;                 ///< There is more than the cap; it was not read.
};

/// What is read of a body: up to `cap` bytes, and no more than a block of `pool`. The block is
/// waited for when the first byte has come, so that a silent server takes none.
struct BodyLimits {
  rouse::BufferPool& pool;
  std::size_t cap = 0;
};

/// Reads up to the end of the response, or until its body is cut. Passes over interim responses
/// (1xx). `to_head`: it answers a HEAD and has no body. Throws TargetError for what is not HTTP,
/// too long or cut short; rouse::Stopped.
HttpAnswer read_http_answer(Stream& stream, bool to_head, const BodyLimits& limits);

}  // namespace health
