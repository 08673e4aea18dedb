#pragma once
// Runner: runs a check once, bound by its timeout and by the stop of the thread it runs in.

#include "base_checker.hpp"

#include <chrono>
#include <optional>

namespace health {

/// The result of one run; critical if it took longer than `timeout`, unknown if the check threw.
/// Empty if this thread was stopped meanwhile: then the check has nothing to say.
std::optional<CheckResult> run_check(BaseChecker& checker, std::chrono::milliseconds timeout);

}  // namespace health
