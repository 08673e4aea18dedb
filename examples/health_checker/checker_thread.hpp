#pragma once
// CheckerThread: runs a check, then waits out its period, until it is stopped.
//
//   rouse::Running<CheckerThread> thread(std::move(check), handlers);
//
// Thread safety: as StoppableThread. The handlers are called in this thread.
// Lifetime: own it through rouse::Running.

#include "rouse/exec/thread_pool_stats.hpp"
#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/wait_any.hpp"

#include "check_task.hpp"
#include "engine.hpp"
#include "guards.hpp"
#include "lag.hpp"
#include "schedule.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace health {

class CheckerThread : public rouse::StoppableThread {
 public:
  /// A check needs little: its buffers are on the heap. What runs deepest (a name look-up, the
  /// parser of HTTP, an exception on its way) stays below a quarter of this. Only pages that were
  /// touched take memory, so a thousand checks need some ten megabytes.
  static constexpr std::size_t stack_size = 256 * 1024;

  /// `guards` outlives it.
  CheckerThread(CheckConfig check, const EngineHandlers& handlers, Guards& guards);

  /// Runs the check at once, or once more if it runs already. Its rhythm stays.
  void check_now() noexcept { requested_.set(); }

  [[nodiscard]] const CheckConfig& check() const noexcept { return task_.config(); }
  /// No report from now on.
  void retire() noexcept { task_.retire(); }

  void add_to(EngineFigures& figures) const noexcept {
    if (at_work_) ++figures.in_flight;
    lag_.add_to(figures.lag);
    stop_latency_.add_to(figures.stop_latency);
  }

 protected:
  void run(std::stop_token stop) override;

 private:
  using Time = std::chrono::steady_clock::time_point;

  [[nodiscard]] Time first_run() const;
  [[nodiscard]] Time next_beat(Time beat, bool first, Time now) const;
  [[nodiscard]] Time next_by_calendar(Time now) const;
  // `ready` with index 0: somebody has asked for a run; another index: an event.
  rouse::AnyReady wait_until(Time due);
  // False if it was stopped.
  bool run_once(Asked asked);
  void renew_events();
  void give_up_events(const char* why);

  const std::function<void(const std::string&, const std::string&)> on_trouble_;
  Guards& guards_;
  CheckTask task_;
  const Schedule schedule_;
  rouse::Event requested_;
  std::vector<rouse::Condition> events_;
  std::atomic<bool> at_work_{false};
  Lag lag_;
  Lag stop_latency_;
};

}  // namespace health
