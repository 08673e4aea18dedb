#include "checker_thread.hpp"

#include "rouse/service/autowait.hpp"
#include "rouse/wait/stop_scope.hpp"
#include "rouse/wait/this_thread.hpp"

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

namespace health {
namespace {

using std::chrono::steady_clock;
using std::chrono::system_clock;

std::string message_of(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

rouse::ThreadOptions options_for(const CheckConfig& check, const EngineHandlers& handlers) {
  // What the check itself throws is a result; this ends the thread.
  const auto on_error = [name = check.name,
                         trouble = handlers.on_trouble](const std::exception_ptr& exception) {
    trouble(name, "is no longer checked: " + message_of(exception));
  };
  return {.name = check.name, .stack_size = CheckerThread::stack_size, .on_error = on_error};
}

}  // namespace

CheckerThread::CheckerThread(CheckConfig check, const EngineHandlers& handlers, Guards& guards)
    : StoppableThread(options_for(check, handlers)),
      on_trouble_(handlers.on_trouble),
      guards_(guards),
      task_(std::move(check), handlers.on_report),
      schedule_(task_.config().name, task_.config().period) {}

// `stop` is this thread's own: every wait below obeys it without being given it. But a wait that is
// ready says so first, and events may always be.
void CheckerThread::run(std::stop_token stop) {
  Time beat = first_run();
  renew_events();
  Time recheck = Time::max();
  Time pause_end = Time::min();
  for (bool first = true;; first = false) {
    const Time due = std::min(beat, recheck);
    const rouse::AnyReady woken = wait_until(due);
    if (woken.status == rouse::WaitStatus::stopped || stop.stop_requested()) return;
    const Time now = steady_clock::now();
    if (now >= beat || first) beat = next_beat(beat, first, now);

    Asked asked = Asked::by_the_clock;
    if (woken.status == rouse::WaitStatus::timeout) {
      lag_.add(now - due);
    } else if (woken.index == 0) {
      asked = Asked::by_somebody;
      requested_.clear();  // before the run: a request during it asks for another one
    } else {
      asked = Asked::by_an_event;
      task_.noticed();
      events_.clear();
      if (now < pause_end) {
        recheck = std::min(recheck, pause_end);
        continue;
      }
      pause_end = now + event_pause;
    }
    if (!run_once(asked) && stop.stop_requested()) return;

    const auto soon = task_.recheck_after();
    recheck = soon ? steady_clock::now() + *soon : Time::max();
    // What was missed, by a slow check or while the machine slept, is not made up for.
    if (steady_clock::now() >= beat) beat = next_beat(beat, false, steady_clock::now());
  }
}

CheckerThread::Time CheckerThread::first_run() const {
  const Time now = steady_clock::now();
  return task_.config().cron ? next_by_calendar(now) : now + schedule_.first_delay();
}

CheckerThread::Time CheckerThread::next_beat(Time beat, bool first, Time now) const {
  if (task_.config().cron) return next_by_calendar(now);
  return first ? now + schedule_.from_first_to_beat(system_clock::now())
               : schedule_.upcoming(beat, now);
}

CheckerThread::Time CheckerThread::next_by_calendar(Time now) const {
  const auto date = system_clock::now();
  const auto next = task_.config().cron->next(date);
  return next ? now + (*next - date) : Time::max();
}

rouse::AnyReady CheckerThread::wait_until(Time due) {
  if (!events_.empty()) {
    std::vector<rouse::Condition> conditions{rouse::until::event_set(requested_)};
    conditions.insert(conditions.end(), events_.begin(), events_.end());
    try {
      return rouse::wait_until_any(conditions, {.timeout = due - steady_clock::now()});
    } catch (const std::exception& error) {
      events_.clear();
      give_up_events(error.what());
    }
  }
  return rouse::wait_any(requested_, due);
}

bool CheckerThread::run_once(Asked asked) {
  at_work_ = true;
  bool ended = true;
  try {
    // Of this run alone: to stop the thread would end all that are to come.
    rouse::StopScope scope(rouse::this_thread::stop_token());
    const rouse::this_thread::Bind bind(scope);
    const rouse::ScopedTimer guard = guards_.watch(check(), [&] { scope.request_stop(); });
    ended = task_.run(asked);
  } catch (const std::exception& error) {
    on_trouble_(check().name, std::string("its run broke down: ") + error.what());
  }
  at_work_ = false;
  if (const auto over = task_.overrun(); over.count() > 0) stop_latency_.add(over);
  renew_events();
  return ended;
}

void CheckerThread::renew_events() {
  try {
    if (auto events = task_.new_events()) events_ = *std::move(events);
  } catch (const std::exception& error) {
    give_up_events(error.what());
  }
}

void CheckerThread::give_up_events(const char* why) {
  task_.lost(why);
  on_trouble_(check().name, std::string("no event tells of it: ") + why);
}

}  // namespace health
