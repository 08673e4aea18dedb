#pragma once
// Subprocess: a program that runs in a process group of its own, its output kept up to a limit.
//
/// @code
///   Subprocess process({"/bin/sh", "-c", "uptime"});
///   if (process.wait_until(deadline)) use(process.exit(), process.output());
/// @endcode
//
// Thread safety: one thread at a time. The destructor kills the group and reaps: nothing is left.
// The program sees /dev/null as its input, no descriptor of ours but its output, default signal
// dispositions and no blocked signal (ours are blocked for signalfd), and our environment.

#include "checkers/child.hpp"
#include "checkers/fd.hpp"

#include <chrono>
#include <csignal>
#include <cstddef>
#include <string>
#include <vector>

namespace health {

class Subprocess {
 public:
  /// Starts it; a program without a slash is looked for in PATH. Throws std::system_error that
  /// names the program and why it cannot be run. Returns when it has been executed: the one wait
  /// that no stop ends, so do not run programs from a network file system.
  explicit Subprocess(const std::vector<std::string>& argv, std::size_t output_cap = 64 * 1024);

  Subprocess(const Subprocess&) = delete;
  Subprocess& operator=(const Subprocess&) = delete;

  /// Collects output until the program has ended: true. False at `deadline`. Throws rouse::Stopped.
  /// Who else holds the output open, as a grandchild may, is not waited for.
  bool wait_until(std::chrono::steady_clock::time_point deadline);

  /// TERM to the whole group.
  void terminate() noexcept { child_.kill(SIGTERM); }

  /// terminate(), `grace` to obey, KILL; not to be stopped. Returns the process if it cannot be
  /// killed, else an empty Child.
  Child end(std::chrono::milliseconds grace);

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  // After wait_until() returned true.
  [[nodiscard]] ChildExit exit() const noexcept { return exit_; }
  [[nodiscard]] const std::string& output() const noexcept { return output_.text; }
  [[nodiscard]] const std::string& errors() const noexcept { return errors_.text; }
  /// Whether there was more output than is kept; the rest was read and dropped.
  [[nodiscard]] bool cut() const noexcept { return output_.cut; }

 private:
  struct Stream {
    Fd fd;
    std::string text;
    std::size_t cap = 0;
    bool cut = false;

    bool collect();
    void drain();
  };

  Stream output_;
  Stream errors_;
  pid_t pid_ = 0;
  Child child_;
  ChildExit exit_;
};

}  // namespace health
