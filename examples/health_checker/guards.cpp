#include "guards.hpp"

#include "checkers/text.hpp"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

namespace health {
namespace {

constexpr std::chrono::milliseconds leniency{500};

}  // namespace

Guards::Guards(const EngineHandlers& handlers)
    : handlers_(handlers),
      timers_({.pool_options = {.min_threads = 1, .max_threads = 1, .name = "guard"}}) {}

rouse::ScopedTimer Guards::watch(const CheckConfig& check, std::function<void()> stop) {
  const auto end = [this, &check, stop = std::move(stop), thread = ::gettid()] {
    stop();
    ++overdue_;
    handlers_.on_trouble(check.name, "has not ended " + duration_text(leniency) +
                                         " after its timeout of " + duration_text(check.timeout) +
                                         "; it was stopped (thread " + std::to_string(thread) +
                                         ")");
  };
  return rouse::ScopedTimer(timers_.run_after(check.timeout + leniency, end));
}

StoppedLayer Guards::stop(std::chrono::nanoseconds patience) {
  // Who has used up the time of all is named for it; the guards, which end at once, are not.
  constexpr std::chrono::nanoseconds least = std::chrono::milliseconds(50);
  return {"guards", timers_.stop_for(std::max(patience, least)), ""};
}

}  // namespace health
