#pragma once
// ChildProcess: a program under test, with pipes to its standard streams and a deadline on all.
//
//   ChildProcess child({"/bin/cat"});
//   child.write("hello\n");
//   ASSERT_TRUE(child.wait_for_output("hello")) << child;
//   child.close_input();
//   EXPECT_EQ(child.wait_for_exit(), 0) << child;
//
// Thread safety: one thread at a time, which outlives the child: it dies with that thread, so that
// a test that is killed leaves nothing behind.

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rouse::test {

/// Long enough for a loaded machine under a sanitizer; what takes longer has failed.
inline constexpr std::chrono::seconds child_limit{20};

/// A descriptor that closes itself.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) noexcept : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  int release() noexcept;
  void reset() noexcept;

 private:
  int fd_;
};

struct ChildOptions {
  std::vector<std::string> environment = {};  ///< "NAME=value", added to the test's own.
  std::string directory = {};                 ///< Empty: the test's own.
  /// The standard streams are this terminal, which controls the process, instead of pipes. Below 0:
  /// none.
  int terminal = -1;
};

class ChildProcess {
 public:
  using Duration = std::chrono::nanoseconds;

  /// Starts `arguments[0]` (a path) in a process group of its own, with all signals unblocked and
  /// at their defaults. Throws std::system_error. If the program cannot be executed the child says
  /// so on stderr and ends with 127.
  explicit ChildProcess(std::vector<std::string> arguments, ChildOptions options = {});
  /// If it still runs: kills it and all its descendants, and reaps it.
  ~ChildProcess();

  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  /// To its standard input, as one write where the pipe has room. False if nobody reads it.
  bool write(std::string_view text);
  void close_input() noexcept { input_.reset(); }

  /// Reads until `text` was printed `times` times, on standard output and error together. False at
  /// the deadline, or as soon as the child has ended without it.
  [[nodiscard]] bool wait_for_output(std::string_view text, std::size_t times = 1,
                                     Duration limit = child_limit);
  /// Reads until `done`, which is called before and after each read, and each time that one of
  /// `others` is readable: then it reads from there.
  [[nodiscard]] bool wait_until(const std::function<bool()>& done, Duration limit = child_limit,
                                std::span<const int> others = {});

  /// False if the child is gone.
  bool send(int signal) noexcept;

  /// Reads and waits until the child has ended: its exit code, or minus the signal that killed it.
  /// Empty at the deadline.
  [[nodiscard]] std::optional<int> wait_for_exit(Duration limit = child_limit);

  /// For a test that does not want the output to be read: the pipe, and a pidfd.
  [[nodiscard]] int output_fd() const noexcept { return output_.fd.get(); }
  [[nodiscard]] int ended_fd() const noexcept { return pidfd_.get(); }

  /// What has been read so far.
  [[nodiscard]] const std::string& output() const noexcept { return output_.text; }
  [[nodiscard]] const std::string& error() const noexcept { return error_.text; }
  [[nodiscard]] std::size_t count(std::string_view text) const;

  /// All that is known about it, for the message of a test that fails.
  friend std::ostream& operator<<(std::ostream& stream, const ChildProcess& child);

 private:
  struct Stream {
    FileDescriptor fd;
    std::string text;

    void read_available();
  };

  void drain();
  bool reap() noexcept;

  const std::vector<std::string> arguments_;
  pid_t pid_ = -1;
  FileDescriptor pidfd_;
  FileDescriptor input_;
  Stream output_;
  Stream error_;
  std::optional<int> exit_;
};

/// The process's children, their children and so on; zombies are left out.
[[nodiscard]] std::vector<pid_t> descendants_of(pid_t process);

/// "1234 (sleep) state S: sleep 3600"
[[nodiscard]] std::string describe_process(pid_t process);

/// Orphans of the test's descendants become children of the test instead of vanishing to init, so
/// that descendants_of() finds them.
void adopt_orphans();

/// Waits until the process has ended, and reaps it if it is an adopted orphan. False at the
/// deadline.
[[nodiscard]] bool wait_until_gone(pid_t process, std::chrono::milliseconds limit);

}  // namespace rouse::test
