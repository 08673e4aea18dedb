#include "exec/time_zone.hpp"

#include "rouse/detail/thread_name.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <system_error>

namespace rouse::detail {
namespace {

constexpr UtcSeconds beginning_of_time = -(UtcSeconds{1} << 60);
constexpr UtcSeconds end_of_time = UtcSeconds{1} << 60;

// --- the rule ------------------------------------------------------------------------------------

/// Reads "CET-1CEST,M3.5.0,M10.5.0/3" from left to right.
class RuleReader {
 public:
  explicit RuleReader(std::string_view text) : text_(text) {}

  std::optional<TimeZoneRule> read() {
    TimeZoneRule rule;
    std::int32_t offset = 0;
    if (!abbreviation() || !time(24, offset)) return std::nullopt;
    rule.standard = -offset;  // it is written as what leads from local time to UTC
    if (!text_.empty()) {
      rule.has_summer = true;
      if (!abbreviation()) return std::nullopt;
      rule.summer = rule.standard + 3600;
      if (!text_.empty() && text_.front() != ',') {
        if (!time(24, offset)) return std::nullopt;
        rule.summer = -offset;
      }
      if (!change(rule.begin) || !change(rule.end) || !text_.empty()) return std::nullopt;
    }
    return std::max(std::abs(rule.standard), std::abs(rule.summer)) < TimeZone::max_offset
               ? std::optional(rule)
               : std::nullopt;
  }

 private:
  bool take(char c) noexcept {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  bool abbreviation() noexcept {
    const bool quoted = take('<');
    const auto is_part = [quoted](char c) {
      return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
             (quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-'));
    };
    std::size_t length = 0;
    while (length < text_.size() && is_part(text_[length])) ++length;
    text_.remove_prefix(length);
    return length >= 3 && (!quoted || take('>'));
  }

  bool number(int low, int high, int& found) noexcept {
    std::size_t digits = 0;
    found = 0;
    while (digits < text_.size() && digits < 4 && text_[digits] >= '0' && text_[digits] <= '9') {
      found = found * 10 + (text_[digits++] - '0');
    }
    text_.remove_prefix(digits);
    return digits > 0 && found >= low && found <= high;
  }

  // [+-]hours[:minutes[:seconds]]
  bool time(int max_hours, std::int32_t& seconds) noexcept {
    const bool negative = take('-');
    if (!negative) take('+');
    int part = 0;
    if (!number(0, max_hours, part)) return false;
    seconds = part * 3600;
    for (const int unit : {60, 1}) {
      if (!take(':')) break;
      if (!number(0, 59, part)) return false;
      seconds += part * unit;
    }
    if (negative) seconds = -seconds;
    return true;
  }

  bool change(TimeZoneRule::Change& change) noexcept {
    using Form = TimeZoneRule::Change::Form;
    if (!take(',')) return false;
    if (take('M')) {
      change.form = Form::weekday_of_month;
      if (!number(1, 12, change.month) || !take('.') || !number(1, 5, change.week) || !take('.') ||
          !number(0, 6, change.day)) {
        return false;
      }
    } else if (take('J')) {
      change.form = Form::day_without_leap;
      if (!number(1, 365, change.day)) return false;
    } else {
      change.form = Form::day;
      if (!number(0, 365, change.day)) return false;
    }
    change.seconds = 7200;
    return !take('/') || time(167, change.seconds);
  }

  std::string_view text_;
};

// In the seconds of the clock that is changed.
std::int64_t time_of(const TimeZoneRule::Change& change, std::chrono::year year) noexcept {
  using namespace std::chrono;  // NOLINT(google-build-using-namespace): of dates alone
  using Form = TimeZoneRule::Change::Form;
  sys_days day = sys_days(year / January / 1) + days(change.day);
  if (change.form == Form::weekday_of_month) {
    const year_month month = year / change.month;
    const weekday wanted(static_cast<unsigned>(change.day));
    day = change.week == 5 ? sys_days(month / wanted[last])
                           : sys_days(month / wanted[static_cast<unsigned>(change.week)]);
  } else if (change.form == Form::day_without_leap) {
    // Day 60 is the 1st of March, always.
    day -= days(year.is_leap() && change.day >= 60 ? 0 : 1);
  }
  return day.time_since_epoch() / seconds(1) + change.seconds;
}

// --- the file ------------------------------------------------------------------------------------

/// Reads big-endian numbers from a zone's file, as RFC 8536 describes it.
class ZoneReader {
 public:
  explicit ZoneReader(std::string_view file) : rest_(file) {}

  std::string_view bytes(std::size_t count) {
    if (rest_.size() < count) throw TimeZone::Error("is cut off");
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  template <class Integer>
  Integer number() {
    std::uint64_t value = 0;
    for (const char c : bytes(sizeof(Integer))) value = value << 8U | static_cast<std::uint8_t>(c);
    return static_cast<Integer>(value);
  }

 private:
  std::string_view rest_;
};

struct ZoneHeader {
  char version;
  std::uint32_t utc_indicators;
  std::uint32_t standard_indicators;
  std::uint32_t leap_seconds;
  std::uint32_t transitions;
  std::uint32_t types;
  std::uint32_t characters;

  explicit ZoneHeader(ZoneReader& reader) {
    if (reader.bytes(4) != "TZif") throw TimeZone::Error("is no zone");
    version = reader.bytes(1).front();
    reader.bytes(15);
    for (std::uint32_t* count : {&utc_indicators, &standard_indicators, &leap_seconds, &transitions,
                                 &types, &characters}) {
      *count = reader.number<std::uint32_t>();
      if (*count > 0xFFFF) throw TimeZone::Error("is damaged");
    }
  }

  std::size_t size_of_data(std::size_t size_of_time) const noexcept {
    return transitions * (size_of_time + 1) + types * std::size_t{6} + characters +
           leap_seconds * (size_of_time + 4) + standard_indicators + utc_indicators;
  }
};

std::string read_zone_file(const std::string& path) {
  constexpr std::size_t max_size = std::size_t{1} << 20U;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  const struct Closer {
    int fd;
    ~Closer() {
      if (fd >= 0) ::close(fd);
    }
  } closer{fd};
  const auto fail = [](int error) {
    throw TimeZone::Error("cannot be read: " + std::generic_category().message(error));
  };
  if (fd < 0) fail(errno);
  struct stat status {};
  if (::fstat(fd, &status) != 0) fail(errno);
  if (!S_ISREG(status.st_mode)) throw TimeZone::Error("is no file");

  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t count = ::read(fd, buffer, sizeof buffer);
    if (count == 0) return text;
    if (count < 0 && errno != EINTR) fail(errno);
    if (count > 0) text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > max_size) throw TimeZone::Error("is too long for a zone");
  }
}

bool exists(const std::string& path) noexcept { return ::access(path.c_str(), F_OK) == 0; }

// As names of the database are, so that none leads out of its folder.
bool is_plain(std::string_view name) noexcept {
  if (name.empty() || name.size() > 255 || name.front() == '/' || name.back() == '/') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '/' ||
           c == '_' || c == '+' || c == '-';
  });
}

std::string zone_folder() {
  const char* const folder = ::secure_getenv("TZDIR");
  return folder != nullptr && *folder != '\0' ? folder : "/usr/share/zoneinfo";
}

}  // namespace

std::optional<TimeZoneRule> TimeZoneRule::parse(std::string_view text) {
  return RuleReader(text).read();
}

TimeZone TimeZone::load(std::string_view name) {
  if (name == "UTC") return {};
  if (name == "local") return load_local();
  return load_named(std::string(name));
}

TimeZone TimeZone::load_named(const std::string& name) {
  const std::string folder = zone_folder();
  if (!is_plain(name)) throw Error("expected a name of the IANA database, as Europe/Berlin");
  if (!exists(folder)) {
    throw Error("there is no database of zones in " + printable(folder) + " (package tzdata)");
  }
  const std::string path = folder + '/' + name;
  if (!exists(path)) throw Error("there is no such zone in " + printable(folder));
  return load_file(path);
}

TimeZone TimeZone::load_local() {
  const char* variable = ::secure_getenv("TZ");
  if (variable == nullptr) {
    const char* const path = "/etc/localtime";
    return exists(path) ? load_file(path) : TimeZone();
  }
  if (*variable == ':') ++variable;
  const std::string name = variable;
  if (name.empty()) return {};
  if (name.front() == '/') return load_file(name);
  if (const auto rule = TimeZoneRule::parse(name)) return TimeZone(*rule);
  return load_named(name);
}

TimeZone TimeZone::load_file(const std::string& path) {
  try {
    return decode(read_zone_file(path));
  } catch (const Error& error) {
    throw Error(printable(path) + ' ' + error.what());
  }
}

TimeZone TimeZone::decode(std::string_view file) {
  ZoneReader reader(file);
  // Times of 32 bits come first, for readers of old.
  const ZoneHeader old(reader);
  if (old.version < '2') throw Error("is of a version without times of 64 bits");
  reader.bytes(old.size_of_data(4));

  const ZoneHeader header(reader);
  if (header.leap_seconds != 0)
    throw Error("counts leap seconds, which the system's clock does not");
  if (header.types == 0) throw Error("is damaged");
  TimeZone zone;
  zone.transitions_.resize(header.transitions);
  for (Transition& each : zone.transitions_) each.time = reader.number<std::int64_t>();
  const std::string_view types = reader.bytes(header.transitions);
  std::vector<std::int64_t> offsets(header.types);
  for (std::int64_t& offset : offsets) {
    offset = reader.number<std::int32_t>();
    if (std::abs(offset) >= max_offset) throw Error("is damaged");
    reader.bytes(2);
  }
  zone.first_offset_ = offsets.front();
  UtcSeconds last = beginning_of_time;
  for (std::size_t i = 0; i < zone.transitions_.size(); ++i) {
    Transition& each = zone.transitions_[i];
    const auto type = static_cast<std::uint8_t>(types[i]);
    if (each.time <= last || each.time >= end_of_time || type >= offsets.size()) {
      throw Error("is damaged");
    }
    last = each.time;
    each.offset = offsets[type];
  }
  reader.bytes(header.characters + header.standard_indicators + header.utc_indicators);

  if (reader.bytes(1) != "\n") throw Error("is damaged");
  std::string rule;
  for (char c = reader.bytes(1).front(); c != '\n'; c = reader.bytes(1).front()) rule += c;
  if (!rule.empty()) {
    zone.rule_ = TimeZoneRule::parse(rule);
    if (!zone.rule_) throw Error("ends with the rule '" + printable(rule) + "', which is none");
  }
  return zone;
}

TimeZone::Span TimeZone::span(UtcSeconds time) const noexcept {
  const auto next =
      std::upper_bound(transitions_.begin(), transitions_.end(), time,
                       [](UtcSeconds t, const Transition& each) { return t < each.time; });
  const bool is_last = next == transitions_.end();
  Span span{beginning_of_time, is_last ? end_of_time : next->time, first_offset_};
  if (next != transitions_.begin()) {
    span.begin = std::prev(next)->time;
    span.offset = std::prev(next)->offset;
  }
  if (!is_last || !rule_) return span;
  const Span by_rule = span_by_rule(time);
  return {std::max(by_rule.begin, span.begin), by_rule.end, by_rule.offset};
}

TimeZone::Span TimeZone::span_by_rule(UtcSeconds time) const noexcept {
  using std::chrono::years;
  if (!rule_->has_summer) return {beginning_of_time, end_of_time, rule_->standard};
  const std::chrono::sys_seconds local{std::chrono::seconds(time + rule_->standard)};
  const std::chrono::year year =
      std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(local)).year();

  // The neighbours too: a change may lie some days outside of its year. In this order the later of
  // two changes at one time stands behind the other: summer time that never ends has such.
  std::array<Transition, 6> changes{};
  std::size_t count = 0;
  for (const std::chrono::year each : {year - years(1), year, year + years(1)}) {
    changes[count++] = {time_of(rule_->begin, each) - rule_->standard, rule_->summer};
    changes[count++] = {time_of(rule_->end, each) - rule_->summer, rule_->standard};
  }
  for (std::size_t i = 1; i < count; ++i) {
    for (std::size_t j = i; j > 0 && changes[j].time < changes[j - 1].time; --j) {
      std::swap(changes[j], changes[j - 1]);
    }
  }
  std::size_t next = 0;
  while (next < count && changes[next].time <= time) ++next;
  return {changes[next - 1].time, changes[next].time, changes[next - 1].offset};
}

}  // namespace rouse::detail
