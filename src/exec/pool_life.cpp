// How a pool begins, changes and ends, and what it tells about itself.

#include "rouse/detail/thread_name.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/sleep.hpp"

#include "detail/complain.hpp"
#include "detail/usable_cpus.hpp"
#include "exec/pool.hpp"

#include <algorithm>
#include <bit>
#include <exception>
#include <new>
#include <ostream>
#include <stdexcept>
#include <utility>

namespace rouse::detail {

ThreadPoolOptions Pool::checked(ThreadPoolOptions options) {
  if (options.name.empty()) options.name = "pool";
  const auto refuse = [&](const std::string& why) {
    throw std::invalid_argument("rouse: pool '" + printable(options.name) + "': " + why);
  };
  if (options.queue_capacity > Permits::max) {
    refuse("queue_capacity is " + std::to_string(options.queue_capacity) + ", more than " +
           std::to_string(Permits::max));
  }
  if (options.idle_timeout < std::chrono::nanoseconds::zero()) refuse("idle_timeout is negative");
  const bool limited = options.slow_after != std::chrono::nanoseconds::max();
  if (limited != (options.on_slow != nullptr)) refuse("slow_after and on_slow belong together");
  if (options.slow_after <= std::chrono::nanoseconds::zero()) refuse("slow_after is not positive");
  return options;
}

Pool::Limits Pool::limits(std::size_t min, std::size_t max) const {
  const std::size_t cpus = cpus_;
  if (min == 0) min = max == 0 ? cpus : std::min(max, cpus);
  if (max == 0) max = std::max(min, cpus);
  const auto refuse = [this](const std::string& why) {
    throw std::invalid_argument("rouse: pool '" + printable(name()) + "': " + why);
  };
  if (min > max) {
    refuse("min_threads is " + std::to_string(min) + ", more than max_threads, " +
           std::to_string(max));
  }
  if (max > most_places) {
    refuse("max_threads is " + std::to_string(max) + ", more than " + std::to_string(most_places));
  }
  return {static_cast<unsigned>(min), static_cast<unsigned>(max)};
}

Pool::Pool(ThreadPoolOptions options)
    : options_(checked(std::move(options))),
      cpus_(usable_cpus()),
      // A bounded queue keeps the order of all, and its oldest may be dropped.
      shards_(bounded() ? 1 : std::min<std::size_t>(std::bit_ceil(cpus_), most_shards)),
      room_(static_cast<std::uint32_t>(options_.queue_capacity)),
      limits_(limits(options_.min_threads, options_.max_threads)) {
  link_ = PoolAnchor::acquire(*this);
  try {
    start();
  } catch (...) {
    clean_up();
    throw;
  }
}

Pool::~Pool() {
  if (is_own_worker()) {
    complain({"pool '", name(), "' is destroyed by one of its jobs"});
    std::terminate();
  }
  begin_stop(true);
  await_end();
  // It may still offer handlers, which are dropped.
  extension_.reset();
  clean_up();
}

void Pool::clean_up() noexcept {
  PoolAnchor::release(link_);
  // A Job that is continued at the last moment may have called a worker.
  await_end();
  for (unsigned i = 0; i < places(); ++i) delete &place(i);
  for (Atomic<Chunk*>& chunk : chunks_) delete chunk.load(std::memory_order_relaxed);
}

void Pool::start() {
  std::shared_ptr<StoppableThread> last_watchdog;  // joined without the lock
  std::unique_lock lock(life_mutex_);
  if (life_.load(std::memory_order_relaxed) != Life::stopped || roster_.counts().threads() != 0) {
    throw std::logic_error("rouse: cannot start pool '" + printable(name()) +
                           "', which has not been stopped to its end");
  }
  // The last that has left may be about to close the queues; who comes later does not.
  life_.store(Life::starting, std::memory_order_seq_cst);
  while (closers_.load(std::memory_order_seq_cst) != 0) os::yield();
  last_watchdog = std::move(watchdog_);
  left_.clear();
  stops_jobs_.store(false, std::memory_order_relaxed);
  no_start_before_.store(0, std::memory_order_relaxed);
  roster_.recall();
  roster_.set_limits(limits_.min, limits_.max);
  try {
    start_threads_up_to(limits_.min);
    if (watches()) {
      auto watchdog = std::make_shared<StoppableThread>(
          [this] { watch_slow_calls(); }, ThreadOptions{.name = name() + "-watchdog"});
      watchdog->start();
      watchdog_ = std::move(watchdog);
    }
  } catch (...) {
    lock.unlock();
    begin_stop(true);
    await_end();
    throw;
  }
  for (TaskQueue& each : queues_) each.set_open(TaskQueue::Open::for_all);
  room_.reopen();
  watch_.set_open(true);
  life_.store(Life::open, std::memory_order_relaxed);
  // Somebody is to look at the deadlines that there are already.
  if (watch_.lower(os::now_ns())) work_added();
}

// Under life_mutex_.
void Pool::start_threads_up_to(unsigned count) {
  while (roster_.counts().threads() < count) {
    roster_.add_worker();
    try {
      start_thread();
    } catch (...) {
      roster_.start_failed();
      throw;
    }
  }
}

void Pool::resize(std::size_t min, std::size_t max) {
  const std::lock_guard lock(life_mutex_);
  const Limits before = std::exchange(limits_, limits(min, max));
  if (!accepts()) return;
  roster_.set_limits(limits_.min, limits_.max);
  try {
    start_threads_up_to(limits_.min);
  } catch (...) {
    limits_ = before;
    roster_.set_limits(limits_.min, limits_.max);
    throw;
  }
  if (has_work()) work_added();
}

void Pool::begin_stop(bool drop) noexcept {
  {
    const std::lock_guard lock(life_mutex_);
    life_.store(Life::stopped, std::memory_order_seq_cst);
    for (TaskQueue& each : queues_) each.set_open(TaskQueue::Open::for_the_pool);
    room_.close();
    watch_.set_open(false);
    if (drop) stops_jobs_.store(true, std::memory_order_seq_cst);
    if (watchdog_ != nullptr) watchdog_->request_stop();
    roster_.dismiss();
  }
  if (drop) {
    drop_queued();
    notify(JobState::no_worker);
    for (;;) {
      std::stop_source source = frames_.source_of(nullptr);
      if (!source.stop_possible()) break;
      source.request_stop();
    }
  }
  after_leaving();
}

bool Pool::await_end(Deadline deadline) {
  const auto joined = [deadline](StoppableThread& thread) {
    return thread.try_join_for(std::chrono::nanoseconds(deadline.ns() - os::now_ns()));
  };
  if (!left_.is_set()) {
    const Shield shield;
    if (left_.wait_until(deadline.time_point()) != WaitStatus::ready) return false;
  }
  for (;;) {
    for (unsigned i = 0; i < places(); ++i) {
      const std::shared_ptr<StoppableThread> thread = thread_of(i);
      if (thread == nullptr) continue;
      if (!joined(*thread)) return false;
      const std::lock_guard lock(threads_mutex_);
      if (place(i).thread == thread) place(i).thread = nullptr;
    }
    // One may be on its way that was called when the last had not left yet.
    if (roster_.counts().threads() == 0) break;
    os::yield();
  }
  std::shared_ptr<StoppableThread> watchdog;
  {
    const std::lock_guard lock(life_mutex_);
    watchdog = watchdog_;
  }
  if (watchdog == nullptr) return true;
  if (!joined(*watchdog)) return false;
  const std::lock_guard lock(life_mutex_);
  if (watchdog_ == watchdog) watchdog_ = nullptr;
  return true;
}

void Pool::await_end() noexcept {
  for (;;) {
    try {
      if (await_end(Deadline::never())) return;
    } catch (const std::bad_alloc&) {
      // For this thread's first wait. Once all threads have left none is needed.
      os::yield();
    }
  }
}

void* Pool::extension(std::shared_ptr<void> offered) {
  const std::lock_guard lock(life_mutex_);
  if (extension_ == nullptr) extension_ = std::move(offered);
  return extension_.get();
}

// --- reports -------------------------------------------------------------------------------------

std::vector<Straggler> Pool::stragglers() {
  std::vector<Straggler> all;
  for (unsigned i = 0; i < places(); ++i) {
    const std::shared_ptr<StoppableThread> thread = thread_of(i);
    if (thread == nullptr || !thread->running()) continue;
    all.push_back({thread->name(), thread->native_id(), thread->activity()});
  }
  return all;
}

ThreadPoolStats Pool::stats() {
  ThreadPoolStats stats;
  stats.name = name();
  stats.queued_high = urgent().size();
  stats.queued_low = patient().size();
  for (TaskQueue& each : shared()) stats.queued_normal += each.size();
  for (unsigned i = 0; i < places(); ++i) place(i).add_to(stats);
  const Roster::Counts counts = roster_.counts();
  stats.threads = counts.threads();
  stats.working = counts.awake;
  stats.waiting = counts.asleep;
  stats.blocked = counts.blocked;
  stats.dropped = dropped_.load(std::memory_order_relaxed);
  return stats;
}

// Tells of each call once, when it has lasted too long.
void Pool::watch_slow_calls() {
  const std::int64_t slow = options_.slow_after.count();
  for (;;) {
    const std::int64_t now = os::now_ns();
    std::int64_t next = now + slow;
    for (unsigned i = 0; i < places(); ++i) {
      Worker& worker = place(i);
      const Worker::Running running = worker.running();
      if (running.since == 0 || running.since == worker.reported) continue;
      if (now - running.since < slow) {
        next = std::min(next, running.since + slow);
        continue;
      }
      worker.reported = running.since;
      const std::shared_ptr<StoppableThread> thread = thread_of(i);
      if (thread == nullptr) continue;
      try {
        options_.on_slow({thread->name(), thread->native_id(), running.name,
                          std::chrono::nanoseconds(now - running.since), thread->activity()});
      } catch (...) {
        report(std::current_exception());
      }
    }
    const std::chrono::steady_clock::time_point at{std::chrono::nanoseconds(next)};
    if (sleep_until(at) == WaitStatus::stopped) return;
  }
}

void Pool::dump(std::ostream& out) {
  out << stats();
  for (unsigned i = 0; i < places(); ++i) {
    const std::shared_ptr<StoppableThread> thread = thread_of(i);
    if (thread == nullptr || !thread->running()) continue;
    const ThreadActivity activity = thread->activity();
    out << "  " << printable(thread->name()) << " (id " << thread->native_id()
        << "): " << activity.blocked_in << '\n';
  }
}

}  // namespace rouse::detail
