#pragma once
// Timer: the handle of a call that a DelayExecutor will make, once or again and again.
//
/// @code
///   rouse::DelayExecutor executor;
///   rouse::Timer timeout = executor.run_after(5s, [] { std::puts("too late"); });
///   const bool in_time = timeout.cancel();  // true: it has not been called and will not be
///   rouse::ScopedTimer beat(executor.run_every(1s, [] { std::puts("beat"); }));
/// @endcode
//
// Thread safety: a Timer is moved, destroyed and assigned to by one thread at a time; its other
//   functions may be called by any threads meanwhile, also in the timer's own call.
// Ordering: run_after() and its like, and reschedule(), happen before the call; a call happens
//   before the next one, and before a cancel_and_wait() that returned `ready`.
// Lifetime: a Timer may outlive its executor. Giving it up changes nothing for the timer; a
//   ScopedTimer ends it. The callable lives until it cannot be called any more.

#include "rouse/detail/deadline.hpp"
#include "rouse/exec/timer_state.hpp"
#include "rouse/wait/wait_status.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <utility>

namespace rouse {

/// When a repeated call is made again.
enum class RepeatMode : std::uint8_t {
  fixed_rate,   ///< At the times of a grid: first, first + period, first + 2 * period, ...
  fixed_delay,  ///< A period after the last call has returned.
};

/// What a fixed rate does with the times that have passed when a call returns, because it lasted or
/// started late. A timer never overlaps itself.
enum class OnMissed : std::uint8_t {
  skip,      ///< They are left out: the next call is at the next time of the grid.
  catch_up,  ///< Each gets its call, one after the other, without a pause.
  merge,     ///< One call at once stands for all of them.
};

struct RepeatOptions {
  RepeatMode mode = RepeatMode::fixed_rate;
  std::optional<std::chrono::nanoseconds> first = {};  ///< From now to the first call. Nothing: a
                                                       ///< period.
  std::chrono::nanoseconds jitter{0};  ///< Each call comes up to so much later, at random.
  OnMissed on_missed = OnMissed::skip;
  std::uint64_t times = 0;  ///< How many calls are made. 0: no limit.
  Urgency urgency = Urgency::normal;
};

class [[gnu::visibility("default")]] Timer {
 public:
  /// Empty: its functions find nothing to do.
  Timer() noexcept = default;
  Timer(Timer && other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  Timer& operator=(Timer&& other) noexcept {
    if (this != &other) {
      give_up();
      state_ = std::exchange(other.state_, nullptr);
    }
    return *this;
  }
  ~Timer() { give_up(); }

  /// No call begins any more; one that runs goes on. True if that prevented one: it was still to
  /// come. Then the callable's life has ended, or, if it runs, ends with the call. Never blocks.
  bool cancel() noexcept { return state_ != nullptr && state_->cancel(); }

  /// The same, and blocks until no call runs: `ready`, at once if there is none, or if this one is
  /// the caller's. `stopped` if the wait was; then the timer is cancelled all the same.
  WaitStatus cancel_and_wait(std::stop_token stop = {}) {
    return state_ == nullptr ? WaitStatus::ready : state_->cancel_and_wait(stop);
  }

  /// The next call comes `d` from now instead; a grid starts anew there. False if none is to come,
  /// or if it is due already. While a call runs: true if the timer repeats.
  template <class Rep, class Period>
  bool reschedule(const std::chrono::duration<Rep, Period>& d) noexcept {
    return state_ != nullptr && state_->reschedule(detail::saturated_ns(d));
  }

  /// When the next call is to come, on the executor's clock: in the past if it is due. Nothing if
  /// none is to come, or if that is not known until the call that runs has returned.
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> next_run() const noexcept {
    return state_ == nullptr ? std::nullopt : state_->next_run();
  }

  /// How many calls have returned or thrown.
  [[nodiscard]] std::uint64_t runs() const noexcept {
    return state_ == nullptr ? 0 : state_->runs();
  }

  /// Stops the waits of the call that runs, and its stop token. False if none runs. The timer stays
  /// as it is. Never blocks, but for the stop callbacks of others.
  bool request_stop() noexcept { return state_ != nullptr && state_->request_stop(); }

  /// Whether it has a timer.
  [[nodiscard]] bool valid() const noexcept { return state_ != nullptr; }

 private:
  friend class ScopedTimer;
  friend class DelayExecutor;

  explicit Timer(detail::TimerState & state) noexcept : state_(&state) {}
  void give_up() noexcept {
    if (state_ != nullptr) state_->release();
  }

  detail::TimerState* state_ = nullptr;
};

/// A Timer that ends with its scope: what its call refers to may be destroyed afterwards.
class ScopedTimer {
 public:
  ScopedTimer() noexcept = default;
  explicit ScopedTimer(Timer timer) noexcept : timer_(std::move(timer)) {}
  ScopedTimer(ScopedTimer&&) noexcept = default;
  /// Ends the timer that it had.
  ScopedTimer& operator=(ScopedTimer&& other) noexcept {
    if (this != &other) {
      end();
      timer_ = std::move(other.timer_);
    }
    return *this;
  }
  /// Cancels it, stops the waits of a call that runs, and blocks until that has returned; in the
  /// call itself it does not block. Nothing ends this early.
  ~ScopedTimer() { end(); }

  Timer& operator*() noexcept { return timer_; }
  Timer* operator->() noexcept { return &timer_; }

  /// Lets it go on without a scope.
  [[nodiscard]] Timer release() noexcept { return std::move(timer_); }

 private:
  void end() noexcept {
    if (timer_.state_ != nullptr) timer_.state_->end();
  }

  Timer timer_;
};

}  // namespace rouse
