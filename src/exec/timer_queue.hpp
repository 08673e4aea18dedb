#pragma once
// TimerQueue: the timers of one DelayExecutor: those that wait for their time, those that wait for
// a worker, and those that run.
//
// Timers are shared out among a few shards, each with a lock and a wheel; a thread that makes
// timers has one of them. Queues are pooled and never freed, so that the handle of a timer may look
// at it when its executor is gone.
//
// Thread safety: any thread. Design: docs/design/timers.md.

#include "rouse/detail/lock.hpp"
#include "rouse/detail/os.hpp"
#include "rouse/exec/delay_executor.hpp"
#include "rouse/exec/timer_state.hpp"
#include "rouse/thread/stop_all.hpp"
#include "rouse/wait/event.hpp"

#include "exec/roster.hpp"
#include "exec/timer_wheel.hpp"
#include "exec/watch.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <stop_token>
#include <utility>
#include <vector>

namespace rouse::detail {

class Pool;
class TimerQueue;

class alignas(64) TimerShard {
 public:
  TimerShard() noexcept : wheel(0) {}

  /// Under the lock: what counts as alive is over. True if it was the last, after the end of the
  /// executor has begun: then call TimerQueue::shard_ended().
  [[nodiscard]] bool count_out(std::size_t count = 1) noexcept {
    alive -= count;
    return alive == 0 && closed;
  }

  // Set once.
  TimerQueue* queue = nullptr;

  Lock lock;
  // Guarded by it.
  bool closed = false;                          // takes no timers, and none repeats
  bool dropping = false;                        // makes no more calls
  StopPolicy policy = StopPolicy::await_ahead;  // the strictest of those who have closed it
  std::size_t alive = 0;                        // timers that are not over, and queued jobs
  std::size_t queued_jobs = 0;                  // of those, that have not begun
  std::uint64_t generation = 0;                 // of the executor that has the queue
  std::uint64_t random = 0;
  std::uint64_t missed = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t abandoned = 0;
  TimerWheel wheel;
  TimerEntry* active = nullptr;             // those in the pool, queued or running
  QueuedJob* jobs = nullptr;                // those that run
  Atomic<std::int64_t> next{Watch::never};  // when somebody is to wake up for the wheel
};

class TimerQueue {
 public:
  struct Setting {
    Pool* pool = nullptr;
    ManualClock* clock = nullptr;
    std::function<void(std::exception_ptr)> on_error = {};
    bool shares_pool = false;
  };

  TimerQueue() noexcept;

  /// Throws std::bad_alloc.
  static TimerQueue& acquire(Setting setting);
  /// Precondition: it has ended. Blocks until nobody rings.
  void retire() noexcept;

  // --- time --------------------------------------------------------------------------------------

  std::int64_t now_ns() const noexcept;
  std::int64_t calendar_ns() const noexcept;
  /// The deadline for a time of the calendar.
  std::int64_t deadline_of(std::int64_t calendar_time_ns) const noexcept;

  // --- timers ------------------------------------------------------------------------------------

  /// False if it is closed: then the timer is still the caller's.
  /// `now` is a time that has come, however long ago.
  [[nodiscard]] bool add(TimerState& timer, std::int64_t deadline, std::int64_t now);
  [[nodiscard]] bool add_repeating(RepeatingTimer& timer);
  [[nodiscard]] bool add_calendar(CalendarTimer& timer);
  /// After its time was set anew while it is pending. Under the lock of its shard; returns whether
  /// tell() is to be called without it.
  static bool put_in(TimerState& timer, std::int64_t deadline, std::int64_t now) noexcept;
  /// A deadline has come that is the first of its shard.
  void tell(std::int64_t deadline, Caller caller) noexcept;
  void tell_and_count_out(TimerShard& shard, Caller caller) noexcept;
  void forget_calendar(TimerState& timer) noexcept;
  /// The calendar was set. With a manual clock, ring afterwards.
  void follow_calendar() noexcept;
  /// What counts as alive is over. The last act: the queue may be another executor's afterwards.
  void count_out(TimerShard& shard, std::size_t count = 1) noexcept;
  /// Nothing is alive in a closed shard. The last act, too.
  void shard_ended() noexcept;
  /// The time of the calendar at which a call comes after the one of `last_ns`.
  std::int64_t time_after(const Cron& cron, std::int64_t last_ns) const noexcept;
  static std::int64_t next_time(const Cron& cron, std::int64_t after_ns) noexcept;

  // --- the pool ----------------------------------------------------------------------------------

  /// Takes out what is due, by its time, urgency and number.
  TimerState* take_due(std::int64_t now) noexcept;
  /// Of two lists that are in order.
  static TimerState* merge(TimerState* a, TimerState* b) noexcept;
  /// Queues what was taken out. Returns what its executor has dropped instead; call finish().
  [[nodiscard]] static TimerState* hand_over(TimerState* due, Caller caller) noexcept;
  /// Ends the callables, so without the locks of anybody.
  static void finish(TimerState* over) noexcept;
  /// For a manual clock: both, in the thread that brings the time or the timer.
  void ring(Caller caller) noexcept;
  /// When somebody is to wake up for them.
  std::int64_t next_ns() noexcept;

  void begun(std::int64_t late_ns) noexcept;
  const Setting& setting() const noexcept { return setting_; }
  Pool& pool() const noexcept { return *setting_.pool; }

  // --- queued jobs -------------------------------------------------------------------------------

  TimerShard& own_shard() noexcept;
  std::stop_token stop_token() const noexcept { return stop_.get_token(); }

  // --- its end -----------------------------------------------------------------------------------

  void close(StopPolicy policy) noexcept;
  /// After close(): what is queued is not called; stops what runs.
  void drop() noexcept;
  bool is_open() noexcept;
  /// Whether the caller is in one of its calls.
  bool calls_here() noexcept;
  Event& ended() noexcept { return ended_; }
  std::vector<Straggler> stragglers();
  std::uint64_t abandoned() noexcept;
  DelayExecutorStats stats() noexcept;

 private:
  friend class TimerQueues;

  static constexpr std::size_t most_shards = 8;
  static constexpr std::size_t budget_ = 64;  // timers that are moved under one lock

  template <class F>
  void for_each_shard(F f);
  std::int64_t calendar_offset() const noexcept;
  bool add_to(TimerShard& shard, TimerState& timer, std::int64_t deadline, std::int64_t now);
  static bool push(TimerState& timer, Pool& pool, Caller caller) noexcept;
  static bool put_back(TimerState& timer) noexcept;
  static bool abandon(TimerState& timer) noexcept;
  void sweep(TimerShard& shard, StopPolicy policy) noexcept;
  static TimerState* take_queued(TimerShard& shard) noexcept;
  static TimerState* find_unstopped(TimerShard& shard) noexcept;
  template <class F>
  static TimerState* find_active(TimerShard& shard, F wanted) noexcept;
  template <class F>
  void for_each_call(F f);

  Setting setting_;
  std::size_t shards_count_;
  std::array<TimerShard, most_shards> shards_;
  Atomic<std::uint64_t> next_number_{0};
  Atomic<std::uint64_t> fired_{0};
  std::array<Atomic<std::uint64_t>, 64> lateness_{};
  Atomic<std::uint32_t> open_shards_{0};
  Event ended_;                              // closed, and nothing is alive
  std::stop_source stop_{std::nostopstate};  // of the queued jobs in a pool that is shared

  Lock calendar_lock_;  // taken before a shard's
  CalendarTimer* calendar_ = nullptr;
  std::int64_t calendar_offset_ = 0;  // of the calendar from the clock, when it was last followed

  TimerQueue* next_ = nullptr;  // of those of a pool or a clock
  TimerQueue* next_free_ = nullptr;
};

/// Those of a pool or of a clock.
class TimerQueues {
 public:
  void add(TimerQueue& queue) noexcept { queue.next_ = std::exchange(first_, &queue); }
  void remove(TimerQueue& queue) noexcept {
    TimerQueue** link = &first_;
    while (*link != &queue) link = &(*link)->next_;
    *link = queue.next_;
  }
  template <class F>
  void for_each(F f) const {
    for (TimerQueue* each = first_; each != nullptr; each = each->next_) f(*each);
  }

 private:
  TimerQueue* first_ = nullptr;
};

}  // namespace rouse::detail
