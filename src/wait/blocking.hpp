#pragma once
// Blocking: one blocking call of the calling thread, and everything that may end it early.
//
// Every blocking function of the library is a loop around it:
//
//   Blocking blocking({"sleep_for", 0}, deadline, stop);
//   while (!blocking.ended()) blocking.park();
//   return blocking.finish();
//
// Thread safety: belongs to the calling thread. Design: docs/design/wait_core.md.

#include "rouse/detail/deadline.hpp"
#include "rouse/wait/this_thread.hpp"
#include "rouse/wait/wait_status.hpp"

#include "wait/control_block.hpp"

#include <optional>
#include <stop_token>

namespace rouse::detail {

class Blocking {
 public:
  /// `stop` is referred to, not copied. Throws std::bad_alloc in a thread's first wait.
  Blocking(BlockSite site, Deadline deadline, const std::stop_token& stop);

  Blocking(const Blocking&) = delete;
  Blocking& operator=(const Blocking&) = delete;

  ControlBlock& thread() noexcept { return thread_; }

  /// Whether an exception was raised, a stop requested or the deadline reached; which of them, for
  /// finish(). Once true it stays true.
  bool ended() noexcept;

  /// Blocks until there may be news. The first call makes the stop callback for a foreign token: a
  /// wait that registers a node calls arm() before it does so.
  void park(bool may_spin = true) {
    arm();
    thread_.park(deadline_, may_spin, site_);
  }
  void arm();

  /// The same for descriptors; blocks only if `may_block`, and until a hint too if `may_be_hinted`
  /// or a stop is possible. Returns how many are ready. One entry behind `fds` must be free.
  int poll(::pollfd* fds, unsigned count, bool may_block, bool may_be_hinted = false);

  /// After ended(), when no node is enqueued any more: throws what was raised, or tells the status.
  WaitStatus finish();

 private:
  enum class Ending : std::uint8_t { none, raised, stopped, timeout };

  bool stop_requested() const noexcept;

  ControlBlock& thread_;
  const AmbientStop* const ambient_;  // null without one and under a Shield
  const std::stop_token& stop_;
  Deadline deadline_;  // the earlier of the caller's and the ambient scope's
  BlockSite site_;
  Ending ending_ = Ending::none;
  const bool foreign_;  // stop_ can be requested, and is not the ambient one
  std::optional<std::stop_callback<NotifyThread>> callback_;
};

}  // namespace rouse::detail
