#pragma once
// ThreadPool: threads that make calls for others, and can be stopped while they do.
//
/// @code
///   rouse::ThreadPool pool({.min_threads = 2, .max_threads = 8, .name = "worker"});
///   pool.post([] { std::puts("soon, on another thread"); });
///   rouse::Job<int> job = pool.submit([](int a, int b) { return a + b; }, 2, 3);
///   const int five = job.get();
///   std::vector<std::size_t> squares(1000);
///   pool.for_each(std::size_t{0}, squares.size(), [&](std::size_t i) { squares[i] = i * i; });
///   pool.post([] { (void)rouse::sleep_for(1h); });  // its waits obey the pool's stop
///   const rouse::StopReport report = pool.stop_for(1s);
/// @endcode
//
// What becomes of the jobs:
//
//                  a new job    queued     running                   returns
//   stop()         is refused   run        run on                    when all threads have ended
//   try_stop()     is refused   run        run on                    at once: whether they have
//   stop_for(d)    is refused   dropped    their stop is requested   when they have, or after d
//   ~ThreadPool()               dropped    their stop is requested   when they have
//
// Thread safety: all functions but the constructor and the destructor may be called from any
//   thread, also from jobs; those that block throw resource_deadlock_would_occur in a job.
// Ordering: post() and submit() happen before the call; the end of a call happens before the end of
//   a wait_idle() or stop() that saw it. Jobs of equal urgency that one thread posts start in that
//   order, if it is not itself a worker of the pool; when they end is another matter.
// Lifetime: a pool outlives the calls of its functions; Jobs may outlive it.
// Memory: 32 bytes per queued job with a callable of up to 16, 72 with one of 48, kept for later
//   jobs; docs/guide/thread_pool.md has more.

#include "rouse/detail/deadline.hpp"
#include "rouse/exec/job.hpp"
#include "rouse/exec/range_job.hpp"
#include "rouse/exec/thread_pool_stats.hpp"
#include "rouse/thread/stop_all.hpp"
#include "rouse/wait/wait_status.hpp"

#include <cxxabi.h>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iosfwd>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>

namespace rouse {

/// What a full queue does with one more job.
enum class Overflow : std::uint8_t {
  wait,         ///< The caller waits for room. A job of the pool itself does not: it goes in.
  reject,       ///< QueueFull is thrown.
  run_here,     ///< The caller makes the call itself, at once.
  drop_oldest,  ///< The oldest of the least urgent queued jobs is dropped.
};

/// What an exception does that leaves a posted callable.
enum class Unhandled : std::uint8_t {
  report,     ///< It goes to on_error; without one, to stderr, one line.
  terminate,  ///< The same, and std::terminate().
};

/// A call that lasts.
struct SlowJob {
  std::string thread;  ///< Name of the worker.
  int native_id = 0;
  const char* name = "";  ///< The job's.
  std::chrono::nanoseconds running{};
  ThreadActivity activity;
};

struct ThreadPoolOptions {
  std::size_t min_threads = 0;  ///< Stay while there is nothing to do. 0: as many as usable CPUs,
                                ///< but no more than max_threads.
  std::size_t max_threads = 0;  ///< Make calls at the same time. 0: as many as usable CPUs, but no
                                ///< less than min_threads.
  std::string name = {};        ///< Of the threads, with a number: "name-0". Empty: "pool".
  std::size_t queue_capacity = 0;  ///< Jobs that may be queued. 0: any number.
  Overflow overflow = Overflow::wait;
  std::chrono::nanoseconds idle_timeout = std::chrono::seconds(60);  ///< Of threads beyond min.
  std::size_t stack_size = 0;  ///< In bytes; 0: the system's default.
  /// Called in each thread, with its number, before its first job.
  std::function<void(std::size_t)> on_thread_start = {};
  /// Receives exceptions that nobody else can, on the worker.
  std::function<void(std::exception_ptr)> on_error = {};
  Unhandled unhandled = Unhandled::report;
  /// on_slow is called once for each call that lasts longer than slow_after, on a thread of the
  /// pool's own. Both or none.
  std::chrono::nanoseconds slow_after = std::chrono::nanoseconds::max();
  std::function<void(const SlowJob&)> on_slow = {};
};

/// How a range of indices is shared out.
struct RangeOptions {
  std::size_t grain = 0;  ///< Indices that a worker takes at once. 0: so many that there are some
                          ///< 8 portions for each of max_threads.
  Urgency urgency = Urgency::normal;
  const char* name = "";  ///< As in JobOptions.
};

/// A job was refused because the queue is full.
class [[gnu::visibility("default")]] QueueFull : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// How a call ended, for callbacks: with a value or an exception.
template <class R>
class Outcome {
 public:
  /// Makes the call.
  template <std::invocable C>
  __attribute__((no_sanitize("null"))) explicit Outcome(C& call) {
    try {
      result_.take_from(call);
    } catch (const abi::__forced_unwind&) {
      throw;
    } catch (...) {
      error_ = std::current_exception();
    }
  }
  explicit Outcome(std::exception_ptr error) noexcept : error_(std::move(error)) {}

  /// Returns the value, once, or throws the exception.
  R get() {
    if (error_ != nullptr) std::rethrow_exception(error_);
    return result_.take();
  }
  /// Null if there is a value.
  [[nodiscard]] const std::exception_ptr& error() const noexcept { return error_; }
  explicit operator bool() const noexcept { return error_ == nullptr; }

 private:
  detail::ResultOf<R> result_;
  std::exception_ptr error_;
};

namespace detail {

class Pool;
struct PoolAccess;

/// What becomes of one more job: where it goes, or why it is refused.
enum class Admission : std::uint8_t { queue, counted, here, full, timeout, stopped };

/// A call, and who hears how it ended.
template <class Callback, class C>
struct CallbackTask final : Task {
  using Result = std::invoke_result_t<C&>;

  template <class Hears, class... Sources>
  explicit CallbackTask(Hears&& hears, Sources&&... sources)
      : Task(operations_of),
        callback(std::forward<Hears>(hears)),
        call(std::forward<Sources>(sources)...) {}

  static constexpr Operations operations_of{
      .call =
          [](Task& task) {
            auto& self = static_cast<CallbackTask&>(task);
            static_cast<void>(std::invoke(std::move(self.callback), Outcome<Result>(self.call)));
          },
      .destroy = [](Task& task) noexcept { delete_task(static_cast<CallbackTask&>(task)); },
      .dropped =
          [](Task& task) {
            auto& self = static_cast<CallbackTask&>(task);
            static_cast<void>(
                std::invoke(std::move(self.callback), Outcome<Result>(job_dropped())));
          },
      .end_callable = nullptr,
      .help = nullptr,
      .request_stop = nullptr};

  Callback callback;
  C call;
};

}  // namespace detail

class DelayExecutor;

class [[gnu::visibility("default")]] ThreadPool {
 public:
  /// Starts min_threads. Throws std::invalid_argument for options that contradict each other or are
  /// out of range, std::system_error if the system has no room for the threads, std::bad_alloc;
  /// then no thread is left.
  explicit ThreadPool(ThreadPoolOptions options = {});

  /// Drops what is queued, requests the stop of what runs, and blocks until the threads have ended.
  ~ThreadPool();

  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // --- jobs --------------------------------------------------------------------------------------
  // A callable is moved (or copied, if it is an lvalue) into the job. If it takes a std::stop_token
  // in front of its arguments, it gets the job's; waits in it obey that token anyway.

  /// Calls f() on a worker. Blocks only if the queue is full and the policy says so; then Stopped
  /// ends the wait. Throws Stopped if the pool is stopped, QueueFull, std::bad_alloc: then `f` is
  /// not called. What f() throws goes to on_error.
  template <detail::JobCallable F>
  void post(F && f) {
    post(Urgency::normal, std::forward<F>(f));
  }
  template <detail::JobCallable F>
  void post(Urgency urgency, F && f) {
    put(urgency, admit(), std::forward<F>(f));
  }
  /// The same; where it would wait for room, `stop` ends that too.
  template <detail::JobCallable F>
  void post(F && f, std::stop_token stop) {
    put(Urgency::normal, admit(stop), std::forward<F>(f));
  }

  /// As post(), but waits for room at most for `d`, also where the policy is to reject or to run
  /// here: `ready` if the job was accepted, `timeout` if there was no room, `stopped` if the caller
  /// or the pool is stopped. `f` is moved from only if there was room.
  template <class Rep, class Period, detail::JobCallable F>
  [[nodiscard]] WaitStatus post_for(const std::chrono::duration<Rep, Period>& d, F&& f,
                                    std::stop_token stop = {}) {
    return try_put(admit_until(detail::Deadline::after(d), stop), std::forward<F>(f));
  }
  /// The same without a wait: whether it was accepted.
  template <detail::JobCallable F>
  [[nodiscard]] bool try_post(F && f) {
    return try_put(admit_until(detail::Deadline::past(), {}), std::forward<F>(f)) ==
           WaitStatus::ready;
  }

  /// Calls f(args...) on a worker; what it returns or throws is the Job's. Blocks and throws as
  /// post().
  template <class F, class... Args>
  requires detail::JobCallable<F, Args...>
  auto submit(F && f, Args && ... args) {
    return submit(JobOptions{}, std::forward<F>(f), std::forward<Args>(args)...);
  }
  template <class F, class... Args>
  requires detail::JobCallable<F, Args...>
  auto submit(Urgency urgency, F && f, Args && ... args) {
    return submit(JobOptions{.urgency = urgency}, std::forward<F>(f), std::forward<Args>(args)...);
  }
  template <class F, class... Args>
  requires detail::JobCallable<F, Args...>
  auto submit(const JobOptions& options, F&& f, Args&&... args) {
    using Call = detail::CallOf<F, Args...>;
    using Result = std::invoke_result_t<Call&>;
    const detail::Admission admission = admit();
    auto& task = make<detail::JobTask<Result, Call>>(admission, link_, options, std::forward<F>(f),
                                                     std::forward<Args>(args)...);
    Job<Result> job = detail::JobAccess::make<Result>(task);
    enqueue(task, options.urgency, admission);
    return job;
  }

  /// Calls f(args...) on a worker, and then, in the same job, callback(Outcome<R>) with the value
  /// or the exception. If the job is dropped, whoever drops it makes that call, with JobDropped (or
  /// std::bad_alloc, if there is no memory for that).
  /// What the callback throws goes to on_error. Blocks and throws as post().
  template <class Callback, class F, class... Args>
  requires detail::JobCallable<F, Args...>
  void submit_with_callback(Callback && callback, F && f, Args && ... args) {
    using Call = detail::CallOf<F, Args...>;
    const detail::Admission admission = admit();
    auto& task = make<detail::CallbackTask<std::decay_t<Callback>, Call>>(
        admission, std::forward<Callback>(callback), std::forward<F>(f),
        std::forward<Args>(args)...);
    enqueue(task, Urgency::normal, admission);
  }

  /// Calls f(i) for each i from `first` up to, but without, `last`, on as many workers as are free;
  /// each takes `grain` indices at a time. `f` is one object for all of them, and is called by
  /// several at the same time. The Job is `running` from now on, and done when all calls have
  /// returned. What the first call throws ends it: no further index is begun, and it is the Job's.
  /// So does request_stop(), which also stops the waits of those calls that run, and a stop of the
  /// pool: then it is `dropped`, unless all calls were made. A job of this pool that waits for it
  /// makes some of the calls itself. In a bounded queue it takes one place, and more only if there
  /// is room. Blocks and throws as post().
  template <std::integral I, detail::RangeCallable<I> F>
  Job<void> submit_range(I first, I last, F && f, const RangeOptions& options = {}) {
    using Range = detail::RangeTask<I, std::decay_t<F>>;
    const detail::Admission admission = first < last ? admit() : detail::Admission::queue;
    auto& range = make<Range>(admission, range_options(options, detail::RangeJob::Caller::goes_on),
                              first, last, std::forward<F>(f));
    Job<void> job = detail::JobAccess::make<void>(range);
    start_range(range, options.urgency, admission);
    return job;
  }

  /// The same, and waits for it; `f` is not copied. Unless `stop` can be requested, the calling
  /// thread makes some of the calls itself; their waits obey its own stop, which is also looked at
  /// after each `grain` of them. Throws what a call threw; Stopped if the wait was stopped, or the
  /// pool; what was raised at the thread; and as post(). It never leaves calls behind: however it
  /// ends, it requests the stop of those that run in workers and blocks until they have returned,
  /// which nothing ends early.
  template <std::integral I, detail::RangeCallable<I> F>
  void for_each(I first, I last, F && f, const RangeOptions& options = {},
                const std::stop_token& stop = {}) {
    if (!(first < last)) return;
    using Callable = std::reference_wrapper<std::remove_reference_t<F>>;
    const bool takes_part = !stop.stop_possible();
    const auto caller =
        takes_part ? detail::RangeJob::Caller::takes_part : detail::RangeJob::Caller::waits;
    const detail::Admission admission = admit_caller(takes_part, stop);
    auto& range = make<detail::RangeTask<I, Callable>>(admission, range_options(options, caller),
                                                       first, last, Callable(f));
    const Job<void> job = detail::JobAccess::make<void>(range);
    run_range(range, options.urgency, admission, takes_part, stop);
  }

  // --- the pool ----------------------------------------------------------------------------------

  /// Blocks until there was a moment at which no job was queued and none ran. Throws in a job.
  WaitStatus wait_idle(std::stop_token stop = {});

  /// Changes the limits, of which 0 means what it means in the options. Threads are started up to
  /// `min` here and, when there is work, up to `max`; those beyond `max` end their job first, those
  /// beyond `min` leave after idle_timeout. Does not wait for them. Throws std::invalid_argument,
  /// and std::system_error or std::bad_alloc if a thread up to `min` cannot be started: then the
  /// limits are as before.
  void resize(std::size_t min_threads, std::size_t max_threads);

  /// See the table above. Not ended by the caller's stop. stop() and stop_for() throw
  /// std::system_error (resource_deadlock_would_occur) in a job of this pool, and all of them
  /// std::bad_alloc in a thread's first wait: then they change nothing. Without memory for the
  /// names in its report stop_for() throws std::bad_alloc too, after it has stopped the pool as far
  /// as it could.
  void stop();
  [[nodiscard]] bool try_stop();
  template <class Rep, class Period>
  StopReport stop_for(const std::chrono::duration<Rep, Period>& d) {
    return stop_until(detail::Deadline::after(d));
  }

  /// Starts it again after it was stopped. Throws as the constructor, and std::logic_error if
  /// threads of it still run.
  void start();

  /// Whether it takes jobs.
  [[nodiscard]] bool running() const noexcept;
  [[nodiscard]] const std::string& name() const noexcept;
  [[nodiscard]] ThreadPoolStats stats() const;
  /// stats(), and what each thread does at the moment.
  void dump_stats(std::ostream & out) const;

 private:
  friend class DelayExecutor;
  // For rouse/asio.hpp.
  friend struct detail::PoolAccess;
  bool runs_in_this_thread() const noexcept;
  // Takes the task over, whether there is room or not: what has begun must be able to end. Drops it
  // if the pool is stopped, unless one of its own jobs adds it.
  void add_handler(detail::Task & task) noexcept;
  // What lives as long as the pool, and ends after its threads: the first that was offered.
  void* extension(std::shared_ptr<void> offered);

  // Throws what post() throws.
  detail::Admission admit(const std::stop_token& stop = {}) {
    return bounded_ ? admit_bounded(stop) : detail::Admission::queue;
  }
  detail::Admission admit_bounded(const std::stop_token& stop);
  detail::Admission admit_until(detail::Deadline deadline, const std::stop_token& stop);
  void give_back(detail::Admission admission) noexcept;

  // Takes the task over. If the pool is stopped the task is dropped: false, or Stopped.
  bool try_enqueue(detail::Task & task, Urgency urgency, detail::Admission admission);
  void enqueue(detail::Task & task, Urgency urgency, detail::Admission admission);

  template <class T, class... Args>
  T& make(detail::Admission admission, Args && ... args) {
    try {
      return *detail::new_task<T>(std::forward<Args>(args)...);
    } catch (...) {
      give_back(admission);
      throw;
    }
  }
  template <class F>
  void put(Urgency urgency, detail::Admission admission, F && f) {
    enqueue(make<detail::PostedTask<detail::CallOf<F>>>(admission, std::forward<F>(f)), urgency,
            admission);
  }
  template <class F>
  WaitStatus try_put(detail::Admission admission, F && f) {
    if (admission == detail::Admission::timeout) return WaitStatus::timeout;
    if (admission == detail::Admission::stopped) return WaitStatus::stopped;
    auto& task = make<detail::PostedTask<detail::CallOf<F>>>(admission, std::forward<F>(f));
    return try_enqueue(task, Urgency::normal, admission) ? WaitStatus::ready : WaitStatus::stopped;
  }

  detail::RangeJob::Options range_options(const RangeOptions& options,
                                          detail::RangeJob::Caller caller) {
    return {*pool_, options.grain, options.name, caller};
  }
  detail::Admission admit_caller(bool takes_part, const std::stop_token& stop);
  // Throws Stopped.
  void start_range(detail::RangeJob & range, Urgency urgency, detail::Admission admission);
  [[gnu::visibility("hidden")]] void add_runners(detail::RangeJob::Runners & runners,
                                                 Urgency urgency);
  // Throws what for_each() does.
  void run_range(detail::RangeJob & range, Urgency urgency, detail::Admission admission,
                 bool caller_takes_part, const std::stop_token& stop);

  [[noreturn, gnu::visibility("hidden")]] void throw_stopped() const;
  StopReport stop_until(detail::Deadline deadline);

  const std::unique_ptr<detail::Pool> pool_;
  const detail::PoolLink link_;
  const bool bounded_;
};

}  // namespace rouse
