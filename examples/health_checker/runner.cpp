#include "runner.hpp"

#include "rouse/wait/stop_scope.hpp"
#include "rouse/wait/this_thread.hpp"
#include "rouse/wait/wait_status.hpp"

#include "display.hpp"

#include <exception>

namespace health {

std::optional<CheckResult> run_check(BaseChecker& checker, std::chrono::milliseconds timeout) {
  const auto begin = std::chrono::steady_clock::now();
  rouse::StopScope scope =
      rouse::StopScope::with_deadline(timeout, rouse::this_thread::stop_token());
  CheckResult result;
  try {
    const rouse::this_thread::Bind bind(scope);  // every wait in check() now obeys both
    result = checker.check(scope.token());
  } catch (const rouse::Stopped&) {
    switch (scope.reason().kind) {
      case rouse::StopReason::deadline:
        result = {.status = Status::critical, .message = "timed out after " + exact_text(timeout)};
        break;
      case rouse::StopReason::none:
        result = {.status = Status::unknown, .message = "the check gave up without being stopped"};
        break;
      default:
        // A check that does not obey its deadline is stopped by whoever has seen that.
        if (std::chrono::steady_clock::now() - begin < timeout) return std::nullopt;
        result = {.status = Status::critical,
                  .message = "was ended after its timeout of " + exact_text(timeout)};
    }
  } catch (const std::exception& error) {
    result = {.status = Status::unknown, .message = error.what()};
  }
  result.duration = std::chrono::steady_clock::now() - begin;
  if (result.duration > timeout && result.status != Status::critical) {
    result.status = Status::critical;
    result.message += ", too late for its timeout of " + exact_text(timeout);
  }
  return result;
}

}  // namespace health
