#include "rouse/exec/thread_pool_stats.hpp"

#include "rouse/detail/thread_name.hpp"

#include <numeric>
#include <ostream>

namespace rouse {

std::uint64_t TimeHistogram::count() const noexcept {
  return std::accumulate(buckets.begin(), buckets.end(), std::uint64_t{0});
}

std::chrono::nanoseconds TimeHistogram::quantile(double q) const noexcept {
  const std::uint64_t all = count();
  if (all == 0) return {};
  const double wanted = q * static_cast<double>(all);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i + 1 < buckets.size(); ++i) {
    seen += buckets[i];
    if (static_cast<double>(seen) >= wanted && seen != 0) {
      return std::chrono::nanoseconds(std::int64_t{1} << i);
    }
  }
  return std::chrono::nanoseconds::max();
}

std::ostream& operator<<(std::ostream& out, const TimeHistogram& times) {
  if (times.count() == 0) return out << "not measured yet";
  const auto microseconds = [](std::chrono::nanoseconds ns) {
    return std::chrono::duration<double, std::micro>(ns).count();
  };
  return out << "p50 < " << microseconds(times.quantile(0.5)) << " us, p99 < "
             << microseconds(times.quantile(0.99)) << " us, in " << times.count() << " samples";
}

std::ostream& operator<<(std::ostream& out, const ThreadPoolStats& stats) {
  out << "pool '" << detail::printable(stats.name) << "': " << stats.queued() << " queued ("
      << stats.queued_high << " high, " << stats.queued_normal << " normal, " << stats.queued_low
      << " low), " << stats.threads << " threads (" << stats.working << " working, "
      << stats.waiting << " waiting, " << stats.blocked << " blocked), " << stats.done << " done, "
      << stats.failed << " failed, " << stats.dropped << " dropped\n"
      << "  wait time: " << stats.wait_time << '\n'
      << "  run time: " << stats.run_time << '\n';
  return out;
}

}  // namespace rouse
