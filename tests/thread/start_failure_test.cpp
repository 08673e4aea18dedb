// A thread that cannot be started: an exception that says so, nothing leaked, nothing half-started.

#include "rouse/thread/signal_stop.hpp"
#include "rouse/thread/stop_all.hpp"
#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"

#include "support/faults/faults.hpp"
#include "support/signal_mask.hpp"

#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <deque>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <stop_token>
#include <string>
#include <system_error>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::SignalStop;
using rouse::StoppableThread;
using rouse::WaitStatus;
using rouse::test::Call;
using rouse::test::fail_each;
using rouse::test::Fault;
using rouse::test::is_blocked;
using rouse::test::live_allocations;

class StartFailure : public testing::Test {
 protected:
  // What is made once per process and pooled for good is made before anything is counted.
  void SetUp() override {
    StoppableThread thread([] { (void)rouse::sleep_for(0s); });
    thread.start();
    thread.join();
  }
};

// Then the system is asked for one that is only this thread's.
TEST_F(StartFailure, IsNotCausedByALackOfStacksToShare) {
  bool ran = false;
  StoppableThread thread([&] { ran = true; }, {.stack_size = 13 * 64 * 1024});
  {
    const Fault fault(Call::mmap, ENOMEM);
    thread.start();
  }
  thread.join();
  EXPECT_TRUE(ran);
}

TEST_F(StartFailure, OfTheSystemIsAnExceptionThatNamesTheThread) {
  bool ran = false;
  StoppableThread thread([&] { ran = true; }, {.name = "unlucky"});
  const long live_before = live_allocations();
  try {
    const Fault fault(Call::pthread_create, EAGAIN);
    thread.start();
    FAIL() << "started";
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::errc::resource_unavailable_try_again);
    EXPECT_NE(std::string(e.what()).find("cannot start thread 'unlucky'"), std::string::npos)
        << e.what();
  }
  EXPECT_EQ(live_allocations(), live_before);
  EXPECT_FALSE(thread.running());
  EXPECT_EQ(thread.native_id(), 0);
  EXPECT_EQ(thread.activity().blocked_in, "not started");
  EXPECT_EQ(thread.wait_for(0s), WaitStatus::timeout);
  EXPECT_THROW(thread.join(), std::system_error);
  EXPECT_THROW((void)thread.try_join_for(0s), std::system_error);

  thread.start();  // there is room again
  thread.join();
  EXPECT_TRUE(ran);
}

TEST_F(StartFailure, LeavesTheStopThatWasRequestedBefore) {
  bool stopped = false;
  StoppableThread thread([&](std::stop_token stop) { stopped = stop.stop_requested(); });
  EXPECT_TRUE(thread.request_stop("early"));
  {
    const Fault fault(Call::pthread_create, EAGAIN);
    EXPECT_THROW(thread.start(), std::system_error);
  }
  thread.start();
  thread.join();
  EXPECT_TRUE(stopped);
}

TEST_F(StartFailure, OfRunningLeavesNothing) {
  const long live_before = live_allocations();
  for (int i = 0; i < 10; ++i) {
    const Fault fault(Call::pthread_create, EAGAIN);
    EXPECT_THROW(rouse::Running<StoppableThread>([] {}), std::system_error);
  }
  EXPECT_EQ(live_allocations(), live_before);
}

// Each of many threads is once the one that the system has no room for.
TEST_F(StartFailure, OfAnyThreadOfManyLeavesTheOthersToBeStopped) {
  static constexpr std::size_t count = 6;
  const auto start_and_stop_all = [] {
    std::size_t refused = 0;
    std::deque<StoppableThread> threads;
    for (std::size_t i = 0; i < count; ++i) {
      threads.emplace_back([] { (void)rouse::sleep_for(1h); });
      try {
        threads.back().start();
      } catch (const std::system_error& e) {
        EXPECT_EQ(e.code(), std::errc::resource_unavailable_try_again);
        ++refused;
      }
    }
    const rouse::StopReport report = rouse::stop_all(threads, 1min);
    EXPECT_TRUE(report) << report.to_string();
    EXPECT_EQ(report.stopped, count);  // the one that did not start counts as stopped
    return refused;
  };
  EXPECT_EQ(start_and_stop_all(), 0U);  // makes the control blocks that the pool keeps
  const long creations = fail_each(Call::pthread_create, EAGAIN, [&](const Fault& fault) {
    const long live_before = live_allocations();
    const std::size_t refused = start_and_stop_all();
    EXPECT_EQ(refused, fault.reached() ? 1U : 0U);
    EXPECT_EQ(live_allocations(), live_before);
  });
  EXPECT_EQ(creations, static_cast<long>(count));
}

TEST_F(StartFailure, OfTheReaderLeavesTheSignalMask) {
  constexpr int signals[] = {SIGUSR1, SIGUSR2, SIGWINCH};
  const long creations = fail_each(Call::pthread_create, EAGAIN, [&](const Fault& fault) {
    std::vector<std::unique_ptr<SignalStop>> stops;
    int refused = 0;
    for (const int signal : signals) {
      try {
        stops.push_back(std::make_unique<SignalStop>(std::initializer_list<int>{signal}));
      } catch (const std::system_error& e) {
        EXPECT_EQ(e.code(), std::errc::resource_unavailable_try_again);
        EXPECT_FALSE(is_blocked(signal));
        ++refused;
      }
    }
    EXPECT_EQ(refused, fault.reached() ? 1 : 0);
    while (!stops.empty()) stops.pop_back();
    for (const int signal : signals) EXPECT_FALSE(is_blocked(signal));
  });
  EXPECT_EQ(creations, static_cast<long>(std::size(signals)));
}

TEST_F(StartFailure, DoesNotConcernWhatStopsAndJoins) {
  SignalStop signals({SIGUSR1});  // before the threads, which must not take the signal
  std::deque<StoppableThread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([] { (void)rouse::sleep_for(1h); });
    threads.back().start();
  }
  const Fault fault(Call::pthread_create, EAGAIN, 0, 1'000);
  ::kill(::getpid(), SIGUSR1);
  {
    const rouse::this_thread::Bind bind(signals);
    EXPECT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
  }
  EXPECT_EQ(signals.reason().code, SIGUSR1);
  const rouse::StopReport report = rouse::stop_all(threads, 1min);
  EXPECT_TRUE(report) << report.to_string();
  EXPECT_EQ(fault.failed(), 0);
}

}  // namespace
