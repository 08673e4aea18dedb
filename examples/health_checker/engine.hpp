#pragma once
// Engine: what makes checks run when they are due. There are two, for the same checkers:
//
//   pool     a ThreadPool runs them, a DelayExecutor says when: ten thousand checks on a few
//   threads threads  each check has a thread of its own, which sleeps between the runs
//
// Of either: a check never overlaps itself; what is asked for during a run is done after it; a
// check whose change is not confirmed runs again soon; one whose events tell of a change runs at
// once. Thread safety: add(), remove(), stop() and the destructor: one thread at a time. The
// others: any.

#include "rouse/exec/thread_pool_stats.hpp"
#include "rouse/thread/stop_all.hpp"

#include "check_task.hpp"
#include "config.hpp"

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace health {

/// What hears of the checks, on the threads that run them.
struct EngineHandlers {
  OnReport on_report;
  /// What keeps a check from being made as it should, in words: "does not end ...".
  std::function<void(const std::string& check, const std::string& what)> on_trouble;
};

/// A part of the program that was stopped, and how.
struct StoppedLayer {
  std::string name;  ///< "timers"
  rouse::StopReport report;
  std::string note = {};  ///< "10000 abandoned"
};

/// Numbers of one moment, for whoever watches the watcher.
struct EngineFigures {
  std::size_t checks = 0;
  std::size_t in_flight = 0;  ///< Checks that run.
  std::size_t queued = 0;     ///< Checks that are due and wait for a thread.
  std::size_t threads = 0;
  std::size_t overdue = 0;            ///< Runs that did not end at their timeout, since the start.
  rouse::TimeHistogram lag;           ///< From the time a check was due to its start.
  rouse::TimeHistogram stop_latency;  ///< From the timeout of a run to its end.
};

class Engine {
 public:
  virtual ~Engine() = default;

  /// Runs it from now on. Throws std::system_error if the system has no room for its thread.
  virtual void add(CheckConfig check) = 0;

  /// Ends it: a run of it is stopped, and there is no report from now on. Waits for the end of the
  /// run, at most so long; what then still runs is kept out of sight until it ends.
  virtual void remove(const std::string& name, std::chrono::milliseconds patience) = 0;

  /// Runs it as soon as possible. False if there is none of that name, or it is stopped.
  virtual bool check_now(const std::string& name) = 0;

  /// Makes a call again and again, by what makes the checks run: no call, no checks.
  virtual void every(std::chrono::nanoseconds period, std::function<void()> call) = 0;

  /// All of them: requests every stop, then waits. After that only the destructor may be called,
  /// and only if nobody is left behind, or it waits for them.
  virtual std::vector<StoppedLayer> stop(std::chrono::milliseconds patience) = 0;

  [[nodiscard]] virtual EngineFigures figures() const = 0;
};

std::unique_ptr<Engine> make_engine(const Config& config, EngineHandlers handlers);

}  // namespace health
