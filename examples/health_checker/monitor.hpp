#pragma once
// Monitor: all checks at work: an engine runs them, the results are kept and told to the log.
//
// Thread safety: apply() and stop(): one thread at a time; the others from any.

#include "config.hpp"
#include "engine.hpp"
#include "log.hpp"
#include "results.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace health {

class Monitor {
 public:
  /// What apply() has done.
  struct Changes {
    std::size_t added = 0;
    std::size_t removed = 0;
    std::size_t restarted = 0;             ///< They are configured otherwise now.
    std::size_t kept = 0;                  ///< They go on as if nothing had happened.
    std::vector<std::string> failed = {};  ///< Those that could not be started, and why.
  };

  /// Starts the checks. Throws std::system_error if the system has no room for a thread; what ran
  /// is then stopped again. `log` outlives it.
  Monitor(Config config, Log& log);

  /// Goes over to another configuration: stops what is not in it, starts what is new, leaves the
  /// rest alone. The engine stays what it is. What does not end within `patience`, for all of them
  /// together, is not waited for. A check that cannot be started is tried again by the next
  /// apply().
  Changes apply(Config config, std::chrono::milliseconds patience);

  [[nodiscard]] std::size_t size() const;

  /// What is known of every check.
  [[nodiscard]] std::vector<Row> rows() const { return results_.rows(); }

  [[nodiscard]] Results& results() noexcept { return results_; }

  /// Runs a check now. Returns what to tell who asked.
  std::string check_now(const std::string& name);

  /// See Engine.
  void every(std::chrono::nanoseconds period, std::function<void()> call) {
    engine_->every(period, std::move(call));
  }

  [[nodiscard]] EngineFigures figures() const { return engine_->figures(); }
  /// Whether every check has a result.
  [[nodiscard]] bool ready() const { return results_.all_have_run(); }

  /// Asks all to stop, then waits for them, layer by layer. If some do not end in time, the
  /// Monitor's destructor would wait for them.
  std::vector<StoppedLayer> stop(std::chrono::milliseconds patience);

 private:
  void add(CheckConfig check);
  void remove(const std::string& name, std::chrono::milliseconds patience);
  void take(const Report& report);

  Log& log_;
  Results results_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> texts_;  // of the checks' configurations
  std::unique_ptr<Engine> engine_;            // last: its threads use all that is above
};

/// One line for people: "web: critical: connection refused (12 ms, run 0193...)".
std::string result_line(const Report& report);

}  // namespace health
