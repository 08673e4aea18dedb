#pragma once
// The library's clocks in a test's hands: they go on by themselves, and further when the test says
// so.
//
// For programs that are linked with rouse_test_clock (tests/CMakeLists.txt), where it stands
// between the library and detail::os. What already sleeps in the kernel is not woken by an advance.

#include <chrono>

namespace rouse::test {

/// From here on it is `d` later. Any thread.
void advance_clock(std::chrono::nanoseconds d) noexcept;

/// The calendar of the library is `d` later too; nobody is told that it was set. Any thread.
void advance_calendar(std::chrono::nanoseconds d) noexcept;

/// While it lives the calendar of the library stands. One at a time.
class [[nodiscard]] StandingCalendar {
 public:
  explicit StandingCalendar(std::chrono::nanoseconds since_1970) noexcept { set(since_1970); }
  ~StandingCalendar();
  StandingCalendar(const StandingCalendar&) = delete;
  StandingCalendar& operator=(const StandingCalendar&) = delete;

  /// Any thread.
  void set(std::chrono::nanoseconds since_1970) noexcept;
};

}  // namespace rouse::test
