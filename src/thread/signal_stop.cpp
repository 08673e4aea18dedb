#include "rouse/thread/signal_stop.hpp"

#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/fd.hpp"
#include "rouse/wait/shield.hpp"

#include "wait/control_block.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <string>
#include <system_error>

namespace rouse {
namespace {

class BlockedSignals {
 public:
  explicit BlockedSignals(const sigset_t& signals) : mine_(signals) {
    const int error = ::pthread_sigmask(SIG_BLOCK, &signals, &before_);
    if (error != 0) {
      throw std::system_error(error, std::generic_category(), "rouse: blocking signals");
    }
  }
  // Only what was not blocked before, and not what somebody else has blocked meanwhile.
  ~BlockedSignals() {
    for (int signal = 1; signal < NSIG; ++signal) {
      if (::sigismember(&before_, signal) == 1) ::sigdelset(&mine_, signal);
    }
    ::pthread_sigmask(SIG_UNBLOCK, &mine_, nullptr);
  }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t mine_;
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
    if (signal == SIGKILL || signal == SIGSTOP || ::sigaddset(&set, signal) != 0) {
      throw std::system_error(EINVAL, std::generic_category(),
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
        reader([this, &scope](std::stop_token stop) { read(scope, stop); },
               {.name = "rouse-signals"}) {
    reader.start();
    // A reader that found no descriptor for its wait would leave the program deaf to the signals.
    const Shield shield;
    (void)reads.wait();
    if (failure != nullptr) std::rethrow_exception(failure);
  }

  void read(SignalStop& scope, const std::stop_token& stop) {
    try {
      detail::ControlBlock::current().ensure_event_fd();
    } catch (...) {
      failure = std::current_exception();
    }
    reads.set();
    if (failure != nullptr) return;
    // Also what was sent before the end is handled: it must not take its default way later.
    for (bool last = false; !last;) {
      last = wait_readable(fd.get()) != WaitStatus::ready || stop.stop_requested();
      signalfd_siginfo info{};
      while (::read(fd.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        const int signal = static_cast<int>(info.ssi_signo);
        if (!scope.request_stop({StopReason::signal, signal})) {
          handle_second(signal, options.second);
        }
      }
    }
  }

  // In this order: the mask goes back when the descriptor and the reader are gone.
  BlockedSignals blocked;
  SignalFd fd;
  SignalStopOptions options;
  Event reads;
  std::exception_ptr failure;
  StoppableThread reader;
};

SignalStop::SignalStop(std::initializer_list<int> signals, SignalStopOptions options)
    : impl_(std::make_unique<Impl>(*this, set_of(signals), options)) {}

SignalStop::~SignalStop() = default;

}  // namespace rouse
