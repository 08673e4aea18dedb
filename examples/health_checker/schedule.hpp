#pragma once
// Schedule: when a check runs.
//
// Every check has beats: the times of the system clock, counted from its epoch, that leave the same
// rest when divided by the period. The rest comes from the check's name. So checks are spread over
// the period, and a restart of the program keeps everybody's rhythm.
// Whoever starts the program wants to see something soon, though, and not after up to 24 hours: the
// first run comes within ten seconds (or the period), spread as well, and the beats follow it.
// Thread safety: immutable.

#include <chrono>
#include <cstdint>
#include <string_view>

namespace health {

/// FNV-1a. Written out because std::hash may differ from one build to the next.
constexpr std::uint64_t stable_hash(std::string_view text) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3U;
  }
  return hash;
}

class Schedule {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;
  using SystemTime = std::chrono::system_clock::time_point;

  Schedule(std::string_view name, std::chrono::milliseconds period) noexcept;

  /// From the start of the program to the first run.
  [[nodiscard]] std::chrono::milliseconds first_delay() const noexcept { return first_delay_; }

  /// From the first run, at `now`, to the next beat. A beat that is nearer than half a period is
  /// left out, so the result is in [period / 2, period * 3 / 2].
  [[nodiscard]] std::chrono::nanoseconds from_first_to_beat(SystemTime now) const noexcept;

  /// The first of `due` and the beats after it that is still to come at `now`. What was missed, by
  /// a slow check or while the machine was asleep, is not made up for.
  [[nodiscard]] SteadyTime upcoming(SteadyTime due, SteadyTime now) const noexcept;

  [[nodiscard]] std::chrono::milliseconds period() const noexcept { return period_; }

 private:
  std::chrono::milliseconds period_;
  std::chrono::milliseconds offset_;
  std::chrono::milliseconds first_delay_;
};

}  // namespace health
