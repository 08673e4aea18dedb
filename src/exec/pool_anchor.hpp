#pragma once
// PoolAnchor: how a Job finds its pool, which may be gone by then.
//
// Anchors are pooled and never freed; a generation tells whether it is still the same pool's.
//
// Thread safety: any thread. Design: docs/design/thread_pool.md.

#include "rouse/detail/lock.hpp"
#include "rouse/exec/job_state.hpp"
#include "rouse/wait/event.hpp"

#include <cstdint>

namespace rouse::detail {

class Pool;

class PoolAnchor {
 public:
  /// Throws std::bad_alloc.
  static PoolLink acquire(Pool& pool);
  /// Blocks until no Hold has the pool; none will any more.
  static void release(const PoolLink& link) noexcept;

  /// While it lives the pool does, if it did at the beginning. For what does not block.
  class [[nodiscard]] Hold {
   public:
    explicit Hold(const PoolLink& link) noexcept;
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

    /// Null if it is gone.
    Pool* pool() const noexcept { return pool_; }

   private:
    PoolAnchor* const anchor_;
    Pool* pool_ = nullptr;
  };

 private:
  Lock lock_;
  std::uint32_t generation_ = 0;
  std::uint32_t holds_ = 0;
  Pool* pool_ = nullptr;
  Event unheld_;  // set by the last Hold of a pool that is gone
  PoolAnchor* next_free_ = nullptr;
};

}  // namespace rouse::detail
