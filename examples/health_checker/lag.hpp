#pragma once
// Lag: how late something begins, counted by many threads.
//
// Thread safety: all functions from any thread.

#include "rouse/exec/thread_pool_stats.hpp"

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace health {

class Lag {
 public:
  void add(std::chrono::nanoseconds late) noexcept {
    const auto ns = static_cast<std::uint64_t>(late.count() < 0 ? 0 : late.count());
    // A count alone: it orders nothing.
    buckets_[static_cast<std::size_t>(std::bit_width(ns))].fetch_add(1, std::memory_order_relaxed);
  }

  void add_to(rouse::TimeHistogram& sum) const noexcept {
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      sum.buckets[i] += buckets_[i].load(std::memory_order_relaxed);
    }
  }

 private:
  std::array<std::atomic<std::uint64_t>, 64> buckets_{};
};

}  // namespace health
