// Calls that are made later: after a time, again and again, by the calendar; cancelled; stopped.

#include <rouse/rouse.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>

using namespace std::chrono_literals;

namespace {

// A call after a time, and one that is taken back.
bool after() {
  rouse::DelayExecutor executor;
  rouse::Event called;
  executor.run_after(
      50ms,
      [&called](const std::string& name) {
        std::printf("after: hello, %s\n", name.c_str());
        called.set();
      },
      "later");
  rouse::Timer timeout = executor.run_after(1h, [] { std::puts("never"); });
  if (called.wait_for(10s) != rouse::WaitStatus::ready) return false;

  const bool in_time = timeout.cancel();
  std::printf("after: the time-out was %s\n", in_time ? "cancelled" : "too quick");
  return in_time;
}

// A call every 20 ms, until its scope ends; meanwhile it is set to another time.
bool every() {
  rouse::DelayExecutor executor;
  std::atomic<int> beats{0};
  rouse::Event enough;
  {
    rouse::ScopedTimer beat(executor.run_every(20ms, [&] {
      if (++beats == 3) enough.set();
    }));
    if (enough.wait_for(10s) != rouse::WaitStatus::ready) return false;
    beat->reschedule(1h);
    std::printf("every: %d beats, then an hour of silence\n", beats.load());
  }
  const rouse::DelayExecutorStats stats = executor.stats();
  std::printf("every: %zu timers are left\n", stats.pending);
  return beats >= 3 && stats.pending == 0;
}

// Five minutes before midnight in Berlin, on a clock that only this example moves.
bool cron() {
  using std::chrono::sys_days;
  rouse::ManualClock clock(sys_days(std::chrono::year(2024) / 7 / 1) + 21h + 55min);
  rouse::DelayExecutor executor({.clock = &clock});
  std::atomic<int> calls{0};
  executor.run_cron("@midnight", "Europe/Berlin", [&] {
    ++calls;
    std::puts("cron: a new day in Berlin");
  });
  clock.advance(4min);
  (void)executor.pool().wait_idle();
  std::printf("cron: a minute before, %d calls\n", calls.load());
  clock.advance(1min);
  (void)executor.pool().wait_idle();
  return calls == 1;
}

// What is queued runs, what lies ahead is abandoned.
bool stops() {
  rouse::DelayExecutor executor;
  rouse::Job<int> queued = executor.run_queued(rouse::Urgency::high, [] { return 42; });
  for (int i = 0; i < 1000; ++i) executor.run_after(1h, [] { std::puts("never"); });
  const std::size_t abandoned = executor.stop();
  const int result = queued.get();
  std::printf("stop: the queued call gave %d, %zu timers were abandoned\n", result, abandoned);
  return result == 42 && abandoned == 1000;
}

}  // namespace

int main() {
  const bool all_well = after() && every() && cron() && stops();
  return all_well ? 0 : 1;
}
