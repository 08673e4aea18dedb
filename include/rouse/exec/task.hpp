#pragma once
// Task: what lies in the queues of a pool. Internal: see thread_pool.hpp and job.hpp.
//
// A task is a callable in a block of memory that goes round between the threads that post and those
// that run: posting a callable of up to 48 bytes takes no memory from the system but for the first
// ones. Design: docs/design/thread_pool.md.

#include "rouse/wait/this_thread.hpp"

#include <array>
#include <cstddef>
#include <functional>
#include <new>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

namespace rouse::detail {

/// What is kept and used again, by any thread.
inline constexpr std::array<std::size_t, 7> task_block_sizes{24, 32, 48, 64, 96, 128, 256};
inline constexpr unsigned no_task_block = task_block_sizes.size();

/// The smallest block that holds an object; if none does, their number.
template <std::size_t count>
constexpr unsigned block_for(const std::array<std::size_t, count>& sizes, std::size_t size,
                             std::size_t align) noexcept {
  unsigned i = 0;
  while (i < count && (sizes[i] < size || sizes[i] % align != 0)) ++i;
  return align <= alignof(std::max_align_t) ? i : unsigned{count};
}

/// Throws std::bad_alloc.
[[nodiscard, gnu::visibility("default")]] void* allocate_task(unsigned size_class);
[[gnu::visibility("default")]] void free_task(void* block, unsigned size_class) noexcept;

struct Task {
  struct Operations {
    /// Calls the callable. May throw what it throws.
    void (*call)(Task&);
    /// Ends the life of the task, called or not, and frees it.
    void (*destroy)(Task&) noexcept;
    /// Of a posted task that is not going to be called; null: nobody wants to know.
    void (*dropped)(Task&);
    /// Of a job: ends the life of the callable. Null: it is a posted task.
    void (*end_callable)(Task&) noexcept;
    /// Of a job that stands for others, for a worker that waits for it: does some of their work.
    /// Null: it stands for itself.
    void (*help)(Task&);
    /// The same, for whoever requests its stop: stops them. It runs, and its stop bit is set.
    void (*request_stop)(Task&) noexcept;

    bool is_job() const noexcept { return end_callable != nullptr; }
  };

  explicit Task(const Operations& task_operations) noexcept : operations(&task_operations) {}
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  const Operations* const operations;
};

/// Makes a task, or what belongs to one, in a block of its own. Throws std::bad_alloc.
template <class T, class... Args>
T* new_task(Args&&... args) {
  constexpr unsigned size_class = block_for(task_block_sizes, sizeof(T), alignof(T));
  if constexpr (size_class == no_task_block) {
    return new T(std::forward<Args>(args)...);
  } else {
    void* const block = allocate_task(size_class);
    try {
      return ::new (block) T(std::forward<Args>(args)...);
    } catch (...) {
      free_task(block, size_class);
      throw;
    }
  }
}
template <class T>
void delete_task(T& task) noexcept {
  constexpr unsigned size_class = block_for(task_block_sizes, sizeof(T), alignof(T));
  if constexpr (size_class == no_task_block) {
    delete &task;
  } else {
    task.~T();
    free_task(&task, size_class);
  }
}

/// Whether a callable takes the stop token of its job in front of the arguments.
template <class F, class... Args>
inline constexpr bool takes_stop_token =
    std::is_invocable_v<std::decay_t<F>, std::stop_token, std::decay_t<Args>...>;

template <class F, class... Args>
concept JobCallable =
    takes_stop_token<F, Args...> || std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...>;

/// A callable with its arguments, to be called once, in a job.
template <class F, class... Args>
class Call {
 public:
  template <class G, class... Values>
  explicit Call(G&& function, Values&&... values)
      : function_(std::forward<G>(function)), arguments_(std::forward<Values>(values)...) {}

  decltype(auto) operator()() {
    return std::apply(
        [this](Args&... arguments) -> decltype(auto) {
          if constexpr (takes_stop_token<F, Args...>) {
            return std::invoke(std::move(function_), this_thread::stop_token(),
                               std::move(arguments)...);
          } else {
            return std::invoke(std::move(function_), std::move(arguments)...);
          }
        },
        arguments_);
  }

 private:
  [[no_unique_address]] F function_;
  [[no_unique_address]] std::tuple<Args...> arguments_;
};

template <class F, class... Args>
using CallOf = Call<std::decay_t<F>, std::decay_t<Args>...>;

template <class C>
struct PostedTask final : Task {
  template <class F>
  explicit PostedTask(F&& function) : Task(operations_of), call(std::forward<F>(function)) {}

  static constexpr Operations operations_of{
      .call = [](Task& task) { static_cast<void>(static_cast<PostedTask&>(task).call()); },
      .destroy = [](Task& task) noexcept { delete_task(static_cast<PostedTask&>(task)); },
      .dropped = nullptr,
      .end_callable = nullptr,
      .help = nullptr,
      .request_stop = nullptr};

  [[no_unique_address]] C call;
};

}  // namespace rouse::detail
