#pragma once
// PoolEngine: a ThreadPool runs the checks, a DelayExecutor says when.
//
// A check that waits for its time is a timer, so ten thousand of them need no threads; those that
// run at the same time, `most_at_once` of them, have the pool's. Each run is a Job: a check that
// hangs beyond its timeout is stopped through it. Events are waited for by a ConditionWatch for
// every 64 checks.

#include "rouse/exec/delay_executor.hpp"
#include "rouse/exec/job.hpp"
#include "rouse/exec/thread_pool.hpp"
#include "rouse/exec/timer.hpp"

#include "condition_watch.hpp"
#include "engine.hpp"
#include "guards.hpp"
#include "lag.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace health {

class PoolEngine : public Engine {
 public:
  PoolEngine(std::size_t most_at_once, EngineHandlers handlers);
  ~PoolEngine() override;

  void add(CheckConfig check) override;
  void remove(const std::string& name, std::chrono::milliseconds patience) override;
  bool check_now(const std::string& name) override;
  void every(std::chrono::nanoseconds period, std::function<void()> call) override;
  std::vector<StoppedLayer> stop(std::chrono::milliseconds patience) override;
  [[nodiscard]] EngineFigures figures() const override;

 private:
  struct Item;
  using Clock = std::chrono::steady_clock;

  void start_timers(Item& item);
  // Runs it now, or, if it runs already and somebody wants a new result, once more afterwards.
  void trigger(Item& item, Asked asked, Clock::time_point due);
  // Both under the item's mutex.
  void start(Item& item, Asked asked, Clock::time_point due);
  void run_later(Item& item, Asked asked, Clock::time_point due);
  void run(Item& item, Asked asked, Clock::time_point due);
  void finish(Item& item, bool ended) noexcept;

  void arm_events(Item& item);
  void give_up_events(Item& item, const std::string& why);
  ConditionWatch& watch_with_room();
  void on_event(const std::string& name);

  [[nodiscard]] std::shared_ptr<Item> find(const std::string& name) const;
  static bool has_ended(const rouse::Job<void>& job);
  void note_end(const Item& item, Clock::rep began);
  void name_stragglers(rouse::StopReport& report) const;

  const EngineHandlers handlers_;
  Lag lag_;
  Lag stop_latency_;
  std::atomic<std::size_t> in_flight_{0};
  std::atomic<Clock::rep> stop_began_{0};  // 0: it has not

  mutable std::mutex mutex_;  // of what follows, up to the pool
  std::map<std::string, std::shared_ptr<Item>> items_;
  std::vector<std::shared_ptr<Item>> removed_;  // and not ended
  std::vector<std::unique_ptr<ConditionWatch>> watches_;
  std::string slowest_;  // to end at the stop
  Clock::duration slowest_took_{};

  rouse::ThreadPool pool_;
  rouse::DelayExecutor timers_;  // on the pool
  Guards guards_;
};

}  // namespace health
