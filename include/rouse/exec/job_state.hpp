#pragma once
// What is behind a Job: the call, its result, and who shares them. Internal: see job.hpp.
//
// Design: docs/design/thread_pool.md.

#include "rouse/detail/deadline.hpp"
#include "rouse/detail/os.hpp"
#include "rouse/exec/task.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/wait_status.hpp"

#include <chrono>
#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace rouse {

enum class JobStatus : std::uint8_t {
  queued,   ///< Not called yet.
  running,  ///< Is being called.
  done,     ///< Has returned.
  failed,   ///< Has thrown.
  dropped,  ///< Was never called, or not for all of its range: a stop was requested, of it or of
            ///< its pool.
  expired,  ///< Was never called: its time ran out in the queue.
};

/// Whether a job with this status has come to its end.
constexpr bool has_ended(JobStatus status) noexcept { return status >= JobStatus::done; }

/// In which order jobs that wait for a worker start. docs/guide/thread_pool.md says how jobs of
/// little urgency come to their turn.
enum class Urgency : std::uint8_t { high, normal, low };

struct JobOptions {
  Urgency urgency = Urgency::normal;
  /// A job that has not started by then never does: it is `expired`.
  std::chrono::nanoseconds expires_in = std::chrono::nanoseconds::max();
  /// For reports. A string literal, or another text that lives as long as the program.
  const char* name = "";
};

/// A result was asked for that there will never be: the job was dropped, or has expired.
class [[gnu::visibility("default")]] JobDropped : public Stopped {
 public:
  explicit JobDropped(JobStatus status);
  [[nodiscard]] JobStatus status() const noexcept { return status_; }

 private:
  JobStatus status_;
};

template <class R>
class Job;

namespace detail {

class PoolAnchor;

/// A pool that may be gone by now.
struct PoolLink {
  PoolAnchor* anchor = nullptr;  // null: there never was one
  std::uint32_t generation = 0;

  friend bool operator==(const PoolLink&, const PoolLink&) noexcept = default;
};

[[noreturn, gnu::visibility("default")]] void throw_empty_job();
/// JobDropped; without memory for it std::bad_alloc.
[[gnu::visibility("default")]] std::exception_ptr job_dropped() noexcept;

/// A call that a worker makes and that others may stop: one word, whose other bits are its owner's.
class StoppableCall {
 public:
  bool stop_requested() const noexcept {
    return (word_.load(std::memory_order_relaxed) & stop_requested_) != 0;
  }

 protected:
  static constexpr std::uint32_t stop_requested_ = 0x100;

  /// Once the bit is set: ends its waits, on one worker of the pool or, with JobState::no_worker,
  /// on any.
  void stop_waits(const PoolLink& link, unsigned worker) const noexcept;

  Atomic<std::uint32_t> word_{0};
};

/// A job without its types. Its handle and its queue share it.
class JobState : public Task, public StoppableCall {
 public:
  [[gnu::visibility("default")]] WaitStatus wait(Deadline deadline, const std::stop_token& stop);
  /// Until it has ended; throws Stopped.
  [[gnu::visibility("default")]] void wait_or_throw(const std::stop_token& stop);
  /// When it has ended: throws what it threw, or JobDropped.
  [[gnu::visibility("default")]] void throw_unless_done();
  [[gnu::visibility("default")]] bool request_stop() noexcept;
  [[gnu::visibility("default")]] JobStatus status() noexcept;
  /// For a worker that is about to wait for it: makes the call, if it is queued in its pool.
  void help();

  [[gnu::visibility("default")]] void release() noexcept;
  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }

  /// Puts `job` into the queue of its pool when this one has ended, now or later. Throws
  /// std::bad_alloc: then nothing has happened.
  [[gnu::visibility("default")]] void submit_after_this(JobState& job, Urgency urgency);

  /// In place of a worker's number: some other thread.
  static constexpr unsigned no_worker = 0xFFFF;

  /// From queued to running, on the worker of this number; from queued to `status`, which has
  /// ended, without a call. False if somebody was quicker, or, for claim(), if the time has run
  /// out.
  bool claim(unsigned worker) noexcept;
  bool drop(JobStatus status) noexcept;
  /// The same, of a job that no queue and no other thread has seen; releases it.
  void refuse() noexcept;
  struct End {
    bool failed = false;
    std::exception_ptr unwanted = nullptr;  // what was thrown, if nobody is left who could ask
  };
  /// After claim(): makes the call and ends the job. Releasing it is left to the caller.
  End run();
  /// Of a posted task; its exceptions are always unwanted.
  static End call(Task& task);
  /// The same end without the call. Returns what fail() was given, if nobody is left who could ask.
  std::exception_ptr conclude(JobStatus status) noexcept;

  const PoolLink& link() const noexcept { return link_; }
  const char* name() const noexcept { return name_; }
  bool is_queued() const noexcept {
    return status_of(word_.load(std::memory_order_relaxed)) == JobStatus::queued;
  }
  Event& end() noexcept { return end_; }
  void fail(std::exception_ptr error) noexcept { error_ = std::move(error); }

 protected:
  JobState(const Operations& job_operations, const PoolLink& link,
           const JobOptions& options) noexcept
      : Task(job_operations),
        link_(link),
        expiry_(Deadline::after_ns(options.expires_in.count())),
        name_(options.name) {}
  ~JobState() = default;

 private:
  static constexpr std::uint32_t status_mask_ = 0xFF;
  static constexpr unsigned worker_shift_ = 16;

  void finish(JobStatus status) noexcept;

  static JobStatus status_of(std::uint32_t word) noexcept {
    return static_cast<JobStatus>(word & status_mask_);
  }

  // In the word: the status, whether its stop was requested, its worker.
  Atomic<std::uint32_t> references_{2};
  Event end_;
  const PoolLink link_;
  const Deadline expiry_;
  const char* const name_;
  std::exception_ptr error_;
};

/// What a call returns: nothing, a reference or a value.
template <class R>
class ResultOf {
 public:
  template <class C>
  void take_from(C& call) {
    if constexpr (std::is_void_v<R>) {
      call();
    } else if constexpr (std::is_lvalue_reference_v<R>) {
      value_ = std::addressof(call());
    } else {
      value_.emplace(call());
    }
  }

  /// Once. Precondition: take_from() has returned.
  R take() {
    if constexpr (std::is_lvalue_reference_v<R>) {
      return *value_;
    } else if constexpr (!std::is_void_v<R>) {
      return std::move(*value_);
    }
  }

 private:
  struct Nothing {};
  template <class T>
  struct Held {
    using type = std::optional<T>;
  };
  template <class T>
  struct Held<T&> {
    using type = T*;
  };

  [[no_unique_address]]
  typename std::conditional_t<std::is_void_v<R>, std::type_identity<Nothing>, Held<R>>::type
      value_{};
};

/// With the result.
template <class R>
class JobResult : public JobState {
 public:
  using JobState::JobState;

  ResultOf<R> result;
};

/// With the callable, whose life ends before the job does.
template <class R, class C>
class JobTask final : public JobResult<R> {
 public:
  template <class... Sources>
  JobTask(const PoolLink& link, const JobOptions& options, Sources&&... sources)
      : JobResult<R>(operations_of, link, options), call_(std::forward<Sources>(sources)...) {}
  ~JobTask() {}

 private:
  static constexpr Task::Operations operations_of{
      .call =
          [](Task& task) {
            auto& self = static_cast<JobTask&>(task);
            self.result.take_from(self.call_);
          },
      .destroy = [](Task& task) noexcept { delete_task(static_cast<JobTask&>(task)); },
      .dropped = nullptr,
      .end_callable = [](Task& task) noexcept { static_cast<JobTask&>(task).call_.~C(); },
      .help = nullptr,
      .request_stop = nullptr};

  union {
    C call_;
  };
};

}  // namespace detail
}  // namespace rouse
