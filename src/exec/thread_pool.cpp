#include "rouse/exec/thread_pool.hpp"

#include "rouse/detail/thread_name.hpp"
#include "rouse/wait/shield.hpp"

#include "exec/pool.hpp"
#include "wait/control_block.hpp"

#include <ostream>
#include <utility>

namespace rouse {

using detail::Admission;
using detail::TaskQueue;

namespace {

// For what must not stop half-way: its wait then needs no memory.
void prepare_to_wait() { (void)detail::ControlBlock::current(); }

}  // namespace

ThreadPool::ThreadPool(ThreadPoolOptions options)
    : pool_(std::make_unique<detail::Pool>(std::move(options))),
      link_(pool_->link()),
      bounded_(pool_->bounded()) {}

ThreadPool::~ThreadPool() = default;

Admission ThreadPool::admit_bounded(const std::stop_token& stop) {
  const Admission admission = pool_->admit(stop);
  if (admission == Admission::full) {
    throw QueueFull("rouse: the queue of pool '" + detail::printable(name()) + "' is full (" +
                    std::to_string(pool_->options().queue_capacity) + " jobs)");
  }
  if (admission == Admission::stopped) throw_stopped();
  return admission;
}

Admission ThreadPool::admit_until(detail::Deadline deadline, const std::stop_token& stop) {
  return pool_->admit_until(deadline, stop);
}

void ThreadPool::give_back(Admission admission) noexcept {
  if (admission == Admission::counted) pool_->left_queue();
}

bool ThreadPool::try_enqueue(detail::Task& task, Urgency urgency, Admission admission) {
  if (admission == Admission::here) {
    pool_->run_here(task);
    return true;
  }
  struct Refusal {
    ThreadPool& pool;
    detail::Task& task;
    Admission admission;
    bool accepted = false;
    ~Refusal() {
      if (accepted) return;
      pool.give_back(admission);
      if (task.operations->is_job()) {
        static_cast<detail::JobState&>(task).refuse();
      } else {
        task.operations->destroy(task);
      }
    }
  };
  Refusal refusal{*this, task, admission};
  refusal.accepted = pool_->push(task, urgency, TaskQueue::From::outside);
  return refusal.accepted;
}

void ThreadPool::enqueue(detail::Task& task, Urgency urgency, Admission admission) {
  if (!try_enqueue(task, urgency, admission)) throw_stopped();
}

bool ThreadPool::runs_in_this_thread() const noexcept { return pool_->is_own_worker(); }
void ThreadPool::add_handler(detail::Task& task) noexcept { pool_->push_or_drop(task); }
void* ThreadPool::extension(std::shared_ptr<void> offered) {
  return pool_->extension(std::move(offered));
}

// --- ranges --------------------------------------------------------------------------------------

Admission ThreadPool::admit_caller(bool takes_part, const std::stop_token& stop) {
  prepare_to_wait();
  if (!takes_part) return admit(stop);
  if (!pool_->accepts()) throw_stopped();
  return Admission::queue;
}

void ThreadPool::start_range(detail::RangeJob& range, Urgency urgency, Admission admission) {
  detail::RangeJob::Runners runners(range);
  detail::Task* const first = runners.next();
  if (first == nullptr) return;  // the range is empty
  enqueue(*first, urgency, admission);
  add_runners(runners, urgency);
}

void ThreadPool::add_runners(detail::RangeJob::Runners& runners, Urgency urgency) {
  const Admission admission = bounded_ ? Admission::counted : Admission::queue;
  while (pool_->try_admit()) {
    detail::Task* const runner = runners.next();
    if (runner == nullptr) {
      give_back(admission);
      return;
    }
    (void)try_enqueue(*runner, urgency, admission);
  }
}

void ThreadPool::run_range(detail::RangeJob& range, Urgency urgency, Admission admission,
                           bool caller_takes_part, const std::stop_token& stop) {
  // Also where something is raised, or pthread_exit unwinds the thread.
  struct AtEnd {
    detail::RangeJob& range;
    ~AtEnd() {
      if (!range.request_stop()) return;
      const Shield shield;
      (void)range.wait(detail::Deadline::never(), {});
    }
  };
  {
    const AtEnd at_end{range};
    if (caller_takes_part) {
      {
        detail::RangeJob::Runners runners(range);
        add_runners(runners, urgency);
      }
      range.take_part();
    } else {
      start_range(range, urgency, admission);
    }
    range.wait_or_throw(stop);
  }
  range.throw_unless_done();
}

// --- the pool ------------------------------------------------------------------------------------

void ThreadPool::throw_stopped() const {
  if (!pool_->accepts()) {
    throw Stopped("rouse: pool '" + detail::printable(name()) + "' is stopped and takes no jobs");
  }
  throw Stopped("rouse: the wait for room in the queue of pool '" + detail::printable(name()) +
                "' was stopped");
}

WaitStatus ThreadPool::wait_idle(std::stop_token stop) { return pool_->wait_idle(stop); }

void ThreadPool::resize(std::size_t min_threads, std::size_t max_threads) {
  pool_->resize(min_threads, max_threads);
}

void ThreadPool::stop() {
  pool_->require_outside("stop");
  prepare_to_wait();
  pool_->begin_stop(false);
  (void)pool_->await_end(detail::Deadline::never());
}

bool ThreadPool::try_stop() {
  prepare_to_wait();
  pool_->begin_stop(false);
  return pool_->await_end(detail::Deadline::past());
}

StopReport ThreadPool::stop_until(detail::Deadline deadline) {
  pool_->require_outside("stop");
  prepare_to_wait();
  const std::int64_t begin = detail::os::now_ns();
  const std::size_t threads = pool_->roster().counts().threads();
  pool_->begin_stop(true);
  StopReport report;
  if (!pool_->await_end(deadline)) report.stragglers = pool_->stragglers();
  report.stopped = threads - std::min(threads, report.stragglers.size());
  report.elapsed = std::chrono::nanoseconds(detail::os::now_ns() - begin);
  return report;
}

void ThreadPool::start() { pool_->start(); }
bool ThreadPool::running() const noexcept { return pool_->accepts(); }
const std::string& ThreadPool::name() const noexcept { return pool_->name(); }
ThreadPoolStats ThreadPool::stats() const { return pool_->stats(); }
void ThreadPool::dump_stats(std::ostream& out) const { pool_->dump(out); }

}  // namespace rouse
