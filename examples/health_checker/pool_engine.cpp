#include "pool_engine.hpp"

#include "rouse/wait/shield.hpp"
#include "rouse/wait/wait_status.hpp"

#include "checker_thread.hpp"
#include "checkers/text.hpp"
#include "schedule.hpp"

#include <unistd.h>

#include <algorithm>
#include <exception>
#include <new>
#include <optional>
#include <utility>

namespace health {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t checks_per_watch = 64;

}  // namespace

struct PoolEngine::Item {
  Item(CheckConfig check, const OnReport& on_report)
      : task(std::move(check), on_report), schedule(task.config().name, task.config().period) {}

  [[nodiscard]] const CheckConfig& check() const noexcept { return task.config(); }

  CheckTask task;
  const Schedule schedule;
  std::atomic<pid_t> thread{0};  // that runs it
  rouse::Timer first;
  rouse::Timer rhythm;

  std::mutex mutex;  // of what follows
  rouse::Timer recheck;
  rouse::Job<void> job;
  bool running = false;  // or queued, or not to run yet
  bool removed = false;
  ConditionWatch* watch = nullptr;
  Clock::time_point pause_end = Clock::time_point::min();  // of runs by an event
  std::optional<Asked> again;                              // to run it once more
};

PoolEngine::PoolEngine(std::size_t most_at_once, EngineHandlers handlers)
    : handlers_(std::move(handlers)),
      pool_({.min_threads = std::min<std::size_t>(most_at_once, 4),
             .max_threads = most_at_once,
             .name = "check",
             .stack_size = CheckerThread::stack_size}),
      timers_({.pool = &pool_}),
      guards_(handlers_) {}

PoolEngine::~PoolEngine() {
  // From here on nobody runs a check, and uses what is destroyed before the pool.
  try {
    (void)pool_.stop_for(std::chrono::hours::max());
  } catch (const std::bad_alloc&) {
    // For this thread's first wait. The pool's destructor waits all the same.
  }
  std::vector<std::unique_ptr<ConditionWatch>> watches;
  {
    const std::lock_guard guard(mutex_);
    watches.swap(watches_);
  }
}

void PoolEngine::add(CheckConfig check) {
  auto item = std::make_shared<Item>(std::move(check), handlers_.on_report);
  item->running = true;  // nobody is to run it before its events are armed
  {
    const std::lock_guard guard(mutex_);
    items_.emplace(item->check().name, item);
  }
  try {
    arm_events(*item);
    start_timers(*item);
  } catch (...) {
    remove(item->check().name, 0ms);
    throw;
  }
  const std::lock_guard guard(item->mutex);
  item->running = false;
  if (const auto asked = std::exchange(item->again, std::nullopt)) {
    start(*item, *asked, Clock::now());
  }
}

void PoolEngine::start_timers(Item& item) {
  const CheckConfig& check = item.check();
  if (check.cron) {
    const auto call = [this, &item] { trigger(item, Asked::by_the_clock, Clock::now()); };
    item.rhythm = timers_.run_cron(*check.cron, call, check.urgency);
    return;
  }
  const auto first = Clock::now() + item.schedule.first_delay();
  const auto beat = first + item.schedule.from_first_to_beat(std::chrono::system_clock::now() +
                                                             item.schedule.first_delay());
  item.first = timers_.run_at(first, check.urgency,
                              [this, &item, first] { trigger(item, Asked::by_the_clock, first); });
  const auto call = [this, &item, beat, period = check.period] {
    const auto late = Clock::now() - beat;
    trigger(item, Asked::by_the_clock, beat + late / period * period);
  };
  const auto until_beat = std::max<Clock::duration>(beat - Clock::now(), 0s);
  item.rhythm =
      timers_.run_every(check.period, call, {.first = until_beat, .urgency = check.urgency});
}

void PoolEngine::trigger(Item& item, Asked asked, Clock::time_point due) {
  const std::lock_guard guard(item.mutex);
  if (item.removed) return;
  if (!item.running) return start(item, asked, due);
  // What the clock asks for is what runs already.
  if (asked != Asked::by_the_clock && item.again != Asked::by_somebody) item.again = asked;
}

void PoolEngine::start(Item& item, Asked asked, Clock::time_point due) {
  const auto now = Clock::now();
  try {
    if (asked == Asked::by_an_event) {
      if (now < item.pause_end) return run_later(item, asked, item.pause_end);
      item.pause_end = now + event_pause;
    }
    item.job = pool_.submit({.urgency = item.check().urgency, .name = item.check().name.c_str()},
                            [this, &item, asked, due] { run(item, asked, due); });
    item.running = true;
  } catch (const rouse::Stopped&) {
    // All is being stopped.
  }
}

void PoolEngine::run_later(Item& item, Asked asked, Clock::time_point due) {
  item.recheck.cancel();
  item.recheck = timers_.run_at(due, item.check().urgency,
                                [this, &item, asked, due] { trigger(item, asked, due); });
}

void PoolEngine::run(Item& item, Asked asked, Clock::time_point due) {
  bool ended = false;
  // Whatever is thrown: the check is to run again.
  struct Finish {
    PoolEngine& engine;
    Item& item;
    const bool& ended;
    ~Finish() { engine.finish(item, ended); }
  };
  const Finish finish_at_the_end{*this, item, ended};
  if (asked == Asked::by_the_clock) lag_.add(Clock::now() - due);
  item.thread = ::gettid();
  ++in_flight_;
  try {
    const rouse::ScopedTimer guard = guards_.watch(item.check(), [&item] {
      const std::lock_guard lock(item.mutex);
      item.job.request_stop();
    });
    ended = item.task.run(asked);
    if (const auto over = item.task.overrun(); over > 0s) stop_latency_.add(over);
  } catch (const std::exception& error) {
    ended = true;
    handlers_.on_trouble(item.check().name, std::string("its run broke down: ") + error.what());
  }
  arm_events(item);
}

void PoolEngine::finish(Item& item, bool ended) noexcept {
  --in_flight_;
  item.thread = 0;
  if (const Clock::rep began = stop_began_; began != 0) note_end(item, began);
  const std::lock_guard guard(item.mutex);
  item.running = false;
  item.recheck.cancel();
  if (item.removed || !ended) return;
  try {
    if (const auto asked = std::exchange(item.again, std::nullopt)) {
      start(item, *asked, Clock::now());
    } else if (const auto soon = item.task.recheck_after()) {
      run_later(item, Asked::by_the_clock, Clock::now() + *soon);
    }
  } catch (const rouse::Stopped&) {
    // All is being stopped.
  } catch (const std::bad_alloc&) {
    // The rhythm goes on.
  }
}

// --- events --------------------------------------------------------------------------------------

void PoolEngine::arm_events(Item& item) {
  try {
    auto events = item.task.new_events();
    if (!events) return;
    // A check that was removed must not be waited for under the name of another.
    const std::lock_guard guard(item.mutex);
    if (item.removed || (item.watch == nullptr && events->empty())) return;
    if (item.watch == nullptr) item.watch = &watch_with_room();
    item.watch->arm(item.check().name, *std::move(events));
  } catch (const std::exception& error) {
    give_up_events(item, error.what());
  }
}

void PoolEngine::give_up_events(Item& item, const std::string& why) {
  item.task.lost(why);
  handlers_.on_trouble(item.check().name, "no event tells of it: " + why);
}

ConditionWatch& PoolEngine::watch_with_room() {
  const std::lock_guard guard(mutex_);
  for (const auto& watch : watches_) {
    if (watch->size() < checks_per_watch) return *watch;
  }
  watches_.push_back(
      std::make_unique<ConditionWatch>([this](const std::string& name) { on_event(name); },
                                       [this](const std::string& name, const std::string& what) {
                                         if (const std::shared_ptr<Item> item = find(name))
                                           give_up_events(*item, what);
                                       }));
  return *watches_.back();
}

void PoolEngine::on_event(const std::string& name) {
  const std::shared_ptr<Item> item = find(name);
  if (item == nullptr) return;
  item->task.noticed();
  trigger(*item, Asked::by_an_event, Clock::now());
}

// --- from outside --------------------------------------------------------------------------------

std::shared_ptr<PoolEngine::Item> PoolEngine::find(const std::string& name) const {
  const std::lock_guard guard(mutex_);
  const auto found = items_.find(name);
  return found == items_.end() ? nullptr : found->second;
}

bool PoolEngine::check_now(const std::string& name) {
  const std::shared_ptr<Item> item = find(name);
  if (item == nullptr || stop_began_ != 0) return false;
  trigger(*item, Asked::by_somebody, Clock::now());
  return true;
}

void PoolEngine::every(std::chrono::nanoseconds period, std::function<void()> call) {
  timers_.run_every(period, std::move(call), {.first = 0s, .urgency = rouse::Urgency::high});
}

void PoolEngine::remove(const std::string& name, std::chrono::milliseconds patience) {
  std::shared_ptr<Item> item;
  std::vector<std::shared_ptr<Item>> gone;  // destroyed without the lock
  {
    const std::lock_guard guard(mutex_);
    const auto found = items_.find(name);
    if (found == items_.end()) return;
    item = std::move(found->second);
    items_.erase(found);
    for (auto& each : removed_) {
      if (has_ended(each->job)) gone.push_back(std::move(each));
    }
    std::erase(removed_, nullptr);
  }
  item->task.retire();
  {
    const std::lock_guard guard(item->mutex);
    item->removed = true;
    if (item->watch != nullptr) item->watch->disarm(name);
  }
  // No job is submitted for it from now on. Their calls take a moment only.
  {
    const rouse::Shield shield;
    for (rouse::Timer* const timer : {&item->first, &item->rhythm, &item->recheck}) {
      (void)timer->cancel_and_wait();
    }
  }
  item->job.request_stop();
  if (has_ended(item->job) || item->job.wait_for(patience) == rouse::WaitStatus::ready) return;
  const std::lock_guard guard(mutex_);
  removed_.push_back(std::move(item));
}

bool PoolEngine::has_ended(const rouse::Job<void>& job) {
  return !job.valid() || job.wait_for(0s) == rouse::WaitStatus::ready;
}

std::vector<StoppedLayer> PoolEngine::stop(std::chrono::milliseconds patience) {
  const auto began = Clock::now();
  const auto left = [&] { return std::max<Clock::duration>(began + patience - Clock::now(), 0s); };
  stop_began_ = began.time_since_epoch().count();
  std::vector<rouse::StoppableThread*> watches;
  {
    const std::lock_guard guard(mutex_);
    for (const auto& watch : watches_) watches.push_back(&watch->thread());
  }
  for (rouse::StoppableThread* const watch : watches) watch->request_stop();

  std::vector<StoppedLayer> layers;
  const std::size_t pending = timers_.stats().pending;
  layers.push_back({"timers", timers_.stop_for(left()), std::to_string(pending) + " abandoned"});
  const std::size_t running = in_flight_;
  layers.push_back({"pool", pool_.stop_for(left()), std::to_string(running) + " checks stopped"});
  name_stragglers(layers.back().report);
  if (const std::lock_guard guard(mutex_); slowest_took_ > 0s) {
    layers.back().note += ", the last was '" + slowest_ + "' after " + duration_text(slowest_took_);
  }
  if (!watches.empty()) layers.push_back({"events", rouse::stop_all(watches, left()), ""});
  layers.push_back(guards_.stop(left()));
  return layers;
}

void PoolEngine::note_end(const Item& item, Clock::rep began) {
  const auto took = Clock::now().time_since_epoch() - Clock::duration(began);
  const std::lock_guard guard(mutex_);
  if (took <= slowest_took_) return;
  slowest_took_ = took;
  slowest_ = item.check().name;
}

// The pool knows its threads only.
void PoolEngine::name_stragglers(rouse::StopReport& report) const {
  const std::lock_guard guard(mutex_);
  for (rouse::Straggler& straggler : report.stragglers) {
    const auto add_name = [&](const Item& item) {
      if (item.thread == straggler.native_id) {
        straggler.name += " (check '" + item.check().name + "')";
      }
    };
    for (const auto& [name, item] : items_) add_name(*item);
    for (const auto& item : removed_) add_name(*item);
  }
}

EngineFigures PoolEngine::figures() const {
  const rouse::ThreadPoolStats pool = pool_.stats();
  EngineFigures figures;
  figures.in_flight = in_flight_;
  figures.queued = pool.queued();
  figures.threads = pool.threads;
  figures.overdue = guards_.overdue();
  lag_.add_to(figures.lag);
  stop_latency_.add_to(figures.stop_latency);
  const std::lock_guard guard(mutex_);
  figures.checks = items_.size();
  return figures;
}

}  // namespace health
