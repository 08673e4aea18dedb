#include "resource/boot_file.hpp"

#include "rouse/detail/os.hpp"
#include "rouse/detail/thread_name.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/stop_scope.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace rouse::detail {
namespace {

class BootDescriptor {
 public:
  explicit BootDescriptor(int fd) noexcept : fd_(fd) {}
  ~BootDescriptor() {
    if (fd_ >= 0) os::close_fd(fd_);
  }
  BootDescriptor(const BootDescriptor&) = delete;
  BootDescriptor& operator=(const BootDescriptor&) = delete;

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }

 private:
  const int fd_;
};

/// The directory is opened once, and all else in it: its path may change meanwhile.
class BootFile {
 public:
  explicit BootFile(const std::string& path)
      : path_(path), name_(name_in(path)), directory_(open_directory()) {}

  std::uint16_t take() {
    const BootDescriptor lock(open(lock_name(), O_RDWR | O_CREAT));
    if (!lock.valid()) fail("cannot open the lock of", errno);
    expect_regular(lock.get(), "the lock of ");
    await(lock.get());
    const auto number = static_cast<std::uint16_t>(read_number() + 1);
    replace(std::to_string(number) + '\n');
    return number;
  }

 private:
  static constexpr std::int64_t lock_limit_ns = 10'000'000'000;

  static std::string name_in(const std::string& path) {
    std::string name = path.substr(path.rfind('/') + 1);
    if (name.empty() || name == "." || name == ".." || path.find('\0') != std::string::npos) {
      throw std::invalid_argument("CycleIdGenerator: boot file '" + printable(path) +
                                  "' is not the path of a file");
    }
    return name;
  }

  [[nodiscard]] std::string lock_name() const { return name_ + ".lock"; }
  [[nodiscard]] std::string new_name() const { return name_ + ".new"; }

  [[nodiscard]] std::string what(const char* before, const char* after = "") const {
    return std::string("CycleIdGenerator: ") + before + "boot file '" + printable(path_) + "'" +
           after;
  }
  [[noreturn]] void fail(const char* action, int error) const {
    throw std::system_error(error, std::generic_category(),
                            what((std::string(action) + ' ').c_str()));
  }

  [[nodiscard]] int open_directory() const {
    const std::size_t slash = path_.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
    const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) fail("cannot open the directory of", errno);
    return fd;
  }

  // Follows no link, and does not hang on a FIFO.
  [[nodiscard]] int open(const std::string& name, int flags) const noexcept {
    constexpr mode_t only_ours = 0600;
    return ::openat(directory_.get(), name.c_str(), flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                    only_ours);
  }

  void expect_regular(int fd, const char* which) const {
    struct ::stat status {};
    if (::fstat(fd, &status) != 0) fail("cannot look at", errno);
    if (!S_ISREG(status.st_mode)) throw std::runtime_error(what(which, " is no regular file"));
  }

  // flock(2) with LOCK_EX would wait for a process that was suspended, whatever happens here.
  void await(int lock) const {
    const std::int64_t end_ns = os::now_ns() + lock_limit_ns;
    while (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno != EWOULDBLOCK) fail("cannot lock", errno);
      if (os::now_ns() > end_ns) fail("another process has locked", ETIMEDOUT);
      if (sleep_for(std::chrono::milliseconds(1)) != WaitStatus::timeout) {
        throw Stopped(what("stopped while waiting for the lock of "));
      }
    }
  }

  // That of the last boot; 0 if there is no file.
  [[nodiscard]] std::uint16_t read_number() const {
    const BootDescriptor file(open(name_, O_RDONLY));
    if (!file.valid()) {
      if (errno == ENOENT) return 0;
      fail("cannot open", errno);
    }
    expect_regular(file.get(), "");
    char buffer[longest_quote + 1];
    std::size_t size = 0;
    while (size < sizeof buffer) {
      const ssize_t count = ::read(file.get(), buffer + size, sizeof buffer - size);
      if (count == 0) break;
      if (count > 0) {
        size += static_cast<std::size_t>(count);
      } else if (errno != EINTR) {
        fail("cannot read", errno);
      }
    }
    return parse({buffer, size});
  }

  [[nodiscard]] std::uint16_t parse(std::string_view text) const {
    std::uint16_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped_at, error] = std::from_chars(text.data(), end, number);
    // Without the newline it may be a part of what somebody wrote.
    if (error == std::errc() && end - stopped_at == 1 && *stopped_at == '\n') return number;
    const bool long_text = text.size() > longest_quote;
    throw std::runtime_error(what("") + " holds '" + printable(text.substr(0, longest_quote)) +
                             (long_text ? "'…" : "'") +
                             " instead of a number from 0 to 65535 and a newline");
  }

  // So that it is the old or the new number whatever happens, and the new one when this returns.
  void replace(const std::string& text) const {
    // Who left it there does not need it any more: the lock is ours.
    if (::unlinkat(directory_.get(), new_name().c_str(), 0) != 0 && errno != ENOENT) {
      fail("cannot remove what an earlier attempt left beside", errno);
    }
    try {
      write_new(text);
      if (::renameat(directory_.get(), new_name().c_str(), directory_.get(), name_.c_str()) != 0) {
        fail("cannot replace", errno);
      }
    } catch (...) {
      ::unlinkat(directory_.get(), new_name().c_str(), 0);
      throw;
    }
    if (::fsync(directory_.get()) != 0) fail("fsync failed for the directory of", errno);
  }

  void write_new(std::string_view text) const {
    const BootDescriptor file(open(new_name(), O_WRONLY | O_CREAT | O_EXCL));
    if (!file.valid()) fail("cannot make a file beside", errno);
    while (!text.empty()) {
      const ssize_t count = ::write(file.get(), text.data(), text.size());
      if (count >= 0) {
        text.remove_prefix(static_cast<std::size_t>(count));
      } else if (errno != EINTR) {
        fail("cannot write beside", errno);
      }
    }
    if (::fsync(file.get()) != 0) fail("fsync failed beside", errno);
  }

  static constexpr std::size_t longest_quote = 32;

  const std::string& path_;
  const std::string name_;
  const BootDescriptor directory_;
};

}  // namespace

std::uint16_t take_boot_number(const std::string& path) { return BootFile(path).take(); }

}  // namespace rouse::detail
