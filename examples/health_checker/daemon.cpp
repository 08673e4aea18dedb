#include "daemon.hpp"

#include "rouse/thread/stop_all.hpp"

#include "engine_metrics.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace health {
namespace {

using namespace std::chrono_literals;

// How long a check that was removed from the configuration may take to end.
constexpr std::chrono::milliseconds removal_patience = 5s;

}  // namespace

Daemon::Daemon(Config config, DaemonOptions options, Notify& notify, Log& log)
    : log_(log),
      notify_(notify),
      options_(std::move(options)),
      engine_(config.engine),
      most_at_once_(config.most_at_once),
      server_config_(config.server),
      monitor_(std::move(config), log) {
  if (server_config_) {
    server_ = std::make_unique<Server>(
        ServerOptions{.address = server_config_->address,
                      .port = server_config_->port,
                      .token = server_config_->token},
        ServerSources{
            .results = monitor_.results(),
            .ready = [this] { return monitor_.ready(); },
            .metrics = [this](MetricsWriter& out) { write_metrics(monitor_.figures(), out); }},
        log_);
    log_.info("serving " + server_->url());
  }
  reload_ = std::make_unique<Reload>(
      options_.config_file, ReloadOptions{.on_signal = options_.reload_on_signal},
      [this](const char* why) { reload(why); },
      [this](const std::string& what) {
        log_.warning("the configuration is not watched for changes: " + what);
      });
  if (const auto watchdog = notify_.watchdog()) {
    // By the scheduler that makes the checks: if that is stuck, so is this.
    const auto period = std::max<std::chrono::microseconds>(*watchdog / 2, 1ms);
    monitor_.every(period, [this] { notify_.send("WATCHDOG=1"); });
  }
  tell_ready();
}

void Daemon::tell_ready() {
  notify_.send("READY=1\nSTATUS=" + std::to_string(monitor_.size()) + " checks");
}

// Validated as a whole first: a mistake leaves everything as it is.
void Daemon::reload(const char* why) {
  notify_.send("RELOADING=1");
  std::vector<ConfigError> errors;
  Config config = load_config(options_.config_file, errors);
  if (!errors.empty()) {
    const std::string first = errors.front().to_string();
    log_.error("the configuration was not reloaded (" + std::string(why) + "), " +
               std::to_string(errors.size()) + (errors.size() == 1 ? " error: " : " errors: ") +
               first);
    return tell_ready();
  }
  if (config.engine != engine_ || config.most_at_once != most_at_once_ ||
      config.server != server_config_) {
    log_.warning("'engine', 'most_at_once' and [server] are taken over at the next start only");
  }
  const Monitor::Changes changes = monitor_.apply(std::move(config), removal_patience);
  log_.info("reloaded the configuration (" + std::string(why) +
            "): " + std::to_string(changes.added) + " added, " + std::to_string(changes.removed) +
            " removed, " + std::to_string(changes.restarted) + " changed, " +
            std::to_string(changes.kept) + " as before");
  for (const std::string& failed : changes.failed) log_.error("cannot be started: " + failed);
  tell_ready();
}

std::vector<StoppedLayer> Daemon::stop(std::chrono::milliseconds patience) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + patience;
  const auto left = [until] {
    return std::chrono::ceil<std::chrono::milliseconds>(
        std::max<Clock::duration>(until - Clock::now(), 0s));
  };
  notify_.send("STOPPING=1");
  std::vector<StoppedLayer> layers;
  layers.push_back({"reload", rouse::stop_all(std::array{&reload_->thread()}, left()), ""});
  if (server_ != nullptr) layers.push_back({"server", server_->stop(left()), ""});
  for (StoppedLayer& layer : monitor_.stop(left())) layers.push_back(std::move(layer));
  return layers;
}

}  // namespace health
