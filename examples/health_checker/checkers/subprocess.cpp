#include "checkers/subprocess.hpp"

#include "rouse/wait/fd.hpp"
#include "rouse/wait/shield.hpp"

#include "checkers/wait.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

namespace health {
namespace {

// posix_spawn and not fork: it copies no page tables, so that it costs the same in a program with
// thousands of threads, and what exec says comes back as its result.
class SpawnPlan {
 public:
  SpawnPlan() {
    check(::posix_spawn_file_actions_init(&actions_));
    check(::posix_spawnattr_init(&attributes_));
  }
  ~SpawnPlan() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&actions_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  void own_group() {
    flags_ |= POSIX_SPAWN_SETPGROUP;
    check(::posix_spawnattr_setpgroup(&attributes_, 0));
  }

  void default_signals() {
    flags_ |= POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    sigset_t signals;
    ::sigfillset(&signals);
    check(::posix_spawnattr_setsigdefault(&attributes_, &signals));
    ::sigemptyset(&signals);
    check(::posix_spawnattr_setsigmask(&attributes_, &signals));
  }

  void streams(int output, int errors) {
    check(::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0));
    check(::posix_spawn_file_actions_adddup2(&actions_, output, 1));
    check(::posix_spawn_file_actions_adddup2(&actions_, errors, 2));
    // Also what some library has opened without O_CLOEXEC.
    check(::posix_spawn_file_actions_addclosefrom_np(&actions_, 3));
  }

  pid_t run(const std::vector<std::string>& argv) {
    check(::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags_)));
    std::vector<char*> arguments;
    for (const std::string& argument : argv)
      arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    pid_t pid = 0;
    const int error =
        ::posix_spawnp(&pid, arguments[0], &actions_, &attributes_, arguments.data(), environ);
    if (error != 0) throw_errno("start " + argv[0], error);
    return pid;
  }

 private:
  static void check(int error) {
    if (error != 0) throw_errno("prepare a process", error);
  }

  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
  int flags_ = 0;
};

// A pipe end that is none of the child's standard streams: dup2 of one onto itself would leave it
// closed by exec, onto another one would overwrite that.
Fd above_standard(Fd fd) {
  if (fd.get() > 2) return fd;
  Fd higher(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!higher) throw_errno("duplicate a descriptor");
  return higher;
}

constexpr std::size_t errors_cap = 4096;

}  // namespace

Subprocess::Subprocess(const std::vector<std::string>& argv, std::size_t output_cap) {
  Pipe output = make_pipe();
  Pipe errors = make_pipe();
  const Fd output_end = above_standard(std::move(output.write_end));
  const Fd errors_end = above_standard(std::move(errors.write_end));
  SpawnPlan plan;
  plan.own_group();
  plan.default_signals();
  plan.streams(output_end.get(), errors_end.get());
  pid_ = plan.run(argv);
  child_ = Child(pid_, Child::Group::own);
  output_ = {.fd = std::move(output.read_end), .text = {}, .cap = output_cap};
  errors_ = {.fd = std::move(errors.read_end), .text = {}, .cap = errors_cap};
}

bool Subprocess::wait_until(std::chrono::steady_clock::time_point deadline) {
  for (;;) {
    // Not only in the wait below: a flood of output makes it ready every time.
    throw_if_stopped();
    if (std::chrono::steady_clock::now() >= deadline) return false;
    pollfd fds[] = {{child_.ended_fd(), POLLIN, 0},
                    {output_.fd.get(), POLLIN, 0},
                    {errors_.fd.get(), POLLIN, 0}};
    if (rouse::wait_fds_until(fds, deadline) != rouse::WaitStatus::ready) continue;
    if (fds[0].revents != 0) break;
    if (fds[1].revents != 0) output_.collect();
    if (fds[2].revents != 0) errors_.collect();
  }
  output_.drain();
  errors_.drain();
  if (const auto exit = child_.reap()) exit_ = *exit;
  return true;
}

Child Subprocess::end(std::chrono::milliseconds grace) {
  if (!child_.exists()) return {};
  rouse::Shield shield;
  terminate();
  if (wait_until(std::chrono::steady_clock::now() + grace) || child_.destroy()) return {};
  return std::move(child_);
}

/// One read; false when there is nothing more for now.
bool Subprocess::Stream::collect() {
  char buffer[4096];
  const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0) {
    fd.reset();
    return false;
  }
  const auto size = static_cast<std::size_t>(got);
  const std::size_t kept = std::min(size, cap - text.size());
  text.append(buffer, kept);
  cut = cut || kept < size;
  return true;
}

/// What the program had written when it ended: a pipe's worth. Bounded, for a grandchild may go on.
void Subprocess::Stream::drain() {
  constexpr int pipe_reads = 1024 * 1024 / 4096;
  for (int i = 0; i < pipe_reads && fd && collect(); ++i) {
  }
}

}  // namespace health
