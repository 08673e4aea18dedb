#include "rouse/detail/os.hpp"

#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#endif
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstddef>
#include <ctime>

namespace rouse::detail::os {
namespace {

constexpr std::int64_t ns_per_second = 1'000'000'000;

std::int64_t read_clock(clockid_t clock) noexcept {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::int64_t>(now.tv_sec) * ns_per_second + now.tv_nsec;
}

timespec to_timespec(std::int64_t ns) noexcept {
  timespec result{};
  result.tv_sec = static_cast<time_t>(ns / ns_per_second);
  result.tv_nsec = static_cast<long>(ns % ns_per_second);
  return result;
}

}  // namespace

std::int64_t now_ns() noexcept { return read_clock(CLOCK_MONOTONIC); }

std::int64_t coarse_now_ns() noexcept { return read_clock(CLOCK_MONOTONIC_COARSE); }

std::int64_t calendar_ns() noexcept { return read_clock(CLOCK_REALTIME); }

void futex_wait(Atomic<std::uint32_t>& word, std::uint32_t expected,
                std::int64_t deadline_ns) noexcept {
  // FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC time; FUTEX_WAIT's is relative and drifts
  // with every interruption by a signal.
  timespec limit{};
  const timespec* limit_or_none = nullptr;
  if (deadline_ns != INT64_MAX) {
    limit = to_timespec(deadline_ns);
    limit_or_none = &limit;
  }
  ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, limit_or_none, nullptr,
            FUTEX_BITSET_MATCH_ANY);
}

void futex_wake_one(Atomic<std::uint32_t>& word) noexcept {
  ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

int cpu() noexcept {
#ifdef RSEQ_SIG
  // The kernel keeps it up to date in the thread's memory (rseq(2)): a load instead of a call.
  if (__rseq_size != 0) {
    const auto* const area = static_cast<const std::byte*>(__builtin_thread_pointer()) +
                             __rseq_offset + offsetof(struct rseq, cpu_id);
    const auto cpu = *reinterpret_cast<const volatile std::int32_t*>(area);
    if (cpu >= 0) return cpu;
  }
#endif
  return ::sched_getcpu();
}

void cpu_relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

void yield() noexcept { ::sched_yield(); }

int event_fd_create() noexcept { return ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

void event_fd_post(int fd) noexcept {
  const std::uint64_t one = 1;
  // A full counter (EAGAIN) is as good as a post: the reader is awake either way.
  while (::write(fd, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void event_fd_drain(int fd) noexcept {
  std::uint64_t count = 0;
  while (::read(fd, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

void close_fd(int fd) noexcept { ::close(fd); }

int poll_until(::pollfd* fds, unsigned count, std::int64_t deadline_ns) noexcept {
  timespec limit{};
  const timespec* limit_or_none = nullptr;
  if (deadline_ns != INT64_MAX) {
    const std::int64_t left = deadline_ns == 0 ? 0 : deadline_ns - now_ns();
    limit = to_timespec(left > 0 ? left : 0);
    limit_or_none = &limit;
  }
  const int ready = ::ppoll(fds, count, limit_or_none, nullptr);
  if (ready < 0 && errno == EINTR) {
    // ppoll leaves revents as they were; the caller must not read an earlier call's.
    for (unsigned i = 0; i < count; ++i) fds[i].revents = 0;
    return 0;
  }
  return ready;
}

void set_timer_slack(std::int64_t ns) noexcept {
  ::prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(ns));
}

int thread_id() noexcept { return static_cast<int>(::gettid()); }

}  // namespace rouse::detail::os
