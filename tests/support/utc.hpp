#pragma once
// Instants in tests, written and shown as people write them.

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>

namespace rouse::test {

/// "2024-03-31T03:00:00+02:00", where the offset may have seconds too.
inline std::chrono::sys_seconds instant(const std::string& text) {
  using namespace std::chrono;  // NOLINT(google-build-using-namespace)
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  int time[3] = {};
  char sign = 0;
  int offset[3] = {};
  if (std::sscanf(text.c_str(), "%d-%u-%uT%d:%d:%d%c%d:%d:%d", &year, &month, &day, &time[0],
                  &time[1], &time[2], &sign, &offset[0], &offset[1], &offset[2]) < 9) {
    throw std::invalid_argument("no instant: " + text);
  }
  const seconds ahead = hours(offset[0]) + minutes(offset[1]) + seconds(offset[2]);
  return sys_days(std::chrono::year(year) / static_cast<int>(month) / static_cast<int>(day)) +
         hours(time[0]) + minutes(time[1]) + seconds(time[2]) - (sign == '-' ? -ahead : ahead);
}

/// In UTC, to the nanosecond where it is no full second.
inline std::string to_text(std::chrono::system_clock::time_point time) {
  using namespace std::chrono;  // NOLINT(google-build-using-namespace)
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  char text[64];
  std::snprintf(text, sizeof text, "%d-%02u-%02uT%02d:%02d:%02d", int{date.year()},
                unsigned{date.month()}, unsigned{date.day()},
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  std::string shown = text;
  if (clock.subseconds().count() != 0) shown += "." + std::to_string(clock.subseconds().count());
  return shown + "+00:00";
}

}  // namespace rouse::test
