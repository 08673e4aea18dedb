#include "rouse/thread/stoppable_thread.hpp"

#include "rouse/detail/thread_name.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/this_thread.hpp"

#include "thread/stoppable_thread_impl.hpp"
#include "thread/thread_activity.hpp"

#include <cxxabi.h>

#include <cstdio>
#include <new>
#include <stdexcept>
#include <system_error>

#include <boost/thread/exceptions.hpp>

namespace rouse {
namespace {

std::string default_name() {
  static std::atomic<unsigned> counter{0};
  return "thread-" + std::to_string(counter.fetch_add(1, std::memory_order_relaxed) + 1);
}

std::string message_of(const std::exception_ptr& exception) noexcept {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& e) {
    return detail::printable(e.what());
  } catch (...) {
    return "an exception that is not a std::exception";
  }
}

void complain(const std::string& line) noexcept {
  std::fprintf(stderr, "rouse: %s\n", line.c_str());
}

}  // namespace

StoppableThread::Impl::Impl(ThreadOptions thread_options) : options(std::move(thread_options)) {
  if (options.name.empty()) options.name = default_name();
}

std::string StoppableThread::Impl::what_cannot_be_done(const char* action) const {
  return std::string("rouse: cannot ") + action + " thread '" + detail::printable(options.name) +
         "'";
}

bool StoppableThread::Impl::is_current_thread() const noexcept {
  const detail::ControlBlock* const current = detail::ControlBlock::current_or_null();
  return current != nullptr && current == block.load(std::memory_order_acquire);
}

void StoppableThread::Impl::main(StoppableThread& owner) {
  detail::ControlBlock::adopt(block.load(std::memory_order_relaxed));
  detail::set_thread_name(options.name);
  native_id.store(detail::os::thread_id(), std::memory_order_relaxed);
  begun.set();

  // Also where pthread_exit or a cancellation unwinds the thread.
  struct AtEnd {
    Impl& impl;
    ~AtEnd() {
      impl.native_id.store(0, std::memory_order_relaxed);
      impl.ended.set();
    }
  } at_end{*this};

  try {
    const this_thread::Bind bind(scope);
    owner.run(scope.token());
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (const Stopped&) {
    if (!scope.stop_requested()) keep_or_report(std::current_exception());
  } catch (...) {
    keep_or_report(std::current_exception());
  }
}

void StoppableThread::Impl::keep_or_report(std::exception_ptr exception) noexcept {
  if (!options.on_error) {
    error = std::move(exception);
    has_error.store(true, std::memory_order_release);
    return;
  }
  try {
    options.on_error(std::move(exception));
  } catch (...) {
    complain("on_error of thread '" + detail::printable(options.name) +
             "' threw: " + message_of(std::current_exception()));
  }
}

bool StoppableThread::Impl::wait_shielded(detail::Deadline deadline) {
  if (ended.is_set()) return true;
  const Shield shield;
  const std::chrono::steady_clock::time_point t{std::chrono::nanoseconds(deadline.ns())};
  return ended.wait_until(t) == WaitStatus::ready;
}

void StoppableThread::Impl::reap() {
  if (reaping.exchange(true, std::memory_order_acq_rel)) {
    const Shield shield;
    (void)reaped.wait();
    return;
  }
  // The join below is over when the system's thread is; as an interruption point of Boost it would
  // otherwise throw in a caller that is itself a boost::thread.
  const boost::this_thread::disable_interruption no_interruption;
  handle.join();
  detail::ControlBlock::release(block.exchange(nullptr, std::memory_order_acq_rel));
  reaped.set();
}

void StoppableThread::Impl::rethrow_error() {
  if (has_error.exchange(false, std::memory_order_acquire)) {
    std::rethrow_exception(std::exchange(error, nullptr));
  }
}

StoppableThread::StoppableThread(ThreadOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}

StoppableThread::~StoppableThread() {
  Impl& impl = *impl_;
  if (impl.was_started() && !impl.reaped.is_set()) {
    if (!body_ && !impl.ended.is_set()) {
      complain("thread '" + detail::printable(impl.options.name) + "' (id " +
               std::to_string(impl.native_id.load(std::memory_order_relaxed)) +
               ") still runs in the destructor of its base class: own it through "
               "rouse::Running<T>, or join it before the derived part is gone");
      std::terminate();
    }
    stop_and_join();
  }
  if (impl.has_error.load(std::memory_order_acquire)) {
    complain("thread '" + detail::printable(impl.options.name) +
             "' ended with an exception that nobody took: " + message_of(impl.error));
  }
}

void StoppableThread::start() {
  Impl& impl = *impl_;
  if (impl.started.exchange(true, std::memory_order_acq_rel)) {
    throw std::logic_error(impl.what_cannot_be_done("start") + " a second time");
  }
  detail::ControlBlock* block = nullptr;
  const auto give_back = [&] {
    impl.block.store(nullptr, std::memory_order_relaxed);
    if (block != nullptr) detail::ControlBlock::release(block);
    impl.started.store(false, std::memory_order_release);
  };
  try {
    block = detail::ControlBlock::acquire();
    impl.block.store(block, std::memory_order_release);
    boost::thread::attributes attributes;
    if (impl.options.stack_size != 0) attributes.set_stack_size(impl.options.stack_size);
    impl.handle = boost::thread(attributes, [this, &impl] { impl.main(*this); });
  } catch (const boost::thread_resource_error& e) {
    give_back();
    throw std::system_error(e.native_error(), std::generic_category(),
                            impl.what_cannot_be_done("start"));
  } catch (...) {
    give_back();
    throw;
  }
}

bool StoppableThread::request_stop(StopReason reason) noexcept {
  return impl_->scope.request_stop(reason);
}

void StoppableThread::join() { (void)join_until(detail::Deadline::never()); }

bool StoppableThread::join_until(detail::Deadline deadline) {
  Impl& impl = *impl_;
  if (!impl.was_started()) {
    throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                            impl.what_cannot_be_done("join") + ", which was never started");
  }
  if (impl.is_current_thread()) {
    throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                            impl.what_cannot_be_done("join") + " from itself");
  }
  if (!impl.wait_shielded(deadline)) return false;
  impl.reap();
  impl.rethrow_error();
  return true;
}

WaitStatus StoppableThread::wait_ended(detail::Deadline deadline, const std::stop_token& stop) {
  if (impl_->is_current_thread()) {
    throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                            impl_->what_cannot_be_done("wait for") + " in itself");
  }
  const std::chrono::steady_clock::time_point t{std::chrono::nanoseconds(deadline.ns())};
  return impl_->ended.wait_until(t, stop);
}

void StoppableThread::stop_and_join() noexcept {
  Impl& impl = *impl_;
  if (!impl.was_started()) return;
  if (impl.is_current_thread()) {
    complain("thread '" + detail::printable(impl.options.name) + "' is destroyed by itself");
    std::terminate();
  }
  request_stop();
  try {
    (void)impl.wait_shielded(detail::Deadline::never());
  } catch (const std::bad_alloc&) {
    // No memory for this thread's first wait: the join in reap() waits as well.
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
  const detail::ControlBlock* const block = impl.block.load(std::memory_order_acquire);
  if (impl.ended.is_set() || block == nullptr) return {"ended", std::nullopt};
  if (!impl.begun.is_set()) return {"starting", std::nullopt};
  return detail::activity_of(*block);
}

void StoppableThread::run(std::stop_token stop) {
  if (body_) body_(std::move(stop));
}

}  // namespace rouse
