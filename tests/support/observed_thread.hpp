#pragma once
// ObservedThread: a std::jthread whose blocking can be seen, so that a test knows that it waits
// without sleeping itself.

#include "rouse/thread/stoppable_thread.hpp"

#include "wait/control_block.hpp"

#include <atomic>
#include <string_view>
#include <thread>
#include <utility>

namespace rouse::test {

class ObservedThread {
 public:
  template <class Body>
  explicit ObservedThread(Body body)
      : thread_([this, body = std::move(body)]() mutable {
          block_.store(&detail::ControlBlock::current(), std::memory_order_release);
          body();
        }) {}

  /// Returns when the thread is in the kernel for a wait of the library.
  void await_blocked() const {
    while (block() == nullptr || block()->blocked_in.load(std::memory_order_acquire) == nullptr) {
      std::this_thread::yield();
    }
  }

  detail::ControlBlock* block() const { return block_.load(std::memory_order_acquire); }
  void join() { thread_.join(); }

 private:
  std::atomic<detail::ControlBlock*> block_{nullptr};
  std::jthread thread_;
};

/// The same for a StoppableThread: returns when it blocks in `what`.
inline void await_blocked_in(const StoppableThread& thread, std::string_view what) {
  while (!thread.activity().blocked_in.starts_with(what)) std::this_thread::yield();
}

}  // namespace rouse::test
