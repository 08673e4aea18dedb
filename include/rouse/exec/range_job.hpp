#pragma once
// What is behind ThreadPool::submit_range() and for_each(). Internal: see thread_pool.hpp.
//
// The range is cut into chunks. Whoever takes part (workers that found one of its runners in their
// queues, a worker that waits for the Job, the caller of for_each()) takes one after the other
// until there is none, or the range is over early. The last to leave ends the Job; a runner that is
// found later is an empty shell.
//
// Thread safety: any thread. Design: docs/design/thread_pool.md.

#include "rouse/detail/os.hpp"
#include "rouse/exec/job_state.hpp"
#include "rouse/exec/task.hpp"
#include "rouse/wait/this_thread.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <type_traits>
#include <utility>
#include <vector>

namespace rouse::detail {

class Pool;

/// Whether a callable takes the stop token in front of the index.
template <class F, class I>
inline constexpr bool takes_token_and_index = std::is_invocable_v<F&, std::stop_token, I>;

template <class F, class I>
concept RangeCallable = std::is_invocable_v<F&, I> || takes_token_and_index<F, I>;

/// The part that knows neither the type of the indices nor the callable.
class RangeJob : public JobResult<void> {
 public:
  enum class Caller : std::uint8_t {
    goes_on,
    waits,       // what a call throws stops the waits of the others
    takes_part,  // the same, and take_part() is to be called, once
  };
  struct Options {
    Pool& pool;
    std::size_t grain;
    const char* name;
    Caller caller;
  };

  /// Hands out the runners, once, and drops those that were not asked for.
  class [[nodiscard]] Runners {
   public:
    explicit Runners(RangeJob& range) noexcept : range_(range) {}
    ~Runners();
    Runners(const Runners&) = delete;
    Runners& operator=(const Runners&) = delete;

    /// To be queued, or destroyed. Null: there are no more.
    Task* next() noexcept;

   private:
    RangeJob& range_;
    std::size_t given_out_ = 0;
  };

  /// The caller of for_each() takes chunks, until there is none or its stop is requested.
  void take_part();

 protected:
  /// Calls the callable for the indices from `begin` to `end`, as long as goes_on(); returns the
  /// first for which it was not called.
  using CallChunk = std::uint64_t(RangeJob& range, std::uint64_t begin, std::uint64_t end);

  /// Throws std::bad_alloc.
  [[gnu::visibility("default")]] RangeJob(const Operations& range_operations, CallChunk& call_chunk,
                                          const Options& options, std::uint64_t size);
  [[gnu::visibility("default")]] ~RangeJob();

  bool goes_on() const noexcept {
    return !over_.load(std::memory_order_relaxed) && !pool_stops_.load(std::memory_order_relaxed);
  }
  [[gnu::visibility("default")]] void help_here();
  [[gnu::visibility("default")]] void end_early() noexcept;

 private:
  class Runner;

  // One word: who takes part, the runners that are queued, and whether it is too late for both.
  static constexpr std::uint64_t present_ = 1;
  static constexpr std::uint64_t queued_ = std::uint64_t{1} << 32;
  static constexpr std::uint64_t closed_ = std::uint64_t{1} << 63;

  bool enter(std::uint64_t instead_of) noexcept;
  void leave() noexcept;
  void run_queued();
  void drop_queued() noexcept;
  void take_part_as_job();
  void end() noexcept;
  void leave_memory() noexcept;

  CallChunk& call_chunk_;
  Pool& pool_;
  const Atomic<bool>& pool_stops_;
  const std::uint64_t size_;
  const std::uint64_t grain_;
  const std::uint64_t chunks_;
  const bool caller_waits_;
  std::vector<Runner> runners_;
  Atomic<std::size_t> users_;  // runners that are not destroyed, Runners, and the end to come

  Atomic<bool> over_{false};
  Atomic<bool> failed_{false};
  Atomic<bool> incomplete_{false};  // a chunk was begun and not ended
  alignas(64) Atomic<std::uint64_t> next_chunk_{0};
  alignas(64) Atomic<std::uint64_t> word_;
};

template <class I, class F>
class RangeTask final : public RangeJob {
 public:
  template <class Source>
  RangeTask(const Options& options, I first, I last, Source&& function)
      : RangeJob(operations_of, call_chunk, options, size(first, last)),
        first_(first),
        function_(std::forward<Source>(function)) {}
  ~RangeTask() {}

 private:
  // Unsigned, the difference of any two is right.
  static std::uint64_t size(I first, I last) noexcept {
    return first < last ? static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first) : 0;
  }
  I index(std::uint64_t i) const noexcept {
    return static_cast<I>(static_cast<std::uint64_t>(first_) + i);
  }

  static std::uint64_t call_chunk(RangeJob& range, std::uint64_t begin, std::uint64_t end) {
    auto& self = static_cast<RangeTask&>(range);
    std::uint64_t i = begin;
    if constexpr (takes_token_and_index<F, I>) {
      const std::stop_token stop = this_thread::stop_token();
      for (; i != end && self.goes_on(); ++i) {
        static_cast<void>(std::invoke(self.function_, stop, self.index(i)));
      }
    } else {
      for (; i != end && self.goes_on(); ++i) {
        static_cast<void>(std::invoke(self.function_, self.index(i)));
      }
    }
    return i;
  }

  static constexpr Task::Operations operations_of{
      .call = nullptr,
      .destroy = [](Task& task) noexcept { delete_task(static_cast<RangeTask&>(task)); },
      .dropped = nullptr,
      .end_callable = [](Task& task) noexcept { static_cast<RangeTask&>(task).function_.~F(); },
      .help = [](Task& task) { static_cast<RangeTask&>(task).help_here(); },
      .request_stop = [](Task& task) noexcept { static_cast<RangeTask&>(task).end_early(); }};

  const I first_;
  union {
    F function_;
  };
};

}  // namespace rouse::detail
