// Random expressions against a clock that is watched second by second, or minute by minute. The
// clock is that of another library; the expressions are made together with what they mean, so that
// nothing of ours reads them a second time.

#include "rouse/exec/cron.hpp"

#include "support/scale.hpp"
#include "support/utc.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <date/tz.h>
#include <gtest/gtest.h>

namespace rouse::test {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;
using std::chrono::local_seconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;

class CronMaker {
 public:
  struct Made {
    std::string text;
    bool has_seconds = false;
    bool every_hour = false;
    std::function<bool(local_seconds)> matches;
  };

  explicit CronMaker(unsigned seed) : random_(seed) {}

  Made make() {
    const bool has_seconds = one_in(4);
    const Field second = has_seconds ? field(0, 59) : Field{"", {0}};
    const Field minute = field(0, 59);
    const Field hour = field(0, 23);
    const DayField of_month = one_in(2) ? DayField{"*", true, [](auto) { return true; }} : day();
    const Field month = one_in(2) ? Field{"*", range(1, 12, 1)} : field(1, 12);
    const DayField of_week = one_in(2) ? DayField{"?", true, [](auto) { return true; }} : weekday();

    Made made;
    made.has_seconds = has_seconds;
    made.text = (has_seconds ? second.text + " " : "") + minute.text + ' ' + hour.text + ' ' +
                of_month.text + ' ' + month.text + ' ' + of_week.text;
    made.every_hour = hour.text[0] == '*';
    made.matches = [=](local_seconds time) {
      const auto today = floor<days>(time);
      const auto clock = std::chrono::hh_mm_ss(time - today);
      const std::chrono::year_month_day date(today);
      if (!month.numbers.contains(static_cast<int>(unsigned{date.month()}))) return false;
      const bool first = of_month.matches(date);
      const bool second_one = of_week.matches(date);
      const bool open = of_month.starts_open || of_week.starts_open;
      return (open ? first && second_one : first || second_one) &&
             hour.numbers.contains(static_cast<int>(clock.hours().count())) &&
             minute.numbers.contains(static_cast<int>(clock.minutes().count())) &&
             second.numbers.contains(static_cast<int>(clock.seconds().count()));
    };
    return made;
  }

  int between(int low, int high) { return std::uniform_int_distribution(low, high)(random_); }

 private:
  using Date = std::chrono::year_month_day;

  struct Field {
    std::string text;
    std::set<int> numbers;
  };
  struct DayField {
    std::string text;
    bool starts_open;
    std::function<bool(Date)> matches;
  };

  bool one_in(int n) { return between(1, n) == 1; }

  static std::set<int> range(int first, int last, int step) {
    std::set<int> numbers;
    for (int i = first; i <= last; i += step) numbers.insert(i);
    return numbers;
  }

  Field item(int low, int high) {
    const int first = between(low, high);
    const int last = between(first, high);
    const int step = between(1, high);
    switch (between(0, 5)) {
      case 0:
        return {"*", range(low, high, 1)};
      case 1:
        return {"*/" + std::to_string(step), range(low, high, step)};
      case 2:
        return {std::to_string(first) + '-' + std::to_string(last), range(first, last, 1)};
      case 3:
        return {std::to_string(first) + '-' + std::to_string(last) + '/' + std::to_string(step),
                range(first, last, step)};
      case 4:
        return {std::to_string(first) + '/' + std::to_string(step), range(first, high, step)};
      default:
        return {std::to_string(first), {first}};
    }
  }

  Field field(int low, int high) {
    Field made = item(low, high);
    while (one_in(3)) {
      const Field more = item(low, high);
      made.text += ',' + more.text;
      made.numbers.insert(more.numbers.begin(), more.numbers.end());
    }
    return made;
  }

  static int length_of(Date date) {
    return static_cast<int>(unsigned{(date.year() / date.month() / std::chrono::last).day()});
  }
  static int day_of(Date date) { return static_cast<int>(unsigned{date.day()}); }
  static int weekday_of(Date date) {
    return static_cast<int>(std::chrono::weekday(std::chrono::sys_days(date)).c_encoding());
  }
  static bool works(Date date) { return weekday_of(date) != 0 && weekday_of(date) != 6; }

  // Whether `date` is the working day that is nearest to the nth of its month.
  static bool nearest(Date date, int nth) {
    if (nth > length_of(date) || !works(date)) return false;
    for (int day = 1; day <= length_of(date); ++day) {
      const Date other = date.year() / date.month() / day;
      if (works(other) && std::abs(day - nth) < std::abs(day_of(date) - nth)) return false;
    }
    return true;
  }

  DayField day() {
    const int n = between(1, 31);
    const std::string number = std::to_string(n);
    switch (between(0, 5)) {
      case 0:
        return {"L", false, [](Date d) { return day_of(d) == length_of(d); }};
      case 1:
        return {"L-" + std::to_string(n - 1), false,
                [=](Date d) { return day_of(d) == length_of(d) - (n - 1); }};
      case 2:
        return {"LW", false, [](Date d) { return nearest(d, length_of(d)); }};
      case 3:
        return {number + "W,5", false, [=](Date d) { return nearest(d, n) || day_of(d) == 5; }};
      default: {
        const Field plain = field(1, 31);
        return {plain.text, plain.text[0] == '*',
                [=](Date d) { return plain.numbers.contains(day_of(d)); }};
      }
    }
  }

  DayField weekday() {
    const char* const names[] = {"SUN", "mon", "Tue", "WED", "thu", "Fri", "SAT"};
    const int n = between(0, 6);
    const int nth = between(1, 5);
    switch (between(0, 4)) {
      case 0:
        return {std::to_string(n == 0 ? 7 : n) + "L", false,
                [=](Date d) { return weekday_of(d) == n && day_of(d) + 7 > length_of(d); }};
      case 1:
        return {std::to_string(n) + '#' + std::to_string(nth), false,
                [=](Date d) { return weekday_of(d) == n && (day_of(d) + 6) / 7 == nth; }};
      case 2:
        return {names[n], false, [=](Date d) { return weekday_of(d) == n; }};
      default: {
        const Field plain = field(0, 6);
        return {plain.text, plain.text[0] == '*',
                [=](Date d) { return plain.numbers.contains(weekday_of(d)); }};
      }
    }
  }

  std::mt19937 random_;
};

// The times of an expression in [begin, end), as the header has it.
std::vector<sys_seconds> watch_clock(const CronMaker::Made& made, const date::time_zone& zone,
                                     sys_seconds begin, sys_seconds end, seconds step) {
  date::sys_info info = zone.get_info(begin - days(3));
  const auto shown = [&](sys_seconds time) {
    if (time >= info.end) info = zone.get_info(time);
    return local_seconds((time + info.offset).time_since_epoch());
  };
  std::vector<sys_seconds> times;
  const sys_seconds before = begin - days(3);
  local_seconds latest = shown(before);
  for (sys_seconds now = before + step; now < end; now += step) {
    const local_seconds clock = shown(now);
    bool due = made.every_hour && made.matches(clock);
    for (local_seconds time = latest + step; !made.every_hour && time <= clock; time += step) {
      due = due || made.matches(time);
    }
    latest = std::max(latest, clock);
    if (due && now >= begin) times.push_back(now);
  }
  return times;
}

struct Window {
  const char* zone;
  const char* begin;
};

// Around changes of the clock, and elsewhere.
constexpr Window windows[] = {
    {"Europe/Berlin", "2024-03-30T12:00:00+00:00"},
    {"Europe/Berlin", "2024-10-26T12:00:00+00:00"},
    {"America/New_York", "2024-03-09T18:00:00+00:00"},
    {"America/New_York", "2024-11-02T18:00:00+00:00"},
    {"Australia/Lord_Howe", "2024-04-06T00:00:00+00:00"},
    {"Australia/Lord_Howe", "2024-10-05T00:00:00+00:00"},
    {"America/Sao_Paulo", "2018-11-03T12:00:00+00:00"},
    {"America/Sao_Paulo", "2018-02-17T12:00:00+00:00"},
    {"Asia/Kathmandu", "1985-12-31T00:00:00+00:00"},
    {"Pacific/Apia", "2011-12-29T12:00:00+00:00"},
    {"Pacific/Chatham", "2024-09-28T00:00:00+00:00"},
    {"Antarctica/Troll", "2024-10-26T12:00:00+00:00"},
    {"Africa/Casablanca", "2024-04-13T12:00:00+00:00"},
    {"Europe/Dublin", "2024-10-26T12:00:00+00:00"},
    {"America/St_Johns", "1988-04-02T12:00:00+00:00"},
    {"Asia/Tokyo", "2024-02-28T12:00:00+00:00"},
    {"UTC", "2024-12-31T00:00:00+00:00"},
    {"America/Caracas", "2016-04-30T12:00:00+00:00"},
};

// Asks for one time after the other, then from anywhere, and compares. Returns how many there were.
std::size_t compare_with_clock(CronMaker& maker, const Window& window, std::chrono::hours length) {
  CronMaker::Made made = maker.make();
  std::optional<Cron> cron;
  while (!cron) {
    try {
      cron.emplace(made.text, window.zone);
    } catch (const CronError& error) {
      EXPECT_STREQ(error.field(), "day of month") << error.what();  // it has no day
      made = maker.make();
    }
  }
  // The seconds of an expression take longer to watch.
  const auto begin = instant(window.begin);
  const auto end = begin + (made.has_seconds ? length / 4 : length);
  const auto expected =
      watch_clock(made, *date::locate_zone(window.zone), begin, end, made.has_seconds ? 1s : 60s);

  std::vector<sys_seconds> times;
  auto next = cron->next(begin - 1ns);
  for (; next && *next < end && times.size() <= expected.size(); next = cron->next(*next)) {
    times.push_back(std::chrono::floor<seconds>(*next));
  }
  if (times != expected) {
    const auto [ours, clock] =
        std::mismatch(times.begin(), times.end(), expected.begin(), expected.end());
    ADD_FAILURE() << "'" << made.text << "' in " << window.zone << ": "
                  << (ours == times.end() ? "none" : to_text(*ours)) << " instead of "
                  << (clock == expected.end() ? "none" : to_text(*clock));
    return times.size();
  }
  for (int i = 0; i < 20; ++i) {
    const sys_seconds after =
        begin + seconds(maker.between(0, static_cast<int>((end - begin).count())));
    const auto following = std::upper_bound(expected.begin(), expected.end(), after);
    if (following == expected.end()) continue;
    EXPECT_EQ(cron->next(after), *following)
        << "'" << made.text << "' in " << window.zone << " after " << to_text(after);
  }
  return times.size();
}

TEST(CronOracle, RandomExpressionsComeWhenAWatchedClockShowsThem) {
  CronMaker maker(20240331);
  std::size_t times = 0;
  const int all = rounds(15);
  for (int round = 0; round < all; ++round) {
    for (const Window& window : windows) times += compare_with_clock(maker, window, 36h);
  }
  EXPECT_GT(times, 100U * static_cast<unsigned>(all));
}

TEST(CronOracle, RandomExpressionsComeInTheirMonths) {
  CronMaker maker(29022024);
  std::size_t times = 0;
  const int all = rounds(3);
  for (int round = 0; round < all; ++round) {
    for (const Window& window : windows) times += compare_with_clock(maker, window, 24h * 70);
  }
  EXPECT_GT(times, 1000U * static_cast<unsigned>(all));
}

}  // namespace
}  // namespace rouse::test
