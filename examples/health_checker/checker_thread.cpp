#include "checker_thread.hpp"

#include "rouse/wait/wait_any.hpp"

#include "runner.hpp"

#include <chrono>
#include <utility>

namespace health {

using std::chrono::steady_clock;
using std::chrono::system_clock;

CheckerThread::CheckerThread(const CheckConfig& check, OnReport on_report, OnError on_error)
    : StoppableThread(
          {.name = check.name, .stack_size = stack_size, .on_error = std::move(on_error)}),
      check_(check),
      schedule_(check.name, check.period),
      on_report_(std::move(on_report)),
      tracker_(check.rise, check.fall) {}

// `stop` is this thread's own: every wait below obeys it without being given it.
void CheckerThread::run(std::stop_token /*stop*/) {
  steady_clock::time_point due = steady_clock::now() + schedule_.first_delay();
  for (bool first = true;; first = false) {
    const rouse::AnyReady woken = rouse::wait_any(requested_, due);
    if (woken.status == rouse::WaitStatus::stopped) return;
    const bool requested = woken.status == rouse::WaitStatus::ready;
    if (requested) requested_.clear();  // before the run: a request during it asks for another one

    if (first) {
      due = steady_clock::now() + schedule_.from_first_to_beat(system_clock::now());
    } else if (!requested) {
      due += schedule_.period();
    }
    if (!run_once(requested)) return;
    due = schedule_.upcoming(due, steady_clock::now());
  }
}

bool CheckerThread::run_once(bool requested) {
  const std::optional<CheckResult> result = run_check(*check_.checker, check_.timeout);
  if (!result) return false;
  const std::optional<Status> before = tracker_.state();
  tracker_.add(result->status);
  on_report_({.check = check_,
              .result = *result,
              .state = *tracker_.state(),
              .before = before,
              .against = tracker_.against(),
              .needed = tracker_.needed(),
              .requested = requested});
  return true;
}

}  // namespace health
