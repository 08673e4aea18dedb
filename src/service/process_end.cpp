#include "service/process_end.hpp"

#include "service/process_table.hpp"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace rouse::detail {
namespace {

[[noreturn]] void cannot_watch_process(::pid_t pid, int error, const char* why) {
  throw std::system_error(error, std::generic_category(),
                          "rouse: process " + std::to_string(pid) + ": " + why);
}

const char* reason_of(int error) noexcept {
  if (error == EMFILE) return "no pidfd, the limit of open files (RLIMIT_NOFILE) is reached";
  if (error == ENFILE) return "no pidfd, the system's limit of open files (fs.file-max) is reached";
  return "no pidfd";
}

void expect_no_thread(::pid_t pid) {
  const auto entry = ProcessEntry::open(pid);
  if (entry && entry->thread_group().value_or(pid) != pid) {
    cannot_watch_process(pid, EINVAL, "is a thread, not a process");
  }
}

std::optional<std::uint64_t> start_time_of(::pid_t pid) {
  const auto entry = ProcessEntry::open(pid);
  const auto status = entry ? entry->status() : std::nullopt;
  if (!status || status->ended()) return std::nullopt;
  return status->start_time;
}

}  // namespace

ProcessEnd::ProcessEnd(::pid_t pid, std::chrono::nanoseconds interval)
    : pid_(pid), interval_(interval) {
  open();
  if (!pidfd_) expect_no_thread(pid);
}

ProcessEnd::ProcessEnd(::pid_t pid, std::uint64_t start_time, std::chrono::nanoseconds interval)
    : pid_(pid), interval_(interval) {
  open();
  // Looked at behind the pidfd: if the pid is this process's now, it was so then.
  if (start_time_of(pid) != start_time) {
    pidfd_.reset();
    start_time_.reset();
  }
}

void ProcessEnd::open() {
  pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (pidfd_) return;
  const int error = errno;
  switch (error) {
    case ESRCH:
    case EINVAL:  // a thread, or a process that is being reaped
    case ENOENT:  // the same for a kernel from 6.15 on
      break;
    case ENOSYS:
    case EPERM:  // what sandboxes answer to what they do not know
      start_time_ = start_time_of(pid_);
      break;
    default:
      cannot_watch_process(pid_, error, reason_of(error));
  }
}

bool ProcessEnd::reached() {
  if (pidfd_) {
    ::pollfd poll{pidfd_.get(), POLLIN, 0};
    int ready = 0;
    do {
      ready = ::poll(&poll, 1, 0);
    } while (ready < 0 && errno == EINTR);
    if (ready > 0) pidfd_.reset();
  } else if (start_time_ && start_time_of(pid_) != start_time_) {
    start_time_.reset();
  }
  return !pidfd_ && !start_time_;
}

void ProcessEnd::subscribe(Sources& sources) const {
  if (pidfd_) {
    sources.poll(pidfd_.get(), POLLIN);
  } else {
    sources.look_again(Deadline::after(interval_));
  }
}

}  // namespace rouse::detail
