#include "thread_engine.hpp"

#include "rouse/wait/sleep.hpp"

#include <utility>

namespace health {

ThreadEngine::ThreadEngine(EngineHandlers handlers)
    : handlers_(std::move(handlers)), guards_(handlers_) {}

ThreadEngine::~ThreadEngine() {
  // Together, or each would be waited for before the next one is asked.
  for (const auto& [name, thread] : threads_) thread->request_stop();
}

void ThreadEngine::add(CheckConfig check) {
  std::string name = check.name;
  auto thread = std::make_shared<Thread>(std::move(check), handlers_, guards_);
  const std::lock_guard guard(mutex_);
  threads_.emplace(std::move(name), std::move(thread));
}

void ThreadEngine::remove(const std::string& name, std::chrono::milliseconds patience) {
  std::shared_ptr<Thread> thread;
  {
    const std::lock_guard guard(mutex_);
    const auto found = threads_.find(name);
    if (found == threads_.end()) return;
    thread = std::move(found->second);
    threads_.erase(found);
  }
  thread->retire();
  thread->request_stop();
  // Ends with the caller's stop, too.
  const bool ended = thread->wait_for(patience) == rouse::WaitStatus::ready;
  std::vector<std::shared_ptr<Thread>> gone;  // destroyed without the lock
  const std::lock_guard guard(mutex_);
  for (auto& each : removed_) {
    if (!each->running()) gone.push_back(std::move(each));
  }
  std::erase(removed_, nullptr);
  (ended ? gone : removed_).push_back(std::move(thread));
}

bool ThreadEngine::check_now(const std::string& name) {
  const std::lock_guard guard(mutex_);
  const auto found = threads_.find(name);
  if (found == threads_.end() || !found->second->running()) return false;
  found->second->check_now();
  return true;
}

void ThreadEngine::every(std::chrono::nanoseconds period, std::function<void()> call) {
  const auto repeat = [period, call = std::move(call)] {
    do {
      call();
    } while (rouse::sleep_for(period) == rouse::WaitStatus::timeout);
  };
  auto thread = std::make_unique<rouse::Running<rouse::StoppableThread>>(
      repeat, rouse::ThreadOptions{.name = "every"});
  const std::lock_guard guard(mutex_);
  repeated_.push_back(std::move(thread));
}

std::vector<StoppedLayer> ThreadEngine::stop(std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  std::vector<rouse::StoppableThread*> all;
  {
    const std::lock_guard guard(mutex_);
    for (const auto& each : repeated_) all.push_back(each.get());
    for (const auto& each : removed_) all.push_back(each.get());
    for (const auto& [name, thread] : threads_) all.push_back(thread.get());
  }
  std::vector<StoppedLayer> layers;
  layers.push_back({"checks", rouse::stop_all(all, deadline), ""});
  layers.push_back(guards_.stop(deadline - std::chrono::steady_clock::now()));
  return layers;
}

EngineFigures ThreadEngine::figures() const {
  EngineFigures figures;
  const std::lock_guard guard(mutex_);
  figures.checks = threads_.size();
  figures.overdue = guards_.overdue();
  for (const auto& [name, thread] : threads_) {
    if (thread->running()) ++figures.threads;
    thread->add_to(figures);
  }
  return figures;
}

}  // namespace health
