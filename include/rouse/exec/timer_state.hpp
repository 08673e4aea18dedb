#pragma once
// TimerState: a timer without its types. Internal: see timer.hpp and delay_executor.hpp.
//
// A timer is a task that lies in a wheel until its deadline and then goes through the queues of a
// pool, as often as it repeats. Its handle and its executor share it. Design:
// docs/design/timers.md.

#include "rouse/exec/job_state.hpp"
#include "rouse/exec/task.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/wait_status.hpp"

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace rouse::detail {

class TimerShard;

/// What a wheel needs of a timer.
class TimerEntry {
 public:
  TimerEntry() noexcept = default;
  TimerEntry(const TimerEntry&) = delete;
  TimerEntry& operator=(const TimerEntry&) = delete;

  TimerEntry* next = nullptr;
  TimerEntry** link = nullptr;  // what points to it; null: it is in no wheel
  std::int64_t deadline = 0;    // of the executor's clock, in nanoseconds
  std::uint16_t slot = 0;
};

class TimerState : public Task, public TimerEntry, public StoppableCall {
 public:
  enum class Kind : std::uint8_t { once, repeating, calendar };
  enum class Status : std::uint8_t {
    pending,  // in the wheel
    queued,   // in the pool; if it is cancelled there, its shell stays
    running,
    over,
  };

  struct Operations : Task::Operations {
    void (*invoke)(TimerState&);
    /// Ends the life of the callable.
    void (*end_callable)(TimerState&) noexcept;
    void (*free)(TimerState&) noexcept;
  };

  // --- for the handle ----------------------------------------------------------------------------

  [[gnu::visibility("default")]] bool cancel() noexcept;
  [[gnu::visibility("default")]] WaitStatus cancel_and_wait(const std::stop_token& stop);
  /// Cancels it and stops its call; returns when it is over, unless its call is the caller's.
  [[gnu::visibility("default")]] void end() noexcept;
  [[gnu::visibility("default")]] bool reschedule(std::int64_t delay_ns) noexcept;
  [[gnu::visibility("default")]] std::optional<std::chrono::steady_clock::time_point> next_run()
      const noexcept;
  [[gnu::visibility("default")]] std::uint64_t runs() const noexcept;
  [[gnu::visibility("default")]] bool request_stop() noexcept;
  [[gnu::visibility("default")]] void release() noexcept;

  /// Instead of everything else: its executor is closed.
  void refuse() noexcept;
  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }

  Kind kind() const noexcept { return kind_; }

  /// In which order those that are due are queued.
  struct Order {
    std::int64_t deadline;
    Urgency urgency;
    std::uint64_t number;

    friend auto operator<=>(const Order&, const Order&) noexcept = default;
  };
  Order order() const noexcept { return {deadline, urgency_, number_}; }

 protected:
  TimerState(const Operations& operations_of_timer, Kind kind, Urgency urgency) noexcept
      : Task(operations_of_timer), kind_(kind), urgency_(urgency) {}
  ~TimerState() = default;

  // The operations of a task, which are the same for all timers.
  [[gnu::visibility("default")]] static void call_in_pool(Task& task);
  [[gnu::visibility("default")]] static void leave_pool(Task& task) noexcept;

 private:
  friend class TimerQueue;
  friend class TimerShard;

  const Operations& timer_operations() const noexcept {
    return static_cast<const Operations&>(*operations);
  }
  bool repeats() const noexcept;
  unsigned worker() const noexcept {
    return word_.load(std::memory_order_relaxed) >> worker_shift_;
  }
  bool is_running() const noexcept;
  bool runs_in_this_thread() const noexcept;
  // In the list of those in the pool.
  void enter(TimerEntry*& list) noexcept;
  void leave() noexcept;
  bool leave_active() noexcept;
  bool has_more_calls() const noexcept;
  std::int64_t next_calendar_time() const noexcept;
  std::int64_t next_deadline(std::int64_t now, std::int64_t calendar_time) noexcept;
  void end_call() noexcept;
  void finish() noexcept;

  static constexpr unsigned worker_shift_ = 16;

  // Guarded by the shard's lock.
  Status status_ = Status::over;  // not begun
  const Kind kind_;
  const Urgency urgency_;
  bool cancelled_ = false;    // there will be no more calls
  bool rescheduled_ = false;  // while it ran: the next deadline is set
  std::uint64_t number_ = 0;  // in the order of submission
  std::uint64_t runs_ = 0;
  TimerShard* shard_ = nullptr;
  Atomic<std::uint32_t> references_{2};
  Event over_;
};

/// What timers lie in; it is given back when they are over.
struct TimerBlocks {
  static constexpr std::array<std::size_t, 5> sizes{96, 112, 128, 192, 256};

  /// Throws std::bad_alloc.
  [[nodiscard, gnu::visibility("default")]] static void* allocate(unsigned size_class);
  [[gnu::visibility("default")]] static void free(void* block, unsigned size_class) noexcept;
};

/// With the callable. `State` is TimerState or what is derived from it.
template <class State, class C>
class TimerTask final : public State {
 public:
  template <class Rule, class... Sources>
  explicit TimerTask(Rule&& rule, Sources&&... sources)
      : State(operations_of, std::forward<Rule>(rule)), call_(std::forward<Sources>(sources)...) {}
  ~TimerTask() {}

  /// Throws std::bad_alloc, and what the sources throw when they are copied.
  template <class... Parts>
  static TimerTask& make(Parts&&... parts) {
    const unsigned size_class = block_class();
    if (size_class == TimerBlocks::sizes.size()) {
      return *new TimerTask(std::forward<Parts>(parts)...);
    }
    void* const block = TimerBlocks::allocate(size_class);
    try {
      return *::new (block) TimerTask(std::forward<Parts>(parts)...);
    } catch (...) {
      TimerBlocks::free(block, size_class);
      throw;
    }
  }

 private:
  static constexpr unsigned block_class() noexcept {
    return block_for(TimerBlocks::sizes, sizeof(TimerTask), alignof(TimerTask));
  }
  static void free(TimerState& timer) noexcept {
    auto& task = static_cast<TimerTask&>(timer);
    if (block_class() == TimerBlocks::sizes.size()) {
      delete &task;
    } else {
      task.~TimerTask();
      TimerBlocks::free(&task, block_class());
    }
  }

  static constexpr TimerState::Operations operations_of{
      {.call = &TimerState::call_in_pool,
       .destroy = &TimerState::leave_pool,
       .dropped = nullptr,
       .end_callable = nullptr,
       .help = nullptr,
       .request_stop = nullptr},
      [](TimerState& timer) { static_cast<void>(static_cast<TimerTask&>(timer).call_()); },
      [](TimerState& timer) noexcept { static_cast<TimerTask&>(timer).call_.~C(); },
      &TimerTask::free};

  union {
    C call_;
  };
};

/// What is called again and again; it is not moved from.
template <class F>
class RepeatedCall {
 public:
  template <class G>
  explicit RepeatedCall(G&& function) : function_(std::forward<G>(function)) {}

  void operator()() {
    if constexpr (std::is_invocable_v<F&, std::stop_token>) {
      static_cast<void>(std::invoke(function_, this_thread::stop_token()));
    } else {
      static_cast<void>(std::invoke(function_));
    }
  }

 private:
  F function_;
};

template <class F>
concept RepeatedCallable = std::is_invocable_v < std::decay_t<F>
&, std::stop_token > || std::is_invocable_v<std::decay_t<F>&>;

}  // namespace rouse::detail
