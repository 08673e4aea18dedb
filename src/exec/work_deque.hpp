#pragma once
// WorkDeque: the queue of one worker of a pool. Everybody takes the oldest task; its owner alone
// puts tasks in, and may take the newest back.
//
// The deque of Chase and Lev (SPAA 2005) with the memory orders of Le, Pop, Cohen and Zappa
// Nardelli (PPoPP 2013), but for their fences: the orders are on the atomics, where ThreadSanitizer
// understands them. The ring does not grow: who finds it full has another queue.
//
// Thread safety: push() and take_back() are the owner's, one thread at a time; the others are safe
// for all.
// Ordering: what came before push() happens before what comes after the take() that takes the task.
// Lifetime: the tasks' memory is the caller's. One that was taken is not touched any more.

#include "rouse/detail/os.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rouse::detail {

struct Task;

class WorkDeque {
 public:
  static constexpr std::size_t capacity = 256;

  WorkDeque() noexcept = default;
  WorkDeque(const WorkDeque&) = delete;
  WorkDeque& operator=(const WorkDeque&) = delete;

  /// Owner: puts `task` behind the others. False if there is no room.
  bool push(Task& task) noexcept {
    Task* const one = &task;
    return push(std::span(&one, 1)) == 1;
  }

  /// Owner: puts as many of `tasks` behind the others as there is room for, all visible at once.
  /// Returns how many.
  std::size_t push(std::span<Task* const> tasks) noexcept;

  /// Owner: takes the newest back if it is `task`.
  bool take_back(const Task& task) noexcept;

  /// The oldest, or null if there is none. Tries again while others are quicker.
  Task* take() noexcept;

  /// False if there is a task that was pushed before, in the order of the sequentially consistent
  /// operations, and that nobody takes. True if none has come since the deque was empty. Between
  /// the two it may be either.
  bool empty() const noexcept;

  /// How many tasks there are, or were a moment ago.
  std::size_t size() const noexcept;

 private:
  // They count tasks, and do not come round.
  using Index = std::int64_t;

  Atomic<Task*>& slot(Index index) noexcept {
    return slots_[static_cast<std::uint64_t>(index) % capacity];
  }

  // The next to be taken. Only grows; who makes it one more has the task.
  alignas(64) Atomic<Index> top_{0};
  // The next to be pushed. The owner's to write.
  alignas(64) Atomic<Index> bottom_{0};
  // The owner's: `top_` as it last looked, so that it seldom touches what the others change.
  Index top_seen_ = 0;
  alignas(64) Atomic<Task*> slots_[capacity]{};
};

inline std::size_t WorkDeque::push(std::span<Task* const> tasks) noexcept {
  const Index bottom = bottom_.load(std::memory_order_relaxed);  // nobody else writes it
  const auto room = [&] { return capacity - static_cast<std::size_t>(bottom - top_seen_); };
  // Acquire: who took the task that was in a slot has read the slot before we write it.
  if (room() < tasks.size()) top_seen_ = top_.load(std::memory_order_acquire);
  const std::size_t count = std::min(tasks.size(), room());
  if (count == 0) return 0;
  for (std::size_t i = 0; i < count; ++i) {
    slot(bottom + static_cast<Index>(i)).store(tasks[i], std::memory_order_relaxed);
  }
  // Sequentially consistent: a worker that goes to sleep says so, then looks here; who has pushed
  // then looks whether a worker sleeps. One of them sees the other.
  bottom_.store(bottom + static_cast<Index>(count), std::memory_order_seq_cst);
  return count;
}

inline bool WorkDeque::take_back(const Task& task) noexcept {
  const Index newest = bottom_.load(std::memory_order_relaxed) - 1;
  // A slot keeps the address when its task has been taken.
  if (slot(newest).load(std::memory_order_relaxed) != &task) return false;
  Index top = top_.load(std::memory_order_relaxed);
  // Relaxed: what was pushed is the owner's own, and so is the slot.
  const auto take_last = [&] {
    return top == newest && top_.compare_exchange_strong(top, top + 1, std::memory_order_relaxed);
  };
  if (top >= newest) return take_last();
  // Both sequentially consistent, as in take(), which reads them in the other order: if we do not
  // see the last but one taken, whoever comes for the last sees that it is not there.
  bottom_.store(newest, std::memory_order_seq_cst);
  top = top_.load(std::memory_order_seq_cst);
  if (top < newest) return true;
  const bool taken = take_last();
  // Relaxed: `top_` is there by now, so that whoever sees this finds nothing to take.
  bottom_.store(newest + 1, std::memory_order_relaxed);
  return taken;
}

inline Task* WorkDeque::take() noexcept {
  for (;;) {
    // Sequentially consistent: take_back() says why. The second also acquires what push() released.
    Index top = top_.load(std::memory_order_seq_cst);
    if (bottom_.load(std::memory_order_seq_cst) <= top) return nullptr;
    // The owner may have put another task there, but not before `top_` has changed.
    Task* const task = slot(top).load(std::memory_order_relaxed);
    // Release: partner is the look in push(), which finds the slot free.
    if (top_.compare_exchange_weak(top, top + 1, std::memory_order_release,
                                   std::memory_order_relaxed)) {
      return task;
    }
  }
}

inline bool WorkDeque::empty() const noexcept {
  // Relaxed: a task that nobody takes is never behind it.
  const Index top = top_.load(std::memory_order_relaxed);
  return bottom_.load(std::memory_order_seq_cst) <= top;
}

inline std::size_t WorkDeque::size() const noexcept {
  const Index top = top_.load(std::memory_order_relaxed);
  const Index bottom = bottom_.load(std::memory_order_relaxed);
  // They are not of one moment.
  return static_cast<std::size_t>(std::clamp<Index>(bottom - top, 0, capacity));
}

}  // namespace rouse::detail
