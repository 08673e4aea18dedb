#pragma once
// wait_readable, wait_writable, wait_fds: wait for descriptors, and for a stop at the same time.
//
/// @code
///   const std::stop_token stop = rouse::this_thread::stop_token();
///   char buffer[512];
///   while (!stop.stop_requested() &&  // ready comes first: a flood would hide the stop
///          rouse::wait_readable(STDIN_FILENO) == rouse::WaitStatus::ready) {
///     if (::read(STDIN_FILENO, buffer, sizeof buffer) <= 0) break;
///   }
/// @endcode
//
// Thread safety: any thread; several may wait for one descriptor. Close a descriptor only when
//   nobody waits for it: the kernel reuses the number.
// Ready means that the call would not block: there is data, room, end of file, hang-up or an error
//   to be read from the descriptor. Regular files are always ready. As everywhere ready comes
//   before stopped: a loop that reads from somebody who never pauses asks the stop token at each
//   turn.
// Errors: a descriptor that is not open throws std::system_error (EBADF) with its number. A wait
//   that a stop can end needs one eventfd per thread, made by the first such wait that blocks and
//   kept for reuse; if there is none left (EMFILE, ENFILE) std::system_error says so.

#include "rouse/detail/deadline.hpp"
#include "rouse/wait/wait_status.hpp"

#include <poll.h>

#include <chrono>
#include <span>
#include <stop_token>

namespace rouse {
namespace detail {
[[gnu::visibility("default")]] WaitStatus wait_fd(int fd, short events, Deadline deadline,
                                                  const std::stop_token& stop);
[[gnu::visibility("default")]] WaitStatus wait_fds(std::span<::pollfd> fds, Deadline deadline,
                                                   const std::stop_token& stop);
}  // namespace detail

/// Blocks until `fd` can be read without blocking, or a stop is requested.
inline WaitStatus wait_readable(int fd, std::stop_token stop = {}) {
  return detail::wait_fd(fd, POLLIN, detail::Deadline::never(), stop);
}
template <class Rep, class Period>
WaitStatus wait_readable_for(int fd, const std::chrono::duration<Rep, Period>& d,
                             std::stop_token stop = {}) {
  return detail::wait_fd(fd, POLLIN, detail::Deadline::after(d), stop);
}
template <class Clock, class Duration>
WaitStatus wait_readable_until(int fd, const std::chrono::time_point<Clock, Duration>& t,
                               std::stop_token stop = {}) {
  return detail::wait_until_on(
      t, [&](detail::Deadline d) { return detail::wait_fd(fd, POLLIN, d, stop); });
}

/// Blocks until `fd` can be written without blocking (a connect has ended), or a stop is requested.
inline WaitStatus wait_writable(int fd, std::stop_token stop = {}) {
  return detail::wait_fd(fd, POLLOUT, detail::Deadline::never(), stop);
}
template <class Rep, class Period>
WaitStatus wait_writable_for(int fd, const std::chrono::duration<Rep, Period>& d,
                             std::stop_token stop = {}) {
  return detail::wait_fd(fd, POLLOUT, detail::Deadline::after(d), stop);
}
template <class Clock, class Duration>
WaitStatus wait_writable_until(int fd, const std::chrono::time_point<Clock, Duration>& t,
                               std::stop_token stop = {}) {
  return detail::wait_until_on(
      t, [&](detail::Deadline d) { return detail::wait_fd(fd, POLLOUT, d, stop); });
}

/// poll(2) that can be stopped: blocks until one of `fds` is ready, whose `revents` then say why.
/// Entries with a negative descriptor are passed over, as poll does. At most 64 entries are polled
/// without an allocation.
inline WaitStatus wait_fds(std::span<::pollfd> fds, std::stop_token stop = {}) {
  return detail::wait_fds(fds, detail::Deadline::never(), stop);
}
template <class Rep, class Period>
WaitStatus wait_fds_for(std::span<::pollfd> fds, const std::chrono::duration<Rep, Period>& d,
                        std::stop_token stop = {}) {
  return detail::wait_fds(fds, detail::Deadline::after(d), stop);
}
template <class Clock, class Duration>
WaitStatus wait_fds_until(std::span<::pollfd> fds,
                          const std::chrono::time_point<Clock, Duration>& t,
                          std::stop_token stop = {}) {
  return detail::wait_until_on(t,
                               [&](detail::Deadline d) { return detail::wait_fds(fds, d, stop); });
}

}  // namespace rouse
