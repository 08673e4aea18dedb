#include "condition_watch.hpp"

#include "rouse/service/autowait.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"

#include <exception>
#include <utility>

namespace health {

using namespace std::chrono_literals;
using rouse::WaitStatus;

ConditionWatch::ConditionWatch(OnEvent on_event, OnTrouble on_trouble)
    : on_event_(std::move(on_event)),
      on_trouble_(std::move(on_trouble)),
      thread_(std::make_unique<rouse::Running<rouse::StoppableThread>>(
          [this] { run(); }, rouse::ThreadOptions{.name = "events"})) {}

void ConditionWatch::arm(const std::string& check, std::vector<rouse::Condition> conditions) {
  if (conditions.empty()) return disarm(check);
  {
    const std::lock_guard guard(mutex_);
    armed_[check] = {std::move(conditions), ++numbers_};
  }
  changed_.set();
}

void ConditionWatch::disarm(const std::string& check) {
  {
    const std::lock_guard guard(mutex_);
    if (armed_.erase(check) == 0) return;
  }
  changed_.set();
}

std::size_t ConditionWatch::size() const {
  const std::lock_guard guard(mutex_);
  return armed_.size();
}

void ConditionWatch::run() {
  while (!rouse::this_thread::stop_token().stop_requested()) {
    try {
      wait_once();
    } catch (const std::exception&) {
      // Which of them it was is not said. Where each alone can be waited for, as at a limit of the
      // system, all of them may be able to a little later.
      if (!drop_troubled()) (void)rouse::sleep_for(1s);
    }
  }
}

void ConditionWatch::wait_once() {
  struct Source {
    std::string check;
    std::uint64_t number;
  };
  std::vector<rouse::Condition> conditions{rouse::until::event_set(changed_)};
  std::vector<Source> sources{{}};
  // Before the look at what is armed: what changes later ends the wait.
  changed_.clear();
  {
    const std::lock_guard guard(mutex_);
    for (const auto& [check, armed] : armed_) {
      conditions.insert(conditions.end(), armed.conditions.begin(), armed.conditions.end());
      sources.resize(conditions.size(), {check, armed.number});
    }
  }
  const rouse::AnyReady first =
      rouse::wait_until_any(conditions, {.timeout = std::chrono::hours::max()});
  if (first.status != WaitStatus::ready || first.index == 0) return;
  const Source& source = sources[first.index];
  if (take(source.check, source.number)) on_event_(source.check);
}

bool ConditionWatch::take(const std::string& check, std::uint64_t number) {
  const std::lock_guard guard(mutex_);
  const auto found = armed_.find(check);
  if (found == armed_.end() || found->second.number != number) return false;
  armed_.erase(found);
  return true;
}

bool ConditionWatch::drop_troubled() {
  bool any = false;
  std::map<std::string, Armed> all;
  {
    const std::lock_guard guard(mutex_);
    all = armed_;
  }
  for (const auto& [check, armed] : all) {
    try {
      const rouse::AnyReady now = rouse::wait_until_any(armed.conditions, {.timeout = 0s});
      if (now.status != WaitStatus::ready || !take(check, armed.number)) continue;
      any = true;
      on_event_(check);
    } catch (const std::exception& error) {
      if (!take(check, armed.number)) continue;
      any = true;
      on_trouble_(check, error.what());
    }
  }
  return any;
}

}  // namespace health
