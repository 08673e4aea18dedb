#pragma once
// TimeZone: how far local time is from UTC, at any time, as the system's database has it.

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace rouse::detail {

/// Seconds since 1970-01-01 00:00:00 UTC, without leap seconds.
using UtcSeconds = std::int64_t;

/// A rule of POSIX's TZ variable: what a zone does from some time on for ever.
class TimeZoneRule {
 public:
  /// The day of a change, in whichever of the three forms.
  struct Change {
    enum class Form : std::uint8_t { weekday_of_month, day_without_leap, day };

    Form form = Form::day;
    int month = 0;
    int week = 0;              // 5 is the last
    int day = 0;               // of the week, or of the year from 0, or from 1 without leap days
    std::int32_t seconds = 0;  // of the day, may be outside of it
  };

  /// Empty if `text` is none.
  static std::optional<TimeZoneRule> parse(std::string_view text);

  std::int32_t standard = 0;  // offsets
  std::int32_t summer = 0;
  bool has_summer = false;
  Change begin;  // of summer time, by the clock of standard time
  Change end;    // the other way round
};

class TimeZone {
 public:
  /// Less than this is every offset.
  static constexpr std::int64_t max_offset = 86400;

  /// What is wrong with a name or a file; what() is for people.
  class Error : public std::runtime_error {
    using std::runtime_error::runtime_error;
  };

  /// A span of time, from `begin` to before `end`, with one offset. Neighbours may have the same.
  struct Span {
    UtcSeconds begin;
    UtcSeconds end;
    std::int64_t offset;  // local time is UTC plus this
  };

  /// "UTC" is there always; "local" is the zone of localtime(3). Reads a file. Throws Error,
  /// std::bad_alloc.
  static TimeZone load(std::string_view name);

  /// Of `time`. Takes no memory.
  [[nodiscard]] Span span(UtcSeconds time) const noexcept;

 private:
  struct Transition {
    UtcSeconds time;
    std::int64_t offset;  // from then on
  };

  TimeZone() = default;
  explicit TimeZone(const TimeZoneRule& rule) : rule_(rule) {}

  static TimeZone load_named(const std::string& name);
  static TimeZone load_local();
  static TimeZone load_file(const std::string& path);
  static TimeZone decode(std::string_view file);
  Span span_by_rule(UtcSeconds time) const noexcept;

  std::int64_t first_offset_ = 0;  // before all transitions
  std::vector<Transition> transitions_;
  std::optional<TimeZoneRule> rule_;  // behind the last of them
};

}  // namespace rouse::detail
