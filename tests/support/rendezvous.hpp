#pragma once
// Rendezvous: threads that go on at the same instant, again and again.
//
// They spin for a moment, so that on a machine with a CPU for each nobody is still on the way out
// of the kernel when the others go on; then they sleep, so that a machine that is busy gets on.
// Thread safety: arrive() is called by `parties` threads.
// Ordering: what each did before arrive() is visible to all after it.

#include "rouse/detail/os.hpp"

#include <atomic>
#include <cstdint>
#include <thread>

namespace rouse::test {

class Rendezvous {
 public:
  explicit Rendezvous(int parties) noexcept : parties_(parties) {}

  void arrive() noexcept {
    const std::uint32_t round = round_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == parties_) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      for (int other = 1; other < parties_; ++other) detail::os::futex_wake_one(round_);
      return;
    }
    constexpr int spins = 100;
    for (int i = 0; i < spins; ++i) {
      if (round_.load(std::memory_order_acquire) != round) return;
      std::this_thread::yield();
    }
    while (round_.load(std::memory_order_acquire) == round) {
      detail::os::futex_wait(round_, round, INT64_MAX);
    }
  }

 private:
  const int parties_;
  std::atomic<int> arrived_{0};
  detail::Atomic<std::uint32_t> round_{0};
};

/// Lets the others on this CPU run for so long that those who wait for this thread go to sleep.
inline void let_others_run() noexcept {
  for (int i = 0; i < 100; ++i) std::this_thread::yield();
}

/// Lets some tens of nanoseconds per turn pass, so that two threads meet a little earlier or later.
inline void delay(unsigned turns) noexcept {
  for (unsigned i = 0; i < turns; ++i) std::atomic_signal_fence(std::memory_order_seq_cst);
}

}  // namespace rouse::test
