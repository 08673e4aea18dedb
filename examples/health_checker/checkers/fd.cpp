#include "checkers/fd.hpp"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

namespace health {

void Fd::reset() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

std::string error_text(int error) { return std::generic_category().message(error); }

void throw_errno(const std::string& what, int error) {
  const char* name = ::strerrorname_np(error);
  const std::string hint = error == EMFILE ? ", see ulimit -n" : "";
  throw std::system_error(error, std::generic_category(),
                          what + " (" + (name == nullptr ? "unknown error" : name) + hint + ")");
}

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("make a pipe");
  Pipe pipe{Fd(ends[0]), Fd(ends[1])};
  // The reader's end only: the writer is a child that expects pipes to block.
  if (::fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) throw_errno("make a pipe non-blocking");
  return pipe;
}

std::optional<std::string> read_small_file(const std::string& path, std::size_t most) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return std::nullopt;
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return std::nullopt;
  if (!S_ISREG(facts.st_mode)) {
    errno = EINVAL;
    return std::nullopt;
  }
  std::string text;
  char buffer[2048];
  while (text.size() < most) {
    const ssize_t got = ::read(file.get(), buffer, std::min(sizeof buffer, most - text.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}

}  // namespace health
