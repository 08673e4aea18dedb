#pragma once
// DelayExecutor: calls that are made later: after a time, at a time, periodically, by the calendar.
//
/// @code
///   rouse::DelayExecutor executor;
///   executor.run_after(5s, [] { std::puts("five seconds later"); });
///   rouse::Timer beat = executor.run_every(1s, [] { std::puts("beat"); });
///   executor.run_cron("30 8 * * MON-FRI", "Europe/Berlin", [] { std::puts("good morning"); });
///   rouse::Job<int> job = executor.run_queued(rouse::Urgency::high, [] { return 42; });
///   beat.reschedule(10s);
///   const std::size_t abandoned = executor.stop();
/// @endcode
//
// The calls are jobs of a ThreadPool, which is the executor's own or one that it is given: waits in
// them obey the stop of the timer and of the pool. No thread is there for the timers alone: a
// worker that has nothing to do sleeps until the next deadline. Calls that are due at the same time
// start by urgency, then in the order of submission. What a call throws goes to on_error; a timer
// that repeats goes on.
//
// What becomes of the timers:
//
//                 ahead       due, queued  running                  returns
//   stop()        abandoned*  run          run on                   when all have ended
//   try_stop()    abandoned   run          run on                   at once: whether they have
//   stop_for(d)   abandoned   dropped      their stop is requested  when they have, or after d
//   destructor    abandoned   dropped      their stop is requested  when they have
//                 * or as the StopPolicy says
//
// Thread safety: all functions but the constructor and the destructor may be called from any
//   thread, also from the calls; stop() and stop_for() throw resource_deadlock_would_occur there.
// Ordering: as in timer.hpp.
// Lifetime: an executor outlives the calls of its functions; a pool or a clock that it is given
//   outlives the executor. Timers and Jobs may outlive it. A forked child may not use it.
// Memory: 96 bytes for each timer that runs once with a callable of up to 16; 45 KB for each CPU,
// up
//   to 8, once. A cancelled timer's callable ends at once, and its memory is free as soon as its
//   handle is given up.

#include "rouse/detail/deadline.hpp"
#include "rouse/exec/cron.hpp"
#include "rouse/exec/manual_clock.hpp"
#include "rouse/exec/thread_pool.hpp"
#include "rouse/exec/thread_pool_stats.hpp"
#include "rouse/exec/timer.hpp"
#include "rouse/thread/stop_all.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace rouse {

struct DelayExecutorOptions {
  ThreadPool* pool = nullptr;           ///< Makes the calls. Null: a pool of the executor's own,
  ThreadPoolOptions pool_options = {};  ///< with these options; its name is "delay" if it has none.
  /// Receives what the calls throw, on the worker. Empty: the pool's on_error does.
  std::function<void(std::exception_ptr)> on_error = {};
  ManualClock* clock = nullptr;  ///< Instead of the system's clocks.
};

/// What stop() does with the timers whose deadline lies ahead. Those that repeat are abandoned in
/// any case, and count as one.
enum class StopPolicy : std::uint8_t {
  abandon_ahead,  ///< They are never called.
  run_ahead,      ///< They are called now, the earliest first.
  await_ahead,    ///< They are called at their time; stop() waits for them.
};

/// A snapshot. The counts are taken one after the other while the executor works.
struct DelayExecutorStats {
  std::size_t pending = 0;      ///< Timers whose deadline lies ahead.
  std::uint64_t fired = 0;      ///< Calls of timers that were begun.
  std::uint64_t missed = 0;     ///< Times of a fixed rate that had no call of their own.
  std::uint64_t cancelled = 0;  ///< Timers.
  std::uint64_t abandoned = 0;  ///< Timers that a stop has ended.
  TimeHistogram lateness;       ///< From the deadline to the beginning of the call.
};

/// Several lines for people.
[[gnu::visibility("default")]] std::ostream& operator<<(std::ostream& out,
                                                        const DelayExecutorStats& stats);

namespace detail {

/// Repeats in a period.
class RepeatingTimer : public TimerState {
 public:
  struct Rule {
    std::int64_t period_ns;
    RepeatOptions options;
  };

 protected:
  RepeatingTimer(const Operations& operations_of_timer, const Rule& rule) noexcept
      : TimerState(operations_of_timer, Kind::repeating, rule.options.urgency), rule_(rule) {}
  ~RepeatingTimer() = default;

 private:
  friend class TimerState;
  friend class TimerQueue;

  std::int64_t go_on(std::int64_t now, std::uint64_t& missed, std::uint64_t& random) noexcept;
  std::int64_t jittered(std::uint64_t& random) const noexcept;

  const Rule rule_;
  std::int64_t time_ = 0;  // of the grid, that the next or current call is for; without the jitter
};

/// Follows the system's calendar.
class CalendarTimer : public TimerState {
 public:
  struct Rule {
    std::int64_t time_ns;      // of the calendar
    std::optional<Cron> cron;  // what comes after it
    Urgency urgency;
  };

 protected:
  CalendarTimer(const Operations& operations_of_timer, Rule rule) noexcept
      : TimerState(operations_of_timer, Kind::calendar, rule.urgency), rule_(std::move(rule)) {}
  ~CalendarTimer() = default;

 private:
  friend class TimerState;
  friend class TimerQueue;

  Rule rule_;
  // In the list of those that follow the calendar.
  CalendarTimer* calendar_next_ = nullptr;
  CalendarTimer** calendar_link_ = nullptr;
};

/// Runs once.
class SingleTimer : public TimerState {
 protected:
  SingleTimer(const Operations& operations_of_timer, Urgency urgency) noexcept
      : TimerState(operations_of_timer, Kind::once, urgency) {}
  ~SingleTimer() = default;
};

[[noreturn]] void throw_executor_stopped();

/// A queued job, which its executor waits for.
class [[gnu::visibility("default")]] QueuedJob {
 public:
  /// Throws Stopped.
  explicit QueuedJob(TimerQueue & queue);
  /// Before it runs.
  QueuedJob(QueuedJob && other) noexcept
      : shard_(std::exchange(other.shard_, nullptr)), generation_(other.generation_) {}
  ~QueuedJob();
  QueuedJob& operator=(QueuedJob&&) = delete;

  /// Whether its executor has dropped it, and nobody asks.
  [[gnu::visibility("hidden")]] static bool was_dropped(
      const std::exception_ptr& exception) noexcept;

  /// While it runs.
  class [[gnu::visibility("default")]] Running {
   public:
    /// Throws JobDropped if the executor has dropped it.
    explicit Running(QueuedJob & job);

   private:
    std::optional<this_thread::Bind> bind_;
  };

 private:
  friend class TimerQueue;

  TimerShard* shard_;
  std::uint64_t generation_ = 0;  // of the shard
  // In the list of those that run.
  QueuedJob* next_ = nullptr;
  QueuedJob** link_ = nullptr;
  unsigned worker_ = 0;
};

template <class C>
class QueuedCall {
 public:
  template <class... Sources>
  explicit QueuedCall(QueuedJob job, Sources&&... sources)
      : job_(std::move(job)), call_(std::forward<Sources>(sources)...) {}
  decltype(auto) operator()() {
    const QueuedJob::Running running(job_);
    return call_();
  }

 private:
  QueuedJob job_;
  C call_;
};

}  // namespace detail

class [[gnu::visibility("default")]] DelayExecutor {
 public:
  /// Throws what the constructor of ThreadPool throws.
  explicit DelayExecutor(DelayExecutorOptions options = {});

  /// Abandons what lies ahead, drops what is queued, requests the stop of what runs, and blocks
  /// until it has ended.
  ~DelayExecutor();

  DelayExecutor(const DelayExecutor&) = delete;
  DelayExecutor& operator=(const DelayExecutor&) = delete;

  // --- timers ------------------------------------------------------------------------------------
  // A callable is moved (or copied, if it is an lvalue) into the timer. If it takes a
  // std::stop_token in front of its arguments, it gets the call's; waits in it obey that token
  // anyway. All throw Stopped after a stop, std::bad_alloc, and what copying the callable throws:
  // then there is no timer. None blocks.

  /// Calls f(args...) once, when `d` has passed. Zero or less: at once; duration::max(): never.
  template <class Rep, class Period, class F, class... Args>
  Timer run_after(const std::chrono::duration<Rep, Period>& d, F&& f,
                  Args&&... args) requires detail::JobCallable<F, Args...> {
    return run_after(d, Urgency::normal, std::forward<F>(f), std::forward<Args>(args)...);
  }
  template <class Rep, class Period, class F, class... Args>
  Timer run_after(const std::chrono::duration<Rep, Period>& d, Urgency urgency, F&& f,
                  Args&&... args) requires detail::JobCallable<F, Args...> {
    return start_after(once(urgency, std::forward<F>(f), std::forward<Args>(args)...),
                       detail::saturated_ns(d));
  }

  /// The same at a time. A time of the system's clock follows the clock when it is set: the call
  /// comes when the clock shows that time, or a later one. The first such timer starts a thread
  /// that waits for that: throws std::system_error if it cannot.
  template <class Clock, class Duration, class F, class... Args>
  Timer run_at(const std::chrono::time_point<Clock, Duration>& t, F&& f,
               Args&&... args) requires detail::JobCallable<F, Args...> {
    return run_at(t, Urgency::normal, std::forward<F>(f), std::forward<Args>(args)...);
  }
  template <class Clock, class Duration, class F, class... Args>
  Timer run_at(const std::chrono::time_point<Clock, Duration>& t, Urgency urgency, F&& f,
               Args&&... args) requires detail::JobCallable<F, Args...> {
    const std::int64_t time_ns = detail::saturated_ns(t.time_since_epoch());
    if constexpr (std::is_same_v<Clock, std::chrono::steady_clock>) {
      return start_at(once(urgency, std::forward<F>(f), std::forward<Args>(args)...), time_ns);
    } else {
      static_assert(std::is_same_v<Clock, std::chrono::system_clock>,
                    "a time of steady_clock or system_clock");
      using Task = detail::TimerTask<detail::CalendarTimer, detail::CallOf<F, Args...>>;
      return start_calendar(Task::make(detail::CalendarTimer::Rule{time_ns, {}, urgency},
                                       std::forward<F>(f), std::forward<Args>(args)...));
    }
  }

  /// Calls f() again and again; see RepeatOptions. Throws std::invalid_argument if `period` is not
  /// above zero (for a fixed delay: below zero), or `first` or `jitter` below zero.
  template <class Rep, class Period, detail::RepeatedCallable F>
  Timer run_every(const std::chrono::duration<Rep, Period>& period, F&& f,
                  const RepeatOptions& options = {}) {
    using Task = detail::TimerTask<detail::RepeatingTimer, detail::RepeatedCall<std::decay_t<F>>>;
    const detail::RepeatingTimer::Rule rule = checked(detail::saturated_ns(period), options);
    return start_repeating(Task::make(rule, std::forward<F>(f)));
  }

  /// Calls f() at the times of a cron expression in a time zone (docs/guide/cron.md), as the
  /// system's calendar goes. Times that pass while a call runs, or the system sleeps, are left out,
  /// but for the one that was next: it is made up for at once. If the clock is set back by less
  /// than three hours, no time has two calls; by more, its new calendar is followed from the
  /// beginning. Throws CronError.
  template <detail::RepeatedCallable F>
  Timer run_cron(std::string_view expression, std::string_view zone, F && f,
                 Urgency urgency = Urgency::normal) {
    return run_cron(Cron(expression, zone), std::forward<F>(f), urgency);
  }
  template <detail::RepeatedCallable F>
  Timer run_cron(const Cron& cron, F&& f, Urgency urgency = Urgency::normal) {
    using Task = detail::TimerTask<detail::CalendarTimer, detail::RepeatedCall<std::decay_t<F>>>;
    return start_calendar(Task::make(detail::CalendarTimer::Rule{first_time(cron), cron, urgency},
                                     std::forward<F>(f)));
  }

  /// Calls f(args...) as soon as a worker is free. Blocks and throws as ThreadPool::submit().
  template <class F, class... Args>
  requires detail::JobCallable<F, Args...>
  auto run_queued(F && f, Args && ... args) {
    return run_queued(Urgency::normal, std::forward<F>(f), std::forward<Args>(args)...);
  }
  template <class F, class... Args>
  requires detail::JobCallable<F, Args...>
  auto run_queued(Urgency urgency, F && f, Args && ... args) {
    using Call = detail::QueuedCall<detail::CallOf<F, Args...>>;
    return pool().submit(
        urgency, Call(detail::QueuedJob(queue_), std::forward<F>(f), std::forward<Args>(args)...));
  }

  // --- the executor ------------------------------------------------------------------------------

  /// See the table above. Returns how many timers were abandoned. Waits for deadlines only where
  /// the policy says so, and then for ever if the pool that it was given is stopped. A pool that
  /// the executor was given is not stopped. Not ended by the caller's stop.
  std::size_t stop(StopPolicy policy = StopPolicy::abandon_ahead);
  /// Whether all has ended.
  [[nodiscard]] bool try_stop();
  template <class Rep, class Period>
  StopReport stop_for(const std::chrono::duration<Rep, Period>& d) {
    return stop_until(detail::Deadline::after(d));
  }

  /// Whether it takes calls.
  [[nodiscard]] bool running() const noexcept;
  [[nodiscard]] ThreadPool& pool() const noexcept { return pool_; }
  [[nodiscard]] DelayExecutorStats stats() const;

 private:
  class CalendarWatch;

  template <class F, class... Args>
  static auto& once(Urgency urgency, F && f, Args && ... args) {
    using Task = detail::TimerTask<detail::SingleTimer, detail::CallOf<F, Args...>>;
    return Task::make(urgency, std::forward<F>(f), std::forward<Args>(args)...);
  }
  std::int64_t first_time(const Cron& cron) const;
  static detail::RepeatingTimer::Rule checked(std::int64_t period_ns, const RepeatOptions& options);
  // They take the timer over.
  Timer start_after(detail::TimerState & timer, std::int64_t ns);
  Timer start_at(detail::TimerState & timer, std::int64_t deadline_ns);
  [[gnu::visibility("hidden")]] static Timer accept(detail::TimerState & timer, bool accepted);
  Timer start_repeating(detail::RepeatingTimer & timer);
  Timer start_calendar(detail::CalendarTimer & timer);
  [[gnu::visibility("hidden")]] void require_outside() const;
  [[gnu::visibility("hidden")]] void begin_drop() noexcept;
  [[gnu::visibility("hidden")]] bool await_end(detail::Deadline deadline);
  StopReport stop_until(detail::Deadline deadline);

  std::unique_ptr<ThreadPool> own_pool_;
  ThreadPool& pool_;
  detail::TimerQueue& queue_;
  std::unique_ptr<CalendarWatch> calendar_watch_;
};

}  // namespace rouse
