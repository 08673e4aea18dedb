#pragma once
// What scenarios have in common: a thread's control block, told to those who wake it, and whether
// what a wait has told is true.

#include "rouse/wait/wait_status.hpp"

#include "model/schedule/explorer.hpp"
#include "wait/control_block.hpp"

#include <stop_token>

namespace rouse::test::model {

class ToldBlock {
 public:
  /// By the owner.
  void tell(detail::ControlBlock& block) { block_.store(&block, std::memory_order_release); }
  void tell() { tell(detail::ControlBlock::current()); }

  /// By the others: null until it is told.
  detail::ControlBlock* get() const { return block_.load(std::memory_order_acquire); }
  detail::ControlBlock& await() const {
    detail::ControlBlock* found = nullptr;
    while ((found = get()) == nullptr) detail::os::cpu_relax();
    return *found;
  }
  /// Until the owner blocks in a wait, which is then in the parking table.
  void await_blocked() const {
    const detail::ControlBlock& owner = await();
    while (owner.blocked_in.load(std::memory_order_acquire) == nullptr) detail::os::cpu_relax();
  }

 private:
  detail::Atomic<detail::ControlBlock*> block_{nullptr};
};

/// Of a wait for at most a millisecond that began with the schedule.
inline void check_truth(WaitStatus status, bool was_ready, const std::stop_token& stop) {
  switch (status) {
    case WaitStatus::ready:
      check(was_ready, "ready only after what was waited for");
      break;
    case WaitStatus::stopped:
      check(stop.stop_requested(), "stopped only after a stop");
      break;
    case WaitStatus::timeout:
      check(detail::os::coarse_now_ns() >= 1'001'000'000, "not before the time");
      break;
  }
}

}  // namespace rouse::test::model
