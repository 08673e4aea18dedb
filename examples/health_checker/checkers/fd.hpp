#pragma once
// Fd: an owned file descriptor; errors of system calls with their names; small files in one piece.

#include <cerrno>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace health {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { reset(); }

  void reset() noexcept;
  [[nodiscard]] int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// "Connection refused". Any thread.
std::string error_text(int error);

/// Throws std::system_error: "<what> (EMFILE, see ulimit -n): Too many open files".
[[noreturn]] void throw_errno(const std::string& what, int error = errno);

struct Pipe {
  Fd read_end;  ///< Non-blocking.
  Fd write_end;
};

/// Both ends are closed by exec.
Pipe make_pipe();

/// At most `most` bytes of a regular file (of /proc, say). Nothing if it cannot be read: errno.
/// Never blocks on what is not a regular file: that is EINVAL.
std::optional<std::string> read_small_file(const std::string& path, std::size_t most = 64 * 1024);

}  // namespace health
