#include "checkers/body_pool.hpp"

#include <cassert>

namespace health {

rouse::BufferPool& body_pool() {
  static rouse::BufferPool pool({.block_size = rouse::large_block, .blocks = 4, .max_blocks = 32});
  return pool;
}

std::string_view text_of(const rouse::Buffer& buffer) noexcept {
  assert(buffer.block_count() <= 1);
  if (buffer.empty()) return {};
  const auto piece = *buffer.content().begin();
  return {reinterpret_cast<const char*>(piece.data()), piece.size()};
}

}  // namespace health
