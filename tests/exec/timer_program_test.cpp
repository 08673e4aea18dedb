// Random programs of timers beside a simple model: a sorted map that says which calls come and in
// which order, on a clock that stands still in between. ROUSE_TEST_SCALE says how many.

#include "rouse/exec/delay_executor.hpp"

#include "support/gated_pool.hpp"
#include "support/manual_executor.hpp"
#include "support/scale.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace rouse {
namespace {

using std::chrono::nanoseconds;

/// What is documented, without a wheel, a pool or a lock. Times are nanoseconds since the begin. A
/// call takes no time.
class TimerModel {
 public:
  struct Repeat {
    std::int64_t period;
    RepeatMode mode;
    OnMissed on_missed;
    std::uint64_t times;
  };

  /// Returns its number, which its calls are known by.
  int insert(std::int64_t at, Urgency urgency, std::optional<Repeat> repeat = {}) {
    entries_.push_back({urgency, repeat, std::nullopt, 0});
    put(static_cast<int>(entries_.size()) - 1, at);
    return static_cast<int>(entries_.size()) - 1;
  }
  bool cancel(int number) {
    if (!entry(number).at) return false;
    take_out(number);
    return true;
  }
  bool reschedule(int number, std::int64_t at) {
    if (!entry(number).at || *entry(number).at <= now_) return false;
    take_out(number);
    put(number, at);
    return true;
  }

  /// Time goes on; call() says what comes of it.
  void advance(std::int64_t d) { now_ += d; }
  /// All calls that are due, in order.
  std::vector<int> call() {
    std::vector<int> calls;
    while (!queue_.empty() && queue_.begin()->first.at <= now_) {
      const int number = queue_.begin()->second;
      const std::int64_t at = take_out(number);
      calls.push_back(number);
      ++entry(number).runs;
      if (const auto next = next_after(number, at)) put(number, *next);
    }
    return calls;
  }

  std::int64_t now() const { return now_; }
  std::size_t size() const { return entries_.size(); }
  std::size_t pending() const { return queue_.size(); }
  std::uint64_t missed() const { return missed_; }
  Urgency urgency(int number) const { return entry(number).urgency; }
  std::uint64_t runs(int number) const { return entry(number).runs; }
  std::optional<std::int64_t> next_run(int number) const { return entry(number).at; }

 private:
  struct Key {
    std::int64_t at;
    Urgency urgency;
    int number;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Entry {
    Urgency urgency;
    std::optional<Repeat> repeat;
    std::optional<std::int64_t> at;
    std::uint64_t runs;
  };

  Entry& entry(int number) { return entries_[static_cast<std::size_t>(number)]; }
  const Entry& entry(int number) const { return entries_[static_cast<std::size_t>(number)]; }

  void put(int number, std::int64_t at) {
    entry(number).at = at;
    queue_.emplace(Key{at, entry(number).urgency, number}, number);
  }
  std::int64_t take_out(int number) {
    const std::int64_t at = *std::exchange(entry(number).at, std::nullopt);
    queue_.erase(Key{at, entry(number).urgency, number});
    return at;
  }

  // After the call that was due `at`.
  std::optional<std::int64_t> next_after(int number, std::int64_t at) {
    const std::optional<Repeat>& repeat = entry(number).repeat;
    if (!repeat || entry(number).runs == repeat->times) return std::nullopt;
    if (repeat->mode == RepeatMode::fixed_delay) return now_ + repeat->period;
    std::int64_t next = at + repeat->period;
    if (repeat->on_missed == OnMissed::catch_up || next > now_) return next;
    for (; next <= now_; next += repeat->period) ++missed_;
    if (repeat->on_missed == OnMissed::skip) return next;
    --missed_;  // the last of them is called for all
    return next - repeat->period;
  }

  std::int64_t now_ = 0;
  std::vector<Entry> entries_;
  std::multimap<Key, int> queue_;
  std::uint64_t missed_ = 0;
};

/// An executor beside a model of it.
class TimerProgram {
 public:
  TimerProgram(std::uint64_t seed, ThreadPool& pool) : random_(seed), pool_(pool) {
    steps_ << "seed " << seed << '\n';
  }

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) {
      switch (pick(16)) {
        case 0:
        case 1:
          insert_after();
          break;
        case 2:
          insert_at();
          break;
        case 3:
          insert_calendar();
          break;
        case 4:
        case 5:
        case 6:
          insert_every();
          break;
        case 7:
        case 8:
          cancel();
          break;
        case 9:
        case 10:
          reschedule();
          break;
        case 11:
          drop();
          break;
        case 12:
          advance_held_up();
          break;
        default:
          advance();
      }
      check();
    }
    if (!testing::Test::HasFatalFailure()) end();
  }

  std::string steps() const { return steps_.str(); }

 private:
  std::int64_t pick(std::int64_t below) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(below));
  }
  // Of several orders of magnitude.
  std::int64_t distance() {
    static constexpr std::array<std::int64_t, 4> scales{8, 100, 5'000, 100'000'000};
    return pick(scales[static_cast<std::size_t>(pick(scales.size()))]);
  }
  Urgency urgency() {
    constexpr std::array all{Urgency::high, Urgency::normal, Urgency::low};
    return all[static_cast<std::size_t>(pick(all.size()))];
  }
  auto logs() { return log_.adds(static_cast<int>(timers_.size())); }

  // --- steps -------------------------------------------------------------------------------------

  void insert_after() {
    const std::int64_t d = distance() - pick(5);
    const Urgency u = urgency();
    steps_ << timers_.size() << " = after " << d << '\n';
    timers_.push_back(executor_.run_after(nanoseconds(d), u, logs()));
    (void)model_.insert(model_.now() + std::max<std::int64_t>(d, 0), u);
  }
  void insert_at() {
    const std::int64_t d = distance() - pick(100);
    const Urgency u = urgency();
    steps_ << timers_.size() << " = at " << d << '\n';
    timers_.push_back(executor_.run_at(clock_.now() + nanoseconds(d), u, logs()));
    (void)model_.insert(model_.now() + d, u);
  }
  void insert_calendar() {
    const std::int64_t d = distance() - pick(100);
    const Urgency u = urgency();
    steps_ << timers_.size() << " = at, by the calendar, " << d << '\n';
    const auto t = std::chrono::time_point_cast<nanoseconds>(clock_.calendar()) + nanoseconds(d);
    timers_.push_back(executor_.run_at(t, u, logs()));
    (void)model_.insert(model_.now() + d, u);
  }
  void insert_every() {
    RepeatOptions options;
    options.mode = pick(3) == 0 ? RepeatMode::fixed_delay : RepeatMode::fixed_rate;
    options.on_missed = static_cast<OnMissed>(pick(3));
    options.urgency = urgency();
    if (pick(2) == 0) options.first = nanoseconds(distance());
    std::int64_t period = 1 + distance();
    if (pick(4) == 0) options.times = static_cast<std::uint64_t>(1 + pick(6));
    if (options.mode == RepeatMode::fixed_delay) {
      if (options.times != 0) --period;
    } else if (options.on_missed == OnMissed::catch_up && options.times == 0) {
      options.times = 20;  // they all come at once if time goes far
    } else {
      period = std::max<std::int64_t>(period, 1'000);  // the model counts one by one
    }
    steps_ << timers_.size() << " = every " << period << ", mode " << static_cast<int>(options.mode)
           << ", on_missed " << static_cast<int>(options.on_missed) << ", first "
           << (options.first ? options.first->count() : -1) << ", times " << options.times << '\n';
    timers_.push_back(executor_.run_every(nanoseconds(period), logs(), options));
    (void)model_.insert(model_.now() + (options.first ? options.first->count() : period),
                        options.urgency,
                        TimerModel::Repeat{period, options.mode, options.on_missed, options.times});
  }

  // One that has been made, and whose handle was not given up.
  std::optional<int> any() {
    if (timers_.empty()) return {};
    const auto number = static_cast<std::size_t>(pick(static_cast<std::int64_t>(timers_.size())));
    if (!timers_[number].valid()) return {};
    return static_cast<int>(number);
  }
  Timer& timer(int number) { return timers_[static_cast<std::size_t>(number)]; }

  void cancel() {
    const std::optional<int> number = any();
    if (!number) return;
    steps_ << "cancel " << *number << '\n';
    ASSERT_EQ(timer(*number).cancel(), model_.cancel(*number));
  }
  void reschedule(std::int64_t nearest = -4) {
    const std::optional<int> number = any();
    if (!number) return;
    const std::int64_t d = nearest + distance();
    steps_ << "reschedule " << *number << ' ' << d << '\n';
    ASSERT_EQ(timer(*number).reschedule(nanoseconds(d)),
              model_.reschedule(*number, model_.now() + std::max<std::int64_t>(d, 0)));
  }
  void drop() {
    const std::optional<int> number = any();
    if (!number) return;
    steps_ << "drop " << *number << '\n';
    timer(*number) = Timer();
  }
  void advance_clock() {
    const std::int64_t d = 1 + distance();
    steps_ << "advance " << d << '\n';
    clock_.advance(nanoseconds(d));
    model_.advance(d);
  }
  void advance() { advance_clock(); }
  // What becomes due waits for the worker meanwhile.
  void advance_held_up() {
    steps_ << "hold up\n";
    const test::Gate gate(pool_);
    advance_clock();
    for (std::int64_t i = pick(4); i > 0 && !testing::Test::HasFatalFailure(); --i) {
      if (pick(2) == 0) {
        cancel();
      } else {
        reschedule(1);  // what becomes due now would come behind what is due already
      }
    }
  }

  // --- what comes of them ------------------------------------------------------------------------

  void check() {
    const std::vector<int> expected = model_.call();
    // If there was a call too many the next check finds it.
    if (!expected.empty()) {
      ASSERT_EQ(pool_.wait_idle(), WaitStatus::ready);
    }
    const std::vector<int> all = log_.values();
    const std::vector<int> calls(all.begin() + static_cast<std::ptrdiff_t>(seen_), all.end());
    seen_ = all.size();
    ASSERT_EQ(std::multiset<int>(calls.begin(), calls.end()),
              std::multiset<int>(expected.begin(), expected.end()));
    for (const Urgency u : {Urgency::high, Urgency::normal, Urgency::low}) {
      ASSERT_EQ(first_calls(calls, u), first_calls(expected, u));
    }
    ASSERT_EQ(executor_.stats().pending, model_.pending());
    if (const std::optional<int> number = any()) check(*number);
  }

  // The first call of each timer, of those of one urgency. The pool takes some of little urgency
  // before others, and a worker makes the next call of a timer before those that wait.
  std::vector<int> first_calls(const std::vector<int>& calls, Urgency urgency) const {
    std::vector<int> result;
    for (const int number : calls) {
      if (model_.urgency(number) == urgency && std::ranges::count(result, number) == 0) {
        result.push_back(number);
      }
    }
    return result;
  }

  void check(int number) {
    ASSERT_EQ(timer(number).runs(), model_.runs(number));
    const auto next = timer(number).next_run();
    const auto expected = model_.next_run(number);
    ASSERT_EQ(next.has_value(), expected.has_value());
    if (next) {
      ASSERT_EQ((*next - begin_).count(), *expected);
    }
  }

  void end() {
    ASSERT_EQ(pool_.wait_idle(), WaitStatus::ready);
    ASSERT_NO_FATAL_FAILURE(check());
    for (int number = 0; number < static_cast<int>(timers_.size()); ++number) {
      if (timer(number).valid()) {
        ASSERT_NO_FATAL_FAILURE(check(number));
      }
    }
    ASSERT_EQ(executor_.stats().missed, model_.missed());
    ASSERT_EQ(executor_.stats().fired, seen_);
    ASSERT_EQ(executor_.stop(), model_.pending());
  }

  std::mt19937_64 random_;
  ThreadPool& pool_;
  ManualClock clock_;
  const std::chrono::steady_clock::time_point begin_ = clock_.now();
  test::CallLog log_;
  DelayExecutor executor_{{.pool = &pool_, .clock = &clock_}};
  std::vector<Timer> timers_;
  TimerModel model_;
  std::size_t seen_ = 0;  // of the log
  std::ostringstream steps_;
};

void run_programs(int programs, int steps) {
  ThreadPool pool({.min_threads = 1, .max_threads = 1});
  for (int i = 0; i < programs; ++i) {
    TimerProgram program(static_cast<std::uint64_t>(i), pool);
    program.run(steps);
    ASSERT_FALSE(testing::Test::HasFatalFailure()) << program.steps();
  }
}

TEST(TimerPrograms, CallWhatTheModelCalls) { run_programs(test::rounds(5'000), 40); }

TEST(TimerPrograms, OfManyStepsCallWhatTheModelCalls) { run_programs(test::rounds(20), 500); }

}  // namespace
}  // namespace rouse
