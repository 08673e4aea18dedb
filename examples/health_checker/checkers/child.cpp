#include "checkers/child.hpp"

#include "rouse/wait/fd.hpp"
#include "rouse/wait/shield.hpp"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <utility>

namespace health {

Child::Child(pid_t pid, Group group) : pid_(pid), group_(group) {
  // Not a glibc wrapper: 2.35 has none. The descriptor is closed by exec.
  pidfd_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd_) return;
  const int error = errno;
  kill(SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  throw_errno("open a descriptor for a child process", error);
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      group_(other.group_),
      given_up_(other.given_up_),
      pidfd_(std::move(other.pidfd_)) {}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(group_, other.group_);
  std::swap(given_up_, other.given_up_);
  std::swap(pidfd_, other.pidfd_);
  return *this;
}

Child::~Child() {
  if (!exists()) return;
  try {
    // Not twice the patience for the same process.
    if (given_up_) {
      reap();
    } else {
      destroy();
    }
  } catch (const std::exception&) {
    // No memory to wait with. It has been killed; init reaps it after us.
  }
}

void Child::kill(int signal) noexcept {
  // Neither number can have been reused: the process has not been reaped.
  if (exists()) ::kill(group_ == Group::own ? -pid_ : pid_, signal);
}

std::optional<ChildExit> Child::reap() {
  siginfo_t info{};
  const auto look = [&](int flags) {
    info.si_pid = 0;
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | flags) == 0;
  };
  if (look(WNOWAIT) && info.si_pid == 0) return std::nullopt;
  // While it is a zombie its group's number is its own.
  if (group_ == Group::own) kill(SIGKILL);
  const bool known = look(0);
  pidfd_.reset();
  pid_ = 0;
  if (!known) throw_errno("learn how a child process ended; is SIGCHLD ignored?");
  if (info.si_code == CLD_EXITED) return ChildExit{.code = info.si_status};
  return ChildExit{.signal = info.si_status};
}

bool Child::destroy() {
  if (!exists()) return true;
  kill(SIGKILL);
  rouse::Shield shield;
  given_up_ = rouse::wait_readable_for(ended_fd(), kill_patience) != rouse::WaitStatus::ready;
  return !given_up_ && reap().has_value();
}

}  // namespace health
