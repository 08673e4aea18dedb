#pragma once
// What StoppableThread keeps behind its header.

#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/stop_scope.hpp"

#include "wait/control_block.hpp"

#include <atomic>
#include <exception>

#include <boost/thread/thread.hpp>

namespace rouse {

struct StoppableThread::Impl {
  explicit Impl(ThreadOptions thread_options);

  /// The new thread, from its first to its last line.
  void main(StoppableThread& owner);

  /// Blocks until the thread has ended; true if it did. The caller's own stop is not obeyed.
  bool wait_shielded(detail::Deadline deadline);
  /// After it has ended: waits for the system's thread and gives the control block back. Once; who
  /// comes second waits for the first.
  void reap();
  void rethrow_error();

  bool is_current_thread() const noexcept;
  bool was_started() const noexcept { return started.load(std::memory_order_acquire); }
  std::string what_cannot_be_done(const char* action) const;

  ThreadOptions options;
  StopScope scope;
  Event begun;   // the thread runs: native_id is known
  Event ended;   // `run` has returned
  Event reaped;  // the system's thread is gone
  std::atomic<bool> started{false};
  std::atomic<bool> reaping{false};
  std::atomic<int> native_id{0};
  std::atomic<detail::ControlBlock*> block{nullptr};  // from start() until it is reaped
  boost::thread handle;
  std::atomic<bool> has_error{false};  // whoever takes it off owns `error`
  std::exception_ptr error;

 private:
  void keep_or_report(std::exception_ptr exception) noexcept;
};

}  // namespace rouse
