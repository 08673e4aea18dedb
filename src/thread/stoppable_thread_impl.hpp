#pragma once
// What StoppableThread keeps behind its header.

#include "rouse/detail/os.hpp"
#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/stop_scope.hpp"

#include "thread/thread_stack.hpp"
#include "wait/control_block.hpp"

#include <exception>

#include <boost/thread/thread.hpp>

namespace rouse {

struct StoppableThread::Impl {
  explicit Impl(ThreadOptions thread_options);
  virtual ~Impl() = default;

  /// Whom exceptions may be raised at, from start() on. Null: nobody.
  virtual detail::Addressee* addressee() noexcept { return nullptr; }

  /// The new thread, from its first to its last line.
  void main(StoppableThread& owner);

  /// Blocks until the thread is gone but for its last instructions; true if it is. The caller's own
  /// stop is not obeyed.
  bool wait_gone(detail::Deadline deadline);
  /// After that: joins the system's thread and gives the control block back. Once; who comes second
  /// waits for the first.
  void reap();
  void rethrow_error();

  /// Throw std::system_error that says what cannot be done.
  void require_started(const char* action) const;
  void require_other_thread(const char* action) const;

  bool is_current_thread() const noexcept;
  /// A start() that has not succeeded yet does not count.
  bool was_started() const noexcept { return launched.is_set(); }
  std::string what_cannot_be_done(const char* action) const;

  ThreadOptions options;
  StopScope scope;
  // In the order in which they are set. They order everything else here: who has waited for one
  // sees what was written before it was set, so the other atomics need no order of their own.
  Event launched;  // start() has succeeded; `handle` and `block` are there
  Event begun;     // the thread runs: native_id is known
  Event ended;     // `run` has returned
  Event gone;      // so have the destructors of the thread's thread_local objects
  Event reaped;    // the system's thread is joined
  detail::Atomic<bool> claimed{false};  // by the one start()
  detail::Atomic<bool> reaping{false};
  detail::Atomic<int> native_id{0};
  detail::Atomic<detail::ControlBlock*> block{nullptr};  // from launched to reaped
  detail::ThreadStack stack;
  boost::thread handle;
  detail::Atomic<bool> has_error{false};  // whoever takes it off owns `error`
  std::exception_ptr error;

 protected:
  /// Calls `run`, and passes on what escapes it.
  virtual void call_run(StoppableThread& owner);

 private:
  void keep_or_report(std::exception_ptr exception) noexcept;
};

}  // namespace rouse
