#include "support/child_process.hpp"

#include "support/fail.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <ostream>
#include <sstream>
#include <system_error>
#include <utility>

namespace rouse::test {
namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
  FileDescriptor read_end;
  FileDescriptor write_end;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail("pipe2");
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

void set_nonblocking(const FileDescriptor& fd) {
  if (::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK) != 0) fail("fcntl");
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

int milliseconds_left(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  return static_cast<int>(std::max<std::chrono::milliseconds::rep>(0, left.count()));
}

// Everything that the child needs, made before the fork: after it only calls that are safe in a
// signal handler may be made.
struct Launch {
  std::vector<char*> arguments;
  std::vector<char*> environment;
  const char* directory;  // null: stay
  int streams[3];
  bool on_terminal;
  pid_t parent;
};

[[noreturn]] void run_child(const Launch& launch) {
  sigset_t all{};
  ::sigfillset(&all);
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  ::sigprocmask(SIG_UNBLOCK, &all, nullptr);
  if (launch.on_terminal) {
    ::setsid();
    ::ioctl(launch.streams[0], TIOCSCTTY, 0);
  } else {
    ::setpgid(0, 0);
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  bool ready = ::getppid() == launch.parent;
  for (int stream = 0; stream < 3; ++stream) {
    ready = ready && ::dup2(launch.streams[stream], stream) == stream;
  }
  if (launch.directory != nullptr) ready = ready && ::chdir(launch.directory) == 0;
  if (ready) ::execve(launch.arguments[0], launch.arguments.data(), launch.environment.data());
  const char* const why = std::strerror(errno);
  if (::write(STDERR_FILENO, why, std::strlen(why)) < 0) ::_exit(126);
  ::_exit(127);
}

struct ProcStat {
  pid_t parent = 0;
  char state = '?';
};

// Nothing if the process is gone.
std::optional<ProcStat> read_stat(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::size_t name_end = text.rfind(')');  // the name may hold spaces and brackets
  if (name_end == std::string::npos) return std::nullopt;
  ProcStat stat;
  std::istringstream rest(text.substr(name_end + 1));
  rest >> stat.state >> stat.parent;
  return stat;
}

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

int FileDescriptor::release() noexcept { return std::exchange(fd_, -1); }

void FileDescriptor::reset() noexcept {
  if (fd_ >= 0) ::close(release());
}

void ChildProcess::Stream::read_available() {
  std::array<char, 4096> bytes;
  while (fd.get() >= 0) {
    const ssize_t count = ::read(fd.get(), bytes.data(), bytes.size());
    if (count > 0) {
      text.append(bytes.data(), static_cast<std::size_t>(count));
    } else if (count < 0 && errno == EINTR) {
      continue;
    } else if (count < 0 && errno == EAGAIN) {
      return;
    } else {
      fd.reset();
    }
  }
}

ChildProcess::ChildProcess(std::vector<std::string> arguments, ChildOptions options)
    : arguments_(std::move(arguments)) {
  ::signal(SIGPIPE, SIG_IGN);  // a write to a child that has gone is told by its result
  Pipe in = make_pipe();
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  set_nonblocking(in.write_end);
  set_nonblocking(out.read_end);
  set_nonblocking(err.read_end);

  std::vector<std::string> argument_texts = arguments_;
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  for (const std::string& entry : options.environment) {
    const std::string name = entry.substr(0, entry.find('=') + 1);
    std::erase_if(environment, [&](const std::string& old) { return old.starts_with(name); });
    environment.push_back(entry);
  }
  Launch launch{pointers_to(argument_texts),
                pointers_to(environment),
                options.directory.empty() ? nullptr : options.directory.c_str(),
                {in.read_end.get(), out.write_end.get(), err.write_end.get()},
                options.terminal >= 0,
                ::getpid()};
  if (launch.on_terminal) std::ranges::fill(launch.streams, options.terminal);
  pid_ = ::fork();
  if (pid_ < 0) fail("fork");
  if (pid_ == 0) run_child(launch);

  input_ = std::move(in.write_end);
  output_.fd = std::move(out.read_end);
  error_.fd = std::move(err.read_end);
  pidfd_ = FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (pidfd_.get() < 0) {
    const int error = errno;
    ::kill(pid_, SIGKILL);
    reap();
    throw std::system_error(error, std::generic_category(), "pidfd_open");
  }
}

ChildProcess::~ChildProcess() {
  if (exit_) return;
  // What it has started may be in process groups of their own, and would outlive it. While it is
  // stopped it starts nothing new.
  ::kill(pid_, SIGSTOP);
  try {
    for (const pid_t process : descendants_of(pid_)) ::kill(process, SIGKILL);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "child %d is killed without its children: %s\n", pid_, error.what());
  }
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);  // it may not have made its group yet
  reap();
}

bool ChildProcess::reap() noexcept {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) return false;
  }
  exit_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return true;
}

bool ChildProcess::write(std::string_view text) {
  const auto deadline = Clock::now() + child_limit;
  while (!text.empty()) {
    const ssize_t count = ::write(input_.get(), text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      // Read meanwhile: a child that cannot get rid of its output reads no input.
      ::pollfd fds[] = {
          {input_.get(), POLLOUT, 0}, {output_.fd.get(), POLLIN, 0}, {error_.fd.get(), POLLIN, 0}};
      if (::poll(fds, std::size(fds), milliseconds_left(deadline)) == 0) return false;
      drain();
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

bool ChildProcess::send(int signal) noexcept {
  return ::syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0) == 0;
}

void ChildProcess::drain() {
  output_.read_available();
  error_.read_available();
}

bool ChildProcess::wait_until(const std::function<bool()>& done, Duration limit,
                              std::span<const int> others) {
  const auto deadline = Clock::now() + limit;
  for (;;) {
    if (done()) return true;
    if (exit_) return false;
    // A closed stream has a negative descriptor, which poll passes over.
    std::vector<::pollfd> fds{
        {pidfd_.get(), POLLIN, 0}, {output_.fd.get(), POLLIN, 0}, {error_.fd.get(), POLLIN, 0}};
    for (const int fd : others) fds.push_back({fd, POLLIN, 0});
    const int count = ::poll(fds.data(), fds.size(), milliseconds_left(deadline));
    if (count < 0 && errno != EINTR) fail("poll");
    if (count == 0) return false;
    if (fds[0].revents != 0) reap();
    drain();  // after reaping: then nothing can be written any more
  }
}

std::size_t ChildProcess::count(std::string_view text) const {
  std::size_t found = 0;
  for (const std::string* const stream : {&output_.text, &error_.text}) {
    for (std::size_t at = stream->find(text); at != std::string::npos;
         at = stream->find(text, at + text.size())) {
      ++found;
    }
  }
  return found;
}

bool ChildProcess::wait_for_output(std::string_view text, std::size_t times, Duration limit) {
  return wait_until([&] { return count(text) >= times; }, limit);
}

std::optional<int> ChildProcess::wait_for_exit(Duration limit) {
  static_cast<void>(wait_until([&] { return exit_.has_value(); }, limit));
  return exit_;
}

std::ostream& operator<<(std::ostream& stream, const ChildProcess& child) {
  stream << "child " << child.pid_;
  for (const std::string& argument : child.arguments_) stream << ' ' << argument;
  if (child.exit_) {
    stream << "\nended: " << *child.exit_;
  } else {
    stream << "\nruns";
  }
  return stream << "\n--- stdout\n" << child.output() << "--- stderr\n" << child.error() << "---\n";
}

std::vector<pid_t> descendants_of(pid_t process) {
  std::multimap<pid_t, pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const pid_t pid = static_cast<pid_t>(std::stol(name));
    const std::optional<ProcStat> stat = read_stat(pid);
    // A zombie is only a number, and its children have gone to somebody else.
    if (stat && stat->state != 'Z' && stat->state != 'X') children.emplace(stat->parent, pid);
  }
  std::vector<pid_t> found{process};
  for (std::size_t next = 0; next < found.size(); ++next) {
    const auto [first, last] = children.equal_range(found[next]);
    for (auto child = first; child != last; ++child) found.push_back(child->second);
  }
  found.erase(found.begin());
  return found;
}

std::string describe_process(pid_t process) {
  const std::optional<ProcStat> stat = read_stat(process);
  if (!stat) return std::to_string(process) + " (gone)";
  std::ifstream file("/proc/" + std::to_string(process) + "/cmdline");
  std::string command{std::istreambuf_iterator<char>(file), {}};
  std::ranges::replace(command, '\0', ' ');
  return std::to_string(process) + " (state " + stat->state + ", parent " +
         std::to_string(stat->parent) + "): " + command;
}

void adopt_orphans() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) fail("prctl");
}

bool wait_until_gone(pid_t process, std::chrono::milliseconds limit) {
  const FileDescriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  if (pidfd.get() < 0) return errno == ESRCH;
  ::pollfd ended{pidfd.get(), POLLIN, 0};
  const bool gone = ::poll(&ended, 1, static_cast<int>(limit.count())) == 1;
  if (gone) ::waitpid(process, nullptr, WNOHANG);
  return gone;
}

}  // namespace rouse::test
