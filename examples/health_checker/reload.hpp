#pragma once
// Reload: a thread that hears when the configuration is to be read anew: by SIGHUP, or since the
// file has changed and nobody writes to it any more.
//
//   block_reload_signal();  // before there are other threads
//   Reload reload("health.toml", {.on_signal = true}, [&](const char* why) { read_it_again(); });
//
// Thread safety: the callback comes in the thread, one at a time. What happens during a call leads
//   to another one.
// Lifetime: owns the thread; the destructor stops and joins it.

#include "rouse/service/condition.hpp"
#include "rouse/thread/stoppable_thread.hpp"

#include <functional>
#include <optional>
#include <string>

namespace health {

struct ReloadOptions {
  bool on_signal = true;  ///< SIGHUP; false: it is left alone.
};

/// In main(), while it is alone: SIGHUP waits until a Reload takes it, and ends nobody.
void block_reload_signal();

class Reload {
 public:
  using Action = std::function<void(const char* why)>;
  using OnTrouble = std::function<void(const std::string& what)>;

  /// From now on. `on_trouble` hears what keeps it from hearing of one of them; it tries again.
  Reload(std::string file, ReloadOptions options, Action action, OnTrouble on_trouble);

  [[nodiscard]] rouse::StoppableThread& thread() noexcept { return thread_; }

 private:
  void run();
  // Null: it was stopped.
  const char* wait_for_a_reason();

  const std::string file_;
  const ReloadOptions options_;
  const Action action_;
  const OnTrouble on_trouble_;
  std::optional<rouse::Condition> changed_;
  rouse::Running<rouse::StoppableThread> thread_;  // last: it uses all of them
};

}  // namespace health
