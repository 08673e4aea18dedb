#include "exec/timer_queue.hpp"

#include "detail/thread_number.hpp"
#include "detail/usable_cpus.hpp"
#include "exec/manual_clock_state.hpp"
#include "exec/pool.hpp"
#include "exec/worker.hpp"

#include <algorithm>
#include <bit>
#include <memory>
#include <new>
#include <utility>

namespace rouse::detail {
namespace {

struct FreeQueues {
  Lock lock;
  TimerQueue* first = nullptr;
};
constinit FreeQueues free_queues;

constexpr std::size_t many_timers = 16'384;

// After a due timer could not be queued for want of memory.
constexpr std::int64_t retry_ns = 1'000'000;

// A clock that is set back by less has been corrected; otherwise it is another calendar.
constexpr std::int64_t small_correction_ns = std::int64_t{3} * 3600 * 1'000'000'000;

bool comes_before(const TimerState& a, const TimerState& b) noexcept {
  return a.order() < b.order();
}

TimerState* next_of(const TimerState& timer) noexcept {
  return static_cast<TimerState*>(timer.next);
}

// Merges lists of equal length as they come; runs[i] has 2^i timers or none.
TimerState* sort(TimerState* list) noexcept {
  std::array<TimerState*, 64> runs{};
  while (list != nullptr) {
    TimerState* run = std::exchange(list, next_of(*list));
    run->next = nullptr;
    std::size_t i = 0;
    for (; runs[i] != nullptr; ++i) run = TimerQueue::merge(std::exchange(runs[i], nullptr), run);
    runs[i] = run;
  }
  TimerState* all = nullptr;
  for (TimerState* const run : runs) all = TimerQueue::merge(run, all);
  return all;
}

}  // namespace

// --- its life ------------------------------------------------------------------------------------

TimerQueue::TimerQueue() noexcept
    : shards_count_(std::min<std::size_t>(std::bit_ceil(usable_cpus()), most_shards)) {
  for (TimerShard& each : shards_) each.queue = this;
}

TimerQueue& TimerQueue::acquire(Setting setting) {
  std::stop_source stop{std::nostopstate};
  if (setting.shares_pool) stop = std::stop_source();
  TimerQueue* queue = nullptr;
  {
    const LockGuard guard(free_queues.lock);
    queue = free_queues.first;
    if (queue != nullptr) free_queues.first = queue->next_free_;
  }
  if (queue == nullptr) queue = new TimerQueue;
  queue->setting_ = std::move(setting);
  queue->calendar_offset_ = queue->calendar_offset();
  queue->stop_ = std::move(stop);
  queue->fired_.store(0, std::memory_order_relaxed);
  for (auto& each : queue->lateness_) each.store(0, std::memory_order_relaxed);
  // One more, until it is closed.
  queue->open_shards_.store(static_cast<std::uint32_t>(queue->shards_count_) + 1,
                            std::memory_order_relaxed);
  queue->ended_.clear();
  const std::int64_t now = queue->now_ns();
  queue->for_each_shard([now](TimerShard& shard) {
    const LockGuard guard(shard.lock);
    shard.closed = shard.dropping = false;
    shard.policy = StopPolicy::await_ahead;
    shard.missed = shard.cancelled = shard.abandoned = 0;
    std::destroy_at(&shard.wheel);
    std::construct_at(&shard.wheel, now);
    shard.next.store(Watch::never, std::memory_order_relaxed);
  });
  if (queue->setting_.clock != nullptr) {
    auto& state = *queue->setting_.clock->state_;
    const std::lock_guard lock(state.mutex);
    state.queues.add(*queue);
  } else {
    queue->pool().attach(*queue);
  }
  return *queue;
}

void TimerQueue::retire() noexcept {
  if (setting_.clock != nullptr) {
    auto& state = *setting_.clock->state_;
    const std::lock_guard lock(state.mutex);
    state.queues.remove(*this);
  } else {
    pool().detach(*this);
  }
  setting_ = {};
  stop_ = std::stop_source(std::nostopstate);
  const LockGuard guard(free_queues.lock);
  next_free_ = std::exchange(free_queues.first, this);
}

template <class F>
void TimerQueue::for_each_shard(F f) {
  for (std::size_t i = 0; i < shards_count_; ++i) f(shards_[i]);
}

TimerShard& TimerQueue::own_shard() noexcept { return shards_[thread_number() % shards_count_]; }

// --- time ----------------------------------------------------------------------------------------

std::int64_t TimerQueue::now_ns() const noexcept {
  return setting_.clock == nullptr ? os::now_ns() : setting_.clock->state_->now_ns.load();
}

std::int64_t TimerQueue::calendar_ns() const noexcept {
  return setting_.clock == nullptr ? os::calendar_ns() : setting_.clock->state_->calendar_ns.load();
}

std::int64_t TimerQueue::calendar_offset() const noexcept {
  return saturated_sum(calendar_ns(), -now_ns());
}

std::int64_t TimerQueue::deadline_of(std::int64_t calendar_time_ns) const noexcept {
  if (calendar_time_ns == Watch::never) return Watch::never;
  std::int64_t left = 0;
  if (__builtin_sub_overflow(calendar_time_ns, calendar_ns(), &left)) {
    return calendar_time_ns < 0 ? 0 : Watch::never;
  }
  return saturated_sum(now_ns(), left);
}

// --- timers --------------------------------------------------------------------------------------

bool TimerQueue::put_in(TimerState& timer, std::int64_t deadline, std::int64_t now) noexcept {
  TimerShard& shard = *timer.shard_;
  timer.status_ = TimerState::Status::pending;
  shard.wheel.insert(timer, deadline, now);
  const std::int64_t told = shard.next.load(std::memory_order_relaxed);
  // A wheel that fills wakes up earlier, which is looked at now and then.
  if (deadline >= told && shard.wheel.size() % many_timers != 0) return false;
  const std::int64_t wake_at = shard.wheel.wake_at();
  if (wake_at >= told) return false;
  // Partner is next_ns(): whoever reads the old one is told afterwards.
  shard.next.store(wake_at, std::memory_order_seq_cst);
  return true;
}

bool TimerQueue::add(TimerState& timer, std::int64_t deadline, std::int64_t now) {
  TimerShard& shard = own_shard();
  timer.shard_ = &shard;
  return add_to(shard, timer, deadline, now);
}

bool TimerQueue::add_to(TimerShard& shard, TimerState& timer, std::int64_t deadline,
                        std::int64_t now) {
  timer.number_ = next_number_.fetch_add(1, std::memory_order_relaxed);
  bool first = false;
  {
    const LockGuard guard(shard.lock);
    if (shard.closed) return false;
    ++shard.alive;
    first = put_in(timer, std::max<std::int64_t>(deadline, 0), now);
  }
  if (first) tell(shard.next.load(std::memory_order_relaxed), Caller::anybody);
  return true;
}

void TimerQueue::tell(std::int64_t deadline, Caller caller) noexcept {
  if (setting_.clock != nullptr) {
    if (deadline <= now_ns()) ring(caller);
  } else if (pool().watch().lower(deadline)) {
    pool().work_added(caller);
  }
}

// The caller has counted as alive since it put the timer in, lest the queue is retired meanwhile.
void TimerQueue::tell_and_count_out(TimerShard& shard, Caller caller) noexcept {
  tell(shard.next.load(std::memory_order_relaxed), caller);
  count_out(shard);
}

void TimerQueue::count_out(TimerShard& shard, std::size_t count) noexcept {
  bool last = false;
  {
    const LockGuard guard(shard.lock);
    last = shard.count_out(count);
  }
  if (last) shard_ended();
}

// Whoever waits for the end may retire the queue.
void TimerQueue::shard_ended() noexcept {
  if (open_shards_.fetch_sub(1, std::memory_order_acq_rel) == 1) ended_.set();
}

// --- the pool ------------------------------------------------------------------------------------

TimerState* TimerQueue::merge(TimerState* a, TimerState* b) noexcept {
  TimerEntry* first = nullptr;
  TimerEntry** last = &first;
  while (a != nullptr && b != nullptr) {
    TimerState*& least = comes_before(*b, *a) ? b : a;
    *last = least;
    last = &least->next;
    least = next_of(*least);
  }
  *last = a != nullptr ? a : b;
  return static_cast<TimerState*>(first);
}

TimerState* TimerQueue::take_due(std::int64_t now) noexcept {
  TimerState* all = nullptr;
  for_each_shard([&](TimerShard& shard) {
    // Sequentially consistent for a manual clock: who advances it stores the time before.
    if (shard.next.load(std::memory_order_seq_cst) > now) return;
    for (bool through = false; !through;) {
      const LockGuard guard(shard.lock);
      const TimerWheel::Advanced advanced = shard.wheel.advance(now, budget_);
      for (TimerEntry* entry = advanced.due; entry != nullptr;) {
        auto& timer = static_cast<TimerState&>(*entry);
        entry = entry->next;
        timer.status_ = TimerState::Status::queued;
        timer.next = all;
        all = &timer;
      }
      through = advanced.through;
      if (through) shard.next.store(shard.wheel.wake_at(), std::memory_order_seq_cst);
    }
  });
  return all == nullptr || all->next == nullptr ? all : sort(all);
}

TimerState* TimerQueue::hand_over(TimerState* due, Caller caller) noexcept {
  TimerState* over = nullptr;
  while (due != nullptr) {
    TimerState& timer = *std::exchange(due, next_of(*due));
    TimerShard& shard = *timer.shard_;
    Pool* pool = nullptr;
    {
      const LockGuard guard(shard.lock);
      if (timer.status_ == TimerState::Status::queued && !shard.dropping) {
        timer.enter(shard.active);
        // Once it is there the executor may drop it, and be gone.
        pool = &shard.queue->pool();
      }
    }
    if (pool != nullptr && push(timer, *pool, caller)) continue;
    if (abandon(timer)) {
      timer.next = std::exchange(over, &timer);
    } else {
      timer.release();  // it was cancelled since
    }
  }
  return over;
}

// False if the pool is stopped.
bool TimerQueue::push(TimerState& timer, Pool& pool, Caller caller) noexcept {
  pool.enter_queue();
  try {
    if (pool.push(timer, timer.urgency_, TaskQueue::From::the_pool, caller)) return true;
    pool.count_dropped();
  } catch (const std::bad_alloc&) {
    if (put_back(timer)) {
      pool.left_queue();
      return true;
    }
  }
  pool.left_queue();
  return false;
}

// It is due, but there was no memory for its place in the pool. False if it is over, or its
// executor is closed: nobody may be there to try again.
bool TimerQueue::put_back(TimerState& timer) noexcept {
  TimerShard& shard = *timer.shard_;
  TimerQueue& queue = *shard.queue;
  bool first = false;
  {
    const LockGuard guard(shard.lock);
    if (timer.status_ != TimerState::Status::queued || shard.closed) return false;
    timer.leave();
    first = put_in(timer, saturated_sum(queue.now_ns(), retry_ns), 0);
    if (first) ++shard.alive;
  }
  if (first) queue.tell_and_count_out(shard, Caller::anybody);
  return true;
}

// False if it is over already.
bool TimerQueue::abandon(TimerState& timer) noexcept {
  TimerShard& shard = *timer.shard_;
  const LockGuard guard(shard.lock);
  if (timer.status_ != TimerState::Status::queued) return false;
  timer.leave();
  timer.status_ = TimerState::Status::over;
  ++shard.abandoned;
  return true;
}

void TimerQueue::finish(TimerState* over) noexcept {
  while (over != nullptr) {
    TimerState& timer = *std::exchange(over, next_of(*over));
    timer.finish();
    timer.release();
  }
}

void TimerQueue::ring(Caller caller) noexcept { finish(hand_over(take_due(now_ns()), caller)); }

std::int64_t TimerQueue::next_ns() noexcept {
  std::int64_t next = Watch::never;
  // Not what the wheel says by now: whoever brings one before `next` tells of it, and nobody else.
  for_each_shard([&](TimerShard& shard) {
    next = std::min(next, shard.next.load(std::memory_order_seq_cst));
  });
  return next;
}

void TimerQueue::begun(std::int64_t late_ns) noexcept {
  fired_.fetch_add(1, std::memory_order_relaxed);
  const auto width = std::bit_width(static_cast<std::uint64_t>(std::max<std::int64_t>(late_ns, 0)));
  lateness_[std::min<std::size_t>(static_cast<std::size_t>(width), lateness_.size() - 1)].fetch_add(
      1, std::memory_order_relaxed);
}

bool TimerQueue::add_repeating(RepeatingTimer& timer) {
  TimerShard& shard = own_shard();
  timer.shard_ = &shard;
  const auto& rule = timer.rule_;
  const std::int64_t now = now_ns();
  timer.time_ =
      saturated_sum(now, rule.options.first ? rule.options.first->count() : rule.period_ns);
  std::int64_t deadline = 0;
  {
    const LockGuard guard(shard.lock);
    deadline = timer.jittered(shard.random);
  }
  return add_to(shard, timer, deadline, now);
}

// --- the calendar --------------------------------------------------------------------------------

bool TimerQueue::add_calendar(CalendarTimer& timer) {
  TimerShard& shard = own_shard();
  timer.shard_ = &shard;
  // First into the list: if the clock is set meanwhile, one of us sees it.
  {
    const LockGuard guard(calendar_lock_);
    timer.calendar_next_ = calendar_;
    timer.calendar_link_ = &calendar_;
    if (calendar_ != nullptr) calendar_->calendar_link_ = &timer.calendar_next_;
    calendar_ = &timer;
  }
  if (add_to(shard, timer, deadline_of(timer.rule_.time_ns), 0)) return true;
  forget_calendar(timer);
  return false;
}

void TimerQueue::forget_calendar(TimerState& timer) noexcept {
  if (timer.kind() != TimerState::Kind::calendar) return;
  auto& calendar = static_cast<CalendarTimer&>(timer);
  const LockGuard guard(calendar_lock_);
  *calendar.calendar_link_ = calendar.calendar_next_;
  if (calendar.calendar_next_ != nullptr) {
    calendar.calendar_next_->calendar_link_ = calendar.calendar_link_;
  }
}

void TimerQueue::follow_calendar() noexcept {
  std::int64_t earliest = Watch::never;
  {
    const LockGuard guard(calendar_lock_);
    const std::int64_t offset = calendar_offset();
    const bool far_back =
        saturated_sum(offset, small_correction_ns) < std::exchange(calendar_offset_, offset);
    for (CalendarTimer* each = calendar_; each != nullptr; each = each->calendar_next_) {
      const LockGuard shard_guard(each->shard_->lock);
      if (each->status_ != TimerState::Status::pending) continue;
      if (far_back && each->rule_.cron)
        each->rule_.time_ns = next_time(*each->rule_.cron, calendar_ns());
      each->shard_->wheel.remove(*each);
      if (put_in(*each, deadline_of(each->rule_.time_ns), now_ns())) {
        earliest = std::min(earliest, each->shard_->next.load(std::memory_order_relaxed));
      }
    }
  }
  if (setting_.clock == nullptr && earliest != Watch::never) tell(earliest, Caller::anybody);
}

std::int64_t TimerQueue::next_time(const Cron& cron, std::int64_t after_ns) noexcept {
  const auto next = cron.next(to_system_time(after_ns));
  return next ? saturated_ns(next->time_since_epoch()) : Watch::never;
}

// A time that the clock shows again after a small correction is not repeated.
std::int64_t TimerQueue::time_after(const Cron& cron, std::int64_t last_ns) const noexcept {
  const std::int64_t now = calendar_ns();
  return next_time(cron, now < last_ns - small_correction_ns ? now : std::max(now, last_ns));
}

// --- its end -------------------------------------------------------------------------------------

bool TimerQueue::is_open() noexcept {
  const LockGuard guard(shards_[0].lock);
  return !shards_[0].closed;
}

void TimerQueue::close(StopPolicy policy) noexcept {
  bool was_open = false;
  for_each_shard([&](TimerShard& shard) {
    bool ended = false;
    {
      const LockGuard guard(shard.lock);
      shard.policy = std::min(shard.policy, policy);
      if (shard.closed) return;
      shard.closed = true;
      // Of several who close it one is the first here, and others may overtake it.
      was_open = was_open || &shard == shards_.data();
      ended = shard.alive == 0;
    }
    if (ended) shard_ended();
  });
  ring(Caller::anybody);
  for_each_shard([&](TimerShard& shard) { sweep(shard, policy); });
  if (was_open) shard_ended();
}

// Takes all from the wheel and does with them as the policy says.
void TimerQueue::sweep(TimerShard& shard, StopPolicy policy) noexcept {
  TimerState* staying = nullptr;
  for (bool empty = false; !empty;) {
    TimerState* over = nullptr;
    {
      const LockGuard guard(shard.lock);
      for (std::size_t i = 0; i < budget_ && !empty; ++i) {
        auto* const timer = static_cast<TimerState*>(shard.wheel.take_any());
        empty = timer == nullptr;
        if (empty) break;
        if (policy == StopPolicy::abandon_ahead || timer->repeats()) {
          timer->status_ = TimerState::Status::over;
          ++shard.abandoned;
          timer->next = std::exchange(over, timer);
        } else {
          timer->status_ = TimerState::Status::queued;
          timer->next = staying;
          staying = timer;
        }
      }
      if (empty) shard.next.store(Watch::never, std::memory_order_relaxed);
    }
    finish(over);
  }
  if (policy == StopPolicy::run_ahead) {
    if (staying != nullptr) finish(hand_over(sort(staying), Caller::anybody));
    return;
  }
  while (staying != nullptr) {
    TimerState& timer = *std::exchange(staying, next_of(*staying));
    bool cancelled = false;
    {
      const LockGuard guard(shard.lock);
      cancelled = timer.status_ != TimerState::Status::queued;
      if (!cancelled) (void)put_in(timer, timer.deadline, 0);
    }
    if (cancelled) timer.release();
  }
  // Whoever is stricter may have found the wheel empty meanwhile.
  const StopPolicy strictest = [&] {
    const LockGuard guard(shard.lock);
    return shard.policy;
  }();
  if (strictest < policy) {
    sweep(shard, strictest);
    return;
  }
  const std::int64_t next = shard.next.load(std::memory_order_relaxed);
  if (next != Watch::never) tell(next, Caller::anybody);
}

void TimerQueue::drop() noexcept {
  if (setting_.shares_pool) stop_.request_stop();
  for_each_shard([this](TimerShard& shard) {
    std::size_t jobs = 0;
    {
      const LockGuard guard(shard.lock);
      shard.dropping = true;
      ++shard.generation;
      jobs = std::exchange(shard.queued_jobs, 0);
    }
    if (jobs != 0) count_out(shard, jobs);
    while (TimerState* const timer = take_queued(shard)) {
      timer->finish();
      timer->release();
    }
    while (TimerState* const timer = find_unstopped(shard)) {
      (void)timer->request_stop();
      timer->release();
    }
  });
}

// One that waits for a worker; it is over from here on, and one of its references the caller's.
TimerState* TimerQueue::take_queued(TimerShard& shard) noexcept {
  const LockGuard guard(shard.lock);
  TimerState* const timer = find_active(
      shard, [](const TimerState& each) { return each.status_ == TimerState::Status::queued; });
  if (timer != nullptr) {
    timer->leave();
    timer->status_ = TimerState::Status::over;
    ++shard.abandoned;
  }
  return timer;
}

// One that runs, and one of its references.
TimerState* TimerQueue::find_unstopped(TimerShard& shard) noexcept {
  const LockGuard guard(shard.lock);
  return find_active(shard, [](const TimerState& each) {
    return each.status_ == TimerState::Status::running && !each.stop_requested();
  });
}

template <class F>
TimerState* TimerQueue::find_active(TimerShard& shard, F wanted) noexcept {
  for (TimerEntry* entry = shard.active; entry != nullptr; entry = entry->next) {
    auto& timer = static_cast<TimerState&>(*entry);
    if (!wanted(timer)) continue;
    timer.retain();
    return &timer;
  }
  return nullptr;
}

// f(number of the worker) for each that makes a call of ours.
template <class F>
void TimerQueue::for_each_call(F f) {
  for_each_shard([&](TimerShard& shard) {
    const LockGuard guard(shard.lock);
    for (TimerEntry* entry = shard.active; entry != nullptr; entry = entry->next) {
      const auto& timer = static_cast<TimerState&>(*entry);
      if (timer.status_ == TimerState::Status::running) f(timer.worker());
    }
    for (const QueuedJob* job = shard.jobs; job != nullptr; job = job->next_) f(job->worker_);
  });
}

bool TimerQueue::calls_here() noexcept {
  const Worker* const worker = Worker::current();
  if (worker == nullptr || &worker->pool() != &pool()) return false;
  bool found = false;
  for_each_call([&](unsigned number) { found = found || number == worker->number(); });
  return found;
}

std::vector<Straggler> TimerQueue::stragglers() {
  std::vector<unsigned> workers;
  for_each_call([&](unsigned worker) { workers.push_back(worker); });
  std::vector<Straggler> all;
  for (const unsigned worker : workers) {
    if (worker == JobState::no_worker) continue;  // it runs in the thread that queued it
    const std::shared_ptr<StoppableThread> thread = pool().thread_of(worker);
    if (thread != nullptr) all.push_back({thread->name(), thread->native_id(), thread->activity()});
  }
  return all;
}

std::uint64_t TimerQueue::abandoned() noexcept {
  std::uint64_t all = 0;
  for_each_shard([&](TimerShard& shard) {
    const LockGuard guard(shard.lock);
    all += shard.abandoned;
  });
  return all;
}

DelayExecutorStats TimerQueue::stats() noexcept {
  DelayExecutorStats stats;
  for_each_shard([&](TimerShard& shard) {
    const LockGuard guard(shard.lock);
    stats.pending += shard.wheel.size();
    stats.missed += shard.missed;
    stats.cancelled += shard.cancelled;
    stats.abandoned += shard.abandoned;
  });
  stats.fired = fired_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < lateness_.size(); ++i) {
    stats.lateness.buckets[i] = lateness_[i].load(std::memory_order_relaxed);
  }
  return stats;
}

// --- queued jobs ---------------------------------------------------------------------------------

QueuedJob::QueuedJob(TimerQueue& queue) : shard_(&queue.own_shard()) {
  const LockGuard guard(shard_->lock);
  if (shard_->closed) throw_executor_stopped();
  generation_ = shard_->generation;
  ++shard_->queued_jobs;
  ++shard_->alive;
}

namespace {

// Told apart from one that a job has met.
struct QueuedJobDropped : JobDropped {
  QueuedJobDropped() : JobDropped(JobStatus::dropped) {}
};

}  // namespace

bool QueuedJob::was_dropped(const std::exception_ptr& exception) noexcept {
  try {
    std::rethrow_exception(exception);
  } catch (const QueuedJobDropped&) {
    return true;
  } catch (...) {
    return false;
  }
}

QueuedJob::~QueuedJob() {
  if (shard_ == nullptr) return;
  {
    const LockGuard guard(shard_->lock);
    if (link_ != nullptr) {
      *link_ = next_;
      if (next_ != nullptr) next_->link_ = link_;
    } else if (generation_ == shard_->generation) {
      --shard_->queued_jobs;
    } else {
      return;  // it does not count any more
    }
  }
  shard_->queue->count_out(*shard_);
}

QueuedJob::Running::Running(QueuedJob& job) {
  TimerShard& shard = *job.shard_;
  std::stop_token stop;
  {
    const LockGuard guard(shard.lock);
    if (job.generation_ != shard.generation) throw QueuedJobDropped();
    --shard.queued_jobs;
    job.worker_ = Worker::current() == nullptr ? JobState::no_worker : Worker::current()->number();
    job.next_ = shard.jobs;
    job.link_ = &shard.jobs;
    if (job.next_ != nullptr) job.next_->link_ = &job.next_;
    shard.jobs = &job;
    stop = shard.queue->stop_token();
  }
  if (stop.stop_possible()) bind_.emplace(std::move(stop));
}

}  // namespace rouse::detail
