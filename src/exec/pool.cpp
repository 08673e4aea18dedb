#include "exec/pool.hpp"

#include "rouse/detail/thread_name.hpp"

#include "detail/complain.hpp"
#include "detail/thread_number.hpp"
#include "exec/timer_queue.hpp"
#include "wait/blocking.hpp"
#include "wait/parking_table.hpp"

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

namespace rouse::detail {
namespace {

// After the system has refused a thread the next is not asked for at once: each attempt costs more
// than a task, and whoever posts makes it.
constexpr std::int64_t pause_after_refusal_ns = 10'000'000;

}  // namespace

// --- tasks ---------------------------------------------------------------------------------------

bool Pool::is_own_worker() const noexcept {
  const Worker* const worker = Worker::current();
  return worker != nullptr && &worker->pool() == this;
}

Admission Pool::admit(const std::stop_token& stop) {
  if (room_.try_acquire()) return Admission::counted;
  switch (options_.overflow) {
    case Overflow::wait:
      if (!is_own_worker()) return wait_for_room(Deadline::never(), stop);
      // It would wait for itself.
      if (!accepts()) return Admission::stopped;
      enter_queue();
      return Admission::counted;
    case Overflow::reject:
      return accepts() ? Admission::full : Admission::stopped;
    case Overflow::run_here:
      return accepts() ? Admission::here : Admission::stopped;
    case Overflow::drop_oldest:
      break;
  }
  return make_room();
}

Admission Pool::admit_until(Deadline deadline, const std::stop_token& stop) {
  if (!bounded()) return accepts() ? Admission::queue : Admission::stopped;
  if (options_.overflow == Overflow::drop_oldest) return make_room();
  return wait_for_room(deadline, stop);
}

Admission Pool::wait_for_room(Deadline deadline, const std::stop_token& stop) {
  const BlockSite site{"ThreadPool::post", reinterpret_cast<std::uintptr_t>(this)};
  switch (room_.acquire(deadline, stop, site)) {
    case Acquired::yes:
      return Admission::counted;
    case Acquired::timeout:
      return Admission::timeout;
    case Acquired::stopped:
    case Acquired::closed:
      break;
  }
  return Admission::stopped;
}

Admission Pool::make_room() noexcept {
  while (accepts()) {
    if (room_.try_acquire()) return Admission::counted;
    if (Task* const task = take_least_urgent()) {
      drop(*task, JobStatus::dropped);
    } else {
      // Those that fill it are on their way into a queue, or out of it.
      os::yield();
    }
  }
  return Admission::stopped;
}

void Pool::enter_queue() noexcept {
  if (!bounded() || room_.try_acquire()) return;
  beyond_.fetch_add(1, std::memory_order_relaxed);
}

void Pool::give_back_room() noexcept {
  std::uint32_t beyond = beyond_.load(std::memory_order_relaxed);
  while (beyond != 0) {
    if (beyond_.compare_exchange_weak(beyond, beyond - 1, std::memory_order_relaxed)) return;
  }
  room_.release();
}

TaskQueue& Pool::queue_for(Urgency urgency) noexcept {
  switch (urgency) {
    case Urgency::high:
      return urgent();
    case Urgency::low:
      return patient();
    case Urgency::normal:
      break;
  }
  // Threads that add have different shards, as far as there are enough.
  return shared()[thread_number() % shards_];
}

bool Pool::push(Task& task, Urgency urgency, TaskQueue::From from, Caller caller) {
  bool in_own_deque = false;
  if (urgency == Urgency::normal && !bounded()) {
    Worker* const worker = Worker::current();
    if (worker != nullptr && &worker->pool() == this) {
      // A worker that is awake will see to it that its own tasks come to their end.
      if (from == TaskQueue::From::outside && !accepts()) return false;
      in_own_deque = worker->push(task);
    }
  }
  if (!in_own_deque && !queue_for(urgency).push(task, from)) return false;
  work_added(caller);
  return true;
}

void Pool::work_added(Caller caller) noexcept {
  if (caller == Caller::looks_next && is_own_worker()) {
    Worker::current()->look_later();
  } else if (roster_.work_added()) {
    start_worker();
  }
}

void Pool::push_or_drop(Task& task) noexcept {
  enter_queue();
  const auto from = is_own_worker() ? TaskQueue::From::the_pool : TaskQueue::From::outside;
  if (!push(task, Urgency::normal, from)) drop(task, JobStatus::dropped);
}

void Pool::run_here(Task& task) {
  JobState* const job = task.operations->is_job() ? &static_cast<JobState&>(task) : nullptr;
  struct AtEnd {
    Pool& pool;
    Task& task;
    JobState* job;
    ~AtEnd() {
      if (job != nullptr) {
        (void)job->drop(JobStatus::dropped);  // if it could not be run
        job->release();
      } else {
        task.operations->destroy(task);
      }
      pool.here_.fetch_sub(1, std::memory_order_seq_cst);
      pool.check_idle();
    }
  };
  here_.fetch_add(1, std::memory_order_seq_cst);
  if (job != nullptr) enter_queue();
  const AtEnd at_end{*this, task, job};

  ControlBlock& thread = ControlBlock::current();
  Frames::Entry entry(frames_, job);
  const this_thread::Bind bind(entry.source().get_token());
  if (stops_jobs_.load(std::memory_order_seq_cst)) entry.source().request_stop();
  struct Unwinding {
    ControlBlock& thread;
    int outer;
    ~Unwinding() { thread.unwinding = outer; }
  };
  const Unwinding unwinding{thread, std::exchange(thread.unwinding, std::uncaught_exceptions())};
  if (job != nullptr) {
    if (!job->claim(JobState::no_worker)) return;
    left_queue();
  }
  JobState::End end = job != nullptr ? job->run() : JobState::call(task);
  if (end.unwanted != nullptr) report(std::move(end.unwanted));
}

void Pool::drop(Task& task, JobStatus status) noexcept {
  if (task.operations->is_job()) {
    auto& job = static_cast<JobState&>(task);
    (void)job.drop(status);
    job.release();
    return;
  }
  left_queue();
  count_dropped();
  if (task.operations->dropped != nullptr) {
    try {
      task.operations->dropped(task);
    } catch (...) {
      report(std::current_exception());
    }
  }
  task.operations->destroy(task);
}

void Pool::notify(unsigned number) noexcept {
  if (number != JobState::no_worker) {
    place(number).notify();
    return;
  }
  for (unsigned i = 0; i < places(); ++i) place(i).notify();
}

Task* Pool::take_least_urgent() noexcept {
  const auto take = [](TaskQueue& queue) -> Task* {
    Task* task = nullptr;
    return queue.take({&task, 1}).count != 0 ? task : nullptr;
  };
  if (Task* const task = take(patient())) return task;
  for (TaskQueue& each : shared()) {
    if (Task* const task = take(each)) return task;
  }
  return take(urgent());
}

void Pool::drop_queued() noexcept {
  while (Task* const task = take_least_urgent()) drop(*task, JobStatus::dropped);
  for (unsigned i = 0; i < places(); ++i) {
    while (Task* const task = place(i).steal()) drop(*task, JobStatus::dropped);
  }
}

bool Pool::has_tasks(const Worker* but) noexcept {
  for (TaskQueue& each : queues_) {
    if (!each.empty()) return true;
  }
  for (unsigned i = 0; i < places(); ++i) {
    if (&place(i) != but && place(i).has_tasks()) return true;
  }
  return false;
}

void Pool::report(std::exception_ptr exception) noexcept {
  if (QueuedJob::was_dropped(exception)) return;
  const bool fatal = options_.unhandled == Unhandled::terminate;
  if (options_.on_error) {
    try {
      options_.on_error(exception);
    } catch (...) {
      complain({"on_error of pool '", name(), "' threw: "}, std::current_exception());
    }
  } else {
    complain({"a job of pool '", name(), "' threw: "}, exception);
  }
  if (fatal) std::terminate();
}

// --- deadlines -----------------------------------------------------------------------------------

void Pool::attach(TimerQueue& timers) {
  const std::lock_guard lock(timers_mutex_);
  timers_.add(timers);
}

void Pool::detach(TimerQueue& timers) noexcept {
  const std::lock_guard lock(timers_mutex_);
  timers_.remove(timers);
}

void Pool::ring() noexcept {
  TimerState* due = nullptr;
  {
    const std::unique_lock lock(timers_mutex_, std::try_to_lock);
    if (!lock) return;
    watch_.begin_ring();
    const std::int64_t now = os::now_ns();
    timers_.for_each([&](TimerQueue& each) { due = TimerQueue::merge(due, each.take_due(now)); });
    watch_.refresh([this] {
      std::int64_t next = Watch::never;
      timers_.for_each([&](TimerQueue& each) { next = std::min(next, each.next_ns()); });
      return next;
    });
  }
  TimerQueue::finish(TimerQueue::hand_over(due, Caller::looks_next));
}

// --- workers -------------------------------------------------------------------------------------

Worker& Pool::place(unsigned number) noexcept {
  Chunk& chunk = *chunks_[number / places_per_chunk].load(std::memory_order_acquire);
  return *chunk[number % places_per_chunk].load(std::memory_order_acquire);
}

// Under threads_mutex_.
Worker& Pool::free_place() {
  const unsigned count = places();
  for (unsigned i = 0; i < count; ++i) {
    if (place(i).thread == nullptr) return place(i);
  }
  if (count == most_places) {
    throw std::system_error(
        std::make_error_code(std::errc::resource_unavailable_try_again),
        "rouse: pool '" + printable(name()) + "' has " + std::to_string(most_places) + " threads");
  }
  Atomic<Chunk*>& chunk = chunks_[count / places_per_chunk];
  if (chunk.load(std::memory_order_relaxed) == nullptr) {
    chunk.store(new Chunk{}, std::memory_order_release);
  }
  auto* const worker = new Worker(*this, count);
  (*chunk.load(std::memory_order_relaxed))[count % places_per_chunk].store(
      worker, std::memory_order_release);
  places_.store(count + 1, std::memory_order_release);
  return *worker;
}

// The roster has counted it. Throws std::system_error, std::bad_alloc.
void Pool::start_thread() {
  reap_left();
  const std::lock_guard lock(threads_mutex_);
  Worker& worker = free_place();
  worker.has_left = false;
  worker.thread = std::make_shared<StoppableThread>(
      [&worker] { worker.main(); },
      ThreadOptions{.name = name() + "-" + std::to_string(worker.number()),
                    .stack_size = options_.stack_size});
  try {
    worker.thread->start();
  } catch (...) {
    worker.thread = nullptr;
    throw;
  }
}

void Pool::start_worker() noexcept {
  if (os::now_ns() >= no_start_before_.load(std::memory_order_relaxed)) {
    try {
      start_thread();
      no_start_before_.store(0, std::memory_order_relaxed);
      return;
    } catch (...) {
      // Those who are there do the work.
      no_start_before_.store(os::now_ns() + pause_after_refusal_ns, std::memory_order_relaxed);
    }
  }
  roster_.start_failed();
  after_leaving();
}

Deadline Pool::next_start() const noexcept {
  const std::int64_t ns = no_start_before_.load(std::memory_order_relaxed);
  if (ns <= os::now_ns()) return Deadline::never();
  return Deadline::at(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(ns)));
}

std::shared_ptr<StoppableThread> Pool::thread_of(unsigned number) {
  const std::lock_guard lock(threads_mutex_);
  return place(number).thread;
}

// Joins those who have left, which is short unless destructors of thread_local objects are not.
void Pool::reap_left() noexcept {
  for (unsigned i = 0; i < places(); ++i) {
    std::shared_ptr<StoppableThread> thread;
    {
      const std::lock_guard lock(threads_mutex_);
      if (place(i).has_left) thread = std::exchange(place(i).thread, nullptr);
    }
  }
}

void Pool::worker_left(Worker& worker) noexcept {
  // One that left before is joined now, so that at most one lies about.
  reap_left();
  {
    const std::lock_guard lock(threads_mutex_);
    worker.has_left = true;
  }
  after_leaving();
}

// There is one worker less. The last after begin_stop() closes the queues for the pool too; what
// came into them meanwhile it drops: nobody is left to run it.
void Pool::after_leaving() noexcept {
  // Sequentially consistent, as in start(): one of them sees the other.
  closers_.fetch_add(1, std::memory_order_seq_cst);
  if (life_.load(std::memory_order_seq_cst) == Life::stopped && roster_.counts().threads() == 0) {
    for (TaskQueue& each : queues_) each.set_open(TaskQueue::Open::for_nobody);
    drop_queued();
    left_.set();
  }
  closers_.fetch_sub(1, std::memory_order_release);
  check_idle();
}

bool Pool::idle() noexcept {
  // In this order: what was queued before has ended, or counts.
  if (has_tasks()) return false;
  const Roster::Counts counts = roster_.counts();
  return counts.awake == 0 && counts.blocked == 0 && here_.load(std::memory_order_seq_cst) == 0;
}

// Under the lock of those who wait: what they have posted before is seen here.
void Pool::check_idle() noexcept {
  if (idle_waiters_.load(std::memory_order_seq_cst) == 0) return;
  ParkingTable::wake(&idle_waiters_, [this](ParkingTable::Waiters& waiters) {
    if (idle()) waiters.take_all();
  });
}

void Pool::require_outside(const char* action) const {
  if (!is_own_worker()) return;
  throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                          std::string("rouse: cannot ") + action + " pool '" + printable(name()) +
                              "' in one of its jobs");
}

WaitStatus Pool::wait_idle(const std::stop_token& stop) {
  require_outside("wait for the end of the jobs of");
  struct Waits {
    Atomic<unsigned>& waiters;
    explicit Waits(Atomic<unsigned>& count) noexcept : waiters(count) {
      waiters.fetch_add(1, std::memory_order_seq_cst);
    }
    ~Waits() { waiters.fetch_sub(1, std::memory_order_relaxed); }
  };
  Blocking blocking({"ThreadPool::wait_idle", reinterpret_cast<std::uintptr_t>(this)},
                    Deadline::never(), stop);
  const Waits waits(idle_waiters_);
  if (idle()) return WaitStatus::ready;
  if (blocking.ended()) return blocking.finish();
  blocking.arm();
  WaitNode node;
  node.waker = Waker::thread(blocking.thread());
  if (!ParkingTable::enqueue(node, &idle_waiters_, [this] { return !idle(); })) {
    return WaitStatus::ready;
  }
  do {
    blocking.park();
  } while (!node.signalled.load(std::memory_order_relaxed) && !blocking.ended());
  if (ParkingTable::dequeue(node).signalled) return WaitStatus::ready;
  return blocking.finish();
}

}  // namespace rouse::detail
