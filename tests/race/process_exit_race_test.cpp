// Waits while the process ends: in destructors of static objects, in handlers of exit, and in
// threads that still run. The child must end with its own code, and soon.

#include "rouse/thread/signal_stop.hpp"
#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/fd.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/stop_scope.hpp"
#include "rouse/wait/this_thread.hpp"
#include "rouse/wait/wait_any.hpp"

#include "support/scale.hpp"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <stop_token>
#include <thread>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::StoppableThread;
using rouse::StopScope;
using rouse::WaitStatus;
using rouse::test::rounds;
using rouse::this_thread::Bind;
using std::chrono::steady_clock;

// Of the child: used by its threads until the very end.
struct Shared {
  std::array<Event, 4> events;
  int quiet = ::eventfd(0, EFD_CLOEXEC);
};
Shared& shared() {
  static Shared& never_destroyed = *new Shared;
  return never_destroyed;
}

// Each kind of wait; ends the process with a code of its own where one is wrong.
void wait_in_every_way() {
  Event mine;
  Event other;
  if (mine.wait_for(1us) != WaitStatus::timeout) std::_Exit(10);
  if (rouse::sleep_for(1us) != WaitStatus::timeout) std::_Exit(11);
  if (rouse::wait_any(mine, other, steady_clock::now() + 1us).status != WaitStatus::timeout) {
    std::_Exit(12);
  }
  {
    StopScope scope = StopScope::with_deadline(1us);
    const Bind bind(scope);
    if (rouse::wait_readable(shared().quiet) != WaitStatus::stopped) std::_Exit(13);
    if (scope.reason().kind != rouse::StopReason::deadline) std::_Exit(14);
    const rouse::Shield shield;
    if (rouse::wait_readable_for(shared().quiet, 1us) != WaitStatus::timeout) std::_Exit(15);
  }
  mine.set();
  if (mine.wait() != WaitStatus::ready) std::_Exit(16);
  for (Event& event : shared().events) {
    (void)event.wait_for(1us);
    event.set();
    event.clear();
  }
}

struct WaitsWhenDestroyed {
  ~WaitsWhenDestroyed() { wait_in_every_way(); }
};

// Detached from the start: between the start and a detach() the process may end, and
// ThreadSanitizer would miss a join.
void start_detached(void* (*body)(void*)) {
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread{};
  ::pthread_create(&thread, &attributes, body, nullptr);
  ::pthread_attr_destroy(&attributes);
}

// Threads that wait, set and end while the process does.
void leave_threads_behind() {
  for (unsigned t = 0; t < 2; ++t) {
    std::thread([t] {
      for (unsigned i = t;; ++i) {
        (void)shared().events[i % 4].wait_for(5us);
        shared().events[(i + 1) % 4].set();
        shared().events[(i + 1) % 4].clear();
        (void)rouse::sleep_for(1us);
      }
    }).detach();
  }
  std::thread([] {
    for (;;) {
      start_detached([](void*) -> void* {
        (void)rouse::wait_readable_for(shared().quiet, 1us, std::stop_source().get_token());
        return nullptr;
      });
      (void)rouse::sleep_for(50us);
    }
  }).detach();
  std::thread([] { (void)rouse::sleep_for(std::chrono::hours::max()); }).detach();
  std::thread([] { (void)rouse::wait_readable(shared().quiet); }).detach();
}

[[noreturn]] void exit_amid_waits(void (*leave)(int)) {
  ::alarm(20);  // the watchdog of the tests is not in this process
  // Destroyed in the reverse order: before and after what the library's users keep alive.
  static const WaitsWhenDestroyed last;
  static StopScope scope;
  static StoppableThread worker([] {
    const Bind bind(scope);
    while (rouse::sleep_for(10us) == WaitStatus::timeout) shared().events[0].set();
    // Its destructor has stopped it; what is bound is obeyed all the same.
    if (rouse::sleep_for(1h) != WaitStatus::stopped) std::_Exit(17);
    const rouse::Shield shield;
    if (rouse::sleep_for(1us) != WaitStatus::timeout) std::_Exit(18);
  });
  static const WaitsWhenDestroyed middle;
  static rouse::Running<StoppableThread> runs([] { (void)shared().events[3].wait_for(1h); });
  static rouse::SignalStop signals({SIGUSR1});
  std::atexit([] { wait_in_every_way(); });
  std::at_quick_exit([] { wait_in_every_way(); });
  static const WaitsWhenDestroyed first;
  leave_threads_behind();
  worker.start();
  wait_in_every_way();
  leave(0);
  std::_Exit(99);
}

class ProcessExitRaceDeathTest : public testing::Test {
 protected:
  // The child is a new process, with threads and static objects of its own.
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

constexpr auto soon = rouse::test::under_sanitizer ? 30s : 10s;

TEST_F(ProcessExitRaceDeathTest, ExitDestroysStaticObjectsThatWait) {
  const int count = rounds(20);
  for (int i = 0; i < count; ++i) {
    const auto begin = steady_clock::now();
    ASSERT_EXIT(exit_amid_waits(&std::exit), testing::ExitedWithCode(0), "");
    EXPECT_LT(steady_clock::now() - begin, soon);
  }
}

TEST_F(ProcessExitRaceDeathTest, QuickExitRunsHandlersThatWait) {
  const int count = rounds(20);
  for (int i = 0; i < count; ++i) {
    const auto begin = steady_clock::now();
    ASSERT_EXIT(exit_amid_waits(&std::quick_exit), testing::ExitedWithCode(0), "");
    EXPECT_LT(steady_clock::now() - begin, soon);
  }
}

}  // namespace
