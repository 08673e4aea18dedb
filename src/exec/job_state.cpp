#include "rouse/exec/job_state.hpp"

#include "rouse/wait/event_watch.hpp"

#include "exec/pool.hpp"
#include "exec/worker.hpp"
#include "wait/event_wait.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <new>
#include <optional>
#include <stdexcept>
#include <utility>

namespace rouse {

JobDropped::JobDropped(JobStatus status)
    : Stopped(status == JobStatus::expired ? "rouse: the job has expired in the queue"
                                           : "rouse: the job was dropped"),
      status_(status) {}

namespace detail {

std::exception_ptr job_dropped() noexcept {
  try {
    throw JobDropped(JobStatus::dropped);
  } catch (const std::exception&) {
    return std::current_exception();
  }
}

void throw_empty_job() { throw std::logic_error("rouse: an empty Job was asked"); }

// --- for those who run it ------------------------------------------------------------------------

bool JobState::claim(unsigned worker) noexcept {
  if (expiry_.expired() && drop(JobStatus::expired)) return false;
  std::uint32_t seen = static_cast<std::uint32_t>(JobStatus::queued);
  // Release: who requests the stop finds the worker's control block. Acquire is the queue's.
  return word_.compare_exchange_strong(
      seen, static_cast<std::uint32_t>(JobStatus::running) | worker << worker_shift_,
      std::memory_order_acq_rel, std::memory_order_relaxed);
}

bool JobState::drop(JobStatus status) noexcept {
  std::uint32_t seen = static_cast<std::uint32_t>(JobStatus::queued);
  if (!word_.compare_exchange_strong(seen, static_cast<std::uint32_t>(status),
                                     std::memory_order_acq_rel, std::memory_order_relaxed)) {
    return false;
  }
  {
    const PoolAnchor::Hold hold(link_);
    if (hold.pool() != nullptr) {
      hold.pool()->left_queue();
      hold.pool()->count_dropped();
    }
  }
  operations->end_callable(*this);
  finish(status);
  return true;
}

void JobState::refuse() noexcept {
  operations->end_callable(*this);
  finish(JobStatus::dropped);
  release();
}

// A forced unwind has no object for the reference of its handler.
__attribute__((no_sanitize("null"))) JobState::End JobState::run() {
  End end;
  try {
    operations->call(*this);
  } catch (const abi::__forced_unwind&) {
    (void)conclude(JobStatus::dropped);
    throw;
  } catch (...) {
    end.failed = true;
    error_ = std::current_exception();
  }
  end.unwanted = conclude(end.failed ? JobStatus::failed : JobStatus::done);
  return end;
}

std::exception_ptr JobState::conclude(JobStatus status) noexcept {
  operations->end_callable(*this);
  std::exception_ptr unwanted;
  // Only those who share it can share it with others: alone we stay alone.
  if (status == JobStatus::failed && references_.load(std::memory_order_acquire) == 1) {
    unwanted = std::move(error_);
  }
  finish(status);
  return unwanted;
}

__attribute__((no_sanitize("null"))) JobState::End JobState::call(Task& task) {
  try {
    task.operations->call(task);
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (...) {
    return {true, std::current_exception()};
  }
  return {};
}

void JobState::finish(JobStatus status) noexcept {
  word_.store(static_cast<std::uint32_t>(status), std::memory_order_release);
  end_.set();
}

void JobState::release() noexcept {
  if (references_.load(std::memory_order_acquire) != 1 &&
      references_.fetch_sub(1, std::memory_order_acq_rel) != 1) {
    return;
  }
  operations->destroy(*this);
}

// --- for the handle ------------------------------------------------------------------------------

JobStatus JobState::status() noexcept {
  const JobStatus seen = status_of(word_.load(std::memory_order_acquire));
  if (seen != JobStatus::queued || !expiry_.expired()) return seen;
  (void)drop(JobStatus::expired);
  return status_of(word_.load(std::memory_order_acquire));
}

void JobState::help() {
  Worker* const worker = Worker::current();
  if (operations->help != nullptr) {
    operations->help(*this);
  } else if (worker != nullptr && link_ == worker->pool().link()) {
    (void)worker->run_inside(*this);
  }
}

WaitStatus JobState::wait(Deadline deadline, const std::stop_token& stop) {
  if (end_.is_set()) return WaitStatus::ready;
  Worker* const worker = Worker::current();
  std::optional<Worker::Blocked> blocked;
  if (worker != nullptr) {
    if (deadline.is_never() && !stop.stop_possible()) {
      help();
      if (end_.is_set()) return WaitStatus::ready;
    }
    blocked.emplace(*worker);
  }
  while (!end_.is_set()) {
    // If its time runs out in the queue, it is for us to say so.
    Deadline next = is_queued() ? std::min(deadline, expiry_) : deadline;
    // Another thread may be missing that the system has refused.
    if (worker != nullptr) next = std::min(next, worker->pool().next_start());
    const WaitStatus status =
        EventWait::wait(end_, {"Job::wait", reinterpret_cast<std::uintptr_t>(this)}, next, stop);
    if (status != WaitStatus::timeout || next == deadline) return status;
    if (expiry_.expired()) (void)drop(JobStatus::expired);
    if (worker != nullptr && worker->pool().has_work()) worker->pool().work_added();
  }
  return WaitStatus::ready;
}

void JobState::wait_or_throw(const std::stop_token& stop) {
  if (wait(Deadline::never(), stop) != WaitStatus::ready) {
    throw Stopped("rouse: the wait for the result of a job was stopped");
  }
}

void JobState::throw_unless_done() {
  const JobStatus status = status_of(word_.load(std::memory_order_acquire));
  if (status == JobStatus::done) return;
  if (status == JobStatus::failed) std::rethrow_exception(std::move(error_));
  throw JobDropped(status);
}

bool JobState::request_stop() noexcept {
  std::uint32_t seen = word_.load(std::memory_order_relaxed);
  for (;;) {
    switch (status_of(seen)) {
      case JobStatus::queued:
        if (drop(JobStatus::dropped)) return true;
        seen = word_.load(std::memory_order_relaxed);
        break;
      case JobStatus::running:
        // Acquire: the worker's number is of a worker whose control block is there.
        if (word_.compare_exchange_weak(seen, seen | stop_requested_, std::memory_order_acq_rel,
                                        std::memory_order_relaxed)) {
          if (operations->request_stop != nullptr) {
            operations->request_stop(*this);
          } else {
            stop_waits(link_, seen >> worker_shift_);
          }
          return true;
        }
        break;
      default:
        return false;
    }
  }
}

void StoppableCall::stop_waits(const PoolLink& link, unsigned worker) const noexcept {
  for (;;) {
    std::stop_source source{std::nostopstate};
    {
      const PoolAnchor::Hold hold(link);
      if (hold.pool() == nullptr) return;
      hold.pool()->notify(worker);
      source = hold.pool()->frames().source_of(this);
    }
    if (!source.stop_possible()) return;
    source.request_stop();
  }
}

// --- what comes after it -------------------------------------------------------------------------

namespace {

// Puts a job into its queue when another has ended.
class Successor {
 public:
  Successor(JobState& before, JobState& job, Urgency urgency) noexcept
      : watch_(&fire, this), before_(before), job_(job), urgency_(urgency) {
    before_.retain();
  }
  ~Successor() { before_.release(); }
  Successor(const Successor&) = delete;
  Successor& operator=(const Successor&) = delete;

  void start() noexcept {
    if (!watch_.start(before_.end())) fire(this);
  }

 private:
  static void fire(void* context) noexcept {
    // What is submitted here may be dropped, which fires the next: a long chain is not a deep
    // stack.
    thread_local Successor* first = nullptr;
    thread_local bool fires = false;
    auto* const fired = static_cast<Successor*>(context);
    fired->next_ = std::exchange(first, fired);
    if (std::exchange(fires, true)) return;
    while (first != nullptr) submit(*std::exchange(first, first->next_));
    fires = false;
  }

  static void submit(Successor& self) noexcept {
    JobState& job = self.job_;
    const Urgency urgency = self.urgency_;
    delete_task(self);
    try {
      const PoolAnchor::Hold hold(job.link());
      Pool* const pool = hold.pool();
      if (pool != nullptr && pool->push(job, urgency, TaskQueue::From::the_pool)) return;
    } catch (const std::bad_alloc&) {
      // Nobody could be told of it but those who wait for the job.
    }
    (void)job.drop(JobStatus::dropped);
    job.release();
  }

  EventWatch watch_;
  JobState& before_;
  JobState& job_;
  const Urgency urgency_;
  Successor* next_ = nullptr;  // of those that this thread is to submit
};

}  // namespace

void JobState::submit_after_this(JobState& job, Urgency urgency) {
  Successor* successor = nullptr;
  try {
    if (link_.anchor == nullptr) throw std::logic_error("rouse: then() for a Job without a pool");
    successor = new_task<Successor>(*this, job, urgency);
  } catch (...) {
    job.refuse();
    throw;
  }
  {
    const PoolAnchor::Hold hold(link_);
    if (hold.pool() != nullptr) hold.pool()->enter_queue();
  }
  successor->start();
}

}  // namespace detail
}  // namespace rouse
