#pragma once
// Permits: a number of permissions that are handed out, first come first served, and given back.
//
// The back-pressure of bounded queues: a producer acquires a place, a consumer releases it.
//
//   Permits places(100);
//   if (places.acquire(deadline, stop, {"Queue::push", address}) != Acquired::yes) return;
//   ...
//   places.release();  // to the one who has waited longest, if somebody waits
//
// Who waits for several is served before whoever came later, also if that one asks for fewer.
// Thread safety: all functions, any thread. In a forked child nobody waits any more.
// Ordering: what happened before release() is visible to whoever acquires what it gave back; what
//   happened before close(), to whoever is refused.
// Lifetime: may be destroyed by who has acquired everything, as soon as acquire() has returned, and
//   by who has closed it, when those who use it will not come again; also while the release() or
//   close() that ended a wait has not returned yet.
// Cost: 4 bytes; no allocation per wait; one compare-and-swap where nobody waits. Design:
//   docs/design/wait_core.md.

#include "rouse/detail/deadline.hpp"
#include "rouse/detail/os.hpp"

#include "wait/control_block.hpp"
#include "wait/parking_table.hpp"

#include <cstdint>
#include <stop_token>

namespace rouse::detail {

/// How acquire() ended. If several hold: closed, yes, (raised: throws), stopped, timeout.
enum class Acquired : std::uint8_t { yes, stopped, timeout, closed };

class Permits {
 public:
  static constexpr std::uint32_t max = (std::uint32_t{1} << 30) - 1;

  /// `count` are free, at most `max`, as ever after.
  explicit constexpr Permits(std::uint32_t count) noexcept : word_(count) {}

  Permits(const Permits&) = delete;
  Permits& operator=(const Permits&) = delete;

  /// Takes `n`, if they are free, nobody waits, and it is not closed. Never blocks.
  bool try_acquire(std::uint32_t n = 1) noexcept {
    std::uint32_t seen = word_.load(std::memory_order_relaxed);
    while ((seen & (waited_ | closed_)) == 0 && seen >= n) {
      if (word_.compare_exchange_weak(seen, seen - n, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  /// Blocks until `n` are the caller's, at most until `deadline`, or until `stop` or the thread's
  /// ambient stop is requested or it is closed: then nothing is taken. A stop that comes together
  /// with the permits stays pending. Throws what was raised at the thread, and std::bad_alloc in a
  /// thread's first wait, if it would block; then too nothing is taken.
  [[nodiscard]] Acquired acquire(Deadline deadline, const std::stop_token& stop, BlockSite site,
                                 std::uint32_t n = 1) {
    return try_acquire(n) ? Acquired::yes : acquire_slow(deadline, stop, site, n);
  }

  /// Gives `n` back; returns how many are free then. Never blocks.
  std::uint32_t release(std::uint32_t n = 1) noexcept {
    std::uint32_t seen = word_.load(std::memory_order_relaxed);
    while ((seen & waited_) == 0) {
      if (word_.compare_exchange_weak(seen, seen + n, std::memory_order_release,
                                      std::memory_order_relaxed)) {
        return free_of(seen + n);
      }
    }
    return release_slow(n);
  }

  /// Refuses everybody who waits and who comes, until reopen(). What is acquired stays so, and is
  /// released as ever. Never blocks.
  void close() noexcept;
  void reopen() noexcept { word_.fetch_and(~closed_, std::memory_order_relaxed); }

  /// How many are free now. Some may be kept for one who waits for more.
  std::uint32_t available() const noexcept {
    return free_of(word_.load(std::memory_order_relaxed));
  }

 private:
  static constexpr std::uint32_t waited_ = std::uint32_t{1} << 31;  // the parking table knows nodes
  static constexpr std::uint32_t closed_ = std::uint32_t{1} << 30;

  static constexpr std::uint32_t free_of(std::uint32_t word) noexcept {
    return word & ~(waited_ | closed_);
  }

  Acquired acquire_slow(Deadline deadline, const std::stop_token& stop, BlockSite site,
                        std::uint32_t n);
  std::uint32_t release_slow(std::uint32_t n) noexcept;
  std::uint32_t serve(ParkingTable::Waiters& waiters, std::uint32_t returned) noexcept;

  Atomic<std::uint32_t> word_;  // how many are free; with `waited_` it changes under the lock only
};

}  // namespace rouse::detail
