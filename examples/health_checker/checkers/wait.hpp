#pragma once
// What a check does with the outcome of a wait: it has no deadline of its own (the caller has bound
// one to the thread), so a wait is either ready or stopped, and a stop leaves the check at once.

#include "rouse/wait/sleep.hpp"
#include "rouse/wait/wait_status.hpp"

#include <chrono>

namespace health {

inline void require_ready(rouse::WaitStatus status) {
  if (status != rouse::WaitStatus::ready) throw rouse::Stopped();
}

/// For loops over what is always ready (a flood of data, a long directory): a wait that need not
/// block says `ready` and does not look at the stop.
inline void throw_if_stopped() {
  if (rouse::sleep_for(std::chrono::seconds(0)) == rouse::WaitStatus::stopped) {
    throw rouse::Stopped();
  }
}

}  // namespace health
