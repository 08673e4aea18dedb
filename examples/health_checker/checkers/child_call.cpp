#include "checkers/child_call.hpp"

#include "rouse/wait/fd.hpp"
#include "rouse/wait/wait_status.hpp"

#include <unistd.h>

#include <stdexcept>
#include <utility>

namespace health {
namespace {

// Only async-signal-safe calls: another thread may have held any lock when the process was copied.
[[noreturn]] void child_main(void (*invoke)(void*), void* job, const void* result, std::size_t size,
                             int out) {
  // A child that hangs must not hold on to other checks' connections and pipes.
  if (out > 0) ::close_range(0, static_cast<unsigned>(out) - 1, 0);
  ::close_range(static_cast<unsigned>(out) + 1, ~0U, 0);
  invoke(job);
  // At most PIPE_BUF bytes: all or nothing.
  const ssize_t written = ::write(out, result, size);
  ::_exit(written == static_cast<ssize_t>(size) ? 0 : 1);
}

}  // namespace

bool ChildCall::run_erased(void (*invoke)(void*), void* job, void* result, std::size_t size) {
  if (abandoned_.exists() && !abandoned_.reap()) return false;

  Pipe pipe = make_pipe();
  const auto started = std::chrono::steady_clock::now();
  const pid_t pid = ::fork();
  if (pid < 0) throw_errno("fork");
  if (pid == 0) child_main(invoke, job, result, size, pipe.write_end.get());
  Child child(pid);
  pipe.write_end.reset();

  const rouse::WaitStatus status = rouse::wait_readable(pipe.read_end.get());
  const ssize_t got = ::read(pipe.read_end.get(), result, size);
  if (!child.destroy()) {
    abandoned_ = std::move(child);
    hangs_since_ = started;
  }
  if (status != rouse::WaitStatus::ready) throw rouse::Stopped();
  if (got != static_cast<ssize_t>(size)) {
    throw std::runtime_error("the child process that made a system call died");
  }
  return true;
}

}  // namespace health
