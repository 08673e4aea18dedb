#pragma once
// ThreadPoolStats: what a pool has done and is doing.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>

namespace rouse {

/// How often times of which length were seen; each bucket reaches twice as far as the one before.
struct TimeHistogram {
  /// buckets[0]: below 1 ns (the clock did not move). buckets[i]: from 2^(i-1) ns up to 2^i ns.
  std::array<std::uint64_t, 64> buckets{};

  [[nodiscard, gnu::visibility("default")]] std::uint64_t count() const noexcept;
  /// An upper bound of the time that a share of `q` (0 to 1) did not pass; zero without times.
  [[nodiscard, gnu::visibility("default")]] std::chrono::nanoseconds quantile(
      double q) const noexcept;
};

/// "p50 < 1.02 us, p99 < 16.4 us, in 100 samples": upper bounds.
[[gnu::visibility("default")]] std::ostream& operator<<(std::ostream& out,
                                                        const TimeHistogram& times);

/// A snapshot. The counts are taken one after the other while the pool works.
struct ThreadPoolStats {
  std::string name;
  std::size_t queued_high = 0;    ///< Jobs that wait for a worker, by urgency;
  std::size_t queued_normal = 0;  ///< a job that was stopped there may still count.
  std::size_t queued_low = 0;
  std::size_t threads = 0;    ///< Workers, of which:
  std::size_t working = 0;    ///<  have a job, or look for one,
  std::size_t waiting = 0;    ///<  have none and sleep,
  std::size_t blocked = 0;    ///<  have one that waits for another job.
  std::uint64_t done = 0;     ///< Calls that returned, since the pool was made.
  std::uint64_t failed = 0;   ///< Calls that threw.
  std::uint64_t dropped = 0;  ///< Jobs without a call: stopped, given up, expired.
  TimeHistogram wait_time;    ///< In the queue. Samples: at most one job in 64.
  TimeHistogram run_time;     ///< Of calls. Samples: one job in 64 of each worker.

  [[nodiscard]] std::size_t queued() const noexcept {
    return queued_high + queued_normal + queued_low;
  }
};

/// Several lines for people.
[[gnu::visibility("default")]] std::ostream& operator<<(std::ostream& out,
                                                        const ThreadPoolStats& stats);

}  // namespace rouse
