#include "program.hpp"

#include "rouse/wait/shield.hpp"
#include "rouse/wait/this_thread.hpp"

#include "line_output.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <system_error>

namespace health {

void prepare_process() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // The lowest free number is taken, so it is this one.
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) < 0) {
      throw std::system_error(errno, std::generic_category(), "/dev/null");
    }
  }
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGCHLD, SIG_DFL);

  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
    descriptors.rlim_cur = descriptors.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &descriptors);  // or what there is must do
  }
}

void print(const std::string& text) {
  const Fd again = open_again(STDOUT_FILENO);
  auto limit = std::chrono::steady_clock::time_point::max();
  std::optional<rouse::Shield> shield;
  if (rouse::this_thread::stop_token().stop_requested()) {
    shield.emplace();
    limit = std::chrono::steady_clock::now() + output_patience;
  }
  (void)write_until(again ? again.get() : STDOUT_FILENO, text, limit);
}

bool is_terminal() noexcept { return ::isatty(STDIN_FILENO) == 1; }

std::size_t terminal_width() noexcept {
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 120;
}

}  // namespace health
