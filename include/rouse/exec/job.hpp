#pragma once
// Job<R>: the handle of a call that a ThreadPool makes: its result, its end, its stop.
//
/// @code
///   rouse::ThreadPool pool;
///   rouse::Job<int> job = pool.submit([] { return 6 * 7; });
///   rouse::Job<std::string> text = std::move(job).then([](int n) { return std::to_string(n); });
///   const std::string answer = text.get();  // throws what the call threw, and Stopped
/// @endcode
//
// Thread safety: a Job is moved, destroyed and asked by get(), then() and valid() by one thread at
// a
//   time; wait(), request_stop() and status() may be called by others during its get().
// Ordering: submit() happens before the call; the end of the call, and of the life of the callable,
//   happens before a wait() or get() that saw it.
// Lifetime: a Job may outlive its pool, which has ended or dropped the call by then. Giving it up
//   neither stops the call nor waits for it; what it throws goes to the pool's on_error then.

#include "rouse/detail/deadline.hpp"
#include "rouse/exec/job_state.hpp"
#include "rouse/wait/wait_status.hpp"

#include <chrono>
#include <concepts>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace rouse {
namespace detail {

struct JobAccess;

/// What then() can call with the end of a Job<R>.
template <class F, class R>
concept Continuation = std::invocable<F, Job<R>> || std::invocable<F, R> ||
    (std::is_void_v<R>&& std::invocable<F>);

}  // namespace detail

template <class R>
class [[nodiscard]] Job {
 public:
  using result_type = R;

  /// Empty: the only function to call, but for assigning another Job, is valid(). The others throw
  /// std::logic_error.
  Job() noexcept = default;
  Job(Job&& other) noexcept
      : state_(std::exchange(other.state_, nullptr)), taken_(std::exchange(other.taken_, false)) {}
  Job& operator=(Job&& other) noexcept {
    if (this != &other) {
      give_up();
      state_ = std::exchange(other.state_, nullptr);
      taken_ = std::exchange(other.taken_, false);
    }
    return *this;
  }
  ~Job() { give_up(); }

  /// Whether there is a result to ask for, now or later.
  [[nodiscard]] bool valid() const noexcept { return state_ != nullptr && !taken_; }

  /// Blocks until the job has ended, in whichever way (`ready`), or the caller is stopped. In a job
  /// of the same pool, without a token, it makes the call itself if that still waits: then it
  /// returns when the call does. Otherwise another worker steps in for the one that blocks.
  WaitStatus wait(std::stop_token stop = {}) const {
    return state().wait(detail::Deadline::never(), stop);
  }
  /// As wait(), but at most for `d`. Never makes the call itself.
  template <class Rep, class Period>
  WaitStatus wait_for(const std::chrono::duration<Rep, Period>& d,
                      std::stop_token stop = {}) const {
    return state().wait(detail::Deadline::after(d), stop);
  }
  template <class Clock, class Duration>
  WaitStatus wait_until(const std::chrono::time_point<Clock, Duration>& t,
                        std::stop_token stop = {}) const {
    return detail::wait_until_on(t, [&](detail::Deadline d) { return state().wait(d, stop); });
  }

  /// Waits as wait() and returns the result, or throws what the call threw; JobDropped if there
  /// was no call. Once: then valid() is false, and get() throws std::logic_error. Throws Stopped if
  /// the wait was stopped: get() may be called again.
  R get(std::stop_token stop = {}) {
    if (taken_) detail::throw_empty_job();
    state().wait_or_throw(stop);
    taken_ = true;
    state_->throw_unless_done();
    return state_->result.take();
  }

  /// Drops the job if it is queued; stops its waits if it runs (what it returns then still is its
  /// result). Never blocks, but for the stop callbacks of others. False if it has ended before.
  bool request_stop() noexcept { return state_ != nullptr && state_->request_stop(); }

  [[nodiscard]] JobStatus status() const { return state().status(); }

  /// Calls f(result) on the pool when there is a result; get() of the returned Job gives what `f`
  /// returns, or throws what this one's would have. If `f` takes a Job<R> it is called in any case,
  /// with the ended job. The call is dropped if the pool is stopped meanwhile, or if there is no
  /// memory for its place in the queue when this job ends. This Job is empty then.
  /// Throws std::bad_alloc; std::logic_error for a Job that belongs to no pool. Then it stays.
  template <class F>
  requires detail::Continuation<std::decay_t<F>, R>
  auto then(F&& f, JobOptions options = {}) &&;

 private:
  friend struct detail::JobAccess;

  explicit Job(detail::JobResult<R>* state) noexcept : state_(state) {}

  detail::JobResult<R>& state() const {
    if (state_ == nullptr) detail::throw_empty_job();
    return *state_;
  }
  void give_up() noexcept {
    if (state_ != nullptr) state_->release();
  }

  detail::JobResult<R>* state_ = nullptr;
  bool taken_ = false;  // the result
};

// --- implementation ------------------------------------------------------------------------------

namespace detail {

/// For what makes Jobs.
struct JobAccess {
  /// Takes over one of the references to `state`.
  template <class R>
  static Job<R> make(JobResult<R>& state) noexcept {
    return Job<R>(&state);
  }
  template <class R>
  static JobResult<R>& state(const Job<R>& job) {
    return job.state();
  }
};

}  // namespace detail

template <class R>
template <class F>
requires detail::Continuation<std::decay_t<F>, R>
auto Job<R>::then(F&& f, JobOptions options) && {
  if (taken_) detail::throw_empty_job();
  detail::JobResult<R>& before = state();
  before.retain();
  Job job = detail::JobAccess::make(before);
  auto call = [f = std::forward<F>(f), job = std::move(job)]() mutable -> decltype(auto) {
    if constexpr (std::invocable<std::decay_t<F>, Job>) {
      return std::invoke(std::move(f), std::move(job));
    } else if constexpr (std::is_void_v<R>) {
      job.get();
      return std::invoke(std::move(f));
    } else {
      return std::invoke(std::move(f), job.get());
    }
  };
  using Result = std::invoke_result_t<decltype(call)&>;
  auto* const task = detail::new_task<detail::JobTask<Result, decltype(call)>>(
      before.link(), options, std::move(call));
  Job<Result> after = detail::JobAccess::make<Result>(*task);
  before.submit_after_this(*task, options.urgency);
  *this = Job();
  return after;
}

}  // namespace rouse
