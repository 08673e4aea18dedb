#pragma once
// BlockList: free blocks, the last to come the first to go, without a lock.
//
// Treiber's stack (IBM RJ 5118, 1986) over the links of the blocks. The head counts its changes, so
// that one which was taken and came back is not mistaken for one that has stayed.
// Thread safety: all functions, any thread.
// Ordering: what happened before push() is visible to who pops what it pushed.

#include "rouse/detail/os.hpp"
#include "rouse/resource/buffer.hpp"

#include <cstdint>

namespace rouse::detail {

class BlockList {
 public:
  /// Precondition: nobody else uses it. Is empty then.
  void reset(BlockLink* links) noexcept {
    links_ = links;
    head_.store(0, std::memory_order_relaxed);
  }

  void push(const BlockChain& chain) noexcept {
    std::uint64_t seen = head_.load(std::memory_order_relaxed);
    do {
      links_[chain.last].next.store(block_of(seen), std::memory_order_relaxed);
    } while (!head_.compare_exchange_weak(seen, changed(seen, chain.first),
                                          std::memory_order_release, std::memory_order_relaxed));
  }

  /// The first blocks, `most` of them if there are so many.
  BlockChain pop(std::uint32_t most) noexcept {
    for (;;) {
      std::uint64_t seen = head_.load(std::memory_order_acquire);
      BlockChain chain{block_of(seen), block_of(seen), 1};
      if (chain.first == 0) return {};
      std::uint32_t rest = next(chain.last);
      for (; chain.count < most && rest != 0; rest = next(rest)) {
        chain.last = rest;
        ++chain.count;
      }
      // What was read on the way is true if the head has not changed meanwhile.
      if (head_.compare_exchange_weak(seen, changed(seen, rest), std::memory_order_relaxed)) {
        return chain;
      }
    }
  }

 private:
  static std::uint32_t block_of(std::uint64_t head) noexcept {
    return static_cast<std::uint32_t>(head);
  }
  static std::uint64_t changed(std::uint64_t head, std::uint32_t block) noexcept {
    return ((head >> 32) + 1) << 32 | block;
  }
  std::uint32_t next(std::uint32_t block) const noexcept {
    return links_[block].next.load(std::memory_order_relaxed);
  }

  Atomic<std::uint64_t> head_{0};  // how often it has changed, and the first block
  BlockLink* links_ = nullptr;
};

}  // namespace rouse::detail
