#pragma once
// OnceRun: every check one time, many at the same time.
//
// Thread safety: one thread owns it.
// Lifetime: the destructor waits for threads that have not ended.

#include "rouse/thread/stop_all.hpp"
#include "rouse/thread/stoppable_thread.hpp"

#include "config.hpp"
#include "results.hpp"

#include <chrono>
#include <cstddef>
#include <deque>
#include <vector>

namespace health {

class OnceRun {
 public:
  static constexpr std::size_t most_at_once = 256;

  /// `config` outlives it.
  explicit OnceRun(const Config& config);

  /// Runs all, each in a thread of its own. Returns when they have ended; or, with a report of
  /// those that have not, within `patience` after this thread was stopped or a check has overrun
  /// its timeout. Throws std::system_error if the system has no room for a thread.
  rouse::StopReport run(std::chrono::milliseconds patience);

  /// The results so far.
  [[nodiscard]] std::vector<Row> rows() const { return results_.rows(); }

 private:
  void start(const CheckConfig& check);
  bool wait_for(std::size_t index, std::chrono::milliseconds patience);

  const Config& config_;
  Results results_;
  std::deque<rouse::StoppableThread> threads_;
};

}  // namespace health
