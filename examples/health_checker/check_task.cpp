#include "check_task.hpp"

#include "rouse/resource/random_id.hpp"

#include "runner.hpp"

#include <algorithm>
#include <utility>

namespace health {

CheckTask::CheckTask(CheckConfig check, OnReport on_report)
    : check_(std::move(check)),
      on_report_(std::move(on_report)),
      tracker_(check_.rise, check_.fall) {}

bool CheckTask::run(Asked asked) {
  const rouse::Id128 id = rouse::uuid7();
  const std::optional<CheckResult> result = run_check(*check_.checker, check_.timeout);
  if (!result || retired_) return false;
  overrun_ = std::max<std::chrono::nanoseconds>(result->duration - check_.timeout, {});
  const std::optional<Status> before = tracker_.state();
  tracker_.add(result->status);
  on_report_({.check = check_,
              .result = *result,
              .run = id,
              .state = *tracker_.state(),
              .before = before,
              .against = tracker_.against(),
              .needed = tracker_.needed(),
              .asked = asked});
  return true;
}

std::optional<std::chrono::milliseconds> CheckTask::recheck_after() const noexcept {
  if (tracker_.against() == 0) return std::nullopt;
  return check_.recheck;
}

}  // namespace health
