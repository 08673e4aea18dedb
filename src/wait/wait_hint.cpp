#include "rouse/wait/wait_hint.hpp"

#include "wait/blocking.hpp"
#include "wait/polled_fds.hpp"

namespace rouse::detail {

WaitHint::WaitHint() : thread_(ControlBlock::current()) {}

WaitHint::Wake WaitHint::mark() noexcept {
  Wake wake;
  wake.thread_ = &thread_;
  // Its last touch of the hint. Release, for take(); a read-modify-write, for a take() of several
  // hints at once. The exchange that follows orders it for a thread about to block.
  given_.exchange(true, std::memory_order_release);
  wake.owed_ = static_cast<std::uint8_t>(wake.thread_->exchange_notified());
  return wake;
}

void WaitHint::Wake::operator()() const noexcept {
  thread_->wake(static_cast<ControlBlock::Wake>(owed_));
}

WaitStatus WaitHint::wait(std::span<::pollfd> fds, BlockSite site, Deadline deadline,
                          const std::stop_token& stop) {
  if (fds.empty()) {
    Blocking blocking(site, deadline, stop);
    while (!given_.load(std::memory_order_relaxed)) {
      if (blocking.ended()) return blocking.finish();
      blocking.park();
    }
    return WaitStatus::ready;
  }
  for (::pollfd& entry : fds) entry.revents = 0;
  return PolledFds(fds).wait(site, deadline, stop, &given_);
}

}  // namespace rouse::detail
