#include "rouse/thread/stoppable_thread.hpp"

#include "rouse/wait/event.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"

#include "support/observed_thread.hpp"
#include "support/scale.hpp"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <exception>
#include <latch>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::Running;
using rouse::StoppableThread;
using rouse::ThreadOptions;
using rouse::WaitStatus;
using rouse::test::await_blocked_in;

TEST(StoppableThread, RunsACallableAndStopsItsWaits) {
  WaitStatus status = WaitStatus::timeout;
  StoppableThread thread([&] { status = rouse::sleep_for(1h); });
  thread.start();
  await_blocked_in(thread, "sleep");
  EXPECT_TRUE(thread.running());
  EXPECT_TRUE(thread.request_stop());
  EXPECT_FALSE(thread.request_stop());
  thread.join();
  EXPECT_FALSE(thread.running());
  EXPECT_EQ(status, WaitStatus::stopped);
}

TEST(StoppableThread, PassesItsTokenToTheCallable) {
  bool same = false;
  StoppableThread thread(
      [&](std::stop_token stop) { same = stop == rouse::this_thread::stop_token(); });
  thread.start();
  thread.join();
  EXPECT_TRUE(same);
}

TEST(StoppableThread, TakesACallableThatCanOnlyBeMoved) {
  auto value = std::make_unique<int>(5);
  int seen = 0;
  StoppableThread thread([&seen, value = std::move(value)] { seen = *value; });
  thread.start();
  thread.join();
  EXPECT_EQ(seen, 5);
}

TEST(StoppableThread, DestructorStopsAndJoinsACallable) {
  WaitStatus status = WaitStatus::timeout;
  {
    StoppableThread thread([&] { status = rouse::sleep_for(1h); });
    thread.start();
  }
  EXPECT_EQ(status, WaitStatus::stopped);
}

TEST(StoppableThread, FindsAStopThatCameBeforeItsStart) {
  WaitStatus status = WaitStatus::timeout;
  StoppableThread thread([&] { status = rouse::sleep_for(1h); });
  thread.request_stop();
  thread.start();
  thread.join();
  EXPECT_EQ(status, WaitStatus::stopped);
}

TEST(StoppableThread, CanBeDestroyedWithoutAStart) {
  const StoppableThread thread([] {});
  EXPECT_FALSE(thread.running());
  EXPECT_EQ(thread.native_id(), 0);
  EXPECT_EQ(thread.activity().blocked_in, "not started");
}

TEST(StoppableThread, StartsOnlyOnce) {
  StoppableThread thread([] {}, {.name = "once"});
  thread.start();
  EXPECT_THROW(thread.start(), std::logic_error);
  thread.join();
  EXPECT_THROW(thread.start(), std::logic_error);
}

TEST(StoppableThread, JoinTwiceIsHarmlessAndWithoutStartAnError) {
  StoppableThread thread([] {});
  EXPECT_THROW(thread.join(), std::system_error);
  thread.start();
  thread.join();
  thread.join();
  EXPECT_TRUE(thread.try_join_for(0s));
}

TEST(StoppableThread, CannotJoinItself) {
  std::errc code{};
  StoppableThread* self = nullptr;
  StoppableThread thread([&] {
    try {
      self->join();
    } catch (const std::system_error& e) {
      code = static_cast<std::errc>(e.code().value());
    }
    EXPECT_THROW((void)self->wait(), std::system_error);
  });
  self = &thread;
  thread.start();
  thread.join();
  EXPECT_EQ(code, std::errc::resource_deadlock_would_occur);
}

TEST(StoppableThread, ManyMayJoinAtOnce) {
  Event release;
  StoppableThread thread([&] { (void)release.wait(); });
  thread.start();
  std::atomic<int> joined{0};
  {
    std::vector<std::jthread> joiners;
    for (int i = 0; i < 4; ++i) {
      joiners.emplace_back([&] {
        thread.join();
        ++joined;
      });
    }
    await_blocked_in(thread, "Event::wait");
    release.set();
  }
  EXPECT_EQ(joined, 4);
}

TEST(StoppableThread, TryJoinGivesUpInTime) {
  StoppableThread thread([] { (void)rouse::sleep_for(1h); });
  thread.start();
  EXPECT_FALSE(thread.try_join_for(1ms));
  thread.request_stop();
  EXPECT_TRUE(thread.try_join_for(std::chrono::hours::max()));
}

TEST(StoppableThread, JoinDoesNotObeyTheCallersStopButWaitDoes) {
  Event release;
  StoppableThread inner([&] {
    const rouse::this_thread::Bind unrelated{std::stop_token{}};
    (void)release.wait();
  });
  inner.start();
  WaitStatus waited = WaitStatus::timeout;
  Event tried;
  StoppableThread outer([&] {
    waited = inner.wait();
    EXPECT_EQ(inner.wait_for(1h), WaitStatus::stopped);
    tried.set();
    inner.join();
  });
  outer.start();
  await_blocked_in(outer, "Event::wait");
  outer.request_stop();
  EXPECT_EQ(tried.wait(), WaitStatus::ready);
  EXPECT_EQ(waited, WaitStatus::stopped);
  EXPECT_TRUE(outer.running());
  release.set();
  outer.join();
}

TEST(StoppableThread, HasAName) {
  char seen[16] = {};
  StoppableThread thread([&] { ::pthread_getname_np(::pthread_self(), seen, sizeof seen); },
                         {.name = "checker-with-a-long-name"});
  EXPECT_EQ(thread.name(), "checker-with-a-long-name");
  thread.start();
  thread.join();
  EXPECT_STREQ(seen, "checker-with-a-");
  EXPECT_EQ(StoppableThread([] {}).name().rfind("thread-", 0), 0U);
}

TEST(StoppableThread, KnowsItsNativeIdWhileItRuns) {
  std::atomic<int> inside{0};
  StoppableThread thread([&] {
    inside = static_cast<int>(::gettid());
    (void)rouse::sleep_for(1h);
  });
  EXPECT_EQ(thread.native_id(), 0);
  thread.start();
  const int id = thread.native_id();
  await_blocked_in(thread, "sleep");
  EXPECT_EQ(id, inside);
  thread.request_stop();
  thread.join();
  EXPECT_EQ(thread.native_id(), 0);
}

TEST(StoppableThread, HasTheStackItWasGiven) {
  std::size_t size = 0;
  StoppableThread thread(
      [&] {
        pthread_attr_t attributes;
        ::pthread_getattr_np(::pthread_self(), &attributes);
        ::pthread_attr_getstacksize(&attributes, &size);
        ::pthread_attr_destroy(&attributes);
      },
      {.stack_size = 256 * 1024});
  thread.start();
  thread.join();
  // ThreadSanitizer adds room for itself.
  EXPECT_GE(size, 256U * 1024U);
  EXPECT_LE(size, 1024U * 1024U);
}

TEST(StoppableThread, TellsWhatItIsBlockedIn) {
  Event event;
  StoppableThread thread([&] { (void)event.wait(); });
  thread.start();
  await_blocked_in(thread, "Event::wait (0x");
  EXPECT_GE(thread.activity().blocked_for, 0ns);
  event.set();
  thread.join();
  EXPECT_EQ(thread.activity().blocked_in, "ended");
}

TEST(StoppableThread, TellsTheSystemCallItIsBlockedIn) {
  int pipe[2] = {-1, -1};
  ASSERT_EQ(::pipe(pipe), 0);
  StoppableThread thread([&] {
    char byte = 0;
    EXPECT_EQ(::read(pipe[0], &byte, 1), 1);
  });
  thread.start();
  await_blocked_in(thread, "system call read");
  EXPECT_FALSE(thread.activity().blocked_for.has_value());
  ASSERT_EQ(::write(pipe[1], "x", 1), 1);
  thread.join();
  ::close(pipe[0]);
  ::close(pipe[1]);
}

// --- exceptions that escape run
// -------------------------------------------------------------------

TEST(StoppableThread, JoinThrowsWhatEscapedRunOnce) {
  StoppableThread thread([] { throw std::runtime_error("broken"); });
  thread.start();
  EXPECT_THROW(thread.join(), std::runtime_error);
  thread.join();
}

TEST(StoppableThread, OnErrorReceivesWhatEscapedRunAndJoinDoesNot) {
  std::string message;
  int calling_thread = 0;
  StoppableThread thread([] { throw std::runtime_error("broken"); },
                         {.on_error = [&](std::exception_ptr error) {
                           calling_thread = static_cast<int>(::gettid());
                           try {
                             std::rethrow_exception(error);
                           } catch (const std::exception& e) {
                             message = e.what();
                           }
                         }});
  thread.start();
  thread.join();
  EXPECT_EQ(message, "broken");
  EXPECT_NE(calling_thread, static_cast<int>(::gettid()));
}

TEST(StoppableThread, PrintsWhatNobodyTook) {
  testing::internal::CaptureStderr();
  {
    StoppableThread thread([] { throw std::runtime_error("bro\nken"); }, {.name = "na\nme"});
    thread.start();
  }
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text,
            "rouse: thread 'na\\x0ame' ended with an exception that nobody took: bro\\x0aken\n");
}

TEST(StoppableThread, PrintsWhatOnErrorThrew) {
  testing::internal::CaptureStderr();
  StoppableThread thread([] { throw 1; },
                         {.name = "n", .on_error = [](std::exception_ptr) { throw 2; }});
  thread.start();
  thread.join();
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "rouse: on_error of thread 'n' threw: an exception that is not a std::exception\n");
}

TEST(StoppableThread, TakesStoppedAfterAStopForAnOrderlyEnd) {
  Event started;
  StoppableThread thread([&] {
    started.set();
    if (rouse::sleep_for(1h) == WaitStatus::stopped) throw rouse::Stopped();
  });
  thread.start();
  ASSERT_EQ(started.wait(), WaitStatus::ready);
  thread.request_stop();
  thread.join();

  StoppableThread unasked([] { throw rouse::Stopped(); });
  unasked.start();
  EXPECT_THROW(unasked.join(), rouse::Stopped);
}

TEST(StoppableThread, SurvivesPthreadExit) {
  StoppableThread thread([] { ::pthread_exit(nullptr); });
  thread.start();
  thread.join();
  EXPECT_FALSE(thread.running());
}

// --- derived classes
// ------------------------------------------------------------------------------

class Counter : public StoppableThread {
 public:
  explicit Counter(std::atomic<int>& turns, std::string name = "counter")
      : StoppableThread(ThreadOptions{.name = std::move(name)}), turns_(turns) {}
  ~Counter() override { destroyed_ = true; }

 protected:
  void run(std::stop_token) override {
    EXPECT_TRUE(complete_);
    do {
      ++turns_;
    } while (rouse::sleep_for(1h) == WaitStatus::timeout);
    EXPECT_FALSE(destroyed_);
  }

 private:
  std::atomic<int>& turns_;
  bool destroyed_ = false;
  bool complete_ = true;  // the last member: set when the object is complete
};

TEST(Running, StartsWhenCompleteAndStopsBeforeAnythingIsDestroyed) {
  std::atomic<int> turns{0};
  {
    const Running<Counter> counter(turns, "a name");
    await_blocked_in(counter, "sleep");
    EXPECT_EQ(counter.name(), "a name");
  }
  EXPECT_EQ(turns, 1);
}

TEST(Running, WrapsACallable) {
  WaitStatus status = WaitStatus::timeout;
  {
    const Running<StoppableThread> thread([&] { status = rouse::sleep_for(1h); });
  }
  EXPECT_EQ(status, WaitStatus::stopped);
}

TEST(StoppableThread, DerivedMayBeJoinedBeforeItsEnd) {
  std::atomic<int> turns{0};
  Counter counter(turns);
  counter.start();
  await_blocked_in(counter, "sleep");
  counter.request_stop();
  counter.join();
  EXPECT_EQ(turns, 1);
}

TEST(StoppableThreadDeathTest, BaseDestructorThatFindsRunActiveNamesTheThreadAndTerminates) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        std::atomic<int> turns{0};
        Counter counter(turns, "forgotten");
        counter.start();
        await_blocked_in(counter, "sleep");
      },
      "thread 'forgotten' \\(id [0-9]+\\) still runs in the destructor of its base class");
}

// --- what the system cannot give
// ------------------------------------------------------------------

TEST(StoppableThread, StartThatFailsSaysSoAndMayBeTriedAgain) {
  // A stack that fits nowhere: the system answers EAGAIN or ENOMEM.
  bool ran = false;
  StoppableThread thread([&] { ran = true; }, {.name = "huge", .stack_size = std::size_t{1} << 46});
  for (int i = 0; i < 2; ++i) {
    try {
      thread.start();
      FAIL() << "a stack of 64 TiB was given";
    } catch (const std::system_error& e) {
      EXPECT_NE(std::string(e.what()).find("cannot start thread 'huge'"), std::string::npos)
          << e.what();
    }
    EXPECT_FALSE(thread.running());
    EXPECT_THROW(thread.join(), std::system_error);
  }
  EXPECT_FALSE(ran);
}

TEST(StoppableThread, TenThousandStartAndStop) {
  const int count = rouse::test::under_tsan ? 200 : rouse::test::under_asan ? 2000 : 10'000;
  std::atomic<int> stopped{0};
  std::deque<StoppableThread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back(
        [&] { stopped += rouse::sleep_for(1h) == WaitStatus::stopped ? 1 : 0; },
        ThreadOptions{.stack_size = rouse::test::under_sanitizer ? 0U : 64U * 1024U});
    threads.back().start();
  }
  for (StoppableThread& thread : threads) thread.request_stop();
  for (StoppableThread& thread : threads) thread.join();
  EXPECT_EQ(stopped, count);
}

}  // namespace
