#include "rouse/wait/fd.hpp"

#include "wait/blocking.hpp"

#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

namespace rouse::detail {
namespace {

// `fds` has one free entry behind `count`.
WaitStatus wait_polled(::pollfd* fds, unsigned count, BlockSite site, Deadline deadline,
                       const std::stop_token& stop) {
  Blocking blocking(site, deadline, stop);
  // The first turn only looks: what is ready already needs neither an eventfd nor a callback.
  for (bool may_block = false;; may_block = true) {
    const bool ended = blocking.ended();
    if (blocking.poll(fds, count, may_block && !ended) > 0) break;
    if (ended) return blocking.finish();
  }
  for (unsigned i = 0; i < count; ++i) {
    if ((fds[i].revents & POLLNVAL) != 0) {
      throw std::system_error(EBADF, std::generic_category(),
                              "rouse: wait for descriptor " + std::to_string(fds[i].fd));
    }
  }
  return WaitStatus::ready;
}

}  // namespace

WaitStatus wait_fd(int fd, short events, Deadline deadline, const std::stop_token& stop) {
  if (fd < 0) {
    throw std::system_error(EBADF, std::generic_category(),
                            "rouse: wait for descriptor " + std::to_string(fd));
  }
  ::pollfd fds[2] = {{fd, events, 0}, {}};
  return wait_polled(
      fds, 1,
      {events == POLLIN ? "wait_readable" : "wait_writable", static_cast<std::uintptr_t>(fd)},
      deadline, stop);
}

WaitStatus wait_fds(std::span<::pollfd> fds, Deadline deadline, const std::stop_token& stop) {
  constexpr std::size_t on_stack = 64;
  std::array<::pollfd, on_stack + 1> few;
  std::vector<::pollfd> many;
  ::pollfd* polled = few.data();
  if (fds.size() > on_stack) {
    many.resize(fds.size() + 1);
    polled = many.data();
  }
  for (std::size_t i = 0; i < fds.size(); ++i) polled[i] = {fds[i].fd, fds[i].events, 0};
  const WaitStatus status = wait_polled(polled, static_cast<unsigned>(fds.size()),
                                        {"wait_fds", fds.size()}, deadline, stop);
  for (std::size_t i = 0; i < fds.size(); ++i) fds[i].revents = polled[i].revents;
  return status;
}

}  // namespace rouse::detail
