#include "rouse/wait/fd.hpp"

#include "wait/blocking.hpp"
#include "wait/polled_fds.hpp"

#include <cerrno>
#include <string>
#include <system_error>

namespace rouse::detail {

WaitStatus PolledFds::wait(BlockSite site, Deadline deadline, const std::stop_token& stop,
                           const Atomic<bool>* hint) {
  const auto hinted = [hint] { return hint != nullptr && hint->load(std::memory_order_relaxed); };
  const auto count = static_cast<unsigned>(callers_.size());
  Blocking blocking(site, deadline, stop);
  // The first turn only looks: what is ready already needs neither an eventfd nor a callback.
  for (bool may_block = false;; may_block = true) {
    const bool ended = blocking.ended();
    const bool block = may_block && !ended && !hinted();
    if (blocking.poll(polled_, count, block, hint != nullptr) > 0 || hinted()) break;
    if (ended) return blocking.finish();
  }
  for (unsigned i = 0; i < count; ++i) {
    if ((polled_[i].revents & POLLNVAL) != 0) {
      throw std::system_error(EBADF, std::generic_category(),
                              "rouse: wait for descriptor " + std::to_string(polled_[i].fd));
    }
    callers_[i].revents = polled_[i].revents;
  }
  return WaitStatus::ready;
}

WaitStatus wait_fd(int fd, short events, Deadline deadline, const std::stop_token& stop) {
  if (fd < 0) {
    throw std::system_error(EBADF, std::generic_category(),
                            "rouse: wait for descriptor " + std::to_string(fd));
  }
  ::pollfd polled{fd, events, 0};
  return PolledFds({&polled, 1})
      .wait({events == POLLIN ? "wait_readable" : "wait_writable", static_cast<std::uintptr_t>(fd)},
            deadline, stop);
}

WaitStatus wait_fds(std::span<::pollfd> fds, Deadline deadline, const std::stop_token& stop) {
  for (::pollfd& entry : fds) entry.revents = 0;
  return PolledFds(fds).wait({"wait_fds", fds.size()}, deadline, stop);
}

}  // namespace rouse::detail
