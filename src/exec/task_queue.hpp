#pragma once
// TaskQueue: a queue of tasks for many who add and many who take, in the order in which they came.
//
// A list of chunks of pointers with a lock at each end: those who add do not meet those who take,
// and neither touches a task, which lies in the other's cache. Chunks are kept until the queue
// ends: the memory is that of the most tasks that ever were in it.
//
// Thread safety: any thread. Ordering: push() happens before the take() that returns the task.
// Design: docs/design/thread_pool.md.

#include "rouse/detail/lock.hpp"
#include "rouse/detail/os.hpp"
#include "rouse/exec/task.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rouse::detail {

class TaskQueue {
 public:
  /// For whom it is open.
  enum class Open { for_all, for_the_pool, for_nobody };
  enum class From { outside, the_pool };

  TaskQueue() noexcept = default;
  /// Precondition: empty.
  ~TaskQueue();
  TaskQueue(const TaskQueue&) = delete;
  TaskQueue& operator=(const TaskQueue&) = delete;

  /// False if it is not open for the caller. Throws std::bad_alloc.
  bool push(Task& task, From from);

  struct Taken {
    std::size_t count = 0;
    std::int64_t waited_ns = -1;  // how long one of them was here, if that was measured
  };
  /// The oldest, at most as many as there is room for.
  Taken take(std::span<Task*> tasks) noexcept;

  /// About how many there are.
  std::size_t size() const noexcept {
    // In this order it is not below zero.
    const std::uint64_t taken = taken_.load(std::memory_order_acquire);
    return static_cast<std::size_t>(pushed_.load(std::memory_order_acquire) - taken);
  }
  /// Whether there is none, for sure: a task that is pushed afterwards is pushed by somebody who
  /// sees what the caller did before.
  bool empty() noexcept;

  void set_open(Open open) noexcept;

 private:
  static constexpr std::size_t chunk_size_ = 63;
  static constexpr std::uint64_t sampled_ = 64;  // one of so many is measured

  struct Chunk {
    Chunk* next = nullptr;
    std::array<Task*, chunk_size_> tasks;
  };

  Chunk* get_kept() noexcept;

  // Those who add.
  alignas(64) Lock adding_;
  Open open_ = Open::for_nobody;
  Chunk* last_ = nullptr;
  std::size_t added_ = chunk_size_;  // to the last chunk
  Chunk* kept_ = nullptr;            // to be used again
  Atomic<std::uint64_t> pushed_{0};
  // Of one task at a time: written while `sample_since_` is 0 by those who add, otherwise by those
  // who take.
  std::uint64_t sample_ = 0;
  Atomic<std::int64_t> sample_since_{0};

  // Those who take.
  alignas(64) Lock taking_;
  Chunk* first_ = nullptr;   // written once by those who add
  std::size_t removed_ = 0;  // from the first chunk
  Atomic<std::uint64_t> taken_{0};

  // From those who take to those who add.
  alignas(64) Atomic<Chunk*> emptied_{nullptr};
};

}  // namespace rouse::detail
