#include "exec/task_queue.hpp"

#include <memory>
#include <utility>

namespace rouse::detail {

TaskQueue::~TaskQueue() {
  // Behind the last task there may be one chunk, whose tasks were all taken.
  delete first_;
  while (const std::unique_ptr<Chunk> chunk{get_kept()}) {
  }
}

// Under adding_, or alone. Null: there is none.
TaskQueue::Chunk* TaskQueue::get_kept() noexcept {
  if (kept_ == nullptr) kept_ = emptied_.exchange(nullptr, std::memory_order_acquire);
  return kept_ == nullptr ? nullptr : std::exchange(kept_, kept_->next);
}

bool TaskQueue::push(Task& task, From from) {
  std::unique_ptr<Chunk> fresh;
  for (;;) {
    {
      const LockGuard guard(adding_);
      if (open_ == Open::for_nobody || (open_ == Open::for_the_pool && from == From::outside)) {
        return false;
      }
      if (added_ == chunk_size_ && fresh == nullptr) fresh.reset(get_kept());
      if (added_ != chunk_size_ || fresh != nullptr) {
        if (added_ == chunk_size_) {
          Chunk* const chunk = fresh.release();
          chunk->next = nullptr;
          (last_ == nullptr ? first_ : last_->next) = chunk;
          last_ = chunk;
          added_ = 0;
        }
        last_->tasks[added_++] = &task;
        const std::uint64_t number = pushed_.load(std::memory_order_relaxed);
        if (number % sampled_ == 0 && sample_since_.load(std::memory_order_acquire) == 0) {
          sample_ = number;
          sample_since_.store(os::now_ns(), std::memory_order_release);
        }
        // Publishes the task, and what links it.
        pushed_.store(number + 1, std::memory_order_release);
        return true;
      }
    }
    fresh = std::make_unique<Chunk>();
  }
}

TaskQueue::Taken TaskQueue::take(std::span<Task*> tasks) noexcept {
  if (size() == 0) return {};
  Taken result;
  const LockGuard guard(taking_);
  const std::uint64_t taken = taken_.load(std::memory_order_relaxed);
  std::uint64_t there = pushed_.load(std::memory_order_acquire) - taken;
  while (there != 0 && result.count < tasks.size()) {
    if (removed_ == chunk_size_) {
      // There is a task behind it, so there is a chunk, and nobody adds to this one any more.
      Chunk* const empty = std::exchange(first_, first_->next);
      empty->next = emptied_.load(std::memory_order_relaxed);
      // Release: partner is get_kept(), which takes all of them.
      while (!emptied_.compare_exchange_weak(empty->next, empty, std::memory_order_release,
                                             std::memory_order_relaxed)) {
      }
      removed_ = 0;
    }
    tasks[result.count++] = first_->tasks[removed_++];
    --there;
  }
  taken_.store(taken + result.count, std::memory_order_release);
  const std::int64_t since = sample_since_.load(std::memory_order_acquire);
  if (since != 0 && taken + result.count > sample_) {
    result.waited_ns = os::now_ns() - since;
    sample_since_.store(0, std::memory_order_release);
  }
  return result;
}

bool TaskQueue::empty() noexcept {
  std::uint64_t pushed = 0;
  {
    const LockGuard guard(adding_);
    pushed = pushed_.load(std::memory_order_relaxed);
  }
  return taken_.load(std::memory_order_acquire) >= pushed;
}

void TaskQueue::set_open(Open open) noexcept {
  const LockGuard guard(adding_);
  open_ = open;
}

}  // namespace rouse::detail
