#pragma once
// Config: the checks that a configuration file asks for, or everything that is wrong with it.
//
//   engine = "pool"       # or "threads": a thread for each check
//   most_at_once = 256    # checks that the pool runs at the same time: 1 to 4096
//
//   [defaults]            # all optional; a check may say otherwise
//   period = "60s"        # from one run to the next, 1s to 24h
//   timeout = "10s"       # then the check counts as critical
//   rise = 1              # results in a row that are ok, until the state is ok again: 1 to 100
//   fall = 1              # results in a row that are not ok, until the state is no longer ok
//   recheck = "1s"        # to the next run while a change of the state is not confirmed;
//                         # default: a tenth of the period, at least 1s
//
//   [server]              # none: no HTTP server
//   listen = "127.0.0.1:8080"  # address and port; port 0: any that is free
//   token_file = "token"  # its first line is what a client must bring; none: no token
//
//   [[check]]
//   name = "root"         # unique, at most 100 bytes
//   type = "disk"         # see registry.hpp; the other keys are the kind's own
//   enabled = true        # false: it is checked for mistakes, but not run
//   group = "machine"     # for the status page
//   urgency = "normal"    # or "high", "low": who comes first when many are due
//   cron = "0 8 * * MON-FRI"  # instead of the period: see docs/guide/cron.md
//   time_zone = "local"   # of cron
//   path = "/"
//
// A timeout is never longer than the period, since a check does not overlap itself: a check that
// says so itself is a mistake; the default is cut to the period of a check that runs more often.

#include "rouse/exec/cron.hpp"
#include "rouse/exec/job_state.hpp"

#include "base_checker.hpp"
#include "settings.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace health {

inline constexpr std::size_t most_checks = 20'000;

struct CheckConfig {
  std::string name;
  std::string type;
  std::string group;
  std::chrono::milliseconds period{};  ///< Also with `cron`: then for nothing but `recheck`.
  std::optional<rouse::Cron> cron;
  std::chrono::milliseconds timeout{};
  std::chrono::milliseconds recheck{};
  int rise = 1;
  int fall = 1;
  rouse::Urgency urgency = rouse::Urgency::normal;
  /// All that decides about it, as text: what has the same text need not be started anew.
  std::string text;
  std::unique_ptr<BaseChecker> checker;
};

enum class EngineKind { pool, threads };

struct ServerConfig {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  std::string token;  ///< Empty: none.

  bool operator==(const ServerConfig&) const = default;
};

struct Config {
  EngineKind engine = EngineKind::pool;
  std::size_t most_at_once = 256;
  std::optional<ServerConfig> server = {};
  std::vector<CheckConfig> checks = {};  ///< The enabled ones, in the order of the file.
};

/// Reads the file. If anything is wrong it is added to `errors`, and the result must not be used.
Config load_config(const std::string& path, std::vector<ConfigError>& errors);

/// The same for a text; `file` names it in messages.
Config parse_config(std::string_view text, const std::string& file,
                    std::vector<ConfigError>& errors);

/// One line per error, in the order of the file; after 50 of them only how many there are.
std::string error_report(std::vector<ConfigError> errors);

}  // namespace health
