#pragma once
// Lock: a mutex of one word over the seam, for sections of some ten instructions.
//
// Not std::mutex: the core's locks must run under a scheduler of the tests, be reset after a fork
// and live in zero-initialised memory.

#include "rouse/detail/os.hpp"

#include <cstdint>

namespace rouse::detail {

class Lock {
 public:
  constexpr Lock() noexcept = default;

  void lock() noexcept {
    std::uint32_t expected = free_;
    if (word_.compare_exchange_strong(expected, held_, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
      return;
    }
    lock_slow();
  }

  void unlock() noexcept {
    if (word_.exchange(free_, std::memory_order_release) == contended_) {
      os::futex_wake_one(word_);
    }
  }

  /// After a fork, in the child: whoever held it does not exist any more.
  void reset_after_fork() noexcept {
    if (word_.load(std::memory_order_relaxed) != free_)
      word_.store(free_, std::memory_order_relaxed);
  }

 private:
  static constexpr std::uint32_t free_ = 0;
  static constexpr std::uint32_t held_ = 1;
  static constexpr std::uint32_t contended_ = 2;
  static constexpr int spins_ = 30;  // the holder has only some ten instructions left to do

  void lock_slow() noexcept {
    for (int i = 0; i < spins_; ++i) {
      std::uint32_t expected = free_;
      if (word_.load(std::memory_order_relaxed) == free_ &&
          word_.compare_exchange_strong(expected, held_, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
        return;
      }
      os::cpu_relax();
    }
    while (word_.exchange(contended_, std::memory_order_acquire) != free_) {
      os::futex_wait(word_, contended_, INT64_MAX);
    }
  }

  Atomic<std::uint32_t> word_{free_};
};

class [[nodiscard]] LockGuard {
 public:
  explicit LockGuard(Lock& lock) noexcept : lock_(lock) { lock_.lock(); }
  ~LockGuard() { lock_.unlock(); }
  LockGuard(const LockGuard&) = delete;
  LockGuard& operator=(const LockGuard&) = delete;

 private:
  Lock& lock_;
};

}  // namespace rouse::detail
