#pragma once
// Options: the command line.

#include <string>
#include <variant>

namespace health {

struct Options {
  std::string config = "health.toml";
  std::string log_file;
  bool once = false;
  bool check_config = false;
  bool verbose = false;
};

/// What main() returns, besides the 0 to 3 of --once and 128 + n after a signal.
enum ExitCode { exit_ok = 0, exit_straggler = 1, exit_not_started = 3 };

/// The options; or, when there is nothing to run (--help, --version, a mistake, which it has
/// shown), the exit code.
std::variant<Options, int> parse_options(int argc, const char* const* argv);

}  // namespace health
