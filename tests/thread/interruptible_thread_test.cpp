#include "rouse/thread/interruptible_thread.hpp"

#include "rouse/thread/stop_all.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/fd.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"
#include "rouse/wait/wait_any.hpp"

#include "support/observed_thread.hpp"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>

#include <boost/chrono.hpp>
#include <boost/thread/condition_variable.hpp>
#include <boost/thread/mutex.hpp>
#include <boost/thread/thread.hpp>
#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::InterruptibleThread;
using rouse::Running;
using rouse::Shield;
using rouse::StoppableThread;
using rouse::Terminated;
using rouse::WaitStatus;
using rouse::test::await_blocked_in;

constexpr const char* blocked_in_boost = "system call futex";

struct Raised {
  int number = 0;
};

// Where the threads of these tests find themselves.
struct Fixture {
  InterruptibleThread* self = nullptr;
  std::optional<InterruptibleThread> thread;

  explicit Fixture(std::function<void(InterruptibleThread&)> body,
                   rouse::ThreadOptions options = {}) {
    thread.emplace([this, body = std::move(body)] { body(*self); }, std::move(options));
    self = &*thread;
    thread->start();
  }
  InterruptibleThread* operator->() { return &*thread; }
  InterruptibleThread& operator*() { return *thread; }
};

template <class Wait>
int number_thrown_in(Wait wait) {
  try {
    wait();
  } catch (const Raised& raised) {
    return raised.number;
  }
  return 0;
}

template <class Wait>
bool is_interrupted_in(Wait wait) {
  try {
    wait();
  } catch (const boost::thread_interrupted&) {
    return true;
  }
  return false;
}

void sleep_with_boost() { boost::this_thread::sleep_for(boost::chrono::hours(1)); }

// --- where it arrives ----------------------------------------------------------------------------

class InterruptibleThreadIn : public testing::TestWithParam<std::pair<const char*, void (*)()>> {};

TEST_P(InterruptibleThreadIn, ThrowsWhatIsRaisedInTheWaitThatItIsIn) {
  int thrown = 0;
  Fixture thread([&](auto&) { thrown = number_thrown_in(GetParam().second); });
  await_blocked_in(*thread, GetParam().first);
  EXPECT_TRUE(thread->raise<Raised>(7));
  thread->join();
  EXPECT_EQ(thrown, 7);
}

int quiet_descriptor() {
  static const std::array<int, 2> ends = [] {
    std::array<int, 2> made{};
    EXPECT_EQ(::pipe(made.data()), 0);
    return made;
  }();
  return ends[0];
}

INSTANTIATE_TEST_SUITE_P(Of, InterruptibleThreadIn,
                         testing::Values(std::pair{"Event::wait",
                                                   +[] {
                                                     Event never;
                                                     (void)never.wait();
                                                   }},
                                         std::pair{"sleep", +[] { (void)rouse::sleep_for(1h); }},
                                         std::pair{"wait_readable",
                                                   +[] {
                                                     (void)rouse::wait_readable(quiet_descriptor());
                                                   }},
                                         std::pair{"wait_any", +[] {
                                                     Event never;
                                                     Event nor_this;
                                                     (void)rouse::wait_any(never, nor_this);
                                                   }}));

TEST(InterruptibleThread, ThrowsWhatIsRaisedInItsNextBlockingCall) {
  WaitStatus not_blocking = WaitStatus::timeout;
  int thrown = 0;
  Fixture thread([&](auto& self) {
    EXPECT_TRUE(self.template raise<Raised>(7));
    Event set(true);
    not_blocking = set.wait();
    thrown = number_thrown_in([] { (void)rouse::sleep_for(0s); });
    EXPECT_EQ(rouse::sleep_for(0s), WaitStatus::timeout);  // once
  });
  thread->join();
  EXPECT_EQ(not_blocking, WaitStatus::ready);
  EXPECT_EQ(thrown, 7);
}

TEST(InterruptibleThread, ThrowsWhatIsRaisedAtAnInterruptionPoint) {
  int thrown = 0;
  Fixture thread([&](auto& self) {
    rouse::interruption_point();  // nothing yet
    self.template raise<Raised>(7);
    thrown = number_thrown_in(&rouse::interruption_point);
    rouse::interruption_point();  // nothing any more
  });
  thread->join();
  EXPECT_EQ(thrown, 7);
}

TEST(InterruptibleThread, EndsAComputationThatAsks) {
  Event begun;
  Fixture thread([&](auto&) {
    begun.set();
    for (;;) rouse::interruption_point();
  });
  EXPECT_EQ(begun.wait(), WaitStatus::ready);
  EXPECT_TRUE(thread->raise<Raised>(7));
  EXPECT_THROW(thread->join(), Raised);
}

TEST(InterruptionPoint, DoesNotLookAtStopsAndDoesNothingInOtherThreads) {
  bool passed = false;
  Fixture thread([&](auto& self) {
    self.request_stop();
    rouse::interruption_point();
    passed = true;
  });
  thread->join();
  EXPECT_TRUE(passed);
  std::jthread([] { rouse::interruption_point(); }).join();
  StoppableThread stoppable([] { rouse::interruption_point(); });
  stoppable.start();
  stoppable.join();
}

TEST(InterruptibleThread, TakesAnExceptionThatIsThereAlready) {
  Fixture thread([](auto&) { (void)rouse::sleep_for(1h); });
  EXPECT_FALSE(thread->raise(std::exception_ptr()));
  EXPECT_TRUE(thread->raise(std::make_exception_ptr(std::runtime_error("enough"))));
  EXPECT_THROW(thread->join(), std::runtime_error);
}

// --- how often -----------------------------------------------------------------------------------

TEST(InterruptibleThread, RefusesASecondExceptionUntilTheFirstIsThrown) {
  std::array<bool, 3> accepted{};
  std::array<int, 2> thrown{};
  Fixture thread([&](auto& self) {
    accepted[0] = self.template raise<Raised>(1);
    accepted[1] = self.template raise<Raised>(2);
    thrown[0] = number_thrown_in(&rouse::interruption_point);
    accepted[2] = self.template raise<Raised>(3);
    thrown[1] = number_thrown_in(&rouse::interruption_point);
  });
  thread->join();
  EXPECT_EQ(accepted, (std::array{true, false, true}));
  EXPECT_EQ(thrown, (std::array{1, 3}));
}

TEST(InterruptibleThread, RefusesWhatIsRaisedBeforeItsStartAndAfterItsEnd) {
  Event release;
  InterruptibleThread thread([&] { EXPECT_EQ(release.wait(), WaitStatus::ready); });
  EXPECT_FALSE(thread.raise<Raised>(1));
  release.set();
  thread.start();
  EXPECT_EQ(thread.wait(), WaitStatus::ready);
  EXPECT_FALSE(thread.raise<Raised>(2));
  thread.join();
  EXPECT_FALSE(thread.raise<Raised>(3));
}

TEST(InterruptibleThread, AcceptsWhatIsRaisedAsSoonAsItIsStarted) {
  InterruptibleThread thread([] { (void)rouse::sleep_for(1h); });
  thread.start();
  EXPECT_TRUE(thread.raise<Raised>(1));
  EXPECT_THROW(thread.join(), Raised);
}

TEST(InterruptibleThread, RefusesWhatIsRaisedIfTheSystemHasNoRoomForIt) {
  InterruptibleThread thread([] {}, {.stack_size = std::size_t{1} << 46});
  EXPECT_THROW(thread.start(), std::system_error);
  EXPECT_FALSE(thread.raise<Raised>(1));
}

// In a destructor behind `run` neither library throws any more.
TEST(InterruptibleThread, DropsWhatWasNotThrownWhenRunReturns) {
  static bool accepted_afterwards;
  static bool disturbed;
  static InterruptibleThread* self;
  struct WaitsAtThreadExit {
    ~WaitsAtThreadExit() {
      accepted_afterwards = self->raise<Raised>(2);
      disturbed = is_interrupted_in(&boost::this_thread::interruption_point) ||
                  number_thrown_in([] { (void)rouse::sleep_for(1ns); }) != 0;
    }
  };
  accepted_afterwards = disturbed = true;
  InterruptibleThread thread([&] {
    thread_local WaitsAtThreadExit waits;
    (void)&waits;
    EXPECT_TRUE(self->raise<Raised>(1));
  });
  self = &thread;
  thread.start();
  thread.join();
  EXPECT_FALSE(accepted_afterwards);
  EXPECT_FALSE(disturbed);
}

TEST(InterruptibleThread, DropsWhatWasNotThrownWhenPthreadExitEndsIt) {
  Fixture thread([](auto& self) {
    self.template raise<Raised>(1);
    ::pthread_exit(nullptr);
  });
  thread->join();
  EXPECT_FALSE(thread->raise<Raised>(2));
}

TEST(InterruptibleThread, IsNotRaisedAtInItsErrorHandler) {
  bool accepted = true;
  WaitStatus status = WaitStatus::ready;
  InterruptibleThread* self = nullptr;
  InterruptibleThread thread(
      [&] {
        self->raise<Raised>(1);
        throw std::runtime_error("its own");
      },
      {.on_error = [&](const std::exception_ptr& error) {
        EXPECT_THROW(std::rethrow_exception(error), std::runtime_error);
        accepted = self->raise<Raised>(2);
        status = rouse::sleep_for(1ns);
      }});
  self = &thread;
  thread.start();
  thread.join();
  EXPECT_FALSE(accepted);
  EXPECT_EQ(status, WaitStatus::timeout);
}

// --- whom it reaches when it escapes -------------------------------------------------------------

TEST(InterruptibleThread, ReportsWhatWasRaisedAsAnyExceptionThatEscapes) {
  int reported = 0;
  Fixture thread([](auto&) { (void)rouse::sleep_for(1h); },
                 {.on_error = [&](const std::exception_ptr& error) {
                   reported = number_thrown_in([&] { std::rethrow_exception(error); });
                 }});
  thread->raise<Raised>(7);
  thread->join();
  EXPECT_EQ(reported, 7);
}

TEST(InterruptibleThread, IsReportedToHaveEndedWithWhatWasRaisedWhereBoostThrew) {
  Fixture joined([](auto&) { sleep_with_boost(); });
  joined->raise<Raised>(7);
  EXPECT_EQ(number_thrown_in([&] { joined->join(); }), 7);

  int reported = 0;
  Fixture handled([](auto&) { sleep_with_boost(); },
                  {.on_error = [&](const std::exception_ptr& error) {
                    reported = number_thrown_in([&] { std::rethrow_exception(error); });
                  }});
  handled->raise<Raised>(8);
  handled->join();
  EXPECT_EQ(reported, 8);

  testing::internal::CaptureStderr();
  {
    Fixture ignored([](auto&) { sleep_with_boost(); }, {.name = "ignored"});
    ignored->raise<std::runtime_error>("interrupted by hand");
    EXPECT_EQ(ignored->wait(), WaitStatus::ready);
  }
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_NE(line.find("'ignored'"), std::string::npos) << line;
  EXPECT_NE(line.find("interrupted by hand"), std::string::npos) << line;
}

TEST(InterruptibleThread, ReportsAnInterruptionThatNobodyRaised) {
  Fixture thread([](auto&) { throw boost::thread_interrupted(); });
  EXPECT_THROW(thread->join(), boost::thread_interrupted);
}

// --- Boost's waits -------------------------------------------------------------------------------

class InterruptibleThreadInBoost : public testing::TestWithParam<void (*)()> {};

TEST_P(InterruptibleThreadInBoost, IsInterruptedAndThrowsInTheNextWaitOfRouse) {
  Event begun;
  bool interrupted = false;
  std::array<int, 2> thrown{};
  Fixture thread([&](auto&) {
    begun.set();
    interrupted = is_interrupted_in(GetParam());
    boost::this_thread::interruption_point();  // once
    thrown[0] = number_thrown_in([] { (void)rouse::sleep_for(1h); });
    thrown[1] = number_thrown_in([] { (void)rouse::sleep_for(1ns); });
  });
  EXPECT_EQ(begun.wait(), WaitStatus::ready);
  await_blocked_in(*thread, blocked_in_boost);
  EXPECT_TRUE(thread->raise<Raised>(7));
  thread->join();
  EXPECT_TRUE(interrupted);
  EXPECT_EQ(thrown, (std::array{7, 0}));
}

INSTANTIATE_TEST_SUITE_P(Of, InterruptibleThreadInBoost,
                         testing::Values(
                             &sleep_with_boost, +[] {
                               boost::mutex mutex;
                               boost::condition_variable never;
                               boost::unique_lock<boost::mutex> lock(mutex);
                               never.wait(lock);
                             }));

TEST(InterruptibleThread, TakesBoostsInterruptionBackWhenItHasThrown) {
  int thrown = 0;
  bool requested = true;
  Fixture thread([&](auto&) {
    thrown = number_thrown_in([] { (void)rouse::sleep_for(1h); });
    requested = boost::this_thread::interruption_requested();
    boost::this_thread::interruption_point();
  });
  await_blocked_in(*thread, "sleep");
  thread->raise<Raised>(7);
  thread->join();
  EXPECT_EQ(thrown, 7);
  EXPECT_FALSE(requested);
}

TEST(InterruptibleThread, ARefusedRaiseInterruptsBoostAgain) {
  int thrown = 0;
  std::array<bool, 2> interrupted{};
  Fixture thread([&](auto& self) {
    self.template raise<Raised>(1);
    interrupted[0] = is_interrupted_in(&boost::this_thread::interruption_point);
    EXPECT_FALSE(self.template raise<Raised>(2));
    interrupted[1] = is_interrupted_in(&boost::this_thread::interruption_point);
    thrown = number_thrown_in(&rouse::interruption_point);
    boost::this_thread::interruption_point();
  });
  thread->join();
  EXPECT_EQ(interrupted, (std::array{true, true}));
  EXPECT_EQ(thrown, 1);
}

// --- what holds it back --------------------------------------------------------------------------

TEST(InterruptibleThread, IsShieldedFromBothLibraries) {
  WaitStatus shielded = WaitStatus::ready;
  int thrown = 0;
  Fixture thread([&](auto& self) {
    {
      const Shield outer;
      { const Shield inner; }
      self.template raise<Raised>(7);
      rouse::interruption_point();
      shielded = rouse::sleep_for(1ns);
      boost::this_thread::interruption_point();
    }
    EXPECT_TRUE(boost::this_thread::interruption_enabled());
    thrown = number_thrown_in([] { (void)rouse::sleep_for(1h); });
  });
  thread->join();
  EXPECT_EQ(shielded, WaitStatus::timeout);
  EXPECT_EQ(thrown, 7);
}

TEST(InterruptibleThread, IsInterruptedInBoostsFirstWaitBehindAShield) {
  bool interrupted = false;
  Fixture thread([&](auto& self) {
    {
      const Shield shield;
      self.template raise<Raised>(7);
    }
    interrupted = is_interrupted_in(&sleep_with_boost);
  });
  thread->join();
  EXPECT_TRUE(interrupted);
}

TEST(InterruptibleThread, AShieldLeavesBoostDisabledWhereItWas) {
  bool enabled = true;
  Fixture thread([&](auto&) {
    const boost::this_thread::disable_interruption no_interruption;
    { const Shield shield; }
    enabled = boost::this_thread::interruption_enabled();
  });
  thread->join();
  EXPECT_FALSE(enabled);
}

TEST(InterruptibleThread, DoesNotThrowWhileAnotherExceptionUnwinds) {
  struct WaitsInDestructor {
    std::optional<WaitStatus>& status;
    ~WaitsInDestructor() {
      rouse::interruption_point();
      status = rouse::sleep_for(1ns);
    }
  };
  std::optional<WaitStatus> status;
  int thrown = 0;
  Fixture thread([&](auto& self) {
    try {
      const WaitsInDestructor waits{status};
      self.template raise<Raised>(7);
      throw std::runtime_error("unwinding");
    } catch (const std::runtime_error&) {
      thrown = number_thrown_in(&rouse::interruption_point);
    }
  });
  thread->join();
  EXPECT_EQ(status, WaitStatus::timeout);
  EXPECT_EQ(thrown, 7);
}

TEST(InterruptibleThread, JoinsAndDestroysOthersUndisturbed) {
  Event release;
  bool done = false;
  Fixture thread([&](auto&) {
    {
      StoppableThread joined([&] { EXPECT_EQ(release.wait(), WaitStatus::ready); });
      joined.start();
      joined.join();
      StoppableThread destroyed([&] {
        const Shield shield;
        EXPECT_EQ(release.wait(), WaitStatus::ready);
      });
      destroyed.start();
    }
    done = true;
    rouse::interruption_point();
  });
  await_blocked_in(*thread, "Event::wait");
  EXPECT_TRUE(thread->raise<Raised>(7));
  release.set();
  EXPECT_EQ(number_thrown_in([&] { thread->join(); }), 7);
  EXPECT_TRUE(done);
}

// --- terminate -----------------------------------------------------------------------------------

static_assert(!std::is_base_of_v<std::exception, Terminated>);

TEST(Terminate, EndsAThreadInAnOrderlyWay) {
  bool reported = false;
  Fixture thread([](auto&) { (void)rouse::sleep_for(1h); },
                 {.on_error = [&](const std::exception_ptr&) { reported = true; }});
  EXPECT_TRUE(thread->terminate(std::chrono::hours::max()));
  EXPECT_FALSE(thread->running());
  thread->join();
  EXPECT_FALSE(reported);
  EXPECT_TRUE(thread->terminate(0s));
}

TEST(Terminate, EndsAThreadThatWaitsWithBoost) {
  Fixture thread([](auto&) { sleep_with_boost(); });
  EXPECT_TRUE(thread->terminate(1h));
  thread->join();
}

TEST(Terminate, SurvivesHandlersThatSwallowIt) {
  for (void (*wait)() : {+[] { (void)rouse::sleep_for(1h); }, &sleep_with_boost}) {
    int swallowed = 0;
    Fixture thread([&](auto&) {
      while (swallowed < 3) {
        try {
          wait();
        } catch (...) {
          ++swallowed;
        }
      }
      wait();
    });
    EXPECT_TRUE(thread->terminate(1h, 1ms));
    thread->join();
    EXPECT_EQ(swallowed, 3);
  }
}

TEST(Terminate, TellsThatAThreadDoesNotEndInTime) {
  Event release;
  Fixture thread([&](auto&) {
    const Shield shield;
    EXPECT_EQ(release.wait(), WaitStatus::ready);
  });
  EXPECT_FALSE(thread->terminate(5ms, 1ms));
  EXPECT_FALSE(thread->terminate(-1s, std::chrono::hours::max()));
  EXPECT_TRUE(thread->running());
  release.set();
  thread->join();
}

TEST(Terminate, DoesNotObeyTheCallersStopNorWhatIsRaisedAtTheCaller) {
  Event release;
  Fixture deaf([&](auto&) {
    const Shield shield;
    EXPECT_EQ(release.wait(), WaitStatus::ready);
  });
  bool terminated = false;
  Fixture caller([&](auto& self) {
    self.request_stop();
    self.template raise<Raised>(7);
    terminated = deaf->terminate(1h);
    rouse::interruption_point();
  });
  await_blocked_in(*caller, "Event::wait");
  release.set();
  EXPECT_EQ(number_thrown_in([&] { caller->join(); }), 7);
  EXPECT_TRUE(terminated);
  deaf->join();
}

template <class Call>
std::errc error_of(Call call) {
  try {
    call();
  } catch (const std::system_error& e) {
    return static_cast<std::errc>(e.code().value());
  }
  return {};
}

TEST(Terminate, RefusesWhatMakesNoSense) {
  std::errc from_itself{};
  Fixture thread([&](auto& self) { from_itself = error_of([&] { self.terminate(1h); }); });
  thread->join();
  EXPECT_EQ(from_itself, std::errc::resource_deadlock_would_occur);

  InterruptibleThread never_started([] {});
  EXPECT_EQ(error_of([&] { never_started.terminate(1h); }), std::errc::invalid_argument);
  EXPECT_THROW(thread->terminate(1h, 0s), std::invalid_argument);
  EXPECT_THROW(thread->terminate(1h, -1ms), std::invalid_argument);
  const std::chrono::duration<double> nonsense(std::numeric_limits<double>::quiet_NaN());
  EXPECT_THROW(thread->terminate(1h, nonsense), std::invalid_argument);
}

// --- as a StoppableThread ------------------------------------------------------------------------

class Worker : public InterruptibleThread {
 public:
  explicit Worker(std::array<int, 2>& thrown)
      : InterruptibleThread({.name = "worker"}), thrown_(thrown) {}

 protected:
  void run(std::stop_token) override {
    for (int& each : thrown_) each = number_thrown_in([] { (void)rouse::sleep_for(1h); });
  }

 private:
  std::array<int, 2>& thrown_;
};

TEST(InterruptibleThread, CanBeDerivedFromAndOwnedByRunning) {
  std::array<int, 2> thrown{};
  {
    Running<Worker> worker(thrown);
    EXPECT_EQ(worker.name(), "worker");
    EXPECT_TRUE(worker.running());
    EXPECT_GT(worker.native_id(), 0);
    EXPECT_TRUE(worker.raise<Raised>(7));
    while (!worker.raise<Raised>(8)) std::this_thread::yield();  // the first has been thrown
  }
  EXPECT_EQ(thrown, (std::array{7, 8}));
}

TEST(InterruptibleThread, IsStoppedWithOthers) {
  std::array<std::unique_ptr<InterruptibleThread>, 3> threads;
  for (auto& thread : threads) {
    thread = std::make_unique<InterruptibleThread>([] { (void)rouse::sleep_for(1h); });
    thread->start();
  }
  EXPECT_EQ(rouse::stop_all(threads, 1h).stopped, threads.size());
}

TEST(InterruptibleThread, DestructorStopsAndJoinsACallable) {
  WaitStatus status = WaitStatus::timeout;
  {
    InterruptibleThread thread([&](std::stop_token stop) { status = rouse::sleep_for(1h, stop); });
    thread.start();
  }
  EXPECT_EQ(status, WaitStatus::stopped);
}

// Nobody else lives in the child, and a raiser may have been in the middle of a raise.
TEST(InterruptibleThread, RefusesWhatIsRaisedInAForkedChild) {
  int exit_status = -1;
  Fixture thread([&](auto& self) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(self.template raise<Raised>(7) ? 1 : 0);
    ::waitpid(child, &exit_status, 0);
  });
  thread->join();
  EXPECT_EQ(exit_status, 0);
}

}  // namespace
