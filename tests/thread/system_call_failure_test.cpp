// The system refuses or interrupts a call that the core makes: what has failed is named, what was
// only interrupted is done again, and afterwards everything works.

#include "rouse/thread/signal_stop.hpp"
#include "rouse/thread/stop_all.hpp"
#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/fd.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"
#include "rouse/wait/wait_any.hpp"

#include "support/faults/empty_pool.hpp"
#include "support/faults/faults.hpp"
#include "support/signal_mask.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <deque>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::SignalStop;
using rouse::StoppableThread;
using rouse::WaitStatus;
using rouse::test::Call;
using rouse::test::fail_each;
using rouse::test::Fault;
using rouse::test::is_blocked;
using std::chrono::steady_clock;

constexpr long always = LONG_MAX;

// What `action` throws: code and text.
template <class Action>
void expect_error(int error, const std::string& text, Action action) {
  try {
    action();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code().value(), error);
    EXPECT_NE(std::string(e.what()).find(text), std::string::npos) << e.what();
  }
}

// On a thread with a new control block, which has no eventfd yet.
template <class Body>
void on_new_thread(Body body) {
  const rouse::test::EmptyPool empty;
  std::thread(body).join();
}

class SystemCallFailure : public testing::Test {
 protected:
  void TearDown() override { ::close(quiet_); }

  const int quiet_ = ::eventfd(0, EFD_CLOEXEC);  // never readable
  std::stop_source source_;
};

TEST_F(SystemCallFailure, OfTheEventfdIsNamedAndTheNextWaitTriesAgain) {
  on_new_thread([&] {
    const std::stop_token stop = source_.get_token();
    for (const int error : {EMFILE, ENFILE, ENOMEM, ENODEV}) {
      const Fault fault(Call::eventfd, error, 0, 3);
      expect_error(error, "eventfd", [&] { (void)rouse::wait_readable(quiet_, stop); });
      expect_error(error, "eventfd", [&] { (void)rouse::wait_readable_for(quiet_, 1h, stop); });
      std::array<::pollfd, 1> fds{{{quiet_, POLLIN, 0}}};
      expect_error(error, "eventfd", [&] { (void)rouse::wait_fds(fds, stop); });
    }
    EXPECT_EQ(rouse::wait_readable_for(quiet_, 1ms, stop), WaitStatus::timeout);
  });
}

TEST_F(SystemCallFailure, OfTheEventfdDoesNotConcernWaitsThatNeedNone) {
  on_new_thread([&] {
    const std::stop_token stop = source_.get_token();
    const Fault fault(Call::eventfd, EMFILE, 0, always);
    Event event;
    Event other;
    // What is ready at once, what nobody can stop, and what is no descriptor.
    EXPECT_EQ(rouse::wait_writable(quiet_, stop), WaitStatus::ready);
    EXPECT_EQ(rouse::wait_readable_for(quiet_, 1ms), WaitStatus::timeout);
    EXPECT_EQ(rouse::wait_readable_for(quiet_, 0s, stop), WaitStatus::timeout);
    EXPECT_EQ(event.wait_for(1ms, stop), WaitStatus::timeout);
    EXPECT_EQ(rouse::sleep_for(1ms, stop), WaitStatus::timeout);
    EXPECT_EQ(rouse::wait_any(event, other, steady_clock::now() + 1ms, stop).status,
              WaitStatus::timeout);
    EXPECT_EQ(fault.failed(), 0);
  });
}

TEST_F(SystemCallFailure, OfPpollIsNamedAndLeavesTheThreadAbleToWait) {
  on_new_thread([&] {
    const std::stop_token stop = source_.get_token();
    for (const int error : {ENOMEM, EINVAL}) {
      // The call that only looks, and the one that blocks.
      const long calls = fail_each(Call::ppoll, error, [&](const Fault& fault) {
        try {
          EXPECT_EQ(rouse::wait_readable_for(quiet_, 1ms, stop), WaitStatus::timeout);
          EXPECT_FALSE(fault.reached());
        } catch (const std::system_error& e) {
          EXPECT_TRUE(fault.reached());
          EXPECT_EQ(e.code().value(), error);
          EXPECT_NE(std::string(e.what()).find("ppoll"), std::string::npos) << e.what();
        }
      });
      EXPECT_GE(calls, 2);
    }
    source_.request_stop();
    EXPECT_EQ(rouse::wait_readable(quiet_, stop), WaitStatus::stopped);
  });
}

TEST_F(SystemCallFailure, OfPpollBySignalsOnlyIsNoEnd) {
  std::array<::pollfd, 1> fds{{{quiet_, POLLIN, POLLIN | POLLNVAL}}};
  const auto end = steady_clock::now() + 5ms;
  const Fault fault(Call::ppoll, EINTR, 0, 1'000);
  EXPECT_EQ(rouse::wait_fds_until(fds, end, source_.get_token()), WaitStatus::timeout);
  EXPECT_GE(steady_clock::now(), end);
  EXPECT_EQ(fds[0].revents, 0);
  EXPECT_TRUE(fault.reached());
}

// The kernel may end a futex wait for no reason, and for a signal: neither is news.
TEST_F(SystemCallFailure, OfTheFutexIsNoEndAndNoLoss) {
  for (const int error : {EINTR, EAGAIN, ETIMEDOUT}) {
    const std::stop_token stop = source_.get_token();
    Event event;
    Event other;
    {
      const Fault fault(Call::futex_wait, error, 0, 100);
      const auto end = steady_clock::now() + 2ms;
      EXPECT_EQ(event.wait_until(end, stop), WaitStatus::timeout);
      EXPECT_EQ(rouse::sleep_until(end + 1ms, stop), WaitStatus::timeout);
      EXPECT_EQ(rouse::wait_any(event, other, end + 2ms, stop).status, WaitStatus::timeout);
      EXPECT_GE(steady_clock::now(), end + 2ms);
      EXPECT_TRUE(fault.reached());
    }
    const Fault fault(Call::futex_wait, error, 0, 100);
    std::jthread setter([&] {
      while (!fault.reached()) std::this_thread::yield();
      event.set();
    });
    EXPECT_EQ(event.wait(stop), WaitStatus::ready);
  }
}

// The stop posts the eventfd of a thread that polls, which drains it: both are done again.
TEST_F(SystemCallFailure, OfAPostOrADrainBySignalsLosesNoStop) {
  for (const Call call : {Call::write, Call::read}) {
    // A stop that comes at the last moment before the poll needs neither: then once more.
    long failed = 0;
    while (failed == 0) {
      std::stop_source source;
      StoppableThread thread([&] {
        EXPECT_EQ(rouse::wait_readable(quiet_, source.get_token()), WaitStatus::stopped);
      });
      thread.start();
      while (!thread.activity().blocked_in.starts_with("wait_readable")) std::this_thread::yield();
      const Fault fault(call, EINTR, 0, 3);
      source.request_stop();
      thread.join();
      failed = fault.failed();
    }
    EXPECT_EQ(failed, 3);
  }
}

// What is left of a stop in the eventfd costs the next waits at most a turn: they do not spin.
TEST_F(SystemCallFailure, OfNoneMakesWaitsPollAgainAndAgain) {
  StoppableThread thread([&] {
    EXPECT_EQ(rouse::wait_readable(quiet_), WaitStatus::stopped);
    const rouse::Shield shield;
    const Fault none(Call::ppoll, EINTR, always - 1);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(rouse::wait_readable_for(quiet_, 2ms, source_.get_token()), WaitStatus::timeout);
    }
    // Each looks, blocks, and looks again at the end; a machine that is busy may add a turn.
    EXPECT_LE(none.calls(), 3 * 5);
  });
  thread.start();
  while (!thread.activity().blocked_in.starts_with("wait_readable")) std::this_thread::yield();
  thread.request_stop();
  thread.join();
}

TEST_F(SystemCallFailure, OfThreadSpecificDataIsNamedAndTheNextWaitTriesAgain) {
  on_new_thread([&] {
    Event event;
    {
      const Fault fault(Call::pthread_setspecific, ENOMEM);
      expect_error(ENOMEM, "thread-specific data", [&] { (void)event.wait_for(1ms); });
    }
    EXPECT_EQ(event.wait_for(1us), WaitStatus::timeout);
  });
}

struct Site {
  Call call;
  int error;
  const char* named;
};

TEST_F(SystemCallFailure, OfASignalStopIsNamedAndLeavesTheSignalMask) {
  for (const Site& site :
       {Site{Call::signalfd, EMFILE, "signalfd"}, Site{Call::signalfd, ENOMEM, "signalfd"},
        Site{Call::pthread_sigmask, EINVAL, "blocking signals"},
        Site{Call::pthread_create, EAGAIN, "cannot start thread"}}) {
    {
      const Fault fault(site.call, site.error);
      expect_error(site.error, site.named, [] { SignalStop({SIGUSR1}); });
    }
    EXPECT_FALSE(is_blocked(SIGUSR1)) << site.named;
  }
  // The reader's eventfd: it must be there before the program relies on the signals.
  {
    const rouse::test::EmptyPool empty;
    const Fault fault(Call::eventfd, EMFILE);
    expect_error(EMFILE, "eventfd", [] { SignalStop({SIGUSR1}); });
    EXPECT_FALSE(is_blocked(SIGUSR1));
  }
  SignalStop signals({SIGUSR1});
  const rouse::this_thread::Bind bind(signals);
  ::kill(::getpid(), SIGUSR1);
  EXPECT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
}

TEST_F(SystemCallFailure, OfThePollOfAThreadEndsThatThreadAndReachesItsJoin) {
  StoppableThread thread([&] { (void)rouse::wait_readable(quiet_); }, {.name = "poller"});
  {
    const Fault fault(Call::ppoll, ENOMEM);
    thread.start();
    (void)thread.wait();
  }
  expect_error(ENOMEM, "ppoll", [&] { thread.join(); });
}

}  // namespace
