#pragma once
// Child: a child process that is ours to end and to reap.
//
/// @code
///   Child child(::fork());  // in the parent
///   (void)rouse::wait_readable(child.ended_fd());
///   std::optional<ChildExit> exit = child.reap();
/// @endcode
//
// Thread safety: one thread at a time.
// Nothing is left of it: the destructor kills what still runs and reaps it. A process that cannot
// be killed (in uninterruptible sleep on a dead file system) is waited for only briefly; its owner
// keeps the Child and reaps it when it has gone.
// SIGCHLD must not be ignored in this program, or the kernel reaps children before we can.

#include "checkers/fd.hpp"

#include <sys/types.h>

#include <chrono>
#include <optional>

namespace health {

/// How long a killed process may take to vanish. Only one that cannot be killed takes as long.
inline constexpr std::chrono::milliseconds kill_patience{100};

struct ChildExit {
  int code = 0;    ///< Of exit(), if it was not a signal.
  int signal = 0;  ///< That killed it, or 0.
};

class Child {
 public:
  enum class Group { of_parent, own };

  Child() = default;
  /// Takes over a process that was just made and has not been reaped. `own`: it leads a process
  /// group, and kill() means all of it. Throws std::system_error (EMFILE); it is killed then.
  explicit Child(pid_t pid, Group group = Group::of_parent);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  /// Whether there is one that has not been reaped.
  [[nodiscard]] bool exists() const noexcept { return pid_ > 0; }
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  /// Readable when it has ended (a pidfd).
  [[nodiscard]] int ended_fd() const noexcept { return pidfd_.get(); }

  void kill(int signal) noexcept;

  /// If it has ended: takes it from the kernel, after a SIGKILL to what is left of its group.
  /// Nothing while it runs. Never blocks.
  std::optional<ChildExit> reap();

  /// SIGKILL, then reaps it, whatever is stopped. False if it did not end within kill_patience.
  bool destroy();

 private:
  pid_t pid_ = 0;
  Group group_ = Group::of_parent;
  bool given_up_ = false;
  Fd pidfd_;
};

}  // namespace health
