#include "checkers/body_pool.hpp"

namespace health {

rouse::BufferPool& body_pool() {
  static rouse::BufferPool pool({.block_size = rouse::large_block, .blocks = 4, .max_blocks = 32});
  return pool;
}

}  // namespace health
