#pragma once
// ThreadEngine: each check in a thread of its own, which sleeps between the runs.
//
// A thread that sleeps costs some ten kilobytes and no CPU: this serves a thousand checks. What a
// check does is all in one place, checker_thread.cpp, and so is easily followed in a debugger.

#include "rouse/thread/stoppable_thread.hpp"

#include "checker_thread.hpp"
#include "engine.hpp"
#include "guards.hpp"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace health {

class ThreadEngine : public Engine {
 public:
  explicit ThreadEngine(EngineHandlers handlers);
  ~ThreadEngine() override;

  void add(CheckConfig check) override;
  void remove(const std::string& name, std::chrono::milliseconds patience) override;
  bool check_now(const std::string& name) override;
  void every(std::chrono::nanoseconds period, std::function<void()> call) override;
  std::vector<StoppedLayer> stop(std::chrono::milliseconds patience) override;
  [[nodiscard]] EngineFigures figures() const override;

 private:
  using Thread = rouse::Running<CheckerThread>;

  const EngineHandlers handlers_;
  Guards guards_;
  mutable std::mutex mutex_;  // of what follows
  std::map<std::string, std::shared_ptr<Thread>> threads_;
  std::vector<std::shared_ptr<Thread>> removed_;  // and not ended
  std::vector<std::unique_ptr<rouse::Running<rouse::StoppableThread>>> repeated_;
};

}  // namespace health
