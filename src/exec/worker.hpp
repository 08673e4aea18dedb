#pragma once
// Worker: one of the threads of a pool, and the place it has there, which outlives it.
//
// Thread safety: what belongs to others says so. Design: docs/design/thread_pool.md.

#include "rouse/detail/os.hpp"
#include "rouse/exec/task.hpp"
#include "rouse/exec/thread_pool_stats.hpp"
#include "rouse/thread/stoppable_thread.hpp"

#include "exec/job_frame.hpp"
#include "exec/roster.hpp"
#include "exec/task_queue.hpp"
#include "exec/work_deque.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace rouse::detail {

class Pool;

class Worker {
 public:
  Worker(Pool& pool, unsigned number) noexcept : pool_(pool), number_(number) {}

  /// The calling thread's, or null.
  static Worker* current() noexcept;

  Pool& pool() const noexcept { return pool_; }
  unsigned number() const noexcept { return number_; }

  // --- the thread itself -------------------------------------------------------------------------

  /// From its first to its last line. It counts as awake and searching when it comes.
  void main();

  /// Puts a task of its own behind the others. False if there is no room.
  bool push(Task& task) noexcept { return tasks_.push(task); }

  /// For Pool::work_added().
  void look_later() noexcept { owes_look_ = true; }

  /// Runs a queued job of the pool, in the middle of another. False if somebody was quicker.
  bool run_inside(JobState& job);

  /// While it lives the thread blocks in a job, and another worker may step in.
  class [[nodiscard]] Blocked {
   public:
    explicit Blocked(Worker& worker) noexcept;
    ~Blocked();
    Blocked(const Blocked&) = delete;
    Blocked& operator=(const Blocked&) = delete;

   private:
    Roster& roster_;
  };

  // --- other threads -----------------------------------------------------------------------------

  Task* steal() noexcept { return tasks_.take(); }
  bool has_tasks() const noexcept { return !tasks_.empty(); }
  std::size_t tasks() const noexcept { return tasks_.size(); }
  /// A hint for its waits.
  void notify() noexcept;

  void add_to(ThreadPoolStats& stats) const noexcept;

  /// The call that it makes, if the pool watches.
  struct Running {
    std::int64_t since = 0;  // 0: none
    const char* name = "";
  };
  Running running() const noexcept;

  // Under the pool's lock.
  std::shared_ptr<StoppableThread> thread;
  bool has_left = false;
  // The watchdog's: the start of the call that it has told of.
  std::int64_t reported = 0;

 private:
  // Written by the worker, read by reports.
  using Count = Atomic<std::uint64_t>;
  using Histogram = std::array<Count, 64>;

  static constexpr std::size_t batch_ = 32;  // tasks that are taken from a shared queue together
  static constexpr std::uint64_t sampled_ = 64;
  static constexpr unsigned fewest_spins_ = 4;
  static constexpr unsigned most_spins_ = 64;

  bool leaves_work() noexcept;
  Roster::Woken sleep(std::int64_t alarm) noexcept;

  Task* find();
  Task* take_from(TaskQueue& queue, std::size_t most);
  Task* take_shared(bool several);
  Task* take_from_others();
  Task* search();

  void execute(Task& task, JobFrame& frame);
  void call(Task& task, JobState* job, JobFrame& frame);

  static void add(Count& count) noexcept {
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  static void record(Histogram& histogram, std::int64_t ns) noexcept;

  Pool& pool_;
  const unsigned number_;
  WorkDeque tasks_;
  Roster::Sleeper sleeper_;
  bool awake_ = false;      // for the end of a thread in the middle of a job
  bool owes_look_ = false;  // see look_later()
  bool woken_by_alarm_ = false;
  bool is_punctual_ = false;
  unsigned since_low_ = 0;     // jobs that were looked for while one of low urgency waits
  unsigned since_normal_ = 0;  // jobs of high urgency, one after the other
  unsigned since_shared_ = 0;  // of those, since the shared queue was looked into
  std::size_t next_shard_ = 0;
  unsigned spins_ = fewest_spins_;
  std::uint32_t random_ = 0;

  Atomic<ControlBlock*> block_{nullptr};
  Atomic<std::int64_t> running_since_{0};
  Atomic<const char*> running_name_{""};
  Count done_{0};
  Count failed_{0};
  Histogram wait_times_{};
  Histogram run_times_{};
};

}  // namespace rouse::detail
