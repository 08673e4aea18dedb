#pragma once
// Deadline: a point of CLOCK_MONOTONIC that a wait ends at, saturated.
//
// The one place where durations and time points become deadlines. hours::max() means never (in
// libstdc++ 12 it overflows and returns at once); what is negative, or not a number, means now.
// A conversion rounds up: no wait ends before its time.

#include "rouse/detail/os.hpp"

#include <chrono>
#include <cstdint>
#include <ratio>
#include <type_traits>

namespace rouse::detail {

__extension__ using Int128 = __int128;

/// `d` in nanoseconds, rounded up; INT64_MAX and INT64_MIN where it does not fit.
template <class Rep, class Period>
constexpr std::int64_t saturated_ns(const std::chrono::duration<Rep, Period>& d) noexcept {
  if constexpr (std::chrono::treat_as_floating_point_v<Rep>) {
    using Wide = long double;
    const Wide ns = std::chrono::duration<Wide, std::nano>(d).count();
    if (!(ns > static_cast<Wide>(INT64_MIN))) return ns == ns ? INT64_MIN : 0;
    if (ns >= static_cast<Wide>(INT64_MAX)) return INT64_MAX;
    const auto whole = static_cast<std::int64_t>(ns);
    return static_cast<Wide>(whole) < ns ? whole + 1 : whole;
  } else {
    static_assert(std::is_integral_v<Rep> && sizeof(Rep) <= 8, "a duration's count must fit");
    // In 128 bits no product of a count and a period overflows.
    using Scale = std::ratio_divide<Period, std::nano>;
    const Int128 scaled = static_cast<Int128>(d.count()) * Scale::num;
    const Int128 ns = scaled / Scale::den + (scaled > 0 && scaled % Scale::den != 0 ? 1 : 0);
    if (ns > INT64_MAX) return INT64_MAX;
    if (ns < INT64_MIN) return INT64_MIN;
    return static_cast<std::int64_t>(ns);
  }
}

/// The other way round.
constexpr std::chrono::system_clock::time_point to_system_time(std::int64_t ns) noexcept {
  return std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(
          std::chrono::nanoseconds(ns)));
}

/// INT64_MAX and INT64_MIN where it does not fit.
constexpr std::int64_t saturated_sum(std::int64_t a, std::int64_t b) noexcept {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return a < 0 ? INT64_MIN : INT64_MAX;
}

class Deadline {
 public:
  static constexpr Deadline never() noexcept { return Deadline(INT64_MAX); }
  static constexpr Deadline past() noexcept { return Deadline(0); }

  template <class Rep, class Period>
  static Deadline after(const std::chrono::duration<Rep, Period>& d) noexcept {
    return after_ns(saturated_ns(d));
  }

  template <class Duration>
  static Deadline at(
      const std::chrono::time_point<std::chrono::steady_clock, Duration>& t) noexcept {
    return at_ns(saturated_ns(t.time_since_epoch()));
  }

  /// Of CLOCK_MONOTONIC.
  static constexpr Deadline at_ns(std::int64_t ns) noexcept { return Deadline(ns > 0 ? ns : 0); }

  static Deadline after_ns(std::int64_t ns) noexcept {
    if (ns <= 0) return past();
    if (ns == INT64_MAX) return never();
    const std::int64_t now = os::now_ns();
    return Deadline(ns < INT64_MAX - now ? now + ns : INT64_MAX);
  }

  constexpr std::int64_t ns() const noexcept { return ns_; }
  constexpr std::chrono::steady_clock::time_point time_point() const noexcept {
    return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(ns_));
  }
  constexpr bool is_never() const noexcept { return ns_ == INT64_MAX; }

  /// Reads the clock only where it has to.
  bool expired() const noexcept { return ns_ == 0 || (!is_never() && os::now_ns() >= ns_); }

  friend constexpr bool operator<(Deadline a, Deadline b) noexcept { return a.ns_ < b.ns_; }
  friend constexpr bool operator==(Deadline a, Deadline b) noexcept = default;

 private:
  explicit constexpr Deadline(std::int64_t ns) noexcept : ns_(ns) {}

  std::int64_t ns_;
};

template <class Rep, class Period>
Deadline to_deadline(const std::chrono::duration<Rep, Period>& d) noexcept {
  return Deadline::after(d);
}
template <class Duration>
Deadline to_deadline(
    const std::chrono::time_point<std::chrono::steady_clock, Duration>& t) noexcept {
  return Deadline::at(t);
}

/// Calls `wait(Deadline)` until `t` on t's own clock. A clock that is not steady may be set while
/// the wait lasts: a time-out counts only once that clock agrees. (A clock that is set forward ends
/// the wait no earlier than it would have ended before.)
template <class Clock, class Duration, class Wait>
auto wait_until_on(const std::chrono::time_point<Clock, Duration>& t, Wait&& wait) {
  if constexpr (std::is_same_v<Clock, std::chrono::steady_clock>) {
    return wait(Deadline::at(t));
  } else {
    const std::int64_t target = saturated_ns(t.time_since_epoch());
    for (;;) {
      const std::int64_t now = saturated_ns(Clock::now().time_since_epoch());
      std::int64_t left = 0;
      if (target > now && __builtin_sub_overflow(target, now, &left)) left = INT64_MAX;
      const bool last = left <= 0;
      const auto status = wait(target == INT64_MAX ? Deadline::never() : Deadline::after_ns(left));
      if (last || status != decltype(status)::timeout) return status;
    }
  }
}

}  // namespace rouse::detail
