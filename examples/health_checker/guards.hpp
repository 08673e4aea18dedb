#pragma once
// Guards: end the runs that do not end at their timeout.
//
// A check whose waits are rouse's ends within microseconds of it. This is for one that waits for
// something else: with nothing but a token, which time alone does not stop, or not at all.
// They have a thread of their own: those that run the checks may all be in such a run.
//
// Thread safety: watch() and overdue() from any thread.

#include "rouse/exec/delay_executor.hpp"
#include "rouse/exec/timer.hpp"

#include "engine.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>

namespace health {

class Guards {
 public:
  /// `handlers` outlive it.
  explicit Guards(const EngineHandlers& handlers);

  /// Of the run of `check` that this thread begins, while the result lives: `stop` is called, and
  /// it is told and counted, if that is still so a while after the timeout. Throws rouse::Stopped
  /// after stop().
  [[nodiscard]] rouse::ScopedTimer watch(const CheckConfig& check, std::function<void()> stop);

  /// How many runs had to be stopped.
  [[nodiscard]] std::size_t overdue() const noexcept { return overdue_; }

  StoppedLayer stop(std::chrono::nanoseconds patience);

 private:
  const EngineHandlers& handlers_;
  std::atomic<std::size_t> overdue_{0};
  rouse::DelayExecutor timers_;
};

}  // namespace health
