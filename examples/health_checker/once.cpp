#include "once.hpp"

#include "checker_thread.hpp"
#include "runner.hpp"

#include <exception>

namespace health {

OnceRun::OnceRun(const Config& config) : config_(config) {
  for (const CheckConfig& check : config_.checks) results_.add(check.name, check.type);
}

void OnceRun::start(const CheckConfig& check) {
  const auto body = [this, &check] {
    const std::optional<CheckResult> result = run_check(*check.checker, check.timeout);
    if (result) results_.update(check.name, result->status, *result);
  };
  const auto on_error = [this, &check](const std::exception_ptr&) {
    results_.update(check.name, Status::unknown, {.message = "the check broke down"});
  };
  threads_.emplace_back(
      body, rouse::ThreadOptions{
                .name = check.name, .stack_size = CheckerThread::stack_size, .on_error = on_error});
  try {
    threads_.back().start();
  } catch (...) {
    for (auto& thread : threads_) thread.request_stop();
    throw;
  }
}

bool OnceRun::wait_for(std::size_t index, std::chrono::milliseconds patience) {
  rouse::StoppableThread& thread = threads_[index];
  const std::chrono::milliseconds longest = config_.checks[index].timeout + patience;
  if (thread.wait_for(longest) != rouse::WaitStatus::ready) return false;
  thread.join();  // gives its stack back
  return true;
}

rouse::StopReport OnceRun::run(std::chrono::milliseconds patience) {
  const std::size_t count = config_.checks.size();
  for (std::size_t next = 0, ended = 0; ended < count; ++ended) {
    while (next < count && next < ended + most_at_once) start(config_.checks[next++]);
    if (!wait_for(ended, patience)) break;
  }
  return rouse::stop_all(threads_, patience);
}

}  // namespace health
