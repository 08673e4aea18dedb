#pragma once
// ManualClock::State: what a ManualClock shows, and who goes by it.
//
// Thread safety: any thread.

#include "rouse/exec/manual_clock.hpp"

#include "exec/timer_queue.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>

namespace rouse {

struct [[gnu::visibility("hidden")]] ManualClock::State {
  // Sequentially consistent: whoever brings a timer reads it afterwards.
  std::atomic<std::int64_t> now_ns;
  std::atomic<std::int64_t> calendar_ns;
  std::mutex mutex;  // one change after the other, and of the list
  detail::TimerQueues queues;

  detail::TimerState* ring() noexcept;
};

}  // namespace rouse
