#include "checkers/command.hpp"

#include "rouse/wait/wait_status.hpp"

#include "checkers/grade.hpp"
#include "checkers/kinds.hpp"
#include "checkers/perfdata.hpp"
#include "checkers/subprocess.hpp"
#include "checkers/text.hpp"

#include <string.h>

#include <utility>

namespace health {
namespace {

// At a stop the whole program ends within 100 ms.
constexpr std::chrono::milliseconds stop_grace{50};

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name == nullptr ? "signal " + std::to_string(signal) : std::string("SIG") + name;
}

CheckResult judge(const Subprocess& process) {
  CheckResult result;
  std::string line = first_line(process.output(), 4096);
  if (const std::size_t bar = line.find('|'); bar != std::string::npos) {
    result.figures = parse_perfdata(std::string_view(line).substr(bar + 1));
    line = trimmed(std::string_view(line).substr(0, bar));
  }
  if (line.empty()) line = first_line(process.errors());
  if (line.empty()) line = "no output";

  const auto [code, signal] = process.exit();
  if (signal != 0) {
    result.message = "killed by " + signal_name(signal) + ": " + line;
  } else if (code > static_cast<int>(Status::unknown)) {
    result.message = "exit code " + std::to_string(code) + ": " + line;
  } else {
    result.status = static_cast<Status>(code);
    result.message = std::move(line);
  }
  if (process.cut()) result.message += " (output cut)";
  return result;
}

}  // namespace

CommandChecker::CommandChecker(CommandOptions options) : options_(std::move(options)) {}

CheckResult CommandChecker::check(std::stop_token) {
  if (unkillable_.exists() && !unkillable_.reap()) {
    return verdict(Status::unknown, "the command of an earlier check cannot be killed (pid " +
                                        std::to_string(unkillable_.pid()) + ")");
  }

  using Clock = std::chrono::steady_clock;
  const auto& limit = options_.time_limit;
  Subprocess process(options_.argv, options_.output_cap);
  try {
    if (process.wait_until(limit ? Clock::now() + *limit : Clock::time_point::max())) {
      return judge(process);
    }
    process.terminate();
    (void)process.wait_until(Clock::now() + options_.grace);
  } catch (const rouse::Stopped&) {
    unkillable_ = process.end(stop_grace);
    throw;
  }
  unkillable_ = process.end(std::chrono::milliseconds(0));
  return verdict(Status::critical, "did not end within " + duration_text(*limit) + ", was ended");
}

std::unique_ptr<BaseChecker> make_command(Settings& settings) {
  using std::chrono::milliseconds;
  CommandOptions options;
  options.argv = settings.text_list("argv");
  const std::string shell = settings.text("shell", "");
  if (settings.has("argv") == settings.has("shell")) {
    settings.error_at("argv", "give either 'argv' (a list) or 'shell' (a line for /bin/sh)");
  } else if (settings.has("shell")) {
    options.argv = {"/bin/sh", "-c", shell};
  } else if (options.argv.empty() || options.argv[0].empty()) {
    settings.error_at("argv", "the first entry must be the program");
  }
  options.time_limit =
      settings.optional_duration("time_limit", milliseconds(10), std::chrono::hours(24));
  options.grace = settings.duration("grace", options.grace, milliseconds(0), milliseconds(60'000));
  return std::make_unique<CommandChecker>(std::move(options));
}

}  // namespace health
