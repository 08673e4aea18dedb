// Everything that can happen to a timer and to its executor at the same instant: each timer is
// called, cancelled, refused or abandoned, and says so; what it holds ends once.

#include "rouse/exec/delay_executor.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"

#include "support/at_once.hpp"
#include "support/on_cpu.hpp"
#include "support/rendezvous.hpp"
#include "support/scale.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::DelayExecutor;
using rouse::DelayExecutorOptions;
using rouse::DelayExecutorStats;
using rouse::Event;
using rouse::ManualClock;
using rouse::RepeatMode;
using rouse::ScopedTimer;
using rouse::Stopped;
using rouse::StopPolicy;
using rouse::ThreadPool;
using rouse::Timer;
using rouse::WaitStatus;
using rouse::test::at_once;
using rouse::test::OnCpu;
using rouse::test::rounds;

/// What has become of one timer.
class TimerFate {
 public:
  /// A callable that counts its calls, and the ends of what it holds.
  auto call() {
    return [this, held = Held(*this)] { calls_.fetch_add(1, std::memory_order_relaxed); };
  }

  int calls() const { return calls_.load(std::memory_order_relaxed); }
  int ends() const { return ends_.load(std::memory_order_relaxed); }

 private:
  class Held {
   public:
    explicit Held(TimerFate& fate) noexcept : fate_(&fate) {}
    Held(Held&& other) noexcept : fate_(std::exchange(other.fate_, nullptr)) {}
    ~Held() {
      if (fate_ != nullptr) fate_->ends_.fetch_add(1, std::memory_order_relaxed);
    }

   private:
    TimerFate* fate_;
  };

  std::atomic<std::uint8_t> calls_{0};
  std::atomic<std::uint8_t> ends_{0};
};

using TimerFates = std::vector<TimerFate>;

std::uint64_t calls_of(const TimerFates& fates) {
  std::uint64_t sum = 0;
  for (const TimerFate& each : fates) sum += static_cast<std::uint64_t>(each.calls());
  return sum;
}

bool called_once_at_most(const TimerFates& fates) {
  return std::ranges::all_of(fates, [](const TimerFate& each) { return each.calls() <= 1; });
}

bool all_ended_once(const TimerFates& fates) {
  return std::ranges::all_of(fates, [](const TimerFate& each) { return each.ends() == 1; });
}

bool all_ended_once_or_never_made(const TimerFates& fates) {
  return std::ranges::all_of(fates, [](const TimerFate& each) {
    return each.ends() == 1 || each.calls() + each.ends() == 0;
  });
}

/// An executor with a worker on another CPU that never sleeps, so that calls come at their time.
class AwakeExecutor {
 public:
  DelayExecutor& operator*() noexcept { return executor_; }
  DelayExecutor* operator->() noexcept { return &executor_; }

  /// After it has ended: its calls, without those that keep the worker awake.
  std::uint64_t fired() { return executor_.stats().fired - keeper_.runs(); }
  std::size_t stop(StopPolicy policy = StopPolicy::abandon_ahead) {
    EXPECT_EQ(keeper_.cancel_and_wait(), WaitStatus::ready);
    return executor_.stop(policy);
  }

 private:
  const OnCpu cpu_{0};
  DelayExecutor executor_{
      {.pool_options = {.min_threads = 1, .max_threads = 1, .on_thread_start = [](auto) {
                          thread_local std::optional<OnCpu> cpu;
                          cpu.emplace(1U);
                        }}}};
  Timer keeper_ = executor_.run_every(0s, [] {}, {.mode = RepeatMode::fixed_delay});
};

/// Lets up to some microseconds pass, another time in each round.
void shift(std::size_t round) { rouse::test::delay(static_cast<unsigned>(round * 37 % 1'024)); }

/// Waits before it is too early, and not before it is too late: what meets wins in turn.
class Aim {
 public:
  void wait() const noexcept { rouse::test::delay(turns_); }
  void was(bool early) noexcept {
    turns_ = early ? turns_ + turns_ / 16 + 8 : turns_ - turns_ / 16 - (turns_ > 8 ? 8 : 0);
  }

 private:
  unsigned turns_ = 0;
};

// --- one timer -----------------------------------------------------------------------------------

// Batches of timers, each of which is due a microsecond after the one before: `act` comes at about
// the time of each, and returns whether it was too early for the call.
class CallRaceTest : public ::testing::Test {
 protected:
  static constexpr std::size_t batch = 20;

  template <class Act>
  void run(int batches, Act act) {
    fates = TimerFates(static_cast<std::size_t>(batches) * batch);
    std::array<Timer, batch> timers;
    std::array<Aim, batch> aims;
    for (std::size_t first = 0; first < fates.size() && !HasFailure(); first += batch) {
      for (std::size_t i = 0; i < batch; ++i) {
        timers[i] = executor->run_after(std::chrono::microseconds(i), fates[first + i].call());
      }
      for (std::size_t i = 0; i < batch; ++i) {
        aims[i].wait();
        const bool early = act(timers[i], fates[first + i]);
        aims[i].was(early);
        if (early) ++early_;
      }
    }
  }
  void TearDown() override {
    std::printf("figure: %zu times a call was met, %zu times before it began\n", fates.size(),
                early_);
    EXPECT_GT(early_, 0U);
    EXPECT_LT(early_, fates.size());
    EXPECT_TRUE(called_once_at_most(fates));
    EXPECT_TRUE(all_ended_once(fates));
  }

  AwakeExecutor executor;
  TimerFates fates;

 private:
  std::size_t early_ = 0;
};

TEST_F(CallRaceTest, ACancelMeetsTheCall) {
  std::uint64_t cancels = 0;
  run(rounds(4'000), [&](Timer& timer, const TimerFate& fate) {
    const bool cancelled = timer.cancel();
    if (cancelled) {
      ++cancels;
    } else {
      EXPECT_EQ(timer.cancel_and_wait(), WaitStatus::ready);
    }
    EXPECT_EQ(fate.calls(), cancelled ? 0 : 1);
    EXPECT_EQ(fate.ends(), 1);
    return cancelled;
  });
  EXPECT_EQ(executor.stop(), 0U);
  EXPECT_EQ(calls_of(fates) + cancels, fates.size());
  EXPECT_EQ(executor->stats().cancelled, cancels + 1);
  EXPECT_EQ(executor.fired(), calls_of(fates));
}

TEST_F(CallRaceTest, ARescheduleMeetsTheCall) {
  std::uint64_t cancels = 0;
  run(rounds(1'000), [&](Timer& timer, const TimerFate& fate) {
    const bool rescheduled = timer.reschedule(1h);
    EXPECT_TRUE(!rescheduled || fate.calls() == 0);
    // What was due before, but had not begun, is cancelled too.
    const bool cancelled = timer.cancel();
    EXPECT_TRUE(cancelled || !rescheduled);
    if (cancelled) ++cancels;
    EXPECT_EQ(timer.cancel_and_wait(), WaitStatus::ready);
    EXPECT_EQ(fate.calls(), cancelled ? 0 : 1);
    EXPECT_EQ(fate.ends(), 1);
    return rescheduled;
  });
  EXPECT_EQ(executor.stop(), 0U);
  EXPECT_EQ(calls_of(fates) + cancels, fates.size());
}

TEST_F(CallRaceTest, AHandleIsGivenUpAtTheTimeOfTheCall) {
  run(rounds(1'000), [](Timer& timer, const TimerFate& fate) {
    timer = Timer();
    return fate.calls() == 0;
  });
  EXPECT_EQ(executor.stop(StopPolicy::await_ahead), 0U);
  EXPECT_EQ(calls_of(fates), fates.size());
}

TEST(TimerRace, ARescheduleMeetsACancel) {
  DelayExecutor executor({.pool_options = {.min_threads = 1, .max_threads = 1}});
  const int count = rounds(5'000);
  TimerFates fates(static_cast<std::size_t>(count));
  std::size_t next = 0;
  Timer timer;
  bool cancelled = false;
  const auto is_far = [](int round) { return round % 2 == 0; };
  at_once(
      count,
      {[&](int round) {
         shift(static_cast<std::size_t>(round));
         cancelled = timer.cancel();
       },
       [&](int round) {
         (void)timer.reschedule(is_far(round) ? 2h : 0h);
         (void)timer.reschedule(is_far(round) ? 3h : 0h);
       }},
      [&] { timer = executor.run_after(1h, fates[next++].call()); },
      [&](int round) {
        const TimerFate& fate = fates[static_cast<std::size_t>(round)];
        EXPECT_TRUE(cancelled || !is_far(round));
        EXPECT_EQ(timer.cancel_and_wait(), WaitStatus::ready);
        EXPECT_EQ(fate.calls() + (cancelled ? 1 : 0), 1);
        EXPECT_EQ(fate.ends(), 1);
        EXPECT_EQ(timer.next_run(), std::nullopt);
      });
  EXPECT_EQ(executor.stats().pending, 0U);
}

TEST(TimerRace, AStopMeetsTheWaitOfTheCall) {
  AwakeExecutor executor;
  const int count = rounds(5'000);
  for (int i = 0; i < count; ++i) {
    WaitStatus slept = WaitStatus::ready;
    Timer timer = executor->run_after(0s, [&] { slept = rouse::sleep_for(1h); });
    while (!timer.request_stop()) std::this_thread::yield();
    ASSERT_EQ(timer.cancel_and_wait(), WaitStatus::ready);
    ASSERT_EQ(slept, WaitStatus::stopped);
  }
}

// The calls follow each other closely, and other jobs come in between: a stop is for one call.
TEST(TimerRace, AStopMeetsTheEndOfTheCall) {
  AwakeExecutor executor;
  std::atomic<std::uint64_t> stopped{0};
  const auto call = [&] {
    const std::stop_token token = rouse::this_thread::stop_token();
    rouse::test::delay(256);
    if (token.stop_requested()) ++stopped;
  };
  Timer timer = executor->run_every(0s, call, {.mode = RepeatMode::fixed_delay});
  const int count = rounds(20'000);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t before = stopped;
    rouse::Job<bool> other = executor->run_queued(
        rouse::Urgency::high, [] { return rouse::this_thread::stop_token().stop_requested(); });
    shift(static_cast<std::size_t>(i));
    (void)timer.request_stop();
    const std::uint64_t then = timer.runs();
    ASSERT_FALSE(other.get());
    while (timer.runs() < then + 2) std::this_thread::yield();
    ASSERT_LE(stopped - before, 1U);
  }
  while (stopped == 0) (void)timer.request_stop();  // some come in time
  EXPECT_EQ(timer.cancel_and_wait(), WaitStatus::ready);
}

TEST(TimerRace, SeveralWaitForTheEndOfOneCall) {
  DelayExecutor executor({.pool_options = {.min_threads = 1, .max_threads = 1}});
  Timer timer;
  std::uint64_t calls = 0;
  std::array<std::uint64_t, 3> seen{};
  const auto waits = [&](std::size_t thread) {
    return [&, thread](int) {
      EXPECT_EQ(timer.cancel_and_wait(), WaitStatus::ready);
      seen[thread] = calls;
    };
  };
  at_once(
      rounds(300), {waits(0), waits(1), waits(2)},
      [&] {
        calls = 0;
        Event begun;
        timer = executor.run_every(5us,
                                   [&, told = false]() mutable {
                                     ++calls;
                                     if (!std::exchange(told, true)) begun.set();
                                   },
                                   {.mode = RepeatMode::fixed_delay});
        EXPECT_EQ(begun.wait(), WaitStatus::ready);
      },
      [&](int) {
        EXPECT_EQ(timer.runs(), calls);
        EXPECT_TRUE(std::ranges::all_of(seen, [&](std::uint64_t each) { return each == calls; }));
      });
}

// What the call refers to ends with the scope.
TEST(TimerRace, TheEndOfAScopeMeetsTheCall) {
  AwakeExecutor executor;
  const int count = rounds(20'000);
  std::uint64_t calls = 0;
  std::array<Aim, 2> aims;
  for (int i = 0; i < count; ++i) {
    const auto referred = std::make_unique<std::uint64_t>(0);
    const auto call = [&] { ++*referred; };
    const bool once = i % 2 == 0;
    Aim& aim = aims[once ? 0 : 1];
    {
      const ScopedTimer timer(once ? executor->run_after(0s, call)
                                   : executor->run_every(1us, call, {.first = 0s}));
      aim.wait();
    }
    aim.was(*referred == 0);
    ASSERT_TRUE(!once || *referred <= 1);
    calls += *referred;
  }
  EXPECT_GT(calls, 0U);
  EXPECT_EQ(executor.stop(), 0U);
  EXPECT_EQ(executor.fired(), calls);
}

// --- the end of the executor ---------------------------------------------------------------------

// Two threads make timers and two stop, each in another way. Each timer is called, or refused, or
// abandoned and counted.
TEST(TimerRace, TimersMeetTwoStops) {
  enum Way : unsigned { abandon, run_ahead, await_ahead, limited, tried, ways };
  constexpr std::size_t each = 100;
  ThreadPool given({.min_threads = 2, .max_threads = 2});
  std::optional<DelayExecutor> executor;
  std::optional<TimerFates> fates;
  std::atomic<std::uint64_t> accepted{0};
  std::array<std::optional<std::size_t>, 2> told;
  unsigned prepared = 0;
  const auto way_of = [](int round, unsigned stopper) {
    const auto n = static_cast<unsigned>(round);
    return static_cast<Way>(stopper == 0 ? n % ways : n / ways % ways);
  };
  const auto makes = [&](std::size_t begin) {
    return [&, begin](int round) {
      const bool may_be_far = way_of(round, 0) != await_ahead || way_of(round, 1) != await_ahead;
      try {
        for (std::size_t i = begin; i < begin + each; ++i) {
          const std::chrono::microseconds d(i % 32);
          executor->run_after(may_be_far && i % 4 == 0 ? 1h : d, (*fates)[i].call());
          ++accepted;
        }
      } catch (const Stopped&) {
        EXPECT_FALSE(executor->running());
      }
    };
  };
  const auto stops = [&](unsigned stopper) {
    return [&, stopper](int round) {
      shift(static_cast<std::size_t>(round));
      told[stopper] = std::nullopt;
      switch (way_of(round, stopper)) {
        case limited:
          EXPECT_TRUE(executor->stop_for(1h));
          break;
        case tried:
          while (!executor->try_stop()) std::this_thread::yield();
          break;
        default:
          told[stopper] = executor->stop(static_cast<StopPolicy>(way_of(round, stopper)));
      }
    };
  };
  at_once(
      rounds(1'000), {stops(0), stops(1), makes(0), makes(each)},
      [&] {
        fates.emplace(2 * each);
        accepted = 0;
        executor.emplace(
            DelayExecutorOptions{.pool = prepared++ % 2 == 0 ? &given : nullptr,
                                 .pool_options = {.min_threads = 2, .max_threads = 2}});
      },
      [&](int) {
        const DelayExecutorStats stats = executor->stats();
        EXPECT_EQ(stats.pending, 0U);
        EXPECT_EQ(stats.fired, calls_of(*fates));
        EXPECT_EQ(stats.fired + stats.abandoned, accepted);
        for (const auto& abandoned : told)
          EXPECT_EQ(abandoned.value_or(stats.abandoned), stats.abandoned);
        executor.reset();
        EXPECT_TRUE(called_once_at_most(*fates));
        EXPECT_TRUE(all_ended_once_or_never_made(*fates));
      });
}

// A call runs all the while, so neither of them may find that all has ended.
TEST(TimerRace, TwoStopsMeetWhileACallRuns) {
  ThreadPool pool({.min_threads = 1, .max_threads = 1});
  std::optional<DelayExecutor> executor;
  Event begun;
  Event go_on;
  const auto stops = [&](int) { EXPECT_FALSE(executor->try_stop()); };
  at_once(
      rounds(10'000), {stops, stops},
      [&] {
        begun.clear();
        go_on.clear();
        executor.emplace(DelayExecutorOptions{.pool = &pool});
        executor->run_after(0s, [&] {
          begun.set();
          (void)go_on.wait();
        });
        EXPECT_EQ(begun.wait(), WaitStatus::ready);
      },
      [&](int) {
        EXPECT_FALSE(executor->try_stop());
        go_on.set();
        EXPECT_EQ(executor->stop(), 0U);
      });
}

TEST(TimerRace, RepeatedCallsMeetAStop) {
  constexpr std::size_t timers = 4;
  const int count = rounds(150);
  for (int i = 0; i < count; ++i) {
    DelayExecutor executor({.pool_options = {.min_threads = 2, .max_threads = 2}});
    std::array<std::uint64_t, timers> calls{};
    Event begun;
    for (std::size_t t = 0; t < timers; ++t) {
      const rouse::RepeatOptions options{
          .mode = t == 0 ? RepeatMode::fixed_delay : RepeatMode::fixed_rate,
          .on_missed = static_cast<rouse::OnMissed>(t % 3)};
      executor.run_every(
          1us,
          [&, t] {
            if (++calls[t] == 1) begun.set();
          },
          options);
    }
    ASSERT_EQ(begun.wait(), WaitStatus::ready);
    shift(static_cast<std::size_t>(i));
    ASSERT_EQ(executor.stop(), timers);
    std::uint64_t all = 0;
    for (const std::uint64_t each : calls) all += each;
    ASSERT_EQ(executor.stats().fired, all);
  }
}

// Whose clock and pool an executor has when it ends.
enum class EndOf { own_pool, given_pool, own_pool_by_a_clock, given_pool_by_a_clock };

class EndRaceTest : public ::testing::TestWithParam<EndOf> {
 protected:
  static constexpr std::size_t timers_count = 16;

  void prepare() {
    const bool given =
        GetParam() == EndOf::given_pool || GetParam() == EndOf::given_pool_by_a_clock;
    fates.emplace(timers_count);
    executor.emplace(DelayExecutorOptions{.pool = given ? &pool : nullptr,
                                          .pool_options = {.min_threads = 1, .max_threads = 1},
                                          .clock = by_a_clock() ? &clock : nullptr});
    for (std::size_t i = 0; i < timers_count; ++i) {
      timers[i] = executor->run_after(std::chrono::microseconds(10 * i), (*fates)[i].call());
    }
  }
  void check() {
    EXPECT_EQ(executor, std::nullopt);
    EXPECT_TRUE(called_once_at_most(*fates));
    EXPECT_TRUE(all_ended_once(*fates));
  }
  static bool by_a_clock() {
    return GetParam() == EndOf::own_pool_by_a_clock || GetParam() == EndOf::given_pool_by_a_clock;
  }

  ThreadPool pool{{.min_threads = 1, .max_threads = 1}};
  ManualClock clock;
  std::optional<DelayExecutor> executor;
  std::optional<TimerFates> fates;
  std::array<Timer, timers_count> timers;
};

std::string name_of(const ::testing::TestParamInfo<EndOf>& ends) {
  constexpr std::array names{"OwnPool", "GivenPool", "OwnPoolByAClock", "GivenPoolByAClock"};
  return names[static_cast<std::size_t>(ends.param)];
}

INSTANTIATE_TEST_SUITE_P(Ends, EndRaceTest,
                         ::testing::Values(EndOf::own_pool, EndOf::given_pool,
                                           EndOf::own_pool_by_a_clock,
                                           EndOf::given_pool_by_a_clock),
                         name_of);

TEST_P(EndRaceTest, HandlesMeetTheEndOfTheExecutor) {
  std::array<bool, timers_count> cancelled{};
  const auto waits_for = [](Timer& timer) {
    EXPECT_EQ(timer.cancel_and_wait(), WaitStatus::ready);
    EXPECT_FALSE(timer.cancel());
    EXPECT_FALSE(timer.reschedule(0s));
  };
  at_once(
      rounds(1'000),
      {[&](int round) {
         shift(static_cast<std::size_t>(round));
         executor.reset();
       },
       [&](int) {
         for (Timer& each : timers) (void)each.reschedule(0s);
         for (Timer& each : timers) (void)each.request_stop();
         waits_for(timers[0]);
       },
       [&](int) {
         for (std::size_t i = 0; i < timers_count; i += 2) cancelled[i] = timers[i].cancel();
         for (const Timer& each : timers) EXPECT_LE(each.runs(), 1U);
         for (const Timer& each : timers) (void)each.next_run();
         waits_for(timers[1]);
       },
       [&](int) { clock.advance(1ms); }},
      [&] { prepare(); },
      [&](int) {
        check();
        for (std::size_t i = 0; i < timers_count; i += 2) {
          EXPECT_LE((*fates)[i].calls() + (cancelled[i] ? 1 : 0), 1);
        }
      });
}

TEST_P(EndRaceTest, DueCallsMeetTheEndOfTheExecutor) {
  at_once(
      rounds(1'000),
      {[&](int round) {
         shift(static_cast<std::size_t>(round));
         executor.reset();
       },
       [&](int) { clock.advance(80us); }, [&](int) { clock.advance(80us); }},
      [&] { prepare(); }, [&](int) { check(); });
}

// The shell of a cancelled timer lies in the pool's queue when its executor, and the clock, are
// gone and others have their place.
TEST(TimerRace, WhatIsLeftOfACancelledTimerMeetsTheNextExecutor) {
  ThreadPool pool({.min_threads = 1, .max_threads = 1});
  const auto count = static_cast<std::size_t>(rounds(20'000));
  TimerFates fates(count);
  std::uint64_t cancelled = 0;
  for (TimerFate& fate : fates) {
    ManualClock clock;
    DelayExecutor executor({.pool = &pool, .clock = &clock});
    Timer timer = executor.run_every(1h, fate.call(), {.first = 0s});
    if (timer.cancel() && timer.runs() == 0) ++cancelled;
    ASSERT_EQ(timer.cancel_and_wait(), WaitStatus::ready);
    ASSERT_EQ(fate.ends(), 1);
  }
  EXPECT_LE(calls_of(fates), count);
  EXPECT_GE(calls_of(fates) + cancelled, count);
}

TEST(TimerRace, TheEndOfAnExecutorMeetsTheCallsOfAnother) {
  constexpr std::size_t batch = 20;
  ThreadPool pool({.min_threads = 2, .max_threads = 2});
  DelayExecutor stays({.pool = &pool});
  const int count = rounds(2'000);
  for (int i = 0; i < count; ++i) {
    TimerFates fates(batch);
    std::atomic<std::size_t> left{batch};
    Event all;
    {
      DelayExecutor ends({.pool = &pool});
      for (std::size_t t = 0; t < batch; ++t) {
        ends.run_after(std::chrono::microseconds(t), fates[t].call());
        stays.run_after(std::chrono::microseconds(t), [&] {
          if (--left == 0) all.set();
        });
      }
      shift(static_cast<std::size_t>(i));
    }
    ASSERT_TRUE(called_once_at_most(fates));
    ASSERT_TRUE(all_ended_once(fates));
    ASSERT_EQ(all.wait(), WaitStatus::ready);
  }
  EXPECT_EQ(stays.stop(), 0U);
}

// --- nobody sleeps through a deadline ------------------------------------------------------------

// Makes timers of which the most are cancelled, and waits for others.
void make_and_await(DelayExecutor& executor, unsigned seed, int count) {
  std::minstd_rand random(seed);
  std::vector<Timer> timers(8);
  for (int i = 0; i < count; ++i) {
    Event called;
    Timer& other = timers[random() % timers.size()];
    (void)other.cancel();
    other = executor.run_after(std::chrono::microseconds(random() % 200), [] {});
    Timer timer =
        executor.run_after(std::chrono::microseconds(random() % 100), [&] { called.set(); });
    if (random() % 4 == 0) (void)timer.reschedule(std::chrono::microseconds(random() % 100));
    ASSERT_EQ(called.wait(), WaitStatus::ready);
    ASSERT_EQ(timer.cancel_and_wait(), WaitStatus::ready);
  }
}

TEST(TimerRace, NoDeadlineIsMissedWhileThePoolIsResized) {
  ThreadPool pool({.min_threads = 1, .max_threads = 4, .idle_timeout = 0ns});
  DelayExecutor one({.pool = &pool});
  DelayExecutor two({.pool = &pool});
  std::atomic<bool> over{false};
  std::jthread resizer([&] {
    for (std::size_t i = 0; !over; ++i) {
      pool.resize(1 + i % 2, 1 + i % 4);
      std::this_thread::yield();
    }
  });
  std::jthread other([&] { make_and_await(two, 2, rounds(4'000)); });
  make_and_await(one, 1, rounds(4'000));
  other.join();
  over = true;
  EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
  EXPECT_EQ(one.stats().abandoned + two.stats().abandoned, 0U);
}

TEST(TimerRace, NoDeadlineIsMissedByFewWorkers) {
  for (const std::size_t workers : {1U, 2U}) {
    ThreadPool pool({.min_threads = workers, .max_threads = workers});
    DelayExecutor one({.pool = &pool});
    DelayExecutor two({.pool = &pool});
    std::jthread other([&] { make_and_await(two, 2, rounds(3'000)); });
    make_and_await(one, 1, rounds(3'000));
    other.join();
    EXPECT_GE(one.stats().fired, static_cast<std::uint64_t>(rounds(3'000)));
  }
}

// A worker that looks at all deadlines does not see the one that was cancelled; who comes after
// that one must not rely on it.
TEST(TimerRace, ADeadlineThatWasCancelledHidesNone) {
  ThreadPool pool({.min_threads = 1, .max_threads = 1});
  DelayExecutor one({.pool = &pool});
  DelayExecutor two({.pool = &pool});
  EXPECT_TRUE(one.run_after(20ms, [] {}).cancel());
  Event looked;
  two.run_after(1ms, [&] { looked.set(); });
  ASSERT_EQ(looked.wait(), WaitStatus::ready);
  Event called;
  one.run_after(25ms, [&] { called.set(); });
  EXPECT_EQ(called.wait(), WaitStatus::ready);
}

TEST(TimerRace, APoolThatIsStartedAgainKnowsTheDeadlines) {
  ThreadPool pool({.min_threads = 1, .max_threads = 1});
  DelayExecutor executor({.pool = &pool});
  Event called;
  executor.run_after(50ms, [&] { called.set(); });
  pool.stop();
  pool.start();
  EXPECT_EQ(called.wait(), WaitStatus::ready);
}

TEST(TimerRace, AdvancesMeetInsertsAndCancels) {
  constexpr std::size_t makers = 2;
  ManualClock clock;
  DelayExecutor executor({.pool_options = {.min_threads = 1, .max_threads = 1}, .clock = &clock});
  const auto count = static_cast<std::size_t>(rounds(200'000)) / makers * makers;
  TimerFates fates(count);
  std::atomic<std::uint64_t> cancelled{0};
  std::atomic<bool> over{false};
  std::vector<std::jthread> advancing;
  for (int t = 0; t < 2; ++t) {
    advancing.emplace_back([&] {
      while (!over) clock.advance(1us);
    });
  }
  std::vector<std::jthread> making;
  for (std::size_t m = 0; m < makers; ++m) {
    making.emplace_back([&, m] {
      for (std::size_t i = m; i < count; i += makers) {
        Timer timer = executor.run_after(std::chrono::microseconds(i % 16), fates[i].call());
        if (i % 5 == 0) (void)timer.reschedule(std::chrono::microseconds(i % 7));
        if (i % 3 == 0 && timer.cancel()) {
          ++cancelled;
          ASSERT_EQ(fates[i].ends(), 1);
        }
      }
    });
  }
  making.clear();
  over = true;
  advancing.clear();
  clock.advance(1h);
  ASSERT_EQ(executor.pool().wait_idle(), WaitStatus::ready);
  EXPECT_EQ(executor.stats().pending, 0U);
  EXPECT_EQ(calls_of(fates) + cancelled, count);
  EXPECT_TRUE(called_once_at_most(fates));
  EXPECT_TRUE(all_ended_once(fates));
}

}  // namespace
