#include "schedule.hpp"

#include <algorithm>

namespace health {
namespace {

using namespace std::chrono_literals;

std::chrono::milliseconds share_of(std::chrono::milliseconds whole, std::uint64_t hash) noexcept {
  const auto share = hash % static_cast<std::uint64_t>(whole.count());
  return std::chrono::milliseconds(static_cast<std::int64_t>(share));
}

}  // namespace

Schedule::Schedule(std::string_view name, std::chrono::milliseconds period) noexcept
    : period_(std::max(period, 1ms)),
      offset_(share_of(period_, stable_hash(name))),
      first_delay_(share_of(std::min<std::chrono::milliseconds>(period_, 10s), stable_hash(name))) {
}

std::chrono::nanoseconds Schedule::from_first_to_beat(SystemTime now) const noexcept {
  const std::chrono::nanoseconds period = period_;
  std::chrono::nanoseconds since_beat = (now.time_since_epoch() - offset_) % period;
  if (since_beat < 0ns) since_beat += period;  // a clock that was never set may be before its epoch
  const std::chrono::nanoseconds left = period - since_beat;
  return left < period / 2 ? left + period : left;
}

Schedule::SteadyTime Schedule::upcoming(SteadyTime due, SteadyTime now) const noexcept {
  if (due > now) return due;
  return due + ((now - due) / period_ + 1) * period_;
}

}  // namespace health
