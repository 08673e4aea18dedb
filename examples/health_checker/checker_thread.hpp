#pragma once
// CheckerThread: runs a check, then waits out its period, until it is stopped.
//
//   rouse::Running<CheckerThread> thread(check, [](const Report& report) { ... });
//
// Thread safety: as StoppableThread. The callback is called in this thread.
// Lifetime: `check` outlives it. Own it through rouse::Running.

#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/event.hpp"

#include "config.hpp"
#include "schedule.hpp"
#include "state_tracker.hpp"

#include <cstddef>
#include <exception>
#include <functional>
#include <optional>

namespace health {

/// What a run of a check has brought.
struct Report {
  const CheckConfig& check;
  const CheckResult& result;
  Status state = Status::unknown;  ///< By the rise and fall thresholds.
  std::optional<Status> before;    ///< The state before this run; empty at the first.
  int against = 0;                 ///< How many results in a row speak against the state, ...
  int needed = 0;                  ///< ... and how many of them change it.
  bool requested = false;          ///< By check_now().
};

class CheckerThread : public rouse::StoppableThread {
 public:
  using OnReport = std::function<void(const Report&)>;
  using OnError = std::function<void(std::exception_ptr)>;

  /// A check needs little: its buffers are on the heap. What runs deepest (a name look-up, the
  /// parser of HTTP, an exception on its way) stays below a quarter of this. Only pages that were
  /// touched take memory, so a thousand checks need some ten megabytes.
  static constexpr std::size_t stack_size = 256 * 1024;

  /// `on_error` gets an exception that ends the thread: one of `on_report`, or one of the check
  /// that is no std::exception.
  CheckerThread(const CheckConfig& check, OnReport on_report, OnError on_error = {});

  /// Runs the check at once, or once more if it runs already. Its rhythm stays.
  void check_now() noexcept { requested_.set(); }

  [[nodiscard]] const CheckConfig& check() const noexcept { return check_; }

 protected:
  void run(std::stop_token stop) override;

 private:
  // Returns false if it was stopped meanwhile.
  bool run_once(bool requested);

  const CheckConfig& check_;
  const Schedule schedule_;
  const OnReport on_report_;
  StateTracker tracker_;
  rouse::Event requested_;
};

}  // namespace health
