#pragma once
// WaitHint: a wait for descriptors that other threads of the library can end too.
//
/// @code
///   rouse::detail::WaitHint hint;  // of this thread
///   ::pollfd input{STDIN_FILENO, POLLIN, 0};
///   const rouse::WaitStatus status = hint.wait({&input, 1}, {"example", 0},
///                                              rouse::detail::Deadline::after(1s), {});
///   if (status == rouse::WaitStatus::ready && hint.take()) {
///     // another thread has called hint.give()
///   }
/// @endcode
//
// Thread safety: give() and mark(): any thread. The others: the thread that made it.
// Ordering: what happened before a give() is visible after the next take().
// Lifetime: outlives every give() and mark() that is not taken yet. What mark() has returned may
// outlive it.
// Cost: no allocation for up to 64 descriptors; without descriptors the wait is one for a futex.
// Design: docs/design/wait_core.md.

#include "rouse/detail/deadline.hpp"
#include "rouse/detail/os.hpp"
#include "rouse/wait/wait_status.hpp"

#include <cstdint>
#include <span>
#include <stop_token>

struct pollfd;

namespace rouse::detail {

struct ControlBlock;

/// Where a thread blocks, for the reports: a string literal, and the address or number it is about.
struct BlockSite {
  const char* what;
  std::uintptr_t object;
};

class [[gnu::visibility("default")]] WaitHint {
 public:
  /// The system call that a mark() leaves to be made, if any.
  class [[gnu::visibility("default")]] Wake {
   public:
    void operator()() const noexcept;

   private:
    friend class WaitHint;
    ControlBlock* thread_;
    std::uint8_t owed_;
  };

  /// Throws std::bad_alloc in a thread's first wait.
  WaitHint();

  WaitHint(const WaitHint&) = delete;
  WaitHint& operator=(const WaitHint&) = delete;

  /// Ends the wait, or else the next one, until it is taken. Never blocks.
  void give() noexcept { mark()(); }
  /// The same in two parts: the first makes no system call, and may be called under a lock.
  [[nodiscard]] Wake mark() noexcept;

  /// Whether it was given since it was last taken.
  bool take() noexcept { return given_.exchange(false, std::memory_order_acquire); }

  /// Blocks until it is given or one of `fds` is ready, as wait_fds; or until `deadline` or a stop.
  WaitStatus wait(std::span<::pollfd> fds, BlockSite site, Deadline deadline,
                  const std::stop_token& stop);

 private:
  ControlBlock& thread_;
  Atomic<bool> given_{false};
};

}  // namespace rouse::detail
