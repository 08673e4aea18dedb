#include "monitor.hpp"

#include "checkers/text.hpp"
#include "display.hpp"
#include "suggest.hpp"

#include <algorithm>
#include <exception>
#include <string_view>
#include <utility>

namespace health {

std::string result_line(const Report& report) {
  constexpr std::size_t longest_message = 500;
  const CheckResult& result = report.result;
  // Cut only what is printable: a cut must not go through a character.
  return report.check.name + ": " + to_string(result.status) + ": " +
         cut(printable(result.message), longest_message) + " (" + duration_text(result.duration) +
         ", run " + report.run.to_uuid() + ")";
}

Monitor::Monitor(Config config, Log& log)
    : log_(log),
      engine_(make_engine(config, {.on_report = [this](const Report& report) { take(report); },
                                   .on_trouble =
                                       [this](const std::string& check, const std::string& what) {
                                         log_.error(check + ": " + what);
                                       }})) {
  for (CheckConfig& check : config.checks) add(std::move(check));
}

void Monitor::add(CheckConfig check) {
  const std::string name = check.name;
  std::string text = check.text;
  // The time of a cron expression may be a month away.
  results_.add(name, check.type, check.group, !check.cron);
  try {
    engine_->add(std::move(check));
  } catch (...) {
    results_.remove(name);
    throw;
  }
  const std::lock_guard guard(mutex_);
  texts_[name] = std::move(text);
}

void Monitor::remove(const std::string& name, std::chrono::milliseconds patience) {
  engine_->remove(name, patience);
  results_.remove(name);
  const std::lock_guard guard(mutex_);
  texts_.erase(name);
}

Monitor::Changes Monitor::apply(Config config, std::chrono::milliseconds patience) {
  std::map<std::string, std::string> before;
  {
    const std::lock_guard guard(mutex_);
    before = texts_;
  }
  Changes changes;
  std::vector<std::string> order;
  std::vector<CheckConfig> starting;
  for (CheckConfig& check : config.checks) {
    order.push_back(check.name);
    const auto found = before.find(check.name);
    if (found == before.end()) {
      ++changes.added;
      starting.push_back(std::move(check));
    } else if (found->second != check.text) {
      ++changes.restarted;
      starting.push_back(std::move(check));
    } else {
      ++changes.kept;
      before.erase(found);
    }
  }
  // What is left there is not wanted any more, or is to be made anew.
  const auto until = std::chrono::steady_clock::now() + patience;
  for (const auto& [name, text] : before) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    remove(name, std::max<std::chrono::milliseconds>(left, {}));
  }
  changes.removed = before.size() - changes.restarted;
  for (CheckConfig& check : starting) {
    const std::string name = check.name;
    try {
      add(std::move(check));
    } catch (const std::exception& error) {
      changes.failed.push_back(name + ": " + error.what());
    }
  }
  results_.arrange(order);
  return changes;
}

std::size_t Monitor::size() const {
  const std::lock_guard guard(mutex_);
  return texts_.size();
}

void Monitor::take(const Report& report) {
  results_.update(report.check.name, report.state, report.result, report.run);
  const std::string line = result_line(report);
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
  return report.asked == Asked::by_somebody ? log_.info(line) : log_.debug(line);
}

std::string Monitor::check_now(const std::string& name) {
  if (engine_->check_now(name)) return "Checking '" + name + "'; its result goes to the log\n";
  const std::lock_guard guard(mutex_);
  if (texts_.contains(name)) return "'" + name + "' is no longer checked; the log says why\n";
  std::vector<std::string_view> names;
  for (const auto& [each, text] : texts_) names.push_back(each);
  return "No check is named '" + cut(printable(name), 80) + "'" + suggestion(name, names) + "\n";
}

std::vector<StoppedLayer> Monitor::stop(std::chrono::milliseconds patience) {
  return engine_->stop(patience);
}

}  // namespace health
