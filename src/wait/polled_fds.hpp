#pragma once
// PolledFds: the descriptors of one wait, for wait_fds and for WaitHint.

#include "rouse/detail/deadline.hpp"
#include "rouse/detail/os.hpp"
#include "rouse/wait/wait_status.hpp"

#include "wait/control_block.hpp"

#include <poll.h>

#include <array>
#include <cstddef>
#include <span>
#include <stop_token>
#include <vector>

namespace rouse::detail {

// A copy of what is polled, with the entry behind it that the core needs.
class PolledFds {
 public:
  explicit PolledFds(std::span<::pollfd> fds) : callers_(fds) {
    if (fds.size() > on_stack) {
      many_.resize(fds.size() + 1);
      polled_ = many_.data();
    }
    for (std::size_t i = 0; i < fds.size(); ++i) polled_[i] = {fds[i].fd, fds[i].events, 0};
  }
  PolledFds(const PolledFds&) = delete;
  PolledFds& operator=(const PolledFds&) = delete;

  /// Blocks until one of them is ready, `hint` is true, or the deadline or a stop ends it. Tells
  /// the caller's `revents`. Throws what was raised, and std::system_error.
  WaitStatus wait(BlockSite site, Deadline deadline, const std::stop_token& stop,
                  const Atomic<bool>* hint = nullptr);

 private:
  static constexpr std::size_t on_stack = 64;

  std::span<::pollfd> callers_;
  std::array<::pollfd, on_stack + 1> few_;
  std::vector<::pollfd> many_;
  ::pollfd* polled_ = few_.data();
};

}  // namespace rouse::detail
