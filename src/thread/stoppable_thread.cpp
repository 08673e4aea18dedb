#include "rouse/thread/stoppable_thread.hpp"

#include "rouse/detail/thread_name.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/this_thread.hpp"

#include "detail/complain.hpp"
#include "thread/stoppable_thread_impl.hpp"
#include "thread/thread_activity.hpp"

#include <cxxabi.h>
#include <pthread.h>

#include <atomic>
#include <charconv>
#include <cstddef>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <system_error>

#include <boost/thread/exceptions.hpp>
#include <boost/thread/lock_guard.hpp>
#include <boost/thread/pthread/thread_data.hpp>

namespace rouse {
namespace {

std::string default_name() {
  static std::atomic<unsigned> counter{0};
  return "thread-" + std::to_string(counter.fetch_add(1, std::memory_order_relaxed) + 1);
}

// Made before any other thread_local object of a thread, so destroyed after all of them.
struct AtThreadExit {
  Event* gone = nullptr;
  ~AtThreadExit() {
    if (gone != nullptr) gone->set();
  }
};
thread_local AtThreadExit at_thread_exit;

// pthread_exit unwinds past the end of Boost's thread function, where it tells
// those who join: they would wait for ever.
void tell_boost_that_this_thread_ends() noexcept {
  boost::detail::thread_data_base* const data = boost::detail::get_current_thread_data();
  if (data == nullptr) return;
  const boost::lock_guard<boost::mutex> lock(data->data_mutex);
  data->done = true;
  data->done_condition.notify_all();
}

}  // namespace

StoppableThread::Impl::Impl(ThreadOptions thread_options) : options(std::move(thread_options)) {
  if (options.name.empty()) options.name = default_name();
}

std::string StoppableThread::Impl::what_cannot_be_done(const char* action) const {
  return std::string("rouse: cannot ") + action + " thread '" + detail::printable(options.name) +
         "'";
}

void StoppableThread::Impl::require_started(const char* action) const {
  if (was_started()) return;
  throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                          what_cannot_be_done(action) + ", which was never started");
}

void StoppableThread::Impl::require_other_thread(const char* action) const {
  if (!is_current_thread()) return;
  throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                          what_cannot_be_done(action) + " from itself");
}

bool StoppableThread::Impl::is_current_thread() const noexcept {
  const detail::ControlBlock* const current = detail::ControlBlock::current_or_null();
  return current != nullptr && current == block.load(std::memory_order_relaxed);
}

// A forced unwind has no object for the handler's reference, which UBSan takes for a null pointer.
__attribute__((no_sanitize("null"))) void StoppableThread::Impl::main(StoppableThread& owner) {
  at_thread_exit.gone = &gone;
  // Cancellation points are everywhere, also where nothing may be thrown: a thread ends by its
  // stop.
  ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
  // Until start() has put the handle away nobody may see this thread as started, least of all
  // itself. What is raised at it from then on is for its `run`.
  {
    const Shield shield;
    (void)launched.wait();
  }
  detail::set_thread_name(options.name);
  native_id.store(detail::os::thread_id(), std::memory_order_relaxed);
  begun.set();

  // Also where pthread_exit unwinds the thread.
  struct AtEnd {
    Impl& impl;
    ~AtEnd() {
      impl.native_id.store(0, std::memory_order_relaxed);
      impl.ended.set();
    }
  } at_end{*this};

  try {
    call_run(owner);
  } catch (const abi::__forced_unwind&) {
    tell_boost_that_this_thread_ends();
    throw;
  } catch (const Stopped&) {
    if (!scope.stop_requested()) keep_or_report(std::current_exception());
  } catch (...) {
    keep_or_report(std::current_exception());
  }
}

void StoppableThread::Impl::call_run(StoppableThread& owner) {
  const this_thread::Bind bind(scope);
  owner.run(scope.token());
}

void StoppableThread::Impl::keep_or_report(std::exception_ptr exception) noexcept {
  if (!options.on_error) {
    error = std::move(exception);
    has_error.store(true, std::memory_order_relaxed);
    return;
  }
  try {
    options.on_error(std::move(exception));
  } catch (...) {
    detail::complain({"on_error of thread '", options.name, "' threw: "}, std::current_exception());
  }
}

bool StoppableThread::Impl::wait_gone(detail::Deadline deadline) {
  if (gone.is_set()) return true;
  const Shield shield;
  return gone.wait_until(deadline.time_point()) == WaitStatus::ready;
}

void StoppableThread::Impl::reap() {
  if (reaping.exchange(true, std::memory_order_relaxed)) {
    const Shield shield;
    (void)reaped.wait();
    return;
  }
  // Short, since the thread is gone; but as an interruption point of Boost it would throw in a
  // caller that is itself an interrupted boost::thread.
  const boost::this_thread::disable_interruption no_interruption;
  handle.join();
  stack = {};
  detail::ControlBlock::release(block.exchange(nullptr, std::memory_order_relaxed));
  reaped.set();
}

void StoppableThread::Impl::rethrow_error() {
  if (has_error.exchange(false, std::memory_order_relaxed)) {
    std::rethrow_exception(std::exchange(error, nullptr));
  }
}

StoppableThread::StoppableThread(ThreadOptions options)
    : StoppableThread(std::make_unique<Impl>(std::move(options))) {}

StoppableThread::StoppableThread(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

StoppableThread::~StoppableThread() {
  Impl& impl = *impl_;
  if (impl.was_started() && !impl.reaped.is_set()) {
    if (!body_ && !impl.ended.is_set()) {
      char id[16] = {};
      std::to_chars(std::begin(id), std::end(id), impl.native_id.load(std::memory_order_relaxed));
      detail::complain({"thread '", impl.options.name, "' (id ", id,
                        ") still runs in the destructor of its base class: own it through "
                        "rouse::Running<T>, or join it before the derived part is gone"});
      std::terminate();
    }
    stop_and_join();
  }
  if (impl.has_error.load(std::memory_order_relaxed)) {
    detail::complain(
        {"thread '", impl.options.name, "' ended with an exception that nobody took: "},
        impl.error);
  }
}

void StoppableThread::start() {
  Impl& impl = *impl_;
  if (impl.claimed.exchange(true, std::memory_order_acquire)) {
    throw std::logic_error(impl.what_cannot_be_done("start") + " a second time");
  }
  detail::ControlBlock* block = nullptr;
  try {
    if (impl.options.stack_size > std::numeric_limits<std::ptrdiff_t>::max()) {
      // Boost would round it up to nothing and take the default.
      throw std::system_error(std::make_error_code(std::errc::not_enough_memory),
                              impl.what_cannot_be_done("start"));
    }
    block = detail::ControlBlock::acquire();
    if (detail::Addressee* const addressee = impl.addressee()) block->accept_raises(*addressee);
    boost::thread::attributes attributes;
    std::size_t stack_size = impl.options.stack_size;
    if (stack_size == 0) stack_size = attributes.get_stack_size();
    if (detail::ThreadStack::suit_threads()) impl.stack = detail::ThreadStack::take(stack_size);
    if (impl.stack) {
      ::pthread_attr_setstack(attributes.native_handle(), impl.stack.lowest(), impl.stack.size());
    } else {
      attributes.set_stack_size(stack_size);
    }
    impl.handle = boost::thread(attributes, [this, &impl, block] {
      detail::ControlBlock::adopt(block);
      impl.main(*this);
    });
  } catch (...) {
    if (block != nullptr) detail::ControlBlock::release(block);
    impl.stack = {};
    impl.claimed.store(false, std::memory_order_release);
    try {
      throw;
    } catch (const boost::thread_resource_error& e) {
      throw std::system_error(e.native_error(), std::generic_category(),
                              impl.what_cannot_be_done("start"));
    }
  }
  impl.block.store(block, std::memory_order_relaxed);
  impl.launched.set();
}

bool StoppableThread::request_stop(StopReason reason) noexcept {
  return impl_->scope.request_stop(reason);
}

void StoppableThread::join() { (void)join_until(detail::Deadline::never()); }

bool StoppableThread::join_until(detail::Deadline deadline) {
  Impl& impl = *impl_;
  impl.require_started("join");
  impl.require_other_thread("join");
  if (!impl.wait_gone(deadline)) return false;
  impl.reap();
  impl.rethrow_error();
  return true;
}

WaitStatus StoppableThread::wait_ended(detail::Deadline deadline, const std::stop_token& stop) {
  impl_->require_other_thread("wait for");
  return impl_->ended.wait_until(deadline.time_point(), stop);
}

void StoppableThread::stop_and_join() noexcept {
  Impl& impl = *impl_;
  if (!impl.was_started()) return;
  if (impl.is_current_thread()) {
    detail::complain({"thread '", impl.options.name, "' is destroyed by itself"});
    std::terminate();
  }
  request_stop();
  try {
    (void)impl.wait_gone(detail::Deadline::never());
  } catch (...) {
    // No memory for this thread's first wait: the join in reap() waits as well, if less visibly.
  }
  impl.reap();
}

bool StoppableThread::running() const noexcept {
  return impl_->was_started() && !impl_->ended.is_set();
}

int StoppableThread::native_id() const {
  Impl& impl = *impl_;
  if (!running()) return 0;
  const Shield shield;
  (void)impl.begun.wait();
  return impl.native_id.load(std::memory_order_relaxed);
}

const std::string& StoppableThread::name() const noexcept { return impl_->options.name; }

std::stop_token StoppableThread::stop_token() const noexcept { return impl_->scope.token(); }

ThreadActivity StoppableThread::activity() const {
  const Impl& impl = *impl_;
  if (!impl.was_started()) return {"not started", std::nullopt};
  if (!impl.begun.is_set()) return {"starting", std::nullopt};
  const detail::ControlBlock* const block = impl.block.load(std::memory_order_relaxed);
  if (impl.gone.is_set() || block == nullptr) return {"ended", std::nullopt};
  ThreadActivity activity = detail::activity_of(*block);
  if (impl.ended.is_set()) activity.blocked_in += " (in destructors of thread_local objects)";
  return activity;
}

void StoppableThread::run(std::stop_token stop) {
  if (body_) body_(std::move(stop));
}

}  // namespace rouse
