#pragma once
// Backoff: when to look again at what has no event: after 1 ms, then after twice that, up to an
// interval.

#include "rouse/detail/deadline.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace rouse::detail {

class Backoff {
 public:
  explicit Backoff(std::chrono::nanoseconds interval) noexcept : interval_ns_(interval.count()) {}

  void reset() noexcept { pause_ns_ = shortest_ns; }
  Deadline next() noexcept {
    const std::int64_t pause = std::min(pause_ns_, interval_ns_);
    if (pause < interval_ns_) pause_ns_ = pause * 2;
    return Deadline::after_ns(pause);
  }

 private:
  static constexpr std::int64_t shortest_ns = 1'000'000;

  std::int64_t interval_ns_;
  std::int64_t pause_ns_ = shortest_ns;
};

}  // namespace rouse::detail
