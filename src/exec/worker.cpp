#include "exec/worker.hpp"

#include "exec/pool.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace rouse::detail {
namespace {

[[gnu::tls_model("initial-exec")]] constinit thread_local Worker* this_worker = nullptr;

// Among jobs that start on one worker, at least one in so many is of little urgency, or not of high
// urgency, if there are any.
constexpr unsigned low_turn = 32;
constexpr unsigned normal_turn = 8;

// A worker that adds tasks of its own looks into the shared queue after so many.
constexpr unsigned shared_turn = 64;

}  // namespace

Worker* Worker::current() noexcept { return this_worker; }

void Worker::notify() noexcept {
  ControlBlock* const block = block_.load(std::memory_order_seq_cst);
  if (block != nullptr) block->notify();
}

// A forced unwind has no object for the reference of its handler.
__attribute__((no_sanitize("null"))) void Worker::main() {
  ControlBlock& block = ControlBlock::current();
  block_.store(&block, std::memory_order_seq_cst);
  this_worker = this;
  awake_ = true;
  random_ = number_ + 1;

  // Also where pthread_exit unwinds the thread.
  struct AtEnd {
    Worker& worker;
    ~AtEnd() {
      this_worker = nullptr;
      worker.running_since_.store(0, std::memory_order_relaxed);
      if (worker.awake_) {
        worker.pool_.roster().leave();
        if (worker.pool_.has_work()) worker.pool_.work_added();
      }
      worker.pool_.worker_left(worker);
    }
  } at_end{*this};

  JobFrame frame(block, pool_.frames(), pool_.stops_jobs());
  bool searching = true;
  const auto end_search = [&] {
    if (std::exchange(searching, false) && pool_.roster().end_searching() && leaves_work()) {
      pool_.work_added();
    }
  };
  if (pool_.options().on_thread_start) {
    try {
      pool_.options().on_thread_start(number_);
    } catch (const abi::__forced_unwind&) {
      end_search();
      throw;
    } catch (...) {
      pool_.report(std::current_exception());
    }
  }

  Roster& roster = pool_.roster();
  Watch& watch = pool_.watch();
  for (;;) {
    std::int64_t alarm = Watch::never;
    bool lies = !searching && roster.crowded() && roster.lie_down_if_crowded(sleeper_);
    if (!lies) {
      Task* task = find();
      if (task == nullptr) {
        // After a call that was due nothing else is likely to come soon.
        if (!searching && !woken_by_alarm_) {
          searching = roster.start_searching(pool_.searchers());
        }
        if (searching) task = search();
      }
      if (task != nullptr) {
        end_search();
        // For who ended a call and has left it to us, who would have slept otherwise.
        if (std::exchange(owes_look_, false) && leaves_work()) pool_.work_added();
        execute(*task, frame);
        continue;
      }
      roster.lie_down(sleeper_, std::exchange(searching, false));
      woken_by_alarm_ = false;
      owes_look_ = false;
      alarm = watch.guard(number_);
      if (pool_.has_work() && roster.get_up(sleeper_)) {
        if (alarm != Watch::never) watch.leave(number_);
        searching = true;
        continue;
      }
    }
    awake_ = false;
    pool_.check_idle();
    const Roster::Woken woken = sleep(alarm);
    if (woken == Roster::Woken::surplus) return;
    awake_ = true;
    searching = woken == Roster::Woken::for_work;
    // What was accepted before the workers were dismissed is there to be seen.
    if (!searching && !pool_.has_tasks()) return;
  }
}

// Whether another is to be called while this one makes a call. What was due with that call may wait
// for the second guard, who finds it here if the call lasts.
bool Worker::leaves_work() noexcept {
  const bool may_wait = woken_by_alarm_ && pool_.watch().guarded_until() <=
                                               saturated_sum(os::now_ns(), Watch::grace_ns);
  return pool_.has_work(may_wait ? this : nullptr);
}

// Wakes up at `alarm` too, if more may be awake; if not, those who are will look at the deadlines.
Roster::Woken Worker::sleep(std::int64_t alarm) noexcept {
  Roster& roster = pool_.roster();
  const std::int64_t idle = pool_.options().idle_timeout.count();
  if (alarm == Watch::never) return roster.sleep(sleeper_, idle);
  // By default the system lets timed waits last 50 us longer.
  if (!std::exchange(is_punctual_, true)) os::set_timer_slack(1);
  Roster::Woken woken = roster.sleep(sleeper_, idle, Deadline::at_ns(alarm));
  pool_.watch().leave(number_);
  if (woken == Roster::Woken::alarm) {
    woken_by_alarm_ = roster.get_up(sleeper_);
    woken = woken_by_alarm_ ? Roster::Woken::for_work : roster.sleep(sleeper_, idle);
  }
  if (woken == Roster::Woken::surplus && pool_.watch().unguarded()) pool_.work_added();
  return woken;
}

// --- looking for work ----------------------------------------------------------------------------

Task* Worker::take_from(TaskQueue& queue, std::size_t most) {
  std::array<Task*, batch_> batch;
  const TaskQueue::Taken taken = queue.take(std::span(batch).first(most));
  if (taken.waited_ns >= 0) record(wait_times_, taken.waited_ns);
  if (taken.count == 0) return nullptr;
  if (taken.count > 1) {
    // They come from the cache of another CPU, all at the same time.
    for (Task* const task : std::span(batch).first(taken.count)) __builtin_prefetch(task, 1);
    // There is room: only who has no tasks of its own takes several.
    tasks_.push(std::span(batch).subspan(1, taken.count - 1));
    pool_.work_added();
  }
  return batch[0];
}

// One, or, if the others find some too, several.
Task* Worker::take_shared(bool several) {
  const std::span<TaskQueue> shards = pool_.shared();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    TaskQueue& queue = shards[next_shard_++ % shards.size()];
    const std::size_t size = queue.size();
    if (size == 0) continue;
    const std::size_t share = several ? size / (2 * std::size_t{pool_.places()}) + 1 : 1;
    if (Task* const task = take_from(queue, std::min(batch_, share))) return task;
  }
  return nullptr;
}

Task* Worker::find() {
  if (pool_.deadline_passed()) pool_.ring();
  // Counted from when they wait: a few jobs that come together start in their order.
  since_low_ = pool_.patient().size() == 0 ? 0 : since_low_ + 1;
  if (since_low_ >= low_turn) {
    since_low_ = 0;
    if (Task* const task = take_from(pool_.patient(), 1)) return task;
  }
  if (since_normal_ + 1 < normal_turn) {
    if (Task* const task = take_from(pool_.urgent(), 1)) {
      ++since_normal_;
      return task;
    }
  }
  since_normal_ = 0;
  if (++since_shared_ >= shared_turn) {
    since_shared_ = 0;
    if (Task* const task = take_shared(false)) return task;
  }
  if (Task* const task = tasks_.take()) return task;
  since_shared_ = 0;
  if (Task* const task = take_shared(!pool_.bounded())) return task;
  if (Task* const task = take_from(pool_.urgent(), 1)) return task;
  if (Task* const task = take_from_others()) return task;
  return take_from(pool_.patient(), 1);
}

Task* Worker::take_from_others() {
  const unsigned places = pool_.places();
  random_ = random_ * 1664525 + 1013904223;  // Numerical Recipes' generator
  unsigned number = (random_ >> 16) % places;
  for (unsigned i = 0; i < places; ++i) {
    if (number != number_) {
      if (Task* const task = pool_.place(number).steal()) return task;
    }
    if (++number == places) number = 0;
  }
  return nullptr;
}

// Work that comes while somebody searches costs nobody a wake-up. How long that pays is learnt:
// each search that finds something may last twice as long, each other one half as long.
Task* Worker::search() {
  const unsigned longest = spins_;
  for (unsigned i = 0; i < longest; ++i) {
    for (int j = 0; j < 16; ++j) os::cpu_relax();
    if (Task* const task = find()) {
      spins_ = std::min(longest * 2, most_spins_);
      return task;
    }
  }
  spins_ = std::max(longest / 2, fewest_spins_);
  return nullptr;
}

// --- running -------------------------------------------------------------------------------------

void Worker::execute(Task& task, JobFrame& frame) {
  if (pool_.stops_jobs().load(std::memory_order_seq_cst)) {
    pool_.drop(task, JobStatus::dropped);
    return;
  }
  JobState* job = nullptr;
  if (task.operations->is_job()) {
    job = &static_cast<JobState&>(task);
    if (!job->claim(number_)) {
      job->release();
      return;
    }
  }
  pool_.left_queue();
  call(task, job, frame);
}

bool Worker::run_inside(JobState& job) {
  if (pool_.stops_jobs().load(std::memory_order_seq_cst) || !job.claim(number_)) return false;
  // One of its references is that of the queue in which it still is, unless it is the newest here.
  if (!tasks_.take_back(job)) job.retain();
  pool_.left_queue();
  const std::int64_t outer_since = running_since_.load(std::memory_order_relaxed);
  const char* const outer_name = running_name_.load(std::memory_order_relaxed);
  {
    JobFrame frame(ControlBlock::current(), pool_.frames(), pool_.stops_jobs());
    call(job, &job, frame);
  }
  running_name_.store(outer_name, std::memory_order_relaxed);
  running_since_.store(outer_since, std::memory_order_relaxed);
  return true;
}

void Worker::call(Task& task, JobState* job, JobFrame& frame) {
  // Also where pthread_exit unwinds the thread.
  struct AtEnd {
    Task& task;
    JobState* job;
    JobFrame& frame;
    ~AtEnd() {
      if (job == nullptr) task.operations->destroy(task);
      frame.leave();
      if (job != nullptr) job->release();
    }
  };

  const bool watched = pool_.watches();
  const bool sampled = done_.load(std::memory_order_relaxed) % sampled_ == 0;
  const std::int64_t since = watched || sampled ? os::now_ns() : 0;
  if (watched) {
    running_name_.store(job == nullptr ? "" : job->name(), std::memory_order_relaxed);
    running_since_.store(since, std::memory_order_relaxed);
  }
  JobState::End end;
  {
    frame.enter(job);
    const AtEnd at_end{task, job, frame};
    end = job != nullptr ? job->run() : JobState::call(task);
  }
  if (watched) running_since_.store(0, std::memory_order_relaxed);
  if (sampled) record(run_times_, os::now_ns() - since);
  add(done_);
  if (end.failed) add(failed_);
  if (end.unwanted != nullptr) pool_.report(std::move(end.unwanted));
}

Worker::Blocked::Blocked(Worker& worker) noexcept : roster_(worker.pool_.roster()) {
  roster_.block();
  if (worker.pool_.has_work()) worker.pool_.work_added();
}

Worker::Blocked::~Blocked() { roster_.unblock(); }

// --- reports -------------------------------------------------------------------------------------

void Worker::record(Histogram& histogram, std::int64_t ns) noexcept {
  const auto width = static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(ns)));
  add(histogram[std::min(width, histogram.size() - 1)]);
}

Worker::Running Worker::running() const noexcept {
  return {running_since_.load(std::memory_order_relaxed),
          running_name_.load(std::memory_order_relaxed)};
}

void Worker::add_to(ThreadPoolStats& stats) const noexcept {
  const std::uint64_t failed = failed_.load(std::memory_order_relaxed);
  stats.failed += failed;
  // Read later, so not less.
  stats.done += done_.load(std::memory_order_relaxed) - failed;
  stats.queued_normal += tasks_.size();
  for (std::size_t i = 0; i < wait_times_.size(); ++i) {
    stats.wait_time.buckets[i] += wait_times_[i].load(std::memory_order_relaxed);
    stats.run_time.buckets[i] += run_times_[i].load(std::memory_order_relaxed);
  }
}

}  // namespace rouse::detail
