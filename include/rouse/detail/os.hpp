#pragma once
// The seam between the core and the machine: atomics, futex, clocks, descriptors.
//
// Everything the core asks of the hardware or the kernel goes through this header, so that a test
// build can put a scheduler of its own under it: it defines ROUSE_SEAM_HEADER as the header that
// declares Atomic, and has functions of its own for those declared here.

#include <cstdint>

#ifdef ROUSE_SEAM_HEADER
#include ROUSE_SEAM_HEADER
#else

#include <atomic>

namespace rouse::detail {

template <class T>
using Atomic = std::atomic<T>;

}  // namespace rouse::detail

#endif

struct pollfd;

namespace rouse::detail::os {

/// CLOCK_MONOTONIC in nanoseconds.
[[gnu::visibility("default")]] std::int64_t now_ns() noexcept;

/// CLOCK_MONOTONIC of the last tick: some milliseconds old, a quarter of the price. For reports.
std::int64_t coarse_now_ns() noexcept;

/// CLOCK_REALTIME in nanoseconds. For calendars.
std::int64_t calendar_ns() noexcept;

/// Sleeps while `word == expected`, at most until `deadline_ns` (INT64_MAX: no limit). Returns on a
/// wake, a signal, the deadline or for no reason: callers look at their own state.
[[gnu::visibility("default")]] void futex_wait(Atomic<std::uint32_t>& word, std::uint32_t expected,
                                               std::int64_t deadline_ns) noexcept;

/// Wakes one sleeper. Touches the word's address only, never its value.
[[gnu::visibility("default")]] void futex_wake_one(Atomic<std::uint32_t>& word) noexcept;

/// The CPU this thread runs on, or -1.
int cpu() noexcept;

[[gnu::visibility("default")]] void cpu_relax() noexcept;

/// Lets another thread of this CPU run, if there is one.
void yield() noexcept;

/// A non-blocking, close-on-exec eventfd, or -1 with errno set.
int event_fd_create() noexcept;
void event_fd_post(int fd) noexcept;
void event_fd_drain(int fd) noexcept;
void close_fd(int fd) noexcept;

/// ppoll(2) with an absolute deadline. Returns what ppoll returns; an elapsed deadline and an
/// interruption by a signal both give 0. Other failures give -1 with errno set.
int poll_until(::pollfd* fds, unsigned count, std::int64_t deadline_ns) noexcept;

/// How late the kernel may end timed waits of this thread, to end several at once.
void set_timer_slack(std::int64_t ns) noexcept;

/// The kernel's id of this thread.
int thread_id() noexcept;

}  // namespace rouse::detail::os
