#include "options.hpp"

#include "rouse/version.hpp"

#include <CLI/CLI.hpp>

namespace health {
namespace {

constexpr const char* description =
    "Checks the health of machines and services, again and again, until it is stopped: by the\n"
    "command 'stop' on standard input, by Ctrl-C or by SIGTERM. Other commands: status, check "
    "NAME,\n"
    "help. The end of standard input does not stop it.";

constexpr const char* footer = R"(
What it shows:
  Log lines go to standard error, in local time, with one line for each change of a state: ok as
  info, warning and unknown as warning, critical as error. With --verbose every result is a line.
  Tables and answers to commands go to standard output.

Exit codes:
  0         stopped by a command or a signal; --check-config: no errors
  1         some check did not end within 5 s of the stop; the log names it
  3         bad command line or configuration, or threads could not be started: nothing runs
  --once    0 ok, 1 warning, 2 critical, 3 unknown: the worst state of all, where critical is worse
            than warning, and warning worse than unknown; 128 + n if it was ended by signal n
  A second Ctrl-C or SIGTERM ends it at once with 128 + n. SIGHUP reads the
  configuration anew; at a terminal, and with --once, it is the end.)";

}  // namespace

std::variant<Options, int> parse_options(int argc, const char* const* argv) {
  Options options;
  CLI::App app(description, "health_checker");
  app.footer(footer);
  app.set_version_flag("--version", "health_checker (rouse " ROUSE_VERSION_STRING ")");
  app.add_option("--config", options.config, "The checks, in TOML")
      ->type_name("FILE")
      ->capture_default_str();
  auto* const once = app.add_flag(
      "--once", options.once, "Run every check once, print a table, and exit with the worst state");
  app.add_flag("--check-config", options.check_config,
               "Only look for mistakes in the configuration")
      ->excludes(once);
  app.add_option("--log-file", options.log_file, "Append the log to this file, too")
      ->type_name("FILE");
  app.add_flag("-v,--verbose", options.verbose, "Log every result, not only changes");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? exit_ok : exit_not_started;
  }
  return options;
}

}  // namespace health
