// health_checker: watches over machines and services until it is told to stop.
//
// Read on in daemon.hpp (what runs), config.hpp (what is checked), engine.hpp (when),
// base_checker.hpp (how).

#include "rouse/rouse.hpp"

#include "checkers/text.hpp"
#include "config.hpp"
#include "console.hpp"
#include "daemon.hpp"
#include "dashboard.hpp"
#include "display.hpp"
#include "log.hpp"
#include "monitor.hpp"
#include "notify.hpp"
#include "once.hpp"
#include "options.hpp"
#include "program.hpp"
#include "reload.hpp"
#include "results.hpp"
#include "screen.hpp"
#include "table.hpp"
#include "terminal.hpp"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <variant>
#include <vector>

namespace {

using namespace health;
using namespace std::chrono_literals;

// How long checks may take to end once they are stopped. They take milliseconds.
constexpr std::chrono::milliseconds patience = 5s;

void log_stragglers(Log& log, const rouse::StopReport& report) {
  std::istringstream lines(report.to_string());
  for (std::string line; std::getline(lines, line);) log.error(line);
}

std::string table(const std::vector<Row>& rows) {
  return table_text(rows, std::chrono::steady_clock::now(), terminal_width(),
                    colours_wanted(STDOUT_FILENO));
}

int run_all_once(const Config& config, const Options& options, const rouse::SignalStop& signals) {
  Log log({.file = options.log_file, .verbose = options.verbose});
  OnceRun run(config);
  const rouse::StopReport report = run.run(patience);
  const std::vector<Row> rows = run.rows();
  print(table(rows));
  const int code =
      signals.stop_requested() ? 128 + signals.reason().code : static_cast<int>(worst(rows));
  if (!report) {
    log_stragglers(log, report);
    // They cannot be joined, and what they use must not be destroyed under them.
    std::_Exit(code);
  }
  return code;
}

// Somebody at a terminal has the table above a prompt, as long as commands are served.
Console::End run_console(Monitor& monitor, Screen* screen) {
  const Console::Actions actions{
      .status = [&] { return table(monitor.rows()); },
      .check = [&](const std::string& name) { return monitor.check_now(name); }};
  if (screen == nullptr) return Console(STDIN_FILENO, actions, print).run();
  Dashboard dashboard(STDIN_FILENO, *screen, [&] { return monitor.rows(); });
  return Console([&](std::string& line) { return dashboard.next(line); }, actions,
                 [&](const std::string& text) { dashboard.print(text); })
      .run();
}

// Serves commands until one of them, or a signal, stops the program. Returns which it was.
std::string serve(Monitor& monitor, Log& log, Screen* screen, rouse::SignalStop& signals) {
  try {
    switch (run_console(monitor, screen)) {
      case Console::End::stop_command:
        // A Ctrl-C from now on is the second request, which ends the program at once.
        signals.request_stop("command");
        return "command";
      case Console::End::end_of_input:
        log.info("standard input has ended; SIGTERM or SIGINT stops this program");
        break;
      case Console::End::stopped:
        break;
    }
  } catch (const std::system_error& error) {
    log.info(std::string("standard input cannot be read: ") + error.what() +
             "; SIGTERM or SIGINT stops this program");
  }
  (void)rouse::sleep_for(std::chrono::hours::max());
  switch (signals.reason().code) {
    case SIGINT:
      return "SIGINT";
    case SIGHUP:
      return "SIGHUP";
    default:
      return "SIGTERM";
  }
}

// Of each layer: what was stopped, how long it took, and who is still at it.
bool log_stop(Log& log, const std::vector<StoppedLayer>& layers) {
  bool all = true;
  for (const StoppedLayer& layer : layers) {
    std::string line = "stopped " + layer.name + " in " + duration_text(layer.report.elapsed);
    if (!layer.note.empty()) line += ": " + layer.note;
    if (layer.report) {
      log.info(line);
    } else {
      all = false;
      log.error(line);
      log_stragglers(log, layer.report);
    }
  }
  return all;
}

int run_until_stopped(Config config, const Options& options, Notify& notify,
                      rouse::SignalStop& signals) {
  std::optional<Screen> screen;
  LogOptions log_options{.file = options.log_file, .verbose = options.verbose};
  if (is_interactive(STDIN_FILENO, STDOUT_FILENO)) {
    screen.emplace(STDOUT_FILENO, STDERR_FILENO);
    if (::isatty(STDERR_FILENO) == 1) {
      log_options.sink = [&](std::string_view line) { screen->add_line(line); };
    }
  }
  Log log(log_options);
  Daemon daemon(std::move(config),
                {.config_file = options.config, .reload_on_signal = !is_terminal()}, notify, log);
  Monitor& monitor = daemon.monitor();
  const std::size_t count = monitor.size();
  log.info("started " + std::to_string(count) + (count == 1 ? " check" : " checks") +
           "; commands: stop, status, check NAME, help");
  const std::string why = serve(monitor, log, screen ? &*screen : nullptr, signals);
  const auto began = std::chrono::steady_clock::now();
  log.info("stopping (" + why + ")");

  if (!log_stop(log, daemon.stop(patience))) {
    // They cannot be joined, and what they use must not be destroyed under them.
    std::_Exit(exit_straggler);
  }
  log.info("stopped in " +
           std::to_string(std::chrono::ceil<std::chrono::milliseconds>(
                              std::chrono::steady_clock::now() - began)
                              .count()) +
           " ms");
  return exit_ok;
}

int run(const Options& options, Notify& notify, rouse::SignalStop& signals) {
  std::vector<ConfigError> errors;
  Config config = load_config(options.config, errors);
  if (!errors.empty()) {
    std::fputs(error_report(std::move(errors)).c_str(), stderr);
    return exit_not_started;
  }
  const std::size_t count = config.checks.size();
  if (options.check_config) {
    print(std::to_string(count) + (count == 1 ? " check" : " checks") + ", no errors\n");
    return exit_ok;
  }
  // From here every wait of this thread ends with a signal.
  const rouse::this_thread::Bind bind(signals);
  if (options.once) return run_all_once(config, options, signals);
  return run_until_stopped(std::move(config), options, notify, signals);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    prepare_process();
    const std::variant<Options, int> parsed = parse_options(argc, argv);
    if (const int* const code = std::get_if<int>(&parsed)) return *code;
    const auto& options = std::get<Options>(parsed);
    Notify notify;
    // Both before any other thread. A daemon reads its configuration anew at a SIGHUP; for whoever
    // sits at a terminal, or waits for one table, it is the end.
    const bool ends_at_hangup = options.once || is_terminal();
    if (!ends_at_hangup) block_reload_signal();
    rouse::SignalStop signals = ends_at_hangup ? rouse::SignalStop({SIGINT, SIGTERM, SIGHUP})
                                               : rouse::SignalStop({SIGINT, SIGTERM});
    return run(options, notify, signals);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "health_checker: %s\n", printable(error.what()).c_str());
    return exit_not_started;
  }
}
