#pragma once
// History: what a check has said over the last hours, in buckets of some minutes.
//
//   History history;
//   history.add(now, Status::ok, 12ms);
//   for (const History::Bucket& bucket : history.until(now)) draw(bucket);  // the oldest first
//
// Of fixed size, however often the check runs: ten thousand of them take six megabytes.
// Thread safety: none of its own.

#include "base_checker.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace health {

class History {
 public:
  using Time = std::chrono::steady_clock::time_point;

  static constexpr std::size_t count = 48;
  static constexpr std::chrono::minutes width{5};  ///< Of a bucket.

  struct Bucket {
    std::uint32_t runs = 0;
    std::uint32_t failed = 0;   ///< Those of them that were not ok.
    float seconds = 0;          ///< That all of them took together.
    Status worst = Status::ok;  ///< Of them.

    [[nodiscard]] float mean_ms() const noexcept {
      return runs == 0 ? 0 : seconds * 1000 / static_cast<float>(runs);
    }
  };

  void add(Time now, Status result, std::chrono::nanoseconds took) noexcept;

  /// `count` buckets up to the one that `now` is in, the oldest first. Those without a run are
  /// empty.
  [[nodiscard]] std::vector<Bucket> until(Time now) const;

  /// The share of runs that were ok, from 0 to 1, in these buckets; 1 without runs.
  static double uptime(const std::vector<Bucket>& buckets) noexcept;

 private:
  static std::int64_t number(Time now) noexcept { return now.time_since_epoch() / width; }
  Bucket& at(std::int64_t bucket) noexcept;

  std::array<Bucket, count> ring_{};
  std::int64_t newest_ = 0;  // number of the newest bucket with a run
};

}  // namespace health
