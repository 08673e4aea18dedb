#pragma once
// Cron: the times of a cron expression in a time zone.
//
/// @code
///   const rouse::Cron workdays("0 20 * * MON-FRI", "Europe/Berlin");
///   std::chrono::system_clock::time_point after = std::chrono::system_clock::now();
///   for (int i = 0; i < 5; ++i) {
///     after = workdays.next(after).value();
///     std::cout << std::chrono::floor<std::chrono::seconds>(after).time_since_epoch().count() <<
///     '\n';
///   }
///
///   try {
///     const rouse::Cron wrong("0 25 * * *");
///   } catch (const rouse::CronError& error) {
///     std::cout << error.what() << '\n';  // names the field, the column and what was expected
///   }
/// @endcode
//
// Five fields, or six with seconds before them, between spaces or tabs:
//   second 0-59, minute 0-59, hour 0-23, day of month 1-31, month 1-12 or JAN-DEC,
//   day of week 0-7 or SUN-SAT; 0 and 7 are Sunday.
// A field is a list, between commas, of `*`, `a`, `a-b`, each also with a step: `*/n`, `a-b/n`, and
// `a/n` from a to the end of the field. For days there are besides:
//   `?` as `*`; of the month `L` the last, `L-n` n days before it, `nW` the weekday (Monday to
//   Friday) nearest to the nth within the month, `LW` the last weekday; of the week `nL` the last
//   such day of the month, `n#k` the kth.
// Instead of the fields: @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly. Letters
// may be of either case.
//
// Days: if one of the two fields starts with `*` or is `?`, both must match; otherwise one of them
//   is enough. So `0 0 13 * 5` is each 13th and each Friday, `0 0 */2 * 1` each odd Monday.
// Clock changes: the field of the hour decides.
//   It starts with `*`: what the clock shows counts, for as long as it shows it. Times that it
//     leaves out are left out, times that it shows twice come twice.
//   It does not: each time comes once in its day. One that the clock leaves out comes at the end
//     of the gap, and once if there are several; one that it shows twice comes the first time.
// Zones: names of the IANA database, which is read from the system (below $TZDIR, otherwise
//   /usr/share/zoneinfo) by the constructor, each time. "UTC" needs no file. "local" is the zone of
//   localtime(3): $TZ, or /etc/localtime, or UTC. The rule that a zone ends with goes on for ever.
//
// Thread safety: as that of a std::string. The functions that are const may be called by any number
//   of threads at once. The constructor reads the environment, as getenv(3) does.
// Ordering: none.
// Lifetime: a value; copies share what they do not change.

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace rouse {
namespace detail {
struct CronSchedule;
}

/// What is wrong with an expression or a zone. what() quotes it, with control bytes escaped, and
/// says where it is wrong and what was expected.
class [[gnu::visibility("default")]] CronError : public std::invalid_argument {
 public:
  CronError(const std::string& what, const char* field, std::size_t column)
      : std::invalid_argument(what), field_(field), column_(column) {}

  /// "second", "minute", "hour", "day of month", "month" or "day of week"; "expression" if it is no
  /// field's fault; "zone". A literal.
  [[nodiscard]] const char* field() const noexcept { return field_; }

  /// Counted in bytes, from 1, in the expression, or in the zone's name. One past its end if
  /// something is missing there.
  [[nodiscard]] std::size_t column() const noexcept { return column_; }

 private:
  const char* field_;
  std::size_t column_;
};

class [[gnu::visibility("default")]] Cron {
 public:
  /// The longest expression, in bytes.
  static constexpr std::size_t max_length = 1024;

  /// Throws CronError for an expression that is malformed, longer than max_length or without any
  /// date (`0 0 30 2 *`), and for a zone that is unknown or that cannot be read; std::bad_alloc.
  /// Blocks while it reads the zone's file.
  explicit Cron(std::string_view expression, std::string_view zone = "UTC");

  // Moving copies: there is no Cron without an expression.
  Cron(const Cron&) noexcept = default;
  Cron& operator=(const Cron&) noexcept = default;
  ~Cron() = default;

  /// The first time after `after`, a full second. Empty only if there is none that a time_point can
  /// tell: where it counts nanoseconds, it ends in the year 2262. Takes no memory, and less than a
  /// microsecond for most; about a millisecond where the day is decades away.
  [[nodiscard]] std::optional<std::chrono::system_clock::time_point> next(
      std::chrono::system_clock::time_point after) const noexcept;

  /// As they were given.
  [[nodiscard]] const std::string& expression() const noexcept;
  [[nodiscard]] const std::string& zone() const noexcept;

  /// Whether expression and zone are spelled alike.
  friend bool operator==(const Cron& a, const Cron& b) noexcept {
    return a.expression() == b.expression() && a.zone() == b.zone();
  }

 private:
  std::shared_ptr<const detail::CronSchedule> schedule_;
};

}  // namespace rouse
