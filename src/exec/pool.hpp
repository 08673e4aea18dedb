#pragma once
// Pool: what is behind a ThreadPool: its queues, its workers and their life.
//
// A task goes to the deque of the worker that adds it, or to the shared queue of its urgency; a
// worker looks into its own deque, the shared queues, and the deques of the others. Who is woken or
// started for it is the roster's.
//
// Thread safety: any thread, but for the constructor and the destructor. Design:
// docs/design/thread_pool.md.

#include "rouse/detail/os.hpp"
#include "rouse/exec/thread_pool.hpp"
#include "rouse/wait/event.hpp"

#include "exec/job_frame.hpp"
#include "exec/pool_anchor.hpp"
#include "exec/roster.hpp"
#include "exec/task_queue.hpp"
#include "exec/timer_queue.hpp"
#include "exec/watch.hpp"
#include "exec/worker.hpp"
#include "wait/permits.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iosfwd>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace rouse::detail {

class Pool {
 public:
  explicit Pool(ThreadPoolOptions options);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  const ThreadPoolOptions& options() const noexcept { return options_; }
  const std::string& name() const noexcept { return options_.name; }
  const PoolLink& link() const noexcept { return link_; }
  bool bounded() const noexcept { return options_.queue_capacity != 0; }

  // --- tasks -------------------------------------------------------------------------------------

  /// Room for one more task, as the policy says, or until `deadline`.
  Admission admit(const std::stop_token& stop);
  Admission admit_until(Deadline deadline, const std::stop_token& stop);
  /// The same, only if there is room at once, whatever the policy.
  bool try_admit() noexcept { return !bounded() || room_.try_acquire(); }
  /// False if it is refused. Throws std::bad_alloc. Then it is still the caller's.
  bool push(Task& task, Urgency urgency, TaskQueue::From from, Caller caller = Caller::anybody);
  /// Takes over a task that no bound holds back; drops it if it is refused.
  void push_or_drop(Task& task) noexcept;
  /// Runs it in the calling thread, which may be any.
  void run_here(Task& task);
  /// Ends it without a call.
  void drop(Task& task, JobStatus status) noexcept;
  /// A task is queued, whether there is room or not; a queued task is none any more.
  void enter_queue() noexcept;
  void left_queue() noexcept {
    if (bounded()) give_back_room();
  }
  void count_dropped() noexcept { dropped_.fetch_add(1, std::memory_order_relaxed); }
  /// A hint for the waits of one worker or, with no_worker, of all. Under a Hold.
  void notify(unsigned number) noexcept;
  Frames& frames() noexcept { return frames_; }

  // --- workers -----------------------------------------------------------------------------------

  /// Whether the caller is one of them.
  bool is_own_worker() const noexcept;
  TaskQueue& queue_for(Urgency urgency) noexcept;
  Roster& roster() noexcept { return roster_; }
  const Atomic<bool>& stops_jobs() const noexcept { return stops_jobs_; }
  TaskQueue& urgent() noexcept { return queues_[0]; }
  TaskQueue& patient() noexcept { return queues_[1]; }
  /// Of normal urgency; who adds has one of them.
  std::span<TaskQueue> shared() noexcept { return std::span(queues_).subspan(2, shards_); }
  unsigned places() const noexcept { return places_.load(std::memory_order_acquire); }
  Worker& place(unsigned number) noexcept;
  unsigned searchers() const noexcept { return cpus_ / 2; }
  bool watches() const noexcept { return options_.on_slow != nullptr; }

  /// Whether a task lies somewhere, but with that worker; the partner of push().
  bool has_tasks(const Worker* but = nullptr) noexcept;
  /// Whether somebody is needed: for a task, or to guard a deadline. Tasks first: if there is one
  /// no more, who has taken it may have set the deadlines before, and will not look at them again.
  bool has_work(const Worker* but = nullptr) noexcept {
    return has_tasks(but) || watch_.unguarded();
  }
  /// After one was made visible.
  void work_added(Caller caller = Caller::anybody) noexcept;
  /// When a thread that the system has refused a moment ago may be asked for again; otherwise
  /// never.
  Deadline next_start() const noexcept;
  /// After somebody who worked does not any more.
  void check_idle() noexcept;
  // --- deadlines ---------------------------------------------------------------------------------

  Watch& watch() noexcept { return watch_; }
  /// The timers of an executor; its deadlines come by watch().lower().
  void attach(TimerQueue& timers);
  /// Blocks until nobody looks at them.
  void detach(TimerQueue& timers) noexcept;
  bool deadline_passed() const noexcept {
    const std::int64_t next = watch_.next();
    return next != Watch::never && next <= os::now_ns();
  }
  /// Queues the timers that are due, unless somebody else does.
  void ring() noexcept;

  /// A worker's last act.
  void worker_left(Worker& worker) noexcept;
  void report(std::exception_ptr exception) noexcept;

  // --- its life ----------------------------------------------------------------------------------

  void start();
  bool accepts() const noexcept { return life_.load(std::memory_order_relaxed) == Life::open; }
  /// Throws in one of its own jobs, which must not wait for their own end.
  void require_outside(const char* action) const;
  /// Accepts nothing more; with `drop` also drops what is queued and stops what runs.
  void begin_stop(bool drop) noexcept;
  /// After begin_stop(): blocks until all threads are joined; true if they are.
  bool await_end(Deadline deadline);
  /// The same, for ever, and also without memory.
  void await_end() noexcept;
  std::vector<Straggler> stragglers();
  void resize(std::size_t min, std::size_t max);
  WaitStatus wait_idle(const std::stop_token& stop);
  /// The first that was offered. It ends after the threads have.
  void* extension(std::shared_ptr<void> offered);
  /// The thread of a worker, or null.
  std::shared_ptr<StoppableThread> thread_of(unsigned number);
  ThreadPoolStats stats();
  void dump(std::ostream& out);

 private:
  static constexpr unsigned places_per_chunk = 64;
  static constexpr unsigned most_places = 4096;
  static constexpr std::size_t most_shards = 8;
  using Chunk = std::array<Atomic<Worker*>, places_per_chunk>;

  enum class Life : std::uint8_t { stopped, starting, open };
  struct Limits {
    unsigned min;
    unsigned max;
  };
  static ThreadPoolOptions checked(ThreadPoolOptions options);
  Limits limits(std::size_t min, std::size_t max) const;

  Admission wait_for_room(Deadline deadline, const std::stop_token& stop);
  Admission make_room() noexcept;
  void give_back_room() noexcept;
  Task* take_least_urgent() noexcept;
  void drop_queued() noexcept;
  bool idle() noexcept;

  Worker& free_place();
  void start_worker() noexcept;
  void start_thread();
  void start_threads_up_to(unsigned count);
  void reap_left() noexcept;
  void after_leaving() noexcept;
  void watch_slow_calls();
  void clean_up() noexcept;

  ThreadPoolOptions options_;
  const unsigned cpus_;
  const std::size_t shards_;
  PoolLink link_;
  std::array<TaskQueue, 2 + most_shards> queues_;
  Permits room_;
  Atomic<std::uint32_t> beyond_{0};  // tasks that are queued though there was no room
  Roster roster_;
  Watch watch_;
  std::mutex timers_mutex_;
  TimerQueues timers_;
  Frames frames_;

  Atomic<Life> life_{Life::stopped};
  Atomic<unsigned> closers_{0};  // of those in after_leaving()
  Atomic<bool> stops_jobs_{false};
  Atomic<std::uint64_t> dropped_{0};
  Atomic<unsigned> here_{0};          // tasks that run in threads of others
  Atomic<unsigned> idle_waiters_{0};  // and its address is what they wait at
  Event left_;                        // all workers have, after begin_stop()

  // start(), resize() and begin_stop() come one after the other.
  std::mutex life_mutex_;
  Limits limits_{};
  std::shared_ptr<StoppableThread> watchdog_;
  std::shared_ptr<void> extension_;

  // The places and their threads. Taken after life_mutex_.
  std::mutex threads_mutex_;
  Atomic<unsigned> places_{0};
  std::array<Atomic<Chunk*>, most_places / places_per_chunk> chunks_{};
  Atomic<std::int64_t> no_start_before_{0};  // 0: the last start has succeeded
};

}  // namespace rouse::detail
