#include "rouse/thread/signal_stop.hpp"

#include "rouse/wait/event.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"

#include "support/signal_mask.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <system_error>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::SecondSignal;
using rouse::SignalStop;
using rouse::StopReason;
using rouse::WaitStatus;
using rouse::test::is_blocked;

TEST(SignalStop, IsStoppedByASignalWithItsNumber) {
  SignalStop signals({SIGUSR1, SIGUSR2});
  const rouse::this_thread::Bind bind(signals);
  ASSERT_EQ(::kill(::getpid(), SIGUSR2), 0);
  EXPECT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
  EXPECT_EQ(signals.reason().kind, StopReason::signal);
  EXPECT_EQ(signals.reason().code, SIGUSR2);
}

TEST(SignalStop, CanBeStoppedWithoutASignal) {
  SignalStop signals({SIGUSR1});
  signals.request_stop("typed stop");
  EXPECT_EQ(signals.reason().kind, StopReason::requested);
}

TEST(SignalStop, GivesTheMaskBack) {
  EXPECT_FALSE(is_blocked(SIGUSR1));
  {
    const SignalStop signals({SIGUSR1});
    EXPECT_TRUE(is_blocked(SIGUSR1));
  }
  EXPECT_FALSE(is_blocked(SIGUSR1));
}

TEST(SignalStop, RefusesWhatIsNoSignalAndLeavesTheMask) {
  EXPECT_THROW(SignalStop({SIGUSR1, 12345}), std::system_error);
  EXPECT_THROW(SignalStop({SIGUSR1, SIGKILL}), std::system_error);
  EXPECT_FALSE(is_blocked(SIGUSR1));
}

TEST(SignalStop, LeavesSignalsAloneThatTheProgramBlockedMeanwhile) {
  sigset_t usr2{};
  ::sigemptyset(&usr2);
  ::sigaddset(&usr2, SIGUSR2);
  {
    const SignalStop signals({SIGUSR1});
    ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &usr2, nullptr), 0);
  }
  EXPECT_TRUE(is_blocked(SIGUSR2));
  EXPECT_FALSE(is_blocked(SIGUSR1));
  ::pthread_sigmask(SIG_UNBLOCK, &usr2, nullptr);
}

TEST(SignalStop, FailsRatherThanBeDeafWhenDescriptorsRunOut) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = ::dup(STDIN_FILENO);
  ::close(next);
  rlimit one_left = before;
  one_left.rlim_cur = static_cast<rlim_t>(next) + 1;  // for the signalfd, not for the reader's wait
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &one_left), 0);
  EXPECT_THROW(SignalStop({SIGUSR1}), std::system_error);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_FALSE(is_blocked(SIGUSR1));
}

TEST(SignalStop, IgnoresTheSecondSignalIfToldSo) {
  SignalStop signals({SIGUSR1, SIGUSR2}, {.second = SecondSignal::ignore});
  rouse::Event stopped;
  const std::stop_callback on_stop(signals.token(), [&] { stopped.set(); });
  ASSERT_EQ(::kill(::getpid(), SIGUSR1), 0);
  EXPECT_EQ(stopped.wait(), WaitStatus::ready);
  // Different signals are not merged: both reach the reader, and it lives to be joined.
  ASSERT_EQ(::kill(::getpid(), SIGUSR2), 0);
  ASSERT_EQ(::kill(::getpid(), SIGUSR1), 0);
  EXPECT_EQ(signals.reason().code, SIGUSR1);
}

// The process that the second signal ends is a child, started anew so that it may have threads.
class SignalStopDeathTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  [[noreturn]] static void hang_until_second_signal(SecondSignal choice) {
    ::alarm(20);
    SignalStop signals({SIGINT, SIGTERM}, {.second = choice});
    rouse::Event stopped;
    const std::stop_callback on_stop(signals.token(), [&] { stopped.set(); });
    ::kill(::getpid(), SIGTERM);
    if (stopped.wait() != WaitStatus::ready) std::_Exit(1);
    ::kill(::getpid(), SIGINT);
    (void)rouse::sleep_for(1h);  // a shutdown that hangs
    std::_Exit(2);
  }
};

TEST_F(SignalStopDeathTest, SecondSignalEndsTheProcessAtOnce) {
  EXPECT_EXIT(hang_until_second_signal(SecondSignal::exit), testing::ExitedWithCode(130), "");
}

TEST_F(SignalStopDeathTest, SecondSignalKillsIfToldSo) {
  EXPECT_EXIT(hang_until_second_signal(SecondSignal::kill), testing::KilledBySignal(SIGINT), "");
}

}  // namespace
