#include "rouse/exec/delay_executor.hpp"

#include "rouse/wait/fd.hpp"
#include "rouse/wait/shield.hpp"

#include "detail/complain.hpp"
#include "exec/pool.hpp"
#include "exec/timer_queue.hpp"
#include "exec/worker.hpp"
#include "wait/control_block.hpp"
#include "wait/event_wait.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <mutex>
#include <new>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <system_error>

namespace rouse {

using detail::TimerQueue;
using detail::TimerState;

// --- the calendar --------------------------------------------------------------------------------

// Tells a queue when the system's clock is set. Its thread is there from the first timer on that
// follows the calendar.
class DelayExecutor::CalendarWatch {
 public:
  CalendarWatch(TimerQueue& queue, std::string name) : queue_(queue), name_(std::move(name)) {}
  ~CalendarWatch() {
    thread_ = nullptr;
    if (fd_ >= 0) ::close(fd_);
  }
  CalendarWatch(const CalendarWatch&) = delete;
  CalendarWatch& operator=(const CalendarWatch&) = delete;

  /// Throws std::system_error, std::bad_alloc.
  void start() {
    const std::lock_guard lock(mutex_);
    if (thread_ != nullptr) return;
    if (fd_ < 0) {
      fd_ = ::timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
      if (fd_ < 0) {
        throw std::system_error(errno, std::system_category(), "rouse: timerfd_create");
      }
    }
    arm();
    auto thread = std::make_unique<StoppableThread>([this] { watch(); },
                                                    ThreadOptions{.name = name_ + "-calendar"});
    thread->start();
    thread_ = std::move(thread);
  }

 private:
  // Far in the future, so that only a clock that is set ends the wait.
  void arm() {
    itimerspec never{};
    never.it_value.tv_sec = std::numeric_limits<time_t>::max() / 2;
    if (::timerfd_settime(fd_, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, nullptr) != 0) {
      throw std::system_error(errno, std::system_category(), "rouse: timerfd_settime");
    }
  }

  void watch() {
    while (wait_readable(fd_) == WaitStatus::ready) {
      // Fails with ECANCELED when the clock was set.
      std::uint64_t count = 0;
      (void)!::read(fd_, &count, sizeof count);
      queue_.follow_calendar();
    }
  }

  TimerQueue& queue_;
  const std::string name_;
  std::mutex mutex_;
  int fd_ = -1;
  std::unique_ptr<StoppableThread> thread_;
};

// --- timers --------------------------------------------------------------------------------------

namespace detail {

void throw_executor_stopped() {
  throw Stopped("rouse: the delay executor is stopped and takes no calls");
}

}  // namespace detail

namespace {

std::unique_ptr<ThreadPool> make_pool(ThreadPoolOptions options) {
  if (options.name.empty()) options.name = "delay";
  return std::make_unique<ThreadPool>(std::move(options));
}

}  // namespace

DelayExecutor::DelayExecutor(DelayExecutorOptions options)
    : own_pool_(options.pool != nullptr ? nullptr : make_pool(std::move(options.pool_options))),
      pool_(options.pool != nullptr ? *options.pool : *own_pool_),
      queue_(TimerQueue::acquire({.pool = pool_.pool_.get(),
                                  .clock = options.clock,
                                  .on_error = std::move(options.on_error),
                                  .shares_pool = own_pool_ == nullptr})) {
  try {
    calendar_watch_ = std::make_unique<CalendarWatch>(queue_, pool_.name());
  } catch (...) {
    queue_.close(StopPolicy::abandon_ahead);
    queue_.retire();
    throw;
  }
}

DelayExecutor::~DelayExecutor() {
  if (queue_.calls_here()) {
    detail::complain({"a delay executor is destroyed by one of its calls"});
    std::terminate();
  }
  begin_drop();
  // The pool lives until nobody is on the way to it: who sets a timer anew, or advances the clock.
  if (own_pool_ != nullptr) pool_.pool_->begin_stop(true);
  for (;;) {
    try {
      (void)await_end(detail::Deadline::never());
      break;
    } catch (const std::bad_alloc&) {
      // For this thread's first wait.
      detail::os::yield();
    }
  }
  calendar_watch_ = nullptr;
  queue_.retire();
}

Timer DelayExecutor::start_after(TimerState& timer, std::int64_t ns) {
  const std::int64_t now = queue_.now_ns();
  const std::int64_t deadline =
      ns == INT64_MAX ? INT64_MAX : detail::saturated_sum(now, std::max<std::int64_t>(ns, 0));
  return accept(timer, queue_.add(timer, deadline, now));
}

std::int64_t DelayExecutor::first_time(const Cron& cron) const {
  return TimerQueue::next_time(cron, queue_.calendar_ns());
}

detail::RepeatingTimer::Rule DelayExecutor::checked(std::int64_t period_ns,
                                                    const RepeatOptions& options) {
  const auto refuse = [](const char* what, std::int64_t ns, const char* why) {
    throw std::invalid_argument(std::string("rouse: run_every: ") + what + " is " +
                                std::to_string(ns) + " ns, " + why);
  };
  if (options.mode == RepeatMode::fixed_rate && period_ns <= 0) {
    refuse("the period", period_ns, "not above zero");
  }
  if (period_ns < 0) refuse("the period", period_ns, "below zero");
  if (options.jitter.count() < 0) refuse("jitter", options.jitter.count(), "below zero");
  if (options.first && options.first->count() < 0)
    refuse("first", options.first->count(), "below zero");
  return {period_ns, options};
}

Timer DelayExecutor::accept(TimerState& timer, bool accepted) {
  if (accepted) return Timer(timer);
  timer.refuse();
  detail::throw_executor_stopped();
}

Timer DelayExecutor::start_at(TimerState& timer, std::int64_t deadline_ns) {
  return accept(timer, queue_.add(timer, deadline_ns, 0));
}

Timer DelayExecutor::start_repeating(detail::RepeatingTimer& timer) {
  return accept(timer, queue_.add_repeating(timer));
}

Timer DelayExecutor::start_calendar(detail::CalendarTimer& timer) {
  if (queue_.setting().clock == nullptr) {
    try {
      calendar_watch_->start();
    } catch (...) {
      timer.refuse();
      throw;
    }
  }
  return accept(timer, queue_.add_calendar(timer));
}

// --- the executor --------------------------------------------------------------------------------

void DelayExecutor::require_outside() const {
  if (own_pool_ != nullptr) pool_.pool_->require_outside("stop");
  if (!queue_.calls_here()) return;
  throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                          "rouse: cannot stop a delay executor in one of its calls");
}

// What lies ahead and what is queued is not called; what runs is stopped.
void DelayExecutor::begin_drop() noexcept {
  queue_.close(StopPolicy::abandon_ahead);
  queue_.drop();
}

bool DelayExecutor::await_end(detail::Deadline deadline) {
  if (queue_.ended().is_set()) return true;
  const Shield shield;
  // In a job of another executor in the same pool.
  std::optional<detail::Worker::Blocked> blocked;
  if (detail::Worker* const worker = detail::Worker::current()) blocked.emplace(*worker);
  return EventWait::wait(queue_.ended(),
                         {"DelayExecutor::stop", reinterpret_cast<std::uintptr_t>(this)}, deadline,
                         {}) == WaitStatus::ready;
}

std::size_t DelayExecutor::stop(StopPolicy policy) {
  require_outside();
  (void)detail::ControlBlock::current();  // from here on no wait needs memory
  queue_.close(policy);
  (void)await_end(detail::Deadline::never());
  if (own_pool_ != nullptr) own_pool_->stop();
  return queue_.abandoned();
}

bool DelayExecutor::try_stop() {
  (void)detail::ControlBlock::current();
  queue_.close(StopPolicy::abandon_ahead);
  if (!queue_.ended().is_set()) return false;
  return own_pool_ == nullptr || own_pool_->try_stop();
}

StopReport DelayExecutor::stop_until(detail::Deadline deadline) {
  require_outside();
  (void)detail::ControlBlock::current();
  begin_drop();
  if (own_pool_ != nullptr) {
    return own_pool_->stop_for(std::chrono::nanoseconds(deadline.ns() - detail::os::now_ns()));
  }
  const std::int64_t begin = detail::os::now_ns();
  StopReport report;
  if (!await_end(deadline)) report.stragglers = queue_.stragglers();
  report.elapsed = std::chrono::nanoseconds(detail::os::now_ns() - begin);
  return report;
}

bool DelayExecutor::running() const noexcept { return queue_.is_open(); }

DelayExecutorStats DelayExecutor::stats() const { return queue_.stats(); }

std::ostream& operator<<(std::ostream& out, const DelayExecutorStats& stats) {
  out << "timers: " << stats.pending << " pending, " << stats.fired << " fired, " << stats.missed
      << " missed, " << stats.cancelled << " cancelled, " << stats.abandoned << " abandoned\n"
      << "  lateness: " << stats.lateness << '\n';
  return out;
}

}  // namespace rouse
