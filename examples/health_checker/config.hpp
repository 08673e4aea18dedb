#pragma once
// Config: the checks that a configuration file asks for, or everything that is wrong with it.
//
//   [defaults]            # all optional; a check may say otherwise
//   period = "60s"        # from one run to the next, 1s to 24h
//   timeout = "10s"       # then the check counts as critical
//   rise = 1              # results in a row that are ok, until the state is ok again: 1 to 100
//   fall = 1              # results in a row that are not ok, until the state is no longer ok
//
//   [[check]]
//   name = "root"         # unique, at most 100 bytes
//   type = "disk"         # see registry.hpp; the other keys are the kind's own
//   enabled = true        # false: it is checked for mistakes, but not run
//   path = "/"
//
// A timeout is never longer than the period, since a check does not overlap itself: a check that
// says so itself is a mistake; the default is cut to the period of a check that runs more often.

#include "base_checker.hpp"
#include "settings.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace health {

inline constexpr std::size_t most_checks = 20'000;

struct CheckConfig {
  std::string name;
  std::string type;
  std::chrono::milliseconds period{};
  std::chrono::milliseconds timeout{};
  int rise = 1;
  int fall = 1;
  std::unique_ptr<BaseChecker> checker;
};

struct Config {
  std::vector<CheckConfig> checks;  ///< The enabled ones, in the order of the file.
};

/// Reads the file. If anything is wrong it is added to `errors`, and the result must not be used.
Config load_config(const std::string& path, std::vector<ConfigError>& errors);

/// The same for a text; `file` names it in messages.
Config parse_config(std::string_view text, const std::string& file,
                    std::vector<ConfigError>& errors);

/// One line per error, in the order of the file; after 50 of them only how many there are.
std::string error_report(std::vector<ConfigError> errors);

}  // namespace health
