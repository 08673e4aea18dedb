#include "monitor.hpp"

#include "checkers/text.hpp"
#include "display.hpp"
#include "suggest.hpp"

#include <algorithm>
#include <exception>
#include <string_view>
#include <utility>
#include <vector>

namespace health {
namespace {

std::string message_of(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

}  // namespace

std::string result_line(const CheckConfig& check, const CheckResult& result) {
  constexpr std::size_t longest_message = 500;
  // Cut only what is printable: a cut must not go through a character.
  return check.name + ": " + to_string(result.status) + ": " +
         cut(printable(result.message), longest_message) + " (" + duration_text(result.duration) +
         ")";
}

Monitor::Monitor(Config config, Log& log) : config_(std::move(config)), log_(log) {
  for (const CheckConfig& check : config_.checks) results_.add(check.name, check.type);
  try {
    for (const CheckConfig& check : config_.checks) {
      threads_.emplace_back(
          check, [this](const Report& report) { take(report); },
          [this, &check](const std::exception_ptr& exception) {
            log_.error(check.name + ": is no longer checked: " + message_of(exception));
          });
    }
  } catch (...) {
    // Together, or each would be waited for before the next one is asked.
    for (auto& thread : threads_) thread.request_stop();
    throw;
  }
}

void Monitor::take(const Report& report) {
  results_.update(report.check.name, report.state, report.result);
  const std::string line = result_line(report.check, report.result);
  if (report.before != report.state) {
    const std::string was = report.before ? std::string(", was ") + to_string(*report.before) : "";
    switch (report.state) {
      case Status::ok:
        return log_.info(line + was);
      case Status::critical:
        return log_.error(line + was);
      default:
        return log_.warning(line + was);
    }
  }
  if (report.against > 0) {
    return log_.info(line + ", still " + to_string(report.state) + ": " +
                     std::to_string(report.against) + " of " + std::to_string(report.needed) +
                     " in a row");
  }
  // Who asked for it wants to see it.
  return report.requested ? log_.info(line) : log_.debug(line);
}

std::string Monitor::status(std::size_t width) const {
  return table_text(results_.rows(), std::chrono::steady_clock::now(), width);
}

std::string Monitor::check_now(const std::string& name) {
  const auto found = std::ranges::find_if(
      threads_, [&](const CheckerThread& thread) { return thread.check().name == name; });
  if (found != threads_.end()) {
    if (!found->running()) return "'" + name + "' is no longer checked; the log says why\n";
    found->check_now();
    return "Checking '" + name + "'; its result goes to the log\n";
  }
  std::vector<std::string_view> names;
  for (const CheckConfig& check : config_.checks) names.push_back(check.name);
  return "No check is named '" + cut(printable(name), 80) + "'" + suggestion(name, names) + "\n";
}

rouse::StopReport Monitor::stop(std::chrono::milliseconds patience) {
  return rouse::stop_all(threads_, patience);
}

}  // namespace health
