#pragma once
// IdleProcess: a child of the test that only exists, prepared as the test needs it.
//
//   IdleProcess named([] { ::prctl(PR_SET_NAME, "a name"); });
//   auto program = IdleProcess::running({"/bin/sleep", {"snore", "1000"}, "/tmp"});
//   program.kill();                                 // it is a zombie now
//   program.reap();                                 // and now it is gone
//
// Thread safety: the thread that made it; when that ends the child does.

#include "support/child_process.hpp"
#include "support/fail.hpp"
#include "support/processes.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace rouse::test {

/// A user who may do nothing.
inline constexpr ::uid_t nobody = 65534;

/// A program, what it is told its name and arguments are, and where it works (empty: here).
struct ProgramStart {
  std::string program;
  std::vector<std::string> arguments;
  std::string directory = {};
};

class IdleProcess {
 public:
  /// Forks; the child calls `prepare()` and waits to be killed. Returns when it waits.
  template <class Prepare>
  explicit IdleProcess(Prepare prepare) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail("pipe2");
    const FileDescriptor ready(ends[0]);
    FileDescriptor ready_here(ends[1]);
    pid_ = ::fork();
    if (pid_ < 0) fail("fork");
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      prepare();
      if (::write(ends[1], "", 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    ready_here.reset();
    char byte = 0;
    while (::read(ready.get(), &byte, 1) < 0 && errno == EINTR) {
    }
  }
  IdleProcess() : IdleProcess([] {}) {}

  /// Returns when the program runs under its own name. One that cannot be started is a zombie.
  static IdleProcess running(const ProgramStart& start) {
    std::vector<std::string> texts = start.arguments;
    std::vector<char*> arguments;
    for (std::string& text : texts) arguments.push_back(text.data());
    arguments.push_back(nullptr);
    IdleProcess process([&] {
      if (!start.directory.empty() && ::chdir(start.directory.c_str()) != 0) ::_exit(126);
      ::execv(start.program.c_str(), arguments.data());
      ::_exit(127);
    });
    // The pipe is closed a moment before the kernel has the arguments in place.
    while (process.command_line().empty() && process.lives()) std::this_thread::yield();
    return process;
  }

  IdleProcess(IdleProcess&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  IdleProcess& operator=(IdleProcess&&) = delete;
  ~IdleProcess() {
    if (pid_ <= 0) return;
    kill();
    reap();
  }

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  /// Returns when it has ended; its pid stays taken.
  void kill() const {
    ::kill(pid_, SIGKILL);
    await_end();
  }
  void await_end() const {
    ::siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) != 0 &&
           errno == EINTR) {
    }
  }
  /// Waits for the end. The pid is free from here on.
  void reap() {
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
  }

 private:
  [[nodiscard]] std::string command_line() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/cmdline", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  [[nodiscard]] bool lives() const {
    ::siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT | WNOHANG) == 0 &&
           info.si_pid == 0;
  }

  pid_t pid_ = -1;
};

}  // namespace rouse::test
