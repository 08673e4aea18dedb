// How the blocking calls of exec/ end.

#include "rouse/exec/delay_executor.hpp"
#include "rouse/exec/job.hpp"
#include "rouse/exec/thread_pool.hpp"
#include "rouse/exec/timer.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/shield.hpp"

#include "support/stopping/blocking_rows.hpp"

#include <chrono>
#include <memory>

#include <gtest/gtest.h>

namespace {

using rouse::DelayExecutor;
using rouse::Event;
using rouse::ThreadPool;
using rouse::test::asks_for_a_value;
using rouse::test::BlockingRows;
using rouse::test::Ends;
using rouse::test::Given;
using rouse::test::nothing_ends;
using rouse::test::on;
using rouse::test::only_time_ends;
using rouse::test::Promises;
using rouse::test::waits;
using rouse::test::waits_for_a_time;

// A call of somebody else's that ends when the test says so, whoever asks it to stop.
class StubbornCall {
 public:
  void operator()() {
    const rouse::Shield shield;
    begun_.set();
    (void)may_end_.wait();
  }
  void await_begin() { (void)begun_.wait(); }
  void release() { may_end_.set(); }

 private:
  Event begun_;
  Event may_end_;
};

const auto do_nothing = [] {};

// A pool whose worker is busy.
struct BusyPool {
  StubbornCall call;
  std::unique_ptr<ThreadPool> pool;
  rouse::Job<void> job;

  explicit BusyPool(std::size_t queue_capacity = 0)
      : pool(std::make_unique<ThreadPool>(rouse::ThreadPoolOptions{
            .min_threads = 1, .max_threads = 1, .queue_capacity = queue_capacity})),
        job(pool->submit([this] { call(); })) {
    call.await_begin();
  }
  ~BusyPool() { call.release(); }
};

// And whose queue is full.
struct FullPool : BusyPool {
  FullPool() : BusyPool(1) { pool->post(do_nothing); }
  DelayExecutor executor{{.pool = pool.get()}};
};

// A pool that has nothing to do, and a call for many of it.
struct IdlePool {
  Event may_end;
  ThreadPool pool{{.min_threads = 1, .max_threads = 1}};
};

// An executor whose worker is busy with the call of a timer.
struct BusyExecutor {
  StubbornCall call;
  std::unique_ptr<DelayExecutor> executor = std::make_unique<DelayExecutor>();
  rouse::Timer timer = executor->run_after(std::chrono::seconds(0), [this] { call(); });

  BusyExecutor() { call.await_begin(); }
  ~BusyExecutor() { call.release(); }
};

const char* const shuts_down =
    "a shutdown, which the caller's own stop must not cut short; `stop_for()` ends at its time and "
    "says who is late";
const char* const shuts_down_in_time =
    "a shutdown, which the caller's own stop must not cut short; its time ends it";

void add_jobs(BlockingRows& row) {
  const auto waits_for_job = [&row](const char* signature, const Promises& promises, auto call) {
    row(signature, promises, on<BusyPool>(call, [](BusyPool& busy) { busy.call.release(); }));
  };
  row.header = "rouse/exec/job.hpp";
  waits_for_job("Job::wait(stop)", waits,
                [](BusyPool& busy, const Given& given) { return busy.job.wait(given.stop); });
  waits_for_job("Job::wait_for(d, stop)", waits_for_a_time, [](BusyPool& busy, const Given& given) {
    return busy.job.wait_for(given.time, given.stop);
  });
  waits_for_job("Job::wait_until(t, stop)", waits_for_a_time,
                [](BusyPool& busy, const Given& given) {
                  return busy.job.wait_until(given.until(), given.stop);
                });
  waits_for_job("Job::get(stop)", asks_for_a_value,
                [](BusyPool& busy, const Given& given) { busy.job.get(given.stop); });
  row.does_not_block("Job::~Job()", "the call goes on without it");
}

void add_pool(BlockingRows& row) {
  row.header = "rouse/exec/thread_pool.hpp";
  const auto in_full_pool = [&row](const char* signature, const Promises& promises, auto call) {
    row(signature, promises, on<FullPool>(call, [](FullPool& full) { full.call.release(); }));
  };
  const Promises waits_for_room = without_token(asks_for_a_value);
  in_full_pool("ThreadPool::post(f)", waits_for_room,
               [](FullPool& full, const Given&) { full.pool->post(do_nothing); });
  in_full_pool("ThreadPool::post(urgency, f)", waits_for_room, [](FullPool& full, const Given&) {
    full.pool->post(rouse::Urgency::high, do_nothing);
  });
  in_full_pool("ThreadPool::post(f, stop)", asks_for_a_value,
               [](FullPool& full, const Given& given) { full.pool->post(do_nothing, given.stop); });
  in_full_pool("ThreadPool::post_for(d, f, stop)", waits_for_a_time,
               [](FullPool& full, const Given& given) {
                 return full.pool->post_for(given.time, do_nothing, given.stop);
               });
  in_full_pool("ThreadPool::submit(f, args)", waits_for_room,
               [](FullPool& full, const Given&) { (void)full.pool->submit(do_nothing); });
  in_full_pool("ThreadPool::submit(urgency, f, args)", waits_for_room,
               [](FullPool& full, const Given&) {
                 (void)full.pool->submit(rouse::Urgency::high, do_nothing);
               });
  in_full_pool("ThreadPool::submit(options, f, args)", waits_for_room,
               [](FullPool& full, const Given&) {
                 (void)full.pool->submit(rouse::JobOptions{}, do_nothing);
               });
  in_full_pool("ThreadPool::submit_with_callback(callback, f, args)", waits_for_room,
               [](FullPool& full, const Given&) {
                 full.pool->submit_with_callback([](const auto&) {}, do_nothing);
               });
  in_full_pool(
      "ThreadPool::submit_range(first, last, f, options)", waits_for_room,
      [](FullPool& full, const Given&) { (void)full.pool->submit_range(0, 8, [](int) {}); });
  row("ThreadPool::for_each(first, last, f, options, stop)", asks_for_a_value,
      on<IdlePool>(
          [](IdlePool& idle, const Given& given) {
            const auto call = [&idle](int) { (void)idle.may_end.wait(); };
            idle.pool.for_each(0, 8, call, {}, given.stop);
          },
          [](IdlePool& idle) { idle.may_end.set(); }));

  const auto ends_pool = [&row](const char* signature, const Promises& promises, auto call) {
    row(signature, promises, on<BusyPool>(call, [](BusyPool& busy) { busy.call.release(); }));
  };
  ends_pool("ThreadPool::wait_idle(stop)", waits,
            [](BusyPool& busy, const Given& given) { return busy.pool->wait_idle(given.stop); });
  ends_pool("ThreadPool::stop()", nothing_ends(shuts_down),
            [](BusyPool& busy, const Given&) { busy.pool->stop(); });
  ends_pool("ThreadPool::stop_for(d)", only_time_ends(Ends::stragglers, shuts_down_in_time),
            [](BusyPool& busy, const Given& given) { return busy.pool->stop_for(given.time); });
  ends_pool("ThreadPool::~ThreadPool()", nothing_ends(shuts_down),
            [](BusyPool& busy, const Given&) { busy.pool.reset(); });
  row.does_not_block("ThreadPool::try_stop()", "tells whether all has ended");
}

void add_timers(BlockingRows& row) {
  const auto on_executor = [&row](const char* signature, const Promises& promises, auto call) {
    row(signature, promises,
        on<BusyExecutor>(call, [](BusyExecutor& busy) { busy.call.release(); }));
  };
  row.header = "rouse/exec/delay_executor.hpp";
  const Promises waits_for_room = without_token(asks_for_a_value);
  const auto release = [](FullPool& full) { full.call.release(); };
  row("DelayExecutor::run_queued(f, args)", waits_for_room,
      on<FullPool>([](FullPool& full, const Given&) { (void)full.executor.run_queued(do_nothing); },
                   release));
  row("DelayExecutor::run_queued(urgency, f, args)", waits_for_room,
      on<FullPool>(
          [](FullPool& full, const Given&) {
            (void)full.executor.run_queued(rouse::Urgency::high, do_nothing);
          },
          release));
  on_executor("DelayExecutor::stop(policy)", nothing_ends(shuts_down),
              [](BusyExecutor& busy, const Given&) { (void)busy.executor->stop(); });
  on_executor(
      "DelayExecutor::stop_for(d)", only_time_ends(Ends::stragglers, shuts_down_in_time),
      [](BusyExecutor& busy, const Given& given) { return busy.executor->stop_for(given.time); });
  on_executor("DelayExecutor::~DelayExecutor()", nothing_ends(shuts_down),
              [](BusyExecutor& busy, const Given&) { busy.executor.reset(); });
  for (const char* const makes_timer :
       {"DelayExecutor::run_after(d, f, args)", "DelayExecutor::run_after(d, urgency, f, args)",
        "DelayExecutor::run_at(t, f, args)", "DelayExecutor::run_at(t, urgency, f, args)",
        "DelayExecutor::run_every(period, f, options)"}) {
    row.does_not_block(makes_timer, "the time is the timer's");
  }

  row.header = "rouse/exec/timer.hpp";
  on_executor("Timer::cancel_and_wait(stop)", waits, [](BusyExecutor& busy, const Given& given) {
    return busy.timer.cancel_and_wait(given.stop);
  });
  on_executor("ScopedTimer::~ScopedTimer()",
              nothing_ends("the call must not outlive what it refers to; it is asked to stop, and "
                           "`Timer::cancel_and_wait()` obeys"),
              [](BusyExecutor& busy, const Given&) {
                const rouse::ScopedTimer ends_here(std::move(busy.timer));
              });
  row.does_not_block("Timer::~Timer()", "the timer goes on without it");
  row.does_not_block("Timer::reschedule(d)", "the time is the timer's");

  row.header = "rouse/exec/manual_clock.hpp";
  row.does_not_block("ManualClock::ManualClock(calendar)", "keeps the time");
  row.does_not_block("ManualClock::~ManualClock()", "nobody uses it");
  row.does_not_block("ManualClock::advance(d)", "hands over what is due");
  row.does_not_block("ManualClock::set_calendar(calendar)", "hands over what is due");
  row.header = "rouse/exec/cron.hpp";
  row.does_not_block("Cron::next(after)", "computes");
}

BlockingRows rows_of_exec() {
  BlockingRows row("exec");
  add_jobs(row);
  add_pool(row);
  add_timers(row);
  return row;
}

TEST(StoppingOfExec, EachCallEndsAsItPromises) { rows_of_exec().expect_promises_kept(); }
TEST(StoppingOfExec, EachBlockingCallHasARow) { rows_of_exec().expect_complete(); }
TEST(StoppingOfExec, IsDocumented) { rows_of_exec().expect_documented(); }

}  // namespace
