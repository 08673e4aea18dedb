#pragma once
// EachOnce: numbers that many threads were given, each of which must come once.
//
// Thread safety: any thread.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace rouse::test {

class EachOnce {
 public:
  /// For numbers from 0 to size - 1.
  explicit EachOnce(std::uint64_t size) : size_(size), words_(size / 64 + 1) {}

  /// False if it came before, or is too large.
  [[nodiscard]] bool add(std::uint64_t number) noexcept {
    if (number >= size_) return false;
    const std::uint64_t bit = std::uint64_t{1} << number % 64;
    return (words_[number / 64].fetch_or(bit, std::memory_order_relaxed) & bit) == 0;
  }

  [[nodiscard]] bool has_all() const noexcept {
    for (std::uint64_t number = 0; number < size_; ++number) {
      const std::uint64_t word = words_[number / 64].load(std::memory_order_relaxed);
      if ((word >> number % 64 & 1) == 0) return false;
    }
    return true;
  }

 private:
  const std::uint64_t size_;
  std::vector<std::atomic<std::uint64_t>> words_;
};

/// Adds what `next()` returns, `count` times on each of `threads` threads.
template <class Next>
void expect_each_once(EachOnce& numbers, int threads, int count, Next next) {
  std::vector<std::jthread> running;
  for (int i = 0; i < threads; ++i) {
    running.emplace_back([&numbers, &next, count] {
      int wrong = 0;
      for (int n = 0; n < count; ++n) wrong += numbers.add(next()) ? 0 : 1;
      EXPECT_EQ(wrong, 0);
    });
  }
}

}  // namespace rouse::test
