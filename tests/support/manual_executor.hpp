#pragma once
// ManualExecutor: a DelayExecutor on a clock that stands still until the test moves it, with one
// worker, so that calls come one after the other.

#include "rouse/exec/delay_executor.hpp"

#include <chrono>
#include <exception>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace rouse::test {

/// What was called, in order.
class CallLog {
 public:
  void add(int value) {
    const std::lock_guard lock(mutex_);
    values_.push_back(value);
  }
  /// As a callable.
  auto adds(int value) {
    return [this, value] { add(value); };
  }
  std::vector<int> values() const {
    const std::lock_guard lock(mutex_);
    return values_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<int> values_;
};

/// What an exception says.
inline std::string what(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& exception) {
    return exception.what();
  }
}

class ManualExecutorTest : public ::testing::Test {
 protected:
  // Returns when all that has become due has been called.
  void advance(std::chrono::nanoseconds d) {
    clock.advance(d);
    settle();
  }
  void settle() { ASSERT_EQ(executor.pool().wait_idle(), WaitStatus::ready); }

  ManualClock clock;
  CallLog log;
  std::vector<std::string> errors;  // of the calls
  DelayExecutor executor{
      {.pool_options = {.min_threads = 1, .max_threads = 1},
       .on_error = [this](std::exception_ptr error) { errors.push_back(what(error)); },
       .clock = &clock}};
};

}  // namespace rouse::test
