#include "exec/cron_fields.hpp"

#include "rouse/detail/thread_name.hpp"
#include "rouse/exec/cron.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace rouse::detail {
namespace {

constexpr std::uint64_t bit(int number) noexcept { return std::uint64_t{1} << number; }

// --- parsing -------------------------------------------------------------------------------------

enum class CronDays : std::uint8_t { none, of_month, of_week };

struct CronField {
  const char* name;
  int low;
  int high;                // of * and of an open step
  int highest;             // that may be written
  std::string_view names;  // three letters each, from `low` on
  CronDays days = CronDays::none;
};

constexpr CronField second_field{"second", 0, 59, 59, ""};
constexpr CronField minute_field{"minute", 0, 59, 59, ""};
constexpr CronField hour_field{"hour", 0, 23, 23, ""};
constexpr CronField day_field{"day of month", 1, 31, 31, "", CronDays::of_month};
constexpr CronField month_field{"month", 1, 12, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"};
constexpr CronField weekday_field{"day of week",    0, 6, 7, "SUNMONTUEWEDTHUFRISAT",
                                  CronDays::of_week};

constexpr std::pair<std::string_view, std::string_view> cron_macros[] = {
    {"@YEARLY", "0 0 1 1 *"}, {"@ANNUALLY", "0 0 1 1 *"}, {"@MONTHLY", "0 0 1 * *"},
    {"@WEEKLY", "0 0 * * 0"}, {"@DAILY", "0 0 * * *"},    {"@MIDNIGHT", "0 0 * * *"},
    {"@HOURLY", "0 * * * *"},
};

// Of ASCII, whatever the locale.
constexpr char upper(char c) noexcept {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

bool equal_letters(std::string_view text, std::string_view upper_case) noexcept {
  return std::equal(text.begin(), text.end(), upper_case.begin(), upper_case.end(),
                    [](char a, char b) { return upper(a) == b; });
}

std::string numbers(int from, int to) { return std::to_string(from) + " to " + std::to_string(to); }

/// Reads one field after the other. `position_` is where it reads, `end_` the end of the field.
class CronParser {
 public:
  explicit CronParser(std::string_view expression) : text_(expression) {}

  CronFields parse() {
    if (text_.size() > Cron::max_length) {
      throw CronError("rouse: a cron expression may have " + std::to_string(Cron::max_length) +
                          " bytes, not " + std::to_string(text_.size()),
                      no_field_, Cron::max_length + 1);
    }
    std::vector<Word> words = split();
    if (words.size() == 1 && text_[words[0].begin] == '@') return parse_macro(words[0]);
    if (words.size() < 5 || words.size() > 6) {
      fail(no_field_, words.size() > 6 ? words[6].begin : text_.size(),
           "expected five fields, or six with seconds, not " + std::to_string(words.size()));
    }
    if (words.size() == 6) {
      parsed_.seconds = list(second_field, words[0]);
      words.erase(words.begin());
    }
    parsed_.minutes = list(minute_field, words[0]);
    parsed_.hours = list(hour_field, words[1]);
    parsed_.days = list(day_field, words[2]);
    parsed_.months = list(month_field, words[3]);
    parsed_.weekdays = list(weekday_field, words[4]);
    parsed_.weekdays = (parsed_.weekdays | parsed_.weekdays >> 7U) & 0x7FU;  // 7 is 0 too

    parsed_.every_hour = text_[words[1].begin] == '*';
    parsed_.any_day_field = !is_open(words[2]) && !is_open(words[4]);
    if (!parsed_.next(0)) {
      fail(day_field.name, words[2].begin, "expected a day that the months have");
    }
    return parsed_;
  }

 private:
  struct Word {
    std::size_t begin;
    std::size_t end;
  };

  static constexpr const char* no_field_ = "expression";

  [[noreturn]] void fail(const char* field, std::size_t position,
                         const std::string& expected) const {
    throw CronError("rouse: cron expression '" + printable(text_) + "': " + field + ", column " +
                        std::to_string(position + 1) + ": " + expected,
                    field, position + 1);
  }
  [[noreturn]] void fail(const CronField& field, const std::string& expected) const {
    fail(field.name, position_, expected);
  }

  std::vector<Word> split() const {
    constexpr std::string_view blanks = " \t";
    std::vector<Word> words;
    for (std::size_t end = 0;;) {
      const std::size_t begin = text_.find_first_not_of(blanks, end);
      if (begin == text_.npos) return words;
      end = std::min(text_.find_first_of(blanks, begin), text_.size());
      words.push_back({begin, end});
    }
  }

  CronFields parse_macro(Word word) const {
    const std::string_view name = text_.substr(word.begin, word.end - word.begin);
    for (const auto& [macro, fields] : cron_macros) {
      if (equal_letters(name, macro)) return CronFields::parse(fields);
    }
    fail(no_field_, word.begin,
         "expected @yearly, @annually, @monthly, @weekly, @daily, @midnight or @hourly");
  }

  bool is_open(Word word) const noexcept {
    return text_[word.begin] == '*' || text_[word.begin] == '?';
  }

  bool at(char upper_case) const noexcept {
    return position_ < end_ && upper(text_[position_]) == upper_case;
  }
  bool take(char upper_case) noexcept {
    if (!at(upper_case)) return false;
    ++position_;
    return true;
  }

  // A whole field: the numbers that it lists. What is special about days goes to where it belongs.
  std::uint64_t list(const CronField& field, Word word) {
    position_ = word.begin;
    end_ = word.end;
    if (field.days != CronDays::none && take('?')) {
      if (position_ < end_) fail(field, "expected the end of the field");
      return range(field.low, field.high, 1);
    }
    std::uint64_t listed = 0;
    do {
      listed |= item(field);
    } while (take(','));
    if (position_ < end_) fail(field, "expected ',' or the end of the field");
    return listed;
  }

  std::uint64_t item(const CronField& field) {
    const bool of_month = field.days == CronDays::of_month;
    const bool of_week = field.days == CronDays::of_week;
    if (take('*')) return range(field.low, field.high, step(field));
    if (of_month && take('L')) return last_day(field);
    int first = value(field, field.low, of_month ? " or L" : "");
    if (take('-')) {
      const int last = value(field, first, "");
      return range(first, last, step(field));
    }
    if (of_week) first %= 7;
    if (at('/')) return range(first, field.high, step(field));
    if (of_month && take('W')) {
      parsed_.nearest_weekdays |= bit(first);
    } else if (of_week && take('L')) {
      parsed_.last_weekdays |= bit(first);
    } else if (of_week && take('#')) {
      const int nth = number(field, 1, 5, "expected a number from 1 to 5");
      parsed_.nth_weekdays[nth - 1] |= bit(first);
    } else {
      return bit(first);
    }
    return 0;
  }

  // Behind an L.
  std::uint64_t last_day(const CronField& field) {
    if (take('W')) {
      parsed_.last_weekday = true;
    } else {
      const int before = take('-') ? number(field, 0, 30, "expected a number from 0 to 30") : 0;
      parsed_.days_before_last |= bit(before);
    }
    return 0;
  }

  int step(const CronField& field) {
    if (!take('/')) return 1;
    return number(field, 1, field.highest, "expected a step from " + numbers(1, field.highest));
  }

  // A number or a name, `low` or more. A range of days may end with Sunday.
  int value(const CronField& field, int low, const char* more) {
    std::string expected = "expected a number from " + numbers(low, field.highest);
    if (!field.names.empty()) {
      expected += " or a name from " + std::string(field.names.substr(0, 3)) + " to " +
                  std::string(field.names.substr(field.names.size() - 3));
    }
    const std::size_t begin = position_;
    int found = name(field);
    if (found < 0) found = number(field, field.low, field.highest, expected + more);
    if (found == 0 && low > 0 && field.days == CronDays::of_week) found = 7;
    if (found < low) {
      position_ = begin;
      fail(field, expected + more);
    }
    return found;
  }

  // -1 if there is none.
  int name(const CronField& field) noexcept {
    if (end_ - position_ < 3) return -1;
    for (std::size_t i = 0; i < field.names.size(); i += 3) {
      if (equal_letters(text_.substr(position_, 3), field.names.substr(i, 3))) {
        position_ += 3;
        return field.low + static_cast<int>(i / 3);
      }
    }
    return -1;
  }

  int number(const CronField& field, int low, int high, const std::string& expected) {
    const std::size_t begin = position_;
    int found = 0;
    while (position_ < end_ && text_[position_] >= '0' && text_[position_] <= '9') {
      found = std::min(found * 10 + (text_[position_++] - '0'), high + 1);
    }
    if (position_ == begin || found < low || found > high) {
      position_ = begin;
      fail(field, expected);
    }
    return found;
  }

  static std::uint64_t range(int first, int last, int step) noexcept {
    std::uint64_t listed = 0;
    for (int i = first; i <= last; i += step) listed |= bit(i);
    return listed;
  }

  std::string_view text_;
  std::size_t position_ = 0;
  std::size_t end_ = 0;
  CronFields parsed_;
};

// --- matching ------------------------------------------------------------------------------------

// The lowest member of `set` from `from` on; -1 if there is none.
int first_from(std::uint64_t set, int from) noexcept {
  if (from > 63) return -1;
  set = set >> from << from;
  return set == 0 ? -1 : std::countr_zero(set);
}

/// A month of a year, as far as days are concerned. `first` is the weekday of the 1st.
struct CronMonth {
  int length;
  int first;

  explicit CronMonth(std::chrono::year_month month) noexcept
      : length(static_cast<int>(unsigned{(month / std::chrono::last).day()})),
        first(
            static_cast<int>(std::chrono::weekday(std::chrono::sys_days(month / 1)).c_encoding())) {
  }

  int weekday(int day) const noexcept { return (first + day - 1) % 7; }
  int first_day(int weekday) const noexcept { return 1 + (weekday - first + 7) % 7; }
  int last_day(int weekday) const noexcept {
    const int day = first_day(weekday);
    return day + (length - day) / 7 * 7;
  }
  int nearest_weekday(int day) const noexcept {
    switch (weekday(day)) {
      case 0:
        return day < length ? day + 1 : day - 2;
      case 6:
        return day > 1 ? day - 1 : day + 2;
      default:
        return day;
    }
  }
};

std::uint64_t days_of_month(const CronFields& fields, const CronMonth& month) noexcept {
  std::uint64_t days = fields.days;
  for (int before = 0; before < month.length; ++before) {
    if (fields.days_before_last & bit(before)) days |= bit(month.length - before);
  }
  for (int day = 1; day <= month.length; ++day) {
    if (fields.nearest_weekdays & bit(day)) days |= bit(month.nearest_weekday(day));
  }
  if (fields.last_weekday) days |= bit(month.nearest_weekday(month.length));
  return days;
}

std::uint64_t days_of_week(const CronFields& fields, const CronMonth& month) noexcept {
  std::uint64_t days = 0;
  for (int weekday = 0; weekday < 7; ++weekday) {
    const int first = month.first_day(weekday);
    for (int nth = 0; nth < 5; ++nth) {
      if ((fields.weekdays | fields.nth_weekdays[nth]) & bit(weekday)) days |= bit(first + 7 * nth);
    }
    if (fields.last_weekdays & bit(weekday)) days |= bit(month.last_day(weekday));
  }
  return days;
}

std::uint64_t matching_days(const CronFields& fields, const CronMonth& month) noexcept {
  const std::uint64_t of_month = days_of_month(fields, month);
  const std::uint64_t of_week = days_of_week(fields, month);
  const std::uint64_t all = fields.any_day_field ? of_month | of_week : of_month & of_week;
  return all & (bit(month.length + 1) - 1);
}

// The first day from `from` on.
std::optional<std::chrono::sys_days> next_day(const CronFields& fields,
                                              std::chrono::sys_days from) noexcept {
  // After this time days and weekdays come as they came before.
  constexpr std::chrono::years period{400};
  const std::chrono::year_month_day date(from);
  std::chrono::year_month month = date.year() / date.month();
  const std::chrono::year_month end = month + period;
  for (int day = static_cast<int>(unsigned{date.day()}); month <= end;
       month += std::chrono::months(1), day = 1) {
    if (!(fields.months & bit(static_cast<int>(unsigned{month.month()})))) continue;
    const int found = first_from(matching_days(fields, CronMonth(month)), day);
    if (found > 0) return month / found;
  }
  return std::nullopt;
}

// The first second of a day from `from` on.
std::optional<int> next_time(const CronFields& fields, int from) noexcept {
  const int hour = from / 3600;
  const int minute = from / 60 % 60;
  const int first_minute = first_from(fields.minutes, 0);
  const int first_second = first_from(fields.seconds, 0);
  if (fields.hours & bit(hour)) {
    if (fields.minutes & bit(minute)) {
      const int second = first_from(fields.seconds, from % 60);
      if (second >= 0) return hour * 3600 + minute * 60 + second;
    }
    const int later_minute = first_from(fields.minutes, minute + 1);
    if (later_minute >= 0) return hour * 3600 + later_minute * 60 + first_second;
  }
  const int later_hour = first_from(fields.hours, hour + 1);
  if (later_hour < 0) return std::nullopt;
  return later_hour * 3600 + first_minute * 60 + first_second;
}

}  // namespace

CronFields CronFields::parse(std::string_view expression) { return CronParser(expression).parse(); }

std::optional<LocalSeconds> CronFields::next(LocalSeconds from) const noexcept {
  using std::chrono::days;
  using std::chrono::seconds;
  const std::chrono::sys_seconds time{seconds(from)};
  const auto today = std::chrono::floor<days>(time);
  auto day = next_day(*this, today);
  auto second = next_time(*this, day == today ? static_cast<int>((time - today).count()) : 0);
  if (!second) {
    day = next_day(*this, today + days(1));
    second = next_time(*this, 0);
  }
  if (!day) return std::nullopt;
  return (*day + seconds(*second)).time_since_epoch().count();
}

}  // namespace rouse::detail
