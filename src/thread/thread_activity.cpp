#include "thread/thread_activity.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>

namespace rouse::detail {
namespace {

struct SystemCall {
  long number;
  const char* name;
};

// The calls that threads are found in when a shutdown hangs.
constexpr std::array system_calls{
    SystemCall{SYS_read, "read"},
    SystemCall{SYS_write, "write"},
    SystemCall{SYS_openat, "openat"},
    SystemCall{SYS_close, "close"},
    SystemCall{SYS_fsync, "fsync"},
    SystemCall{SYS_fdatasync, "fdatasync"},
    SystemCall{SYS_flock, "flock"},
    SystemCall{SYS_fcntl, "fcntl"},
    SystemCall{SYS_ioctl, "ioctl"},
    SystemCall{SYS_statfs, "statfs"},
    SystemCall{SYS_ppoll, "ppoll"},
    SystemCall{SYS_pselect6, "pselect6"},
    SystemCall{SYS_epoll_pwait, "epoll_pwait"},
    SystemCall{SYS_futex, "futex (a lock or condition variable)"},
    SystemCall{SYS_nanosleep, "nanosleep"},
    SystemCall{SYS_clock_nanosleep, "clock_nanosleep"},
    SystemCall{SYS_accept, "accept"},
    SystemCall{SYS_accept4, "accept4"},
    SystemCall{SYS_connect, "connect"},
    SystemCall{SYS_recvfrom, "recvfrom"},
    SystemCall{SYS_recvmsg, "recvmsg"},
    SystemCall{SYS_sendto, "sendto"},
    SystemCall{SYS_sendmsg, "sendmsg"},
    SystemCall{SYS_wait4, "wait4"},
    SystemCall{SYS_waitid, "waitid"},
#ifdef SYS_poll
    SystemCall{SYS_poll, "poll"},
#endif
#ifdef SYS_select
    SystemCall{SYS_select, "select"},
#endif
#ifdef SYS_epoll_wait
    SystemCall{SYS_epoll_wait, "epoll_wait"},
#endif
#ifdef SYS_open
    SystemCall{SYS_open, "open"},
#endif
#ifdef SYS_stat
    SystemCall{SYS_stat, "stat"},
#endif
    SystemCall{SYS_newfstatat, "fstatat"},
};

// Outside of our waits the kernel knows best: "<number> <arguments>", "running", or nothing at all
// where it does not let us look.
std::string outside_of_rouse(int native_id) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/task/%d/syscall", native_id);
  std::array<char, 64> buffer{};
  ssize_t length = -1;
  if (const int fd = ::open(path, O_RDONLY | O_CLOEXEC); fd >= 0) {
    length = ::read(fd, buffer.data(), buffer.size());
    ::close(fd);
  }
  const std::string_view text(buffer.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  long number = -1;
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc() &&
      number >= 0) {
    for (const SystemCall& call : system_calls) {
      if (call.number == number) return std::string("system call ") + call.name;
    }
    return "system call " + std::to_string(number);
  }
  return "running";
}

std::string describe(std::string_view what, std::uintptr_t object) {
  std::string text(what);
  if (what.starts_with("wait_readable") || what.starts_with("wait_writable")) {
    text += " (fd " + std::to_string(object) + ")";
  } else if (what == "wait_fds" || what == "wait_any") {
    text += " (of " + std::to_string(object) + ")";
  } else if (object != 0) {
    char address[2 + 2 * sizeof object + 1];
    std::snprintf(address, sizeof address, "%p", reinterpret_cast<void*>(object));
    text += std::string(" (") + address + ")";
  }
  return text;
}

}  // namespace

ThreadActivity activity_of(const ControlBlock& block) {
  // Acquire: what and since when belong together, unless the thread has gone on meanwhile.
  const char* const what = block.blocked_in.load(std::memory_order_acquire);
  if (what == nullptr) {
    return {outside_of_rouse(block.native_id.load(std::memory_order_relaxed)), std::nullopt};
  }
  const std::int64_t since = block.blocked_since.load(std::memory_order_relaxed);
  const std::int64_t now = os::now_ns();
  return {describe(what, block.blocked_on.load(std::memory_order_relaxed)),
          std::chrono::nanoseconds(now > since ? now - since : 0)};
}

}  // namespace rouse::detail
