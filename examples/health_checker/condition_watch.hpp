#pragma once
// ConditionWatch: one thread that waits for the events of many checks at once.
//
//   ConditionWatch watch([&](const std::string& check) { run_now(check); });
//   watch.arm("web log", checker.events());
//
// What has held is not waited for again until it is armed anew.
// Thread safety: all functions from any thread. `on_event` is called in the watch's thread, without
//   a lock: also after a disarm() that came too late.
// Lifetime: what the conditions refer to outlives the watch.

#include "rouse/service/condition.hpp"
#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/event.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace health {

class ConditionWatch {
 public:
  using OnEvent = std::function<void(const std::string& check)>;
  using OnTrouble = std::function<void(const std::string& check, const std::string& what)>;

  /// `on_trouble` hears that the conditions of a check cannot be waited for; they are disarmed.
  ConditionWatch(OnEvent on_event, OnTrouble on_trouble);

  /// Waits for any of them instead of what was armed for that check before.
  void arm(const std::string& check, std::vector<rouse::Condition> conditions);
  void disarm(const std::string& check);

  [[nodiscard]] std::size_t size() const;

  /// For stop_all(). No event comes after its end.
  [[nodiscard]] rouse::StoppableThread& thread() noexcept { return *thread_; }

 private:
  struct Armed {
    std::vector<rouse::Condition> conditions;
    std::uint64_t number = 0;  // of the arm() that it is from
  };

  void run();
  void wait_once();
  // Whether it was still armed as it was when the wait began.
  bool take(const std::string& check, std::uint64_t number);
  // Whether any of them had trouble by itself, or has held meanwhile.
  bool drop_troubled();

  const OnEvent on_event_;
  const OnTrouble on_trouble_;
  rouse::Event changed_;
  mutable std::mutex mutex_;
  std::map<std::string, Armed> armed_;
  std::uint64_t numbers_ = 0;
  std::unique_ptr<rouse::Running<rouse::StoppableThread>> thread_;  // last: it uses all of them
};

}  // namespace health
