#include "rouse/thread/signal_stop.hpp"

#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/fd.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace rouse {
namespace {

class BlockedSignals {
 public:
  explicit BlockedSignals(const sigset_t& signals) {
    const int error = ::pthread_sigmask(SIG_BLOCK, &signals, &before_);
    if (error != 0) {
      throw std::system_error(error, std::generic_category(), "rouse: blocking signals");
    }
  }
  ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_{};
};

class SignalFd {
 public:
  explicit SignalFd(const sigset_t& signals)
      : fd_(::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "rouse: signalfd");
  }
  ~SignalFd() { ::close(fd_); }
  SignalFd(const SignalFd&) = delete;
  SignalFd& operator=(const SignalFd&) = delete;

  int get() const noexcept { return fd_; }

 private:
  const int fd_;
};

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set{};
  ::sigemptyset(&set);
  for (const int signal : signals) {
    if (::sigaddset(&set, signal) != 0) {
      throw std::system_error(errno, std::generic_category(),
                              "rouse: SignalStop for signal " + std::to_string(signal));
    }
  }
  return set;
}

void handle_second(int signal, SecondSignal choice) {
  switch (choice) {
    case SecondSignal::exit:
      std::_Exit(128 + signal);
    case SecondSignal::kill: {
      ::signal(signal, SIG_DFL);
      sigset_t only{};
      ::sigemptyset(&only);
      ::sigaddset(&only, signal);
      ::pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
      ::kill(::getpid(), signal);
      break;
    }
    case SecondSignal::ignore:
      break;
  }
}

}  // namespace

struct SignalStop::Impl {
  Impl(SignalStop& scope, const sigset_t& signals, SignalStopOptions chosen)
      : blocked(signals),
        fd(signals),
        options(chosen),
        reader([this, &scope] { read(scope); }, {.name = "rouse-signals"}) {
    reader.start();
  }

  void read(SignalStop& scope) {
    while (wait_readable(fd.get()) == WaitStatus::ready) {
      signalfd_siginfo info{};
      if (::read(fd.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) continue;
      const int signal = static_cast<int>(info.ssi_signo);
      if (!scope.request_stop({StopReason::signal, signal})) handle_second(signal, options.second);
    }
  }

  // In this order: the mask goes back when the descriptor and the reader are gone.
  BlockedSignals blocked;
  SignalFd fd;
  SignalStopOptions options;
  StoppableThread reader;
};

SignalStop::SignalStop(std::initializer_list<int> signals, SignalStopOptions options)
    : impl_(std::make_unique<Impl>(*this, set_of(signals), options)) {}

SignalStop::~SignalStop() = default;

}  // namespace rouse
