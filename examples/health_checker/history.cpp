#include "history.hpp"

#include "checkers/grade.hpp"

#include <algorithm>

namespace health {

History::Bucket& History::at(std::int64_t bucket) noexcept {
  return ring_[static_cast<std::size_t>(bucket) % count];
}

void History::add(Time now, Status result, std::chrono::nanoseconds took) noexcept {
  const std::int64_t current = number(now);
  if (current > newest_) {
    // What the ring still has at these places is a whole turn old.
    for (std::int64_t stale = std::max(newest_ + 1, current - std::int64_t{count} + 1);
         stale <= current; ++stale) {
      at(stale) = {};
    }
    newest_ = current;
  }
  Bucket& bucket = at(current);
  ++bucket.runs;
  if (result != Status::ok) ++bucket.failed;
  bucket.seconds += std::chrono::duration<float>(took).count();
  bucket.worst = worse(bucket.worst, result);
}

std::vector<History::Bucket> History::until(Time now) const {
  std::vector<Bucket> buckets(count);
  const std::int64_t last = number(now);
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t bucket = last - std::int64_t{count} + 1 + static_cast<std::int64_t>(i);
    if (bucket < 0 || bucket > newest_ || bucket <= newest_ - std::int64_t{count}) continue;
    buckets[i] = ring_[static_cast<std::size_t>(bucket) % count];
  }
  return buckets;
}

double History::uptime(const std::vector<Bucket>& buckets) noexcept {
  std::uint64_t runs = 0;
  std::uint64_t failed = 0;
  for (const Bucket& bucket : buckets) {
    runs += bucket.runs;
    failed += bucket.failed;
  }
  return runs == 0 ? 1 : 1 - static_cast<double>(failed) / static_cast<double>(runs);
}

}  // namespace health
