#pragma once
// StoppableThread: a thread with an owner, a name and an end. Running<T>: one that starts by
// itself.
//
/// @code
///   class Ticker : public rouse::StoppableThread {
///    protected:
///     void run(std::stop_token) override {
///       while (rouse::sleep_for(10s) == rouse::WaitStatus::timeout) ++ticks_;
///     }
///     int ticks_ = 0;
///   };
///   rouse::Running<Ticker> ticker;  // starts here; stops and joins at the end of the scope
///
///   rouse::StoppableThread worker([](std::stop_token stop) { (void)rouse::sleep_for(1h, stop); },
///                                 {.name = "worker"});
///   worker.start();
/// @endcode
//
// Derive and override run(), or construct it from a callable. Waits inside `run` obey the thread's
// stop without being told (its ambient stop).
// Thread safety: all functions but the constructor and destructor may be called from any thread.
// Ordering: start() happens before run(); the end of run() happens before a join() or wait() that
//   saw it.
//   A start() that has not returned yet counts as none. pthread_cancel has no effect on the thread.
// Lifetime: neither copied nor moved; keep it in a std::deque, std::list or std::unique_ptr. A
//   derived thread must be joined before its own destructor ends: Running<T> does it. A destructor
//   of this base class that finds an overridden run() still active prints the name and terminates.

#include "rouse/detail/deadline.hpp"
#include "rouse/detail/unique_function.hpp"
#include "rouse/thread/thread_activity.hpp"
#include "rouse/wait/stop_scope.hpp"
#include "rouse/wait/wait_status.hpp"

#include <chrono>
#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>

namespace rouse {

struct ThreadOptions {
  std::string name = {};       ///< Empty: "thread-<n>". The kernel shows the first 15 bytes.
  std::size_t stack_size = 0;  ///< In bytes, rounded up to what the system can do. 0: its default.
  /// Receives an exception that escapes `run`, in the thread that ended with it; its waits do not
  /// obey the thread's stop any more.
  std::function<void(std::exception_ptr)> on_error = {};
};

class [[gnu::visibility("default")]] StoppableThread {
 public:
  /// For derived classes, which override run().
  explicit StoppableThread(ThreadOptions options = {});

  /// `body` is called in the new thread, with the stop token if it takes one.
  template <class Body>
  requires std::invocable<Body&, std::stop_token> || std::invocable<Body&>
  explicit StoppableThread(Body body, ThreadOptions options = {})
      : StoppableThread(std::move(options)) {
    set_body(std::move(body));
  }

  /// Stops and joins a thread that was made from a callable; blocks until it has ended. An
  /// exception that nobody took goes to stderr, one line.
  virtual ~StoppableThread();

  StoppableThread(const StoppableThread&) = delete;
  StoppableThread& operator=(const StoppableThread&) = delete;

  /// Starts the thread. Throws std::system_error (EAGAIN) or std::bad_alloc if the system has no
  /// room for it: then nothing is started and start() may be tried again. Throws std::logic_error
  /// if it was started before: a thread runs once.
  void start();

  /// Asks the thread to end. Never blocks. Returns whether this was the first request. May come
  /// before start(): `run` then finds the stop requested.
  bool request_stop(StopReason reason = {}) noexcept;

  /// Blocks until `run` has returned and the thread is gone, with its thread_local objects.
  /// Rethrows, once, an exception that escaped `run` if there is no on_error. Does not obey this
  /// thread's stop: wait() does. Throws std::system_error: invalid_argument if it was never
  /// started, resource_deadlock_would_occur in the thread itself. Returns at once if it was joined
  /// before.
  void join();

  /// As join(), but gives up after `d`. Returns whether it joined.
  template <class Rep, class Period>
  bool try_join_for(const std::chrono::duration<Rep, Period>& d) {
    return join_until(detail::Deadline::after(d));
  }

  /// Blocks until `run` has returned (`ready`) or the caller is stopped; does not join.
  WaitStatus wait(std::stop_token stop = {}) { return wait_ended(detail::Deadline::never(), stop); }
  template <class Rep, class Period>
  WaitStatus wait_for(const std::chrono::duration<Rep, Period>& d, std::stop_token stop = {}) {
    return wait_ended(detail::Deadline::after(d), stop);
  }
  template <class Clock, class Duration>
  WaitStatus wait_until(const std::chrono::time_point<Clock, Duration>& t,
                        std::stop_token stop = {}) {
    return detail::wait_until_on(t, [&](detail::Deadline d) { return wait_ended(d, stop); });
  }

  /// From start() until `run` has returned.
  [[nodiscard]] bool running() const noexcept;

  /// The kernel's thread id; 0 if it does not run. After start() it may block for the moment that
  /// the new thread needs to come up.
  [[nodiscard]] int native_id() const;

  [[nodiscard]] const std::string& name() const noexcept;
  [[nodiscard]] std::stop_token stop_token() const noexcept;

  /// What it is doing now, for reports.
  [[nodiscard]] ThreadActivity activity() const;

 protected:
  /// The thread's work, called once in the new thread. An exception that escapes reaches exactly
  /// one of: on_error, join(), one line on stderr. Stopped, after a stop was requested, is an
  /// orderly end.
  virtual void run(std::stop_token stop);

  /// For the destructor of a most derived class: requests stop and joins. What escaped `run` and
  /// was not taken is told on stderr.
  void stop_and_join() noexcept;

 private:
  friend class InterruptibleThread;
  friend class StopAll;
  struct [[gnu::visibility("hidden")]] Impl;

  [[gnu::visibility("hidden")]] explicit StoppableThread(std::unique_ptr<Impl> impl);

  template <class Body>
  void set_body(Body body) {
    if constexpr (std::invocable<Body&, std::stop_token>) {
      body_ = std::move(body);
    } else {
      body_ = [body = std::move(body)](std::stop_token) mutable { body(); };
    }
  }

  bool join_until(detail::Deadline deadline);
  WaitStatus wait_ended(detail::Deadline deadline, const std::stop_token& stop);

  const std::unique_ptr<Impl> impl_;
  detail::UniqueFunction<void(std::stop_token)> body_;
};

/// The most derived wrapper of a thread class: starts it when T is complete, and stops and joins it
/// before any part of T is destroyed. The arguments go to T's constructor.
template <std::derived_from<StoppableThread> T>
class Running final : public T {
 public:
  template <class... Args>
  requires std::constructible_from<T, Args...>
  explicit Running(Args&&... args) : T(std::forward<Args>(args)...) { this->start(); }
  ~Running() override { this->stop_and_join(); }
};

}  // namespace rouse
