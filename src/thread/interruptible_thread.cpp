#include "rouse/thread/interruptible_thread.hpp"

#include "rouse/wait/shield.hpp"

#include "thread/stoppable_thread_impl.hpp"
#include "wait/control_block.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>

#include <boost/thread/exceptions.hpp>
#include <boost/thread/lock_guard.hpp>
#include <boost/thread/pthread/thread_data.hpp>

namespace rouse {
namespace {

// Apart: where nothing was raised, interruption_point() saves no register for it.
[[gnu::cold, gnu::noinline]] void throw_if_due(detail::ControlBlock& thread) {
  if (thread.raise_due()) thread.throw_raised();
}

}  // namespace

struct InterruptibleThread::Impl final : StoppableThread::Impl, detail::Addressee {
  using StoppableThread::Impl::Impl;

  detail::Addressee* addressee() noexcept override { return this; }

  /// Until it returns exceptions may be raised at the thread.
  void call_run(StoppableThread& owner) override;

  // A waiter of Boost.Thread has news by Boost's own flag, which has no exception.
  void raised() noexcept override { handle.interrupt(); }
  void taken() noexcept override {
    boost::detail::thread_data_base& data = *boost::detail::get_current_thread_data();
    const boost::lock_guard<boost::mutex> lock(data.data_mutex);
    data.interrupt_requested = false;
  }
  void shielded(bool on) noexcept override {
    if (on) {
      no_interruption_.emplace();
    } else {
      no_interruption_.reset();
    }
  }

 private:
  std::optional<boost::this_thread::disable_interruption> no_interruption_;  // the thread's own
};

void InterruptibleThread::Impl::call_run(StoppableThread& owner) {
  // Also where pthread_exit unwinds the thread.
  struct AtEnd {
    ~AtEnd() { (void)detail::ControlBlock::current_or_null()->refuse_raises(); }
  } at_end;

  try {
    try {
      StoppableThread::Impl::call_run(owner);
    } catch (const boost::thread_interrupted&) {
      // Boost's way of throwing what was raised.
      const std::exception_ptr meant = detail::ControlBlock::current_or_null()->refuse_raises();
      if (meant == nullptr) throw;
      std::rethrow_exception(meant);
    }
  } catch (const Terminated&) {
    // An orderly end.
  }
}

InterruptibleThread::InterruptibleThread(ThreadOptions options)
    : StoppableThread(std::make_unique<Impl>(std::move(options))) {}

InterruptibleThread::~InterruptibleThread() {
  // While `run` is still this class's; one that is overridden must have ended.
  if (body_) stop_and_join();
}

bool InterruptibleThread::raise(std::exception_ptr exception) noexcept {
  auto& impl = static_cast<Impl&>(*impl_);
  if (exception == nullptr || !impl.was_started()) return false;
  detail::ControlBlock* const block = impl.block.load(std::memory_order_relaxed);
  return block != nullptr && block->raise(std::move(exception), &impl);
}

bool InterruptibleThread::terminate_until(detail::Deadline deadline, std::int64_t every_ns) {
  auto& impl = static_cast<Impl&>(*impl_);
  if (every_ns <= 0) {
    throw std::invalid_argument(impl.what_cannot_be_done("terminate") +
                                " at intervals that are not positive");
  }
  impl.require_started("terminate");
  impl.require_other_thread("terminate");
  const Shield shield;
  for (;;) {
    raise<Terminated>();
    const detail::Deadline next = std::min(deadline, detail::Deadline::after_ns(every_ns));
    if (impl.ended.wait_until(next.time_point()) == WaitStatus::ready) return true;
    if (deadline.expired()) return false;
  }
}

void interruption_point() {
  detail::ControlBlock* const thread = detail::ControlBlock::current_or_null();
  if (thread != nullptr && thread->raised.load(std::memory_order_relaxed) != 0) {
    throw_if_due(*thread);
  }
}

}  // namespace rouse
