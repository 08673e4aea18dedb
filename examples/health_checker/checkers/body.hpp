#pragma once
// Body: what a target has sent, in one piece, as expressions and JSON want it. While it is short it
// takes no block of the pool, so that targets which send next to nothing, slowly, do not keep the
// blocks from those that have something to say.
//
// Thread safety: one thread at a time.

#include "rouse/resource/buffer_pool.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace health {

class Body {
 public:
  static constexpr std::size_t longest_without_block = std::size_t{8} * 1024;

  /// All of it is no longer than a block of `pool`. A block is waited for when it becomes too long
  /// without. Throws rouse::Stopped.
  void append(std::string_view part, rouse::BufferPool& pool);

  /// Valid until the next append().
  [[nodiscard]] std::string_view text() const noexcept;

 private:
  std::string start_;
  rouse::Buffer block_;  // all of it, once it is long
};

}  // namespace health
