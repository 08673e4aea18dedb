#pragma once
// BlockStore: the blocks of one pool: where they lie, which are free, and who waits for some.
//
// A block is in a buffer, on the shelf of a CPU, in the list of those that came back, or was never
// out. `permits_` counts the latter two, so who waits, waits for permits. As long as somebody waits
// nothing is put on shelves.
// Thread safety: all functions, any thread. Lifetime: ends itself with the last block that comes
//   back after abandon(); its object is used again for another pool, never freed, so that a thread
//   that has just given a block back may still look at it. Design: docs/design/buffer_pool.md.

#include "rouse/detail/deadline.hpp"
#include "rouse/resource/buffer.hpp"
#include "rouse/resource/buffer_pool.hpp"

#include "resource/block_checks.hpp"
#include "resource/block_list.hpp"
#include "resource/shelves.hpp"
#include "wait/permits.hpp"

#include <cstddef>
#include <cstdint>
#include <stop_token>

namespace rouse::detail {

class alignas(64) BlockStore : public BlockMemory {
 public:
  /// With one that the pool itself holds while it is there.
  static constexpr std::uint32_t most_blocks = Permits::max - 1;

  /// The options have been checked. Throws std::system_error and std::bad_alloc.
  static BlockStore& open(const BufferPoolOptions& options);
  /// No pool any more. Precondition: nobody is in take(), nor comes.
  void abandon() noexcept;

  /// Throws std::invalid_argument and std::length_error for a number of blocks that it never has.
  void check_count(const char* call, std::size_t n) const {
    if (n - 1 >= max_blocks_) refuse_count(call, n);
  }

  /// One block, if it is a matter of a few instructions; otherwise 0.
  std::uint32_t take_quickly() noexcept { return quick_ ? shelves_.take_quickly() : 0; }
  /// `n` blocks, or none if they are not free now.
  BlockChain try_take(std::uint32_t n) noexcept;
  /// Blocks until it has them; `chain` is set if it returns `yes`.
  Acquired take(std::uint32_t n, Deadline deadline, const std::stop_token& stop, BlockSite site,
                BlockChain& chain);

  /// False: the block is still the caller's.
  bool give_quickly(std::uint32_t block) noexcept { return quick_ && shelves_.put_quickly(block); }
  void give(BlockChain chain) noexcept;

  std::size_t trim();

  std::uint32_t capacity() const noexcept { return capacity_.load(std::memory_order_relaxed); }
  std::uint32_t max_blocks() const noexcept { return max_blocks_; }
  BufferPoolStats stats() const noexcept;

 private:
  friend class BlockStores;

  BlockStore() = default;

  [[noreturn]] void refuse_count(const char* call, std::size_t n) const;
  BlockChain take_and_restock() noexcept;
  BlockChain pop(std::uint32_t n) noexcept;
  BlockChain pop_unused(std::uint32_t most) noexcept;
  bool extend(std::uint32_t wanted) noexcept;
  void clear_shelves() noexcept;
  void collect_shelved() noexcept;
  void release(const BlockChain& chain) noexcept;
  void release_permits(std::uint32_t n) noexcept;
  void close() noexcept;

  BlockChain prepared(const BlockChain& chain) noexcept {
    if constexpr (checks_blocks) check(chain);
    return chain;
  }
  void check(const BlockChain& chain) noexcept;
  void wipe(const BlockChain& chain) noexcept;

  // Closed while somebody waits, so that what is given back goes to them, and without a pool.
  Shelves shelves_;
  bool quick_ = false;
  bool zero_on_release_ = false;
  std::uint32_t max_blocks_ = 0;
  std::size_t links_size_ = 0;  // in bytes
  std::byte* mapped_ = nullptr;
  std::size_t mapped_size_ = 0;  // in bytes
  BlockStore* next_ = nullptr;   // of those that no pool has

  // All `max_blocks_` and one more are free when, and only when, all is over.
  alignas(64) Permits permits_{0};
  Atomic<std::uint32_t> capacity_{0};
  Atomic<std::uint32_t> ever_out_{0};  // the first so many blocks
  BlockList list_;
};

}  // namespace rouse::detail
