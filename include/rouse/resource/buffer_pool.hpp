#pragma once
// BufferPool: memory in blocks of one size, at most so many; who asks for more waits for its turn.
//
/// @code
///   rouse::BufferPool pool({.block_size = rouse::medium_block, .blocks = 64});
///   {
///     rouse::Buffer buffer = pool.allocate(2);  // or throws Stopped
///     buffer.assign("whatever a peer sends, the program uses no more than 64 blocks");
///   }  // the blocks are back
///   if (std::optional<rouse::Buffer> buffer = pool.allocate_for(4, 100ms)) {
///     buffer->append("there were four in time");
///   }
/// @endcode
//
// Thread safety: all functions, any thread, but the destructor, which must be the last.
// Ordering: see Buffer. Waits are first come first served: who waits for many blocks is not passed
//   by those who ask for few, try_allocate() included.
// Lifetime: buffers may outlive the pool, threads that wait in it may not. In a forked child the
//   pool and its buffers can be used; blocks that other threads were just taking or giving back
//   count as used there.
// Memory: the address space of `max_blocks` blocks is reserved by the constructor, and the system
//   gives memory when a block is first written to. It comes back by trim(), and when the pool and
//   its last buffer are gone. (A system that never overcommits, vm.overcommit_memory=2, counts the
//   whole from the start.)
// Cost: one block is taken from and given back to a shelf of the CPU that the thread runs on, where
//   Linux has restartable sequences without an atomic operation; shelves that are full or empty are
//   levelled sixteen blocks at a time. Whoever finds too few empties the shelves of all CPUs, so
//   that no free block is out of reach. Nothing is allocated. Design: docs/design/buffer_pool.md.
// Misuse: a debug build of the library fills blocks that are given back, and ends the program with
//   a message when one that was written to afterwards is given out again. Under AddressSanitizer a
//   use of such a block is reported where it happens.

#include "rouse/detail/deadline.hpp"
#include "rouse/resource/buffer.hpp"
#include "rouse/wait/wait_status.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stop_token>

namespace rouse {

namespace detail {
class BlockStore;
}

/// In bytes.
inline constexpr std::size_t small_block = std::size_t{4} << 10;
inline constexpr std::size_t medium_block = std::size_t{132} << 10;
inline constexpr std::size_t large_block = (std::size_t{1} << 20) + (std::size_t{4} << 10);

struct BufferPoolOptions {
  /// In bytes: a multiple of 64. Blocks are aligned to 64, and to a page if they are made of pages,
  /// as the three sizes above.
  std::size_t block_size = medium_block;
  /// How many there are at first.
  std::size_t blocks = 1024;
  /// To how many the pool extends itself when all are used; 0: it does not.
  std::size_t max_blocks = 0;
  /// Blocks are zero whenever they are given out.
  bool zero_on_release = false;
  /// Asks the system for pages of 2 MiB: less work for large pools that are in use throughout.
  bool huge_pages = false;
};

/// Numbers of one moment; while others allocate they need not fit together to the block.
struct BufferPoolStats {
  std::size_t block_size = 0;  // in bytes
  std::size_t capacity_blocks = 0;
  std::size_t max_blocks = 0;
  std::size_t used_blocks = 0;        // in buffers
  std::size_t free_blocks = 0;        // the others: used and free are the capacity
  std::size_t cached_blocks = 0;      // those of the free ones that lie on shelves of CPUs
  std::size_t high_water_blocks = 0;  // were out at once, in buffers or on shelves
  std::size_t waiters = 0;            // threads in allocate() and its kin
};

class [[gnu::visibility("default")]] BufferPool {
 public:
  /// Throws std::invalid_argument for options that make no sense, std::length_error for more than
  /// 2^30 - 2 blocks or more bytes than there are addresses, std::system_error if the system has no
  /// room for them, and std::bad_alloc.
  explicit BufferPool(const BufferPoolOptions& options = {});
  ~BufferPool();

  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  /// Never blocks. A buffer of `n` blocks, or none if they are not free now, or if somebody waits.
  /// Blocks that another thread is just moving, between list and shelf up to sixteen at a time,
  /// count as used. This and the following throw std::invalid_argument if `n` is 0 and
  /// std::length_error if it is more than `max_blocks`.
  [[nodiscard]] std::optional<Buffer> try_allocate(std::size_t n = 1);

  /// Blocks until `n` blocks are free and nobody waits who came before. Throws Stopped if `stop` or
  /// the thread's ambient stop is requested first, what was raised at the thread, and
  /// std::bad_alloc in a thread's first wait; then nothing is taken. What is free is given whatever
  /// was requested.
  Buffer allocate(std::size_t n = 1, const std::stop_token& stop = {});

  /// The same, and none if the blocks are not free within `d`, or by `t` on t's clock.
  template <class Rep, class Period>
  [[nodiscard]] std::optional<Buffer> allocate_for(std::size_t n,
                                                   const std::chrono::duration<Rep, Period>& d,
                                                   const std::stop_token& stop = {}) {
    std::optional<Buffer> buffer = try_allocate(n);
    if (!buffer) (void)wait_for_blocks(buffer, n, detail::Deadline::after(d), stop);
    return buffer;
  }
  template <class Clock, class Duration>
  [[nodiscard]] std::optional<Buffer> allocate_until(
      std::size_t n, const std::chrono::time_point<Clock, Duration>& t,
      const std::stop_token& stop = {}) {
    std::optional<Buffer> buffer = try_allocate(n);
    if (!buffer) {
      (void)detail::wait_until_on(
          t, [&](detail::Deadline d) { return wait_for_blocks(buffer, n, d, stop); });
    }
    return buffer;
  }

  std::size_t block_size() const noexcept;       ///< In bytes.
  std::size_t capacity_blocks() const noexcept;  ///< From `blocks` to `max_blocks`; never less.
  std::size_t max_blocks() const noexcept;
  std::size_t used_blocks() const noexcept { return stats().used_blocks; }
  std::size_t free_blocks() const noexcept { return stats().free_blocks; }
  BufferPoolStats stats() const noexcept;

  /// Gives the memory of free blocks back to the system: they cost page faults when they are next
  /// used. Returns how many bytes. Never waits for others; takes a system call for each gap between
  /// used blocks, some milliseconds for a large pool, during which try_allocate() may find nothing.
  /// Throws std::bad_alloc; then nothing has happened.
  std::size_t trim();

 private:
  [[gnu::visibility("hidden"), gnu::noinline]] std::optional<Buffer> try_allocate_further(
      std::size_t n);
  [[gnu::visibility("hidden"), gnu::noinline]] Buffer allocate_further(std::size_t n,
                                                                       const std::stop_token& stop);
  // `ready`, with a buffer, or `timeout`.
  WaitStatus wait_for_blocks(std::optional<Buffer> & buffer, std::size_t n,
                             detail::Deadline deadline, const std::stop_token& stop);

  detail::BlockStore& store_;
};

}  // namespace rouse
