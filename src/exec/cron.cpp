#include "rouse/exec/cron.hpp"

#include "rouse/detail/thread_name.hpp"

#include "exec/cron_fields.hpp"
#include "exec/time_zone.hpp"

#include <algorithm>
#include <cstdint>

namespace rouse {
namespace detail {

struct CronSchedule {
  std::string expression;
  std::string zone_name;
  CronFields fields;
  TimeZone zone;
};

namespace {

// However a clock is changed, after this time it shows what it has never shown before.
constexpr std::int64_t max_change = 2 * TimeZone::max_offset;

TimeZone load_zone(std::string_view name) {
  try {
    return TimeZone::load(name);
  } catch (const TimeZone::Error& error) {
    throw CronError("rouse: time zone '" + printable(name) + "': " + error.what(), "zone", 1);
  }
}

// The latest that the clock has shown until `time`.
LocalSeconds latest_shown(const TimeZone& zone, UtcSeconds time) noexcept {
  TimeZone::Span span = zone.span(time);
  LocalSeconds latest = time + span.offset;
  while (span.begin > time - max_change) {
    const UtcSeconds before = span.begin - 1;
    span = zone.span(before);
    latest = std::max(latest, before + span.offset);
  }
  return latest;
}

// When the clock shows `local`, or something later, for the first time.
UtcSeconds first_shown(const TimeZone& zone, LocalSeconds local) noexcept {
  TimeZone::Span span = zone.span(local - TimeZone::max_offset);
  while (local - span.offset >= span.end) span = zone.span(span.end);
  return std::max(local - span.offset, span.begin);
}

std::optional<UtcSeconds> next_of_day(const CronSchedule& schedule, UtcSeconds after) noexcept {
  const auto local = schedule.fields.next(latest_shown(schedule.zone, after) + 1);
  if (!local) return std::nullopt;
  return first_shown(schedule.zone, *local);
}

std::optional<UtcSeconds> next_by_clock(const CronSchedule& schedule, UtcSeconds after,
                                        UtcSeconds limit) noexcept {
  for (UtcSeconds from = after + 1; from <= limit;) {
    const TimeZone::Span span = schedule.zone.span(from);
    const auto local = schedule.fields.next(from + span.offset);
    if (!local) return std::nullopt;
    if (*local - span.offset < span.end) return *local - span.offset;
    from = span.end;
  }
  return std::nullopt;
}

}  // namespace
}  // namespace detail

Cron::Cron(std::string_view expression, std::string_view zone)
    : schedule_(std::make_shared<const detail::CronSchedule>(
          detail::CronSchedule{std::string(expression), std::string(zone),
                               detail::CronFields::parse(expression), detail::load_zone(zone)})) {}

std::optional<std::chrono::system_clock::time_point> Cron::next(
    std::chrono::system_clock::time_point after) const noexcept {
  using std::chrono::seconds;
  using std::chrono::system_clock;
  const auto whole = [](system_clock::time_point time) {
    return std::chrono::floor<seconds>(time).time_since_epoch().count();
  };
  const detail::UtcSeconds limit = whole(system_clock::time_point::max());
  const auto found = schedule_->fields.every_hour
                         ? detail::next_by_clock(*schedule_, whole(after), limit)
                         : detail::next_of_day(*schedule_, whole(after));
  if (!found || *found > limit) return std::nullopt;
  return system_clock::time_point(seconds(*found));
}

const std::string& Cron::expression() const noexcept { return schedule_->expression; }
const std::string& Cron::zone() const noexcept { return schedule_->zone_name; }

}  // namespace rouse
