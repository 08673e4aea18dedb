#include "checkers/log_line.hpp"

#include "checkers/grade.hpp"
#include "checkers/kinds.hpp"
#include "checkers/mounts.hpp"
#include "checkers/text.hpp"

#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <re2/re2.h>

namespace health {
namespace {

constexpr std::size_t longest_line = 4096;  // bytes of a line that are looked at, and kept

void require_pattern(const std::string& pattern) {
  re2::RE2::Options quiet;
  quiet.set_log_errors(false);
  const re2::RE2 regex(pattern, quiet);
  if (!regex.ok()) throw std::invalid_argument("bad pattern: " + regex.error());
}

}  // namespace

LogLineChecker::LogLineChecker(LogLineOptions options) : options_(std::move(options)) {
  require_pattern(options_.pattern);
}

CheckResult LogLineChecker::check(std::stop_token) {
  const std::lock_guard guard(mutex_);
  if (!trouble_.empty()) return verdict(Status::unknown, trouble_);
  const auto age = Clock::now() - when_;
  if (count_ == 0 || age >= options_.hold) {
    count_ = 0;
    return verdict(Status::ok, "no such line", {{"lines", 0, ""}});
  }
  const std::string more = count_ == 1 ? "" : " (" + std::to_string(count_) + " such lines)";
  return verdict(options_.severity, line_ + more, {{"lines", static_cast<double>(count_), ""}});
}

std::optional<std::vector<rouse::Condition>> LogLineChecker::new_events() {
  const std::lock_guard guard(mutex_);
  if (armed_) return std::nullopt;
  try {
    if (!condition_) {
      if (may_hang(options_.file)) {
        throw std::runtime_error(options_.file + " is on a network file system");
      }
      condition_.emplace(
          rouse::until::line_matches(options_.file, options_.pattern,
                                     {.from = rouse::LineStart::end, .max_line = longest_line}));
    }
  } catch (const std::runtime_error& error) {
    trouble_ = error.what();
    return std::nullopt;
  }
  trouble_.clear();
  armed_ = true;
  return std::vector<rouse::Condition>{*condition_};
}

void LogLineChecker::noticed() {
  const std::lock_guard guard(mutex_);
  armed_ = false;
  line_ = condition_->line();
  when_ = Clock::now();
  ++count_;
}

// The condition stays, and with it the place in the file.
void LogLineChecker::lost(const std::string& why) {
  const std::lock_guard guard(mutex_);
  armed_ = false;
  trouble_ = why;
}

std::unique_ptr<BaseChecker> make_log(Settings& settings) {
  LogLineOptions options;
  options.file = settings.required_text("file");
  options.pattern = settings.required_text("pattern");
  options.severity = settings.choice("severity", {"critical", "warning"}) == "warning"
                         ? Status::warning
                         : Status::critical;
  options.hold = settings.duration("hold", options.hold, std::chrono::milliseconds(1),
                                   std::chrono::hours(24 * 366));
  try {
    return std::make_unique<LogLineChecker>(options);
  } catch (const std::invalid_argument& error) {
    settings.error_at("pattern", std::string("'pattern': ") + error.what());
    options.pattern.clear();
    return std::make_unique<LogLineChecker>(std::move(options));
  }
}

}  // namespace health
