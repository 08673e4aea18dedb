#include "checkers/body.hpp"

#include <cassert>

namespace health {

void Body::append(std::string_view part, rouse::BufferPool& pool) {
  if (block_.block_count() == 0) {
    if (start_.size() + part.size() <= longest_without_block) {
      start_ += part;
      return;
    }
    block_ = pool.allocate();
    block_.append(start_);
    start_ = {};
  }
  block_.append(part);
}

std::string_view Body::text() const noexcept {
  assert(block_.block_count() <= 1);
  if (block_.empty()) return start_;
  const auto piece = *block_.content().begin();
  return {reinterpret_cast<const char*>(piece.data()), piece.size()};
}

}  // namespace health
