#include "rouse/exec/timer_state.hpp"

#include "rouse/wait/shield.hpp"

#include "exec/job_frame.hpp"
#include "exec/pool.hpp"
#include "exec/timer_queue.hpp"
#include "exec/worker.hpp"
#include "wait/event_wait.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <exception>
#include <new>
#include <optional>
#include <utility>

namespace rouse::detail {

// --- places --------------------------------------------------------------------------------------

void TimerState::enter(TimerEntry*& list) noexcept {
  next = list;
  link = &list;
  if (list != nullptr) list->link = &next;
  list = this;
}

void TimerState::leave() noexcept {
  // One that is being handed over is in no list yet.
  if (link == nullptr) return;
  *link = next;
  if (next != nullptr) next->link = link;
  link = nullptr;
}

bool TimerState::repeats() const noexcept {
  return kind_ == Kind::repeating ||
         (kind_ == Kind::calendar && static_cast<const CalendarTimer*>(this)->rule_.cron);
}

bool TimerState::is_running() const noexcept {
  const LockGuard guard(shard_->lock);
  return status_ == Status::running;
}

bool TimerState::runs_in_this_thread() const noexcept {
  const Worker* const current = Worker::current();
  if (current == nullptr) return false;
  const LockGuard guard(shard_->lock);
  return status_ == Status::running && worker() == current->number() &&
         &current->pool() == &shard_->queue->pool();
}

// --- the handle ----------------------------------------------------------------------------------

bool TimerState::cancel() noexcept {
  TimerShard& shard = *shard_;
  bool was_pending = false;
  bool was_last = false;
  {
    const LockGuard guard(shard.lock);
    if (status_ == Status::over || cancelled_) return false;
    if (status_ == Status::running) {
      if (!has_more_calls()) return false;
      cancelled_ = true;
      ++shard.cancelled;
      return true;
    }
    was_pending = status_ == Status::pending;
    if (was_pending) {
      shard.wheel.remove(*this);
    } else {
      leave();
    }
    status_ = Status::over;
    ++shard.cancelled;
    was_last = shard.count_out();
  }
  end_call();
  if (was_last) shard.queue->shard_ended();
  // Otherwise it is that of the pool, which will come across it.
  if (was_pending) release();
  return true;
}

WaitStatus TimerState::cancel_and_wait(const std::stop_token& stop) {
  (void)cancel();
  if (over_.is_set() || runs_in_this_thread()) return WaitStatus::ready;
  std::optional<Worker::Blocked> blocked;
  if (Worker* const worker = Worker::current()) blocked.emplace(*worker);
  return EventWait::wait(over_, {"Timer::cancel_and_wait", reinterpret_cast<std::uintptr_t>(this)},
                         Deadline::never(), stop);
}

void TimerState::end() noexcept {
  (void)cancel();
  (void)request_stop();
  while (!over_.is_set()) {
    try {
      const Shield shield;
      (void)cancel_and_wait({});
      return;
    } catch (const std::bad_alloc&) {
      // For this thread's first wait.
      os::yield();
    }
  }
}

bool TimerState::reschedule(std::int64_t delay_ns) noexcept {
  TimerShard& shard = *shard_;
  bool first = false;
  {
    const LockGuard guard(shard.lock);
    const bool pending = status_ == Status::pending;
    if (!pending && (status_ != Status::running || !has_more_calls())) return false;
    const TimerQueue& queue = *shard.queue;
    const std::int64_t now = queue.now_ns();
    const std::int64_t at = saturated_sum(now, std::max<std::int64_t>(delay_ns, 0));
    if (kind_ == Kind::repeating) static_cast<RepeatingTimer*>(this)->time_ = at;
    if (kind_ == Kind::calendar) {
      static_cast<CalendarTimer*>(this)->rule_.time_ns =
          saturated_sum(queue.calendar_ns(), std::max<std::int64_t>(delay_ns, 0));
    }
    if (!pending) {
      rescheduled_ = true;
      deadline = at;
      return true;
    }
    shard.wheel.remove(*this);
    first = TimerQueue::put_in(*this, at, now);
    if (first) ++shard.alive;
  }
  if (first) shard.queue->tell_and_count_out(shard, Caller::anybody);
  return true;
}

std::optional<std::chrono::steady_clock::time_point> TimerState::next_run() const noexcept {
  const LockGuard guard(shard_->lock);
  if (status_ == Status::over || (status_ == Status::running && !rescheduled_)) return {};
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(deadline));
}

std::uint64_t TimerState::runs() const noexcept {
  const LockGuard guard(shard_->lock);
  return runs_;
}

bool TimerState::request_stop() noexcept {
  PoolLink link_of_pool;
  unsigned number = 0;
  {
    const LockGuard guard(shard_->lock);
    if (status_ != Status::running) return false;
    number = worker();
    link_of_pool = shard_->queue->pool().link();
    word_.fetch_or(stop_requested_, std::memory_order_acq_rel);
  }
  stop_waits(link_of_pool, number);
  return true;
}

void TimerState::release() noexcept {
  // Who is alone stays alone: only those who share it can share it with others.
  if (references_.load(std::memory_order_acquire) != 1 &&
      references_.fetch_sub(1, std::memory_order_acq_rel) != 1) {
    return;
  }
  timer_operations().free(*this);
}

void TimerState::refuse() noexcept {
  timer_operations().end_callable(*this);
  timer_operations().free(*this);
}

// --- its calls -----------------------------------------------------------------------------------

// A forced unwind has no object for the reference of its handler.
__attribute__((no_sanitize("null"))) void TimerState::call_in_pool(Task& task) {
  auto& timer = static_cast<TimerState&>(task);
  TimerShard& shard = *timer.shard_;
  Worker& worker = *Worker::current();
  std::int64_t due = 0;
  {
    const LockGuard guard(shard.lock);
    if (timer.status_ != Status::queued) return;
    timer.status_ = Status::running;
    timer.word_.store(worker.number() << worker_shift_, std::memory_order_relaxed);
    due = timer.deadline;
  }
  TimerQueue& queue = *shard.queue;
  queue.begun(queue.now_ns() - due);
  JobFrame frame(ControlBlock::current(), worker.pool().frames(), worker.pool().stops_jobs());
  frame.enter(&timer);
  const auto& on_error = queue.setting().on_error;
  if (!on_error) {
    timer.timer_operations().invoke(timer);
    return;
  }
  try {
    timer.timer_operations().invoke(timer);
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (...) {
    on_error(std::current_exception());
  }
}

// After the call, or without one.
void TimerState::leave_pool(Task& task) noexcept {
  auto& timer = static_cast<TimerState&>(task);
  TimerShard& shard = *timer.shard_;
  TimerQueue& queue = *shard.queue;
  bool was_over = false;
  bool is_over = true;
  bool first = false;
  // If it does not run, its executor and the clock may be gone.
  if (timer.kind_ == Kind::once || !timer.is_running()) {
    const LockGuard guard(shard.lock);
    was_over = timer.leave_active();
  } else {
    const std::int64_t now = queue.now_ns();
    const std::int64_t time = timer.next_calendar_time();
    const LockGuard guard(shard.lock);
    was_over = timer.leave_active();
    if (timer.has_more_calls()) {
      if (shard.closed) {
        ++shard.abandoned;
      } else {
        is_over = false;
        timer.word_.store(0, std::memory_order_relaxed);
        first = TimerQueue::put_in(timer, timer.next_deadline(now, time), now);
        if (first) ++shard.alive;
      }
    }
  }
  if (!is_over) {
    if (first) queue.tell_and_count_out(shard, Caller::looks_next);
    return;
  }
  if (!was_over) timer.finish();
  timer.release();
}

// Under the lock of its shard. True if it has been over before.
bool TimerState::leave_active() noexcept {
  if (status_ == Status::over) return true;
  leave();
  if (status_ == Status::running) {
    ++runs_;
  } else {
    ++shard_->abandoned;
  }
  status_ = Status::over;
  return false;
}

// Under the lock of its shard: whether there are more calls, after the one that runs.
bool TimerState::has_more_calls() const noexcept {
  if (cancelled_ || !repeats()) return false;
  if (kind_ == Kind::calendar) return true;
  const std::uint64_t times = static_cast<const RepeatingTimer*>(this)->rule_.options.times;
  return times == 0 || runs_ + (status_ == Status::running ? 1 : 0) < times;
}

std::int64_t TimerState::next_calendar_time() const noexcept {
  if (kind_ != Kind::calendar) return 0;
  const auto& calendar = static_cast<const CalendarTimer&>(*this);
  if (!calendar.rule_.cron) return 0;
  std::int64_t last = 0;
  {
    const LockGuard guard(shard_->lock);
    last = calendar.rule_.time_ns;
  }
  return shard_->queue->time_after(*calendar.rule_.cron, last);
}

// Under the lock of its shard.
std::int64_t TimerState::next_deadline(std::int64_t now, std::int64_t calendar_time) noexcept {
  if (std::exchange(rescheduled_, false)) return deadline;
  if (kind_ == Kind::calendar) {
    static_cast<CalendarTimer*>(this)->rule_.time_ns = calendar_time;
    return shard_->queue->deadline_of(calendar_time);
  }
  return static_cast<RepeatingTimer*>(this)->go_on(now, shard_->missed, shard_->random);
}

// `time_` becomes that of the next call. Returns its deadline.
std::int64_t RepeatingTimer::go_on(std::int64_t now, std::uint64_t& missed,
                                   std::uint64_t& random) noexcept {
  const std::int64_t period = rule_.period_ns;
  const RepeatOptions& options = rule_.options;
  if (options.mode == RepeatMode::fixed_delay) {
    time_ = saturated_sum(now, period);
  } else {
    const std::int64_t passed = now < time_ ? 0 : (now - time_) / period;
    if (passed == 0 || options.on_missed == OnMissed::catch_up) {
      time_ = saturated_sum(time_, period);
    } else if (options.on_missed == OnMissed::merge) {
      time_ += passed * period;
      missed += static_cast<std::uint64_t>(passed) - 1;
    } else {
      time_ = saturated_sum(time_ + passed * period, period);
      missed += static_cast<std::uint64_t>(passed);
    }
  }
  return jittered(random);
}

std::int64_t RepeatingTimer::jittered(std::uint64_t& random) const noexcept {
  const std::int64_t jitter = rule_.options.jitter.count();
  if (jitter == 0) return time_;
  // splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
  random += 0x9E3779B97F4A7C15;
  std::uint64_t mixed = (random ^ (random >> 30)) * 0xBF58476D1CE4E5B9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
  mixed ^= mixed >> 31;
  const auto later = mixed % (static_cast<std::uint64_t>(jitter) + 1);
  return saturated_sum(time_, static_cast<std::int64_t>(later));
}

// It is over, and the lock is not held.
void TimerState::end_call() noexcept {
  timer_operations().end_callable(*this);
  shard_->queue->forget_calendar(*this);
  over_.set();
}

void TimerState::finish() noexcept {
  TimerShard& shard = *shard_;
  end_call();
  shard.queue->count_out(shard);
}

}  // namespace rouse::detail
