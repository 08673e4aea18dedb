#pragma once
// Daemon: the program while it runs: the checks, and what reaches it from outside.
//
// Started from the inside out: checks, server, reload; stopped the other way round, layer by layer.
// Thread safety: one thread owns it; monitor() may be used by any.

#include "config.hpp"
#include "engine.hpp"
#include "log.hpp"
#include "monitor.hpp"
#include "notify.hpp"
#include "reload.hpp"
#include "server/server.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace health {

struct DaemonOptions {
  std::string config_file;
  bool reload_on_signal = true;
};

class Daemon {
 public:
  /// Throws std::system_error if the system has no room for the threads or the port is taken; then
  /// nothing runs. `log` and `notify` outlive it.
  Daemon(Config config, DaemonOptions options, Notify& notify, Log& log);

  [[nodiscard]] Monitor& monitor() noexcept { return monitor_; }

  /// Requests the stop of each layer and waits for it; all have `patience` together. If somebody is
  /// left behind, the destructor would wait for them.
  std::vector<StoppedLayer> stop(std::chrono::milliseconds patience);

 private:
  void reload(const char* why);
  void tell_ready();

  Log& log_;
  Notify& notify_;
  const DaemonOptions options_;
  const EngineKind engine_;
  const std::size_t most_at_once_;
  const std::optional<ServerConfig> server_config_;
  Monitor monitor_;
  std::unique_ptr<Server> server_;  // null: none is configured
  std::unique_ptr<Reload> reload_;
};

}  // namespace health
