#pragma once
// Monitor: all checks at work, each in its thread.
//
// Thread safety: one thread owns it; its checks report from theirs.

#include "rouse/thread/stop_all.hpp"
#include "rouse/thread/stoppable_thread.hpp"

#include "checker_thread.hpp"
#include "config.hpp"
#include "log.hpp"
#include "results.hpp"

#include <chrono>
#include <cstddef>
#include <deque>
#include <string>

namespace health {

class Monitor {
 public:
  /// Starts the threads. Throws std::system_error if the system has no room for one of them; those
  /// that ran are then stopped again. `log` outlives it.
  Monitor(Config config, Log& log);

  [[nodiscard]] std::size_t size() const noexcept { return threads_.size(); }

  /// The table of all checks, for a terminal of this width.
  [[nodiscard]] std::string status(std::size_t width) const;

  /// Runs a check now. Returns what to tell who asked.
  std::string check_now(const std::string& name);

  /// Asks all to stop, then waits for them. If some do not end in time, the Monitor's destructor
  /// would wait for them.
  rouse::StopReport stop(std::chrono::milliseconds patience);

 private:
  void take(const Report& report);

  const Config config_;
  Log& log_;
  Results results_;
  std::deque<rouse::Running<CheckerThread>> threads_;  // last: they use all that is above
};

/// One line for people: "web: critical: connection refused (12 ms)".
std::string result_line(const CheckConfig& check, const CheckResult& result);

}  // namespace health
