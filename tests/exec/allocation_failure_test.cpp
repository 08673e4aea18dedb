// No memory, at each allocation of each function of this layer: std::bad_alloc,
// nothing leaked, and what was there before is as it was. What must not throw does without.

#include "rouse/rouse.hpp"

#include "support/faults/allocation_rows.hpp"
#include "support/gated_pool.hpp"

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <ostream>
#include <stop_token>
#include <streambuf>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::DelayExecutor;
using rouse::Event;
using rouse::Job;
using rouse::JobDropped;
using rouse::JobStatus;
using rouse::ThreadPool;
using rouse::Urgency;
using rouse::WaitStatus;
using rouse::test::AllocationRows;
using rouse::test::Gate;
using rouse::test::long_name;
using rouse::test::Promise;
using rouse::test::stopped_token;
using rouse::test::strongly;
using std::chrono::steady_clock;
using std::chrono::system_clock;

// A callable that no block holds which is kept: posting it takes memory.
struct Large {
  std::array<char, 300> text{'L'};
  char operator()() const noexcept { return text[0]; }
};

AllocationRows rows() {
  using enum Promise;
  AllocationRows row;

  row.header = "rouse/exec/job_state.hpp";
  row("has_ended", allocates_nothing,
      [] { return [] { EXPECT_TRUE(has_ended(JobStatus::expired)); }; });
  row("JobDropped", throws, [] {
    return [] { EXPECT_EQ(JobDropped(JobStatus::expired).status(), JobStatus::expired); };
  });
  row("status", allocates_nothing, [] {
    auto dropped = std::make_shared<JobDropped>(JobStatus::dropped);
    return [dropped] { EXPECT_EQ(dropped->status(), JobStatus::dropped); };
  });

  row.header = "rouse/exec/job.hpp";
  struct Queued {
    ThreadPool pool{{.max_threads = 1}};
    Gate gate{pool};
    std::vector<Job<int>> jobs;
    std::stop_token stop = stopped_token();
    Queued() {
      for (int i = 0; i < 2; ++i) jobs.push_back(pool.submit([i] { return i; }));
    }
  };
  const auto on_queued = [](auto body) {
    return [body] {
      auto queued = std::make_shared<Queued>();
      return [queued, body] { body(*queued); };
    };
  };
  const auto on_ended = [](auto body) {
    return [body] {
      struct Ended {
        ThreadPool pool{{.max_threads = 1}};
        Job<char> job = pool.submit(Large());
        Gate gate{pool};
      };
      auto ended = std::make_shared<Ended>();
      return [ended, body] { body(ended->job); };
    };
  };
  row("Job", allocates_nothing, on_queued([](Queued& q) {
        Job<int> job = std::move(q.jobs[0]);
        job = std::move(q.jobs[1]);
        EXPECT_TRUE(job.valid());
      }));
  row("~Job", allocates_nothing,
      on_queued([](Queued& q) { const Job<int> last = std::move(q.jobs[0]); }));
  row("valid", allocates_nothing, on_queued([](Queued& q) { EXPECT_TRUE(q.jobs[0].valid()); }));
  row("status", allocates_nothing,
      on_queued([](Queued& q) { EXPECT_EQ(q.jobs[0].status(), JobStatus::queued); }));
  row("wait", throws,
      on_queued([](Queued& q) { EXPECT_EQ(q.jobs[0].wait(q.stop), WaitStatus::stopped); }));
  row("wait_for", throws,
      on_queued([](Queued& q) { EXPECT_EQ(q.jobs[0].wait_for(1h, q.stop), WaitStatus::stopped); }));
  row("wait_until", throws, on_queued([](Queued& q) {
        EXPECT_EQ(q.jobs[0].wait_until(steady_clock::now() + 1h, q.stop), WaitStatus::stopped);
      }));
  row("get", throws, on_queued([](Queued& q) {
        strongly(
            [&] {
              try {
                (void)q.jobs[0].get(q.stop);
                ADD_FAILURE() << "it is queued";
              } catch (const rouse::Stopped&) {
              }
            },
            [&] { EXPECT_TRUE(q.jobs[0].valid()); });
      }));
  row("get", allocates_nothing, on_ended([](Job<char>& job) { EXPECT_EQ(job.get(), 'L'); }));
  row("request_stop", allocates_nothing, on_queued([](Queued& q) {
        EXPECT_TRUE(q.jobs[0].request_stop());
        EXPECT_EQ(q.jobs[0].status(), JobStatus::dropped);
      }));
  row("request_stop", allocates_nothing, [] {  // of one that waits
    struct State {
      ThreadPool pool{{.max_threads = 1}};
      Job<WaitStatus> job = pool.submit([] { return rouse::sleep_for(1h); });
    };
    auto state = std::make_shared<State>();
    while (state->job.status() != JobStatus::running) std::this_thread::yield();
    return [state] { EXPECT_TRUE(state->job.request_stop()); };
  });
  row("then", throws, on_queued([](Queued& q) {
        strongly(
            [&] {
              auto after = std::move(q.jobs[0]).then([large = Large()](int) { return large(); });
              EXPECT_EQ(after.status(), JobStatus::queued);
            },
            [&] { EXPECT_EQ(q.jobs[0].status(), JobStatus::queued); });
        EXPECT_FALSE(q.jobs[0].valid());
      }));
  // The memory of the queue may be missing when nobody is there any more who could be told.
  row("then", throws_or_survives, on_ended([](Job<char>& job) {
        strongly(
            [&] {
              auto after = std::move(job).then([large = Large()](char) { return large(); },
                                               {.urgency = Urgency::high});
              EXPECT_EQ(has_ended(after.status()), after.status() == JobStatus::dropped);
            },
            [&] { EXPECT_EQ(job.get(), 'L'); });
      }));

  row.header = "rouse/exec/job_group.hpp";
  row("when_all", throws, on_queued([](Queued& q) {
        auto all = rouse::when_all(std::move(q.jobs));
        EXPECT_TRUE(all.request_stop());
        EXPECT_EQ(all.status(), JobStatus::done);
      }));
  row("when_all", throws, on_queued([](Queued& q) {
        auto both = rouse::when_all(std::move(q.jobs[0]), std::move(q.jobs[1]));
        EXPECT_TRUE(both.request_stop());
        EXPECT_EQ(both.status(), JobStatus::done);
      }));
  row("when_any", throws, on_queued([](Queued& q) {
        auto either = rouse::when_any(std::move(q.jobs));
        EXPECT_TRUE(either.request_stop());
        EXPECT_EQ(either.status(), JobStatus::done);
      }));

  row.header = "rouse/exec/thread_pool_stats.hpp";
  const auto histogram = [](auto body) {
    return [body] {
      auto times = std::make_shared<rouse::TimeHistogram>();
      times->buckets[10] = 3;
      return [times, body] { body(*times); };
    };
  };
  row("count", allocates_nothing,
      histogram([](rouse::TimeHistogram& times) { EXPECT_EQ(times.count(), 3U); }));
  row("quantile", allocates_nothing,
      histogram([](rouse::TimeHistogram& times) { EXPECT_EQ(times.quantile(0.5), 1024ns); }));
  row("queued", allocates_nothing, [] {
    return [] {
      rouse::ThreadPoolStats stats;
      stats.queued_low = 2;
      EXPECT_EQ(stats.queued(), 2U);
    };
  });

  row.header = "rouse/exec/thread_pool.hpp";
  row("Outcome", allocates_nothing, [] {
    return [] {
      auto call = [] { return 7; };
      EXPECT_TRUE(rouse::Outcome<int>(call));
    };
  });
  const auto outcome = [](auto body) {
    return [body] {
      const auto call = [] { return 7; };
      auto value = std::make_shared<rouse::Outcome<int>>(call);
      return [value, body] { body(*value); };
    };
  };
  row("get", allocates_nothing, outcome([](rouse::Outcome<int>& o) { EXPECT_EQ(o.get(), 7); }));
  row("error", allocates_nothing,
      outcome([](rouse::Outcome<int>& o) { EXPECT_EQ(o.error(), nullptr); }));
  row("operator bool", allocates_nothing, outcome([](rouse::Outcome<int>& o) { EXPECT_TRUE(o); }));

  // How many are queued: those of Queued, and the one that is added.
  const auto adds_one = [on_queued](auto add) {
    return on_queued([add](Queued& q) {
      strongly([&] { add(q.pool); }, [&] { EXPECT_EQ(q.pool.stats().queued(), 2U); });
      EXPECT_EQ(q.pool.stats().queued(), 3U);
    });
  };
  row("post", throws, adds_one([](ThreadPool& pool) { pool.post(Urgency::high, Large()); }));
  row("try_post", throws, adds_one([](ThreadPool& pool) { EXPECT_TRUE(pool.try_post(Large())); }));
  row("post_for", throws,
      adds_one([](ThreadPool& pool) { EXPECT_EQ(pool.post_for(1h, Large()), WaitStatus::ready); }));
  row("submit", throws, adds_one([](ThreadPool& pool) {
        EXPECT_EQ(pool.submit(Urgency::high, Large()).status(), JobStatus::queued);
      }));
  row("submit_with_callback", throws, adds_one([](ThreadPool& pool) {
        pool.submit_with_callback([](const rouse::Outcome<char>&) {}, Large());
      }));
  struct Full {
    ThreadPool pool;
    std::optional<Gate> gate;
    bool called = false;
    explicit Full(rouse::Overflow overflow)
        : pool({.max_threads = 1, .queue_capacity = 1, .overflow = overflow}),
          gate(std::in_place, pool) {
      pool.post([] {});
    }
    // Whether there is as much room as in the beginning.
    void expect_room() {
      gate.reset();
      EXPECT_EQ(pool.wait_idle(), WaitStatus::ready);
      EXPECT_TRUE(pool.try_post([] {}));
    }
  };
  const auto on_full = [](rouse::Overflow overflow, auto body) {
    return [overflow, body] {
      auto full = std::make_shared<Full>(overflow);
      return [full, body] { body(*full); };
    };
  };
  row("post", throws, on_full(rouse::Overflow::wait, [](Full& f) {
        strongly(
            [&] {
              try {
                f.pool.post([&f] { f.called = true; }, stopped_token());
                ADD_FAILURE() << "there is no room";
              } catch (const rouse::Stopped&) {
              }
            },
            [&] { f.expect_room(); });
        EXPECT_FALSE(f.called);
      }));
  row("post", throws, on_full(rouse::Overflow::reject, [](Full& f) {
        try {
          f.pool.post([&f] { f.called = true; });
          ADD_FAILURE() << "there is no room";
        } catch (const rouse::QueueFull&) {
        }
        EXPECT_FALSE(f.called);
      }));
  row("post", throws, on_full(rouse::Overflow::run_here, [](Full& f) {
        strongly([&] { f.pool.post([&f, large = Large()] { f.called = large() != 0; }); },
                 [&] {
                   EXPECT_FALSE(f.called);
                   f.expect_room();
                 });
        EXPECT_TRUE(f.called);
      }));
  row("submit", throws, on_full(rouse::Overflow::run_here, [](Full& f) {
        strongly([&] { (void)f.pool.submit([&f, large = Large()] { f.called = large() != 0; }); },
                 [&] {
                   EXPECT_FALSE(f.called);
                   f.expect_room();
                 });
        EXPECT_TRUE(f.called);
      }));
  row("try_post", throws, [] {  // has room, which it gives back
    struct Bounded {
      ThreadPool pool{{.max_threads = 1, .queue_capacity = 1}};
      Gate gate{pool};
    };
    auto bounded = std::make_shared<Bounded>();
    return [bounded] {
      strongly([&] { EXPECT_TRUE(bounded->pool.try_post(Large())); },
               [&] { EXPECT_TRUE(bounded->pool.try_post([] {})); });
    };
  });
  row("submit_range", throws, on_queued([](Queued& q) {
        EXPECT_TRUE(q.pool.submit_range(0, 100, [](int) {}).request_stop());
      }));
  row("for_each", throws, on_queued([](Queued& q) {
        int calls = 0;
        strongly([&] { q.pool.for_each(0, 100, [&](int) { ++calls; }); },
                 [&] { EXPECT_EQ(calls, 0); });
        EXPECT_EQ(calls, 100);
      }));
  row("for_each", throws, on_queued([](Queued& q) {  // and waits
        try {
          q.pool.for_each(
              0, 100, [](int) {}, {}, stopped_token());
          ADD_FAILURE() << "no worker is free";
        } catch (const rouse::Stopped&) {
        }
      }));

  // How many CPUs are usable is read from files, and may stay unknown.
  row("ThreadPool", throws_or_survives, [] {
    return [] {
      ThreadPool pool({.min_threads = 2,
                       .max_threads = 2,
                       .name = long_name,
                       .slow_after = 1h,
                       .on_slow = [](const rouse::SlowJob&) {}});
      EXPECT_EQ(pool.stats().threads, 2U);
    };
  });
  row("~ThreadPool", survives, [] {  // and tells the callback
    struct State {
      std::optional<ThreadPool> pool{std::in_place, rouse::ThreadPoolOptions{.max_threads = 1}};
      Gate gate{*pool, Gate::opened_by_stop};
      bool told = false;
    };
    auto state = std::make_shared<State>();
    state->pool->submit_with_callback(
        [&told = state->told](const rouse::Outcome<char>& end) { told = !end; }, Large());
    return [state] {
      state->pool.reset();
      EXPECT_TRUE(state->told);
    };
  });
  row("wait_idle", throws,
      on_queued([](Queued& q) { EXPECT_EQ(q.pool.wait_idle(q.stop), WaitStatus::stopped); }));
  const auto on_pool = [](auto body) {
    return [body] {
      auto pool = std::make_shared<ThreadPool>(
          rouse::ThreadPoolOptions{.min_threads = 2, .max_threads = 2, .name = long_name});
      return [pool, body] { body(*pool); };
    };
  };
  row("resize", throws, on_pool([](ThreadPool& pool) {
        pool.resize(4, 4);
        EXPECT_EQ(pool.stats().threads, 4U);
      }));
  row("resize", survives, on_queued([](Queued& q) {  // lets a thread be started
        q.pool.resize(1, 2);
        EXPECT_TRUE(q.pool.running());
      }));
  const auto stops = [on_pool](auto stop) {
    return on_pool([stop](ThreadPool& pool) {
      strongly([&] { stop(pool); }, [&] { EXPECT_TRUE(pool.running()); });
      EXPECT_FALSE(pool.running());
    });
  };
  row("stop", throws, stops([](ThreadPool& pool) { pool.stop(); }));
  row("try_stop", throws, stops([](ThreadPool& pool) { (void)pool.try_stop(); }));
  row("stop_for", throws, stops([](ThreadPool& pool) { EXPECT_TRUE(pool.stop_for(1h)); }));
  row("stop_for", throws, on_queued([](Queued& q) {  // whose report needs memory
        strongly([&] { EXPECT_EQ(q.pool.stop_for(0s).stragglers.size(), 1U); },
                 [&] { EXPECT_EQ(q.pool.running(), q.jobs[0].status() == JobStatus::queued); });
      }));
  row("start", throws, [] {
    auto pool = std::make_shared<ThreadPool>(
        rouse::ThreadPoolOptions{.min_threads = 2, .max_threads = 2, .name = long_name});
    pool->stop();
    return [pool] {
      strongly([&] { pool->start(); }, [&] { EXPECT_FALSE(pool->running()); });
      EXPECT_TRUE(pool->running());
    };
  });
  row("running", allocates_nothing, on_pool([](ThreadPool& pool) { EXPECT_TRUE(pool.running()); }));
  row("name", allocates_nothing,
      on_pool([](ThreadPool& pool) { EXPECT_EQ(pool.name(), long_name); }));
  row("stats", throws, on_pool([](ThreadPool& pool) { EXPECT_EQ(pool.stats().name, long_name); }));
  row("dump_stats", throws, on_pool([](ThreadPool& pool) {
        struct Buffer : std::streambuf {
          std::array<char, 4096> text{};
          Buffer() { setp(text.data(), text.data() + text.size()); }
        };
        Buffer buffer;
        std::ostream out(&buffer);
        pool.dump_stats(out);
        EXPECT_TRUE(std::string_view(buffer.text.data()).find(long_name) != std::string_view::npos);
      }));

  row.header = "rouse/exec/cron.hpp";
  row("CronError", throws,
      [] { return [] { EXPECT_EQ(rouse::CronError(long_name, "hour", 3).what(), long_name); }; });
  const auto on_cron_error = [](auto body) {
    return [body] {
      auto error = std::make_shared<rouse::CronError>("what", "hour", 3);
      return [error, body] { body(*error); };
    };
  };
  row("field", allocates_nothing,
      on_cron_error([](auto& error) { EXPECT_STREQ(error.field(), "hour"); }));
  row("column", allocates_nothing,
      on_cron_error([](auto& error) { EXPECT_EQ(error.column(), 3U); }));
  row("Cron", throws, [] {
    return [] { EXPECT_EQ(rouse::Cron("@daily", "Europe/Berlin").zone(), "Europe/Berlin"); };
  });
  row("Cron", throws, [] {
    return [] {
      try {
        const rouse::Cron wrong("* 25 * * *");
        ADD_FAILURE() << "accepted";
      } catch (const rouse::CronError& error) {
        EXPECT_STREQ(error.field(), "hour");
      }
    };
  });
  const auto on_cron = [](auto body) {
    return [body] {
      auto cron = std::make_shared<rouse::Cron>("0 0 29 2 */7", "Europe/Berlin");
      return [cron, body] { body(*cron); };
    };
  };
  row("next", allocates_nothing, on_cron([](auto& cron) {
        EXPECT_TRUE(cron.next(std::chrono::system_clock::time_point(2'000'000'000s)).has_value());
      }));
  row("expression", allocates_nothing,
      on_cron([](auto& cron) { EXPECT_EQ(cron.expression(), "0 0 29 2 */7"); }));
  row("zone", allocates_nothing,
      on_cron([](auto& cron) { EXPECT_EQ(cron.zone(), "Europe/Berlin"); }));

  row.header = "rouse/exec/manual_clock.hpp";
  row("ManualClock", throws, [] {
    return [] {
      const rouse::ManualClock clock(system_clock::time_point(1h));
      EXPECT_EQ(clock.calendar(), system_clock::time_point(1h));
    };
  });

  // Timers of an executor on a manual clock, whose worker is held up.
  struct Timers {
    rouse::ManualClock clock;
    DelayExecutor executor{{.pool_options = {.max_threads = 1}, .clock = &clock}};
    // The queue of low urgency has no memory yet.
    rouse::Timer pending = executor.run_after(1h, Urgency::low, Large());
    rouse::Timer repeating = executor.run_every(1h, Large());
    rouse::Timer running;
    Event open;
    std::optional<Gate> gate;
    std::stop_token stop = stopped_token();
    Timers() {
      Event begun;
      running = executor.run_every(1s, [this, &begun] {
        const rouse::Shield shield;
        begun.set();
        (void)open.wait();
      });
      clock.advance(1s);
      (void)begun.wait();
    }
    ~Timers() { open.set(); }
  };
  const auto on_timers = [](auto body) {
    return [body] {
      auto timers = std::make_shared<Timers>();
      return [timers, body] { body(*timers); };
    };
  };
  row("~ManualClock", allocates_nothing, [] {
    auto clock = std::make_shared<std::optional<rouse::ManualClock>>(std::in_place);
    return [clock] { clock->reset(); };
  });
  row("now", allocates_nothing,
      on_timers([](Timers& t) { EXPECT_GT(t.clock.now(), steady_clock::time_point()); }));
  row("calendar", allocates_nothing,
      on_timers([](Timers& t) { EXPECT_EQ(t.clock.calendar(), system_clock::time_point(1s)); }));
  // What cannot be queued stays, and is tried again later.
  row("advance", survives, on_timers([](Timers& t) {
        t.clock.advance(1h);
        EXPECT_TRUE(t.pending.cancel());
        EXPECT_TRUE(t.repeating.cancel());
      }));
  row("set_calendar", survives, [] {
    auto timers = std::make_shared<Timers>();
    timers->executor.run_at(system_clock::time_point(2h), Urgency::low, Large());
    return [timers] {
      timers->clock.set_calendar(system_clock::time_point(3h));
      EXPECT_EQ(timers->clock.calendar(), system_clock::time_point(3h));
    };
  });

  row.header = "rouse/exec/timer.hpp";
  row("Timer", allocates_nothing, on_timers([](Timers& t) {
        rouse::Timer timer = std::move(t.pending);
        timer = std::move(t.repeating);
        EXPECT_TRUE(timer.valid());
      }));
  row("~Timer", allocates_nothing,
      on_timers([](Timers& t) { const rouse::Timer last = std::move(t.pending); }));
  row("cancel", allocates_nothing, on_timers([](Timers& t) {
        EXPECT_TRUE(t.pending.cancel());
        EXPECT_TRUE(t.running.cancel());
      }));
  row("cancel_and_wait", allocates_nothing,
      on_timers([](Timers& t) { EXPECT_EQ(t.pending.cancel_and_wait(), WaitStatus::ready); }));
  row("cancel_and_wait", throws, on_timers([](Timers& t) {
        EXPECT_EQ(t.running.cancel_and_wait(t.stop), WaitStatus::stopped);
      }));
  row("reschedule", allocates_nothing,
      on_timers([](Timers& t) { EXPECT_TRUE(t.pending.reschedule(2h)); }));
  row("next_run", allocates_nothing, on_timers([](Timers& t) {
        EXPECT_EQ(t.pending.next_run(), std::optional(t.clock.now() + 1h - 1s));
      }));
  row("runs", allocates_nothing, on_timers([](Timers& t) { EXPECT_EQ(t.running.runs(), 0U); }));
  row("request_stop", allocates_nothing,
      on_timers([](Timers& t) { EXPECT_TRUE(t.running.request_stop()); }));
  row("valid", allocates_nothing, on_timers([](Timers& t) { EXPECT_TRUE(t.pending.valid()); }));
  const auto on_scoped = [](auto body) {
    return [body] {
      struct Scoped {
        Timers timers;
        rouse::ScopedTimer one{std::move(timers.pending)};
        rouse::ScopedTimer two{std::move(timers.repeating)};
      };
      auto scoped = std::make_shared<Scoped>();
      return [scoped, body] { body(scoped->one, scoped->two); };
    };
  };
  row("ScopedTimer", allocates_nothing,
      on_scoped([](rouse::ScopedTimer& one, rouse::ScopedTimer& two) {
        rouse::ScopedTimer moved = std::move(one);
        two = std::move(moved);
        EXPECT_TRUE((*two).valid());
        EXPECT_TRUE(two->valid());
      }));
  row("~ScopedTimer", allocates_nothing,
      on_timers([](Timers& t) { const rouse::ScopedTimer last(std::move(t.pending)); }));
  row("release", allocates_nothing, on_scoped([](rouse::ScopedTimer& one, rouse::ScopedTimer&) {
        EXPECT_TRUE(one.release().valid());
      }));

  row.header = "rouse/exec/delay_executor.hpp";
  // A limit of the CPUs may stay unknown.
  row("DelayExecutor", throws_or_survives, [] {
    return [] {
      const DelayExecutor executor({.pool_options = {.name = long_name}});
      EXPECT_TRUE(executor.running());
    };
  });
  row("DelayExecutor", throws, [] {  // in a pool that it is given
    auto pool = std::make_shared<ThreadPool>(rouse::ThreadPoolOptions{.max_threads = 1});
    return [pool] { EXPECT_TRUE(DelayExecutor({.pool = pool.get()}).running()); };
  });
  row("~DelayExecutor", survives, [] {
    auto executor = std::make_shared<std::optional<DelayExecutor>>(std::in_place);
    (*executor)->run_after(1h, Large());
    return [executor] { executor->reset(); };
  });
  const auto adds_timer = [on_timers](auto add) {
    return on_timers([add](Timers& t) {
      strongly([&] { add(t.executor); }, [&] { EXPECT_EQ(t.executor.stats().pending, 2U); });
      EXPECT_EQ(t.executor.stats().pending, 3U);
    });
  };
  row("run_after", throws, adds_timer([](DelayExecutor& e) { e.run_after(1h, Large()); }));
  row("run_at", throws,
      adds_timer([](DelayExecutor& e) { e.run_at(steady_clock::time_point::max(), Large()); }));
  row("run_at", throws,
      adds_timer([](DelayExecutor& e) { e.run_at(system_clock::time_point(1h), Large()); }));
  row("run_every", throws, adds_timer([](DelayExecutor& e) { e.run_every(1h, Large()); }));
  row("run_cron", throws,
      adds_timer([](DelayExecutor& e) { e.run_cron("@daily", "UTC", Large()); }));
  row("run_queued", throws, on_timers([](Timers& t) {
        strongly([&] { EXPECT_EQ(t.executor.run_queued(Large()).status(), JobStatus::queued); },
                 [&] { EXPECT_EQ(t.executor.pool().stats().queued(), 0U); });
        EXPECT_EQ(t.executor.pool().stats().queued(), 1U);
      }));
  // On the system's clock the first timer that follows the calendar starts a thread.
  row("run_at", throws, [] {
    auto executor = std::make_shared<DelayExecutor>();
    return [executor] {
      strongly([&] { executor->run_at(system_clock::time_point::max(), Large()); },
               [&] { EXPECT_EQ(executor->stats().pending, 0U); });
      EXPECT_EQ(executor->stats().pending, 1U);
    };
  });
  const auto stops_timers = [on_timers](auto stop) {
    return on_timers([stop](Timers& t) {
      t.open.set();
      strongly([&] { stop(t.executor); }, [&] { EXPECT_TRUE(t.executor.running()); });
      EXPECT_FALSE(t.executor.running());
    });
  };
  row("stop", throws, stops_timers([](DelayExecutor& e) { EXPECT_EQ(e.stop(), 3U); }));
  row("try_stop", throws, stops_timers([](DelayExecutor& e) { (void)e.try_stop(); }));
  row("stop_for", throws, stops_timers([](DelayExecutor& e) { EXPECT_TRUE(e.stop_for(1h)); }));
  row("running", allocates_nothing,
      on_timers([](Timers& t) { EXPECT_TRUE(t.executor.running()); }));
  row("pool", allocates_nothing,
      on_timers([](Timers& t) { EXPECT_TRUE(t.executor.pool().running()); }));
  row("stats", allocates_nothing,
      on_timers([](Timers& t) { EXPECT_EQ(t.executor.stats().pending, 2U); }));
  return row;
}

TEST(AllocationFailure, AtEachAllocationOfEachFunctionKeepsItsPromise) {
  rows().expect_promises_kept();
}

TEST(AllocationFailure, IsTestedForEachFunctionOfEachHeader) {
  rows().expect_complete(
      "exec", {"rouse/exec/range_job.hpp", "rouse/exec/task.hpp", "rouse/exec/timer_state.hpp"});
}

}  // namespace
