#pragma once
// CronFields: what the fields of a cron expression say, and the local times that match them.

#include <cstdint>
#include <optional>
#include <string_view>

namespace rouse::detail {

/// A date and a time of day without a zone: seconds since 1970-01-01 00:00:00 of the same calendar.
using LocalSeconds = std::int64_t;

inline constexpr std::int64_t seconds_per_day = 86400;

/// Sets of numbers are bits: bit n is for n.
struct CronFields {
  std::uint64_t seconds = 1;
  std::uint64_t minutes = 0;
  std::uint64_t hours = 0;
  std::uint64_t months = 0;

  // Days of the month.
  std::uint64_t days = 0;
  std::uint64_t days_before_last = 0;  // L-n; bit 0 is the last day
  std::uint64_t nearest_weekdays = 0;  // nW
  bool last_weekday = false;           // LW

  // Days of the week, Sunday is 0.
  std::uint64_t weekdays = 0;
  std::uint64_t last_weekdays = 0;     // nL
  std::uint64_t nth_weekdays[5] = {};  // n#k at k - 1

  bool any_day_field = false;  // one of the two is enough
  bool every_hour = false;     // the hour starts with *

  /// Throws CronError, std::bad_alloc.
  static CronFields parse(std::string_view expression);

  /// The first time from `from` on that matches. Looks as far ahead as the calendar takes to repeat
  /// itself: empty means that there is none at all.
  [[nodiscard]] std::optional<LocalSeconds> next(LocalSeconds from) const noexcept;
};

}  // namespace rouse::detail
