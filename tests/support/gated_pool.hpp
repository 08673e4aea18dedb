#pragma once
// Gate: holds up a thread of a pool, so that what is posted meanwhile is queued when it opens.

#include "rouse/exec/thread_pool.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/shield.hpp"

#include <atomic>
#include <cstddef>
#include <optional>
#include <thread>

namespace rouse::test {

class Gate {
 public:
  enum Opened { by_the_test, opened_by_stop };

  /// Holds up all of the pool's threads that have no job, at the time when it returns.
  explicit Gate(ThreadPool& pool, Opened opened = by_the_test) : threads_(pool.stats().threads) {
    for (std::size_t i = 0; i < threads_; ++i) {
      pool.post([this, opened] {
        std::optional<Shield> shield;
        if (opened == by_the_test) shield.emplace();
        if (held_.fetch_add(1) + 1 == threads_) all_held_.set();
        (void)open_.wait();
        if (held_.fetch_sub(1) == 1) all_gone_.set();
      });
    }
    (void)all_held_.wait();
  }
  /// Opens it.
  ~Gate() {
    open_.set();
    (void)all_gone_.wait();
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

 private:
  const std::size_t threads_;
  std::atomic<std::size_t> held_{0};
  Event all_held_;
  Event open_;
  Event all_gone_;
};

/// As a call: who makes it.
inline std::thread::id this_thread_id() { return std::this_thread::get_id(); }

}  // namespace rouse::test
