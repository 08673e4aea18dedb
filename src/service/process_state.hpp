#pragma once
// ProcessState: a condition that finds a process.

#include "rouse/service/condition.hpp"

#include "service/condition_state.hpp"

#include <sys/types.h>

#include <stdexcept>
#include <string>

namespace rouse::detail {

class ProcessState : public ConditionState {
 public:
  void begin() override { found_ = {}; }
  const ProcessInfo& found() const noexcept { return found_; }

 protected:
  ProcessInfo found_;
};

/// Throws std::invalid_argument if no process can have this pid.
inline ::pid_t checked_pid(::pid_t pid) {
  if (pid <= 0) {
    throw std::invalid_argument("rouse: process " + std::to_string(pid) + ": a pid is above 0");
  }
  return pid;
}

}  // namespace rouse::detail
