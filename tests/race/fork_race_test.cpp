// fork() at any moment of a process whose threads wait, set, wait for the first time, and end: the
// child can wait, and meets no lock that one of them held.

#include "rouse/wait/event.hpp"
#include "rouse/wait/fd.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"
#include "rouse/wait/wait_any.hpp"

#include "support/scale.hpp"

#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <stop_token>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::WaitStatus;
using rouse::test::rounds;
using rouse::this_thread::Bind;
using std::chrono::steady_clock;

// Threads that go through the core's locks and states without a pause, until it is destroyed.
class Disturbance {
 public:
  Disturbance() {
    threads_.emplace_back([this] { wait_and_set(); });
    threads_.emplace_back([this] { poll_and_stop(); });
    threads_.emplace_back([this] { begin_and_end(); });
  }
  ~Disturbance() {
    done_ = true;
    for (Event& event : events) event.set();
    threads_.clear();
    ::close(quiet);
  }
  Disturbance(const Disturbance&) = delete;
  Disturbance& operator=(const Disturbance&) = delete;

  std::array<Event, 8> events;
  const int quiet = ::eventfd(0, EFD_CLOEXEC);

 private:
  // The locks of the buckets, and nodes that lie in them.
  void wait_and_set() {
    for (unsigned i = 0; !done_; ++i) {
      (void)events[i % 8].wait_for(1us);
      (void)rouse::wait_any(events[i % 8], events[(i + 3) % 8], steady_clock::now() + 1us);
      events[(i + 1) % 8].set();
      events[(i + 1) % 8].clear();
    }
  }

  // The eventfd, and stop callbacks.
  void poll_and_stop() {
    while (!done_) {
      std::stop_source ambient;
      const Bind bind(ambient.get_token());
      (void)rouse::wait_readable_for(quiet, 1us);
      std::stop_source foreign;
      (void)events[0].wait_for(1us, foreign.get_token());
      ambient.request_stop();
      (void)rouse::sleep_for(1h);
    }
  }

  // The lock of the pool: first waits, and threads that end.
  void begin_and_end() {
    while (!done_) {
      std::jthread first([this] { (void)events[2].wait_for(1us); });
      std::jthread second([] { (void)rouse::sleep_for(1us); });
    }
  }

  std::atomic<bool> done_{false};
  std::vector<std::jthread> threads_;
};

// What a child does; 0, or the number of what went wrong. Allocates nothing, but for the first wait
// of a thread that has never waited.
int wait_in_child(Disturbance& shared, std::stop_source& source) {
  Event mine;
  if (mine.wait_for(1us) != WaitStatus::timeout) return 1;
  mine.set();
  if (mine.wait() != WaitStatus::ready) return 2;
  if (rouse::sleep_for(1us) != WaitStatus::timeout) return 3;
  const std::stop_token stop = source.get_token();
  if (rouse::wait_readable_for(shared.quiet, 1us, stop) != WaitStatus::timeout) return 4;
  // Each bucket that others may have held, and what is left in it.
  for (Event& event : shared.events) {
    (void)event.wait_for(1us, stop);
    event.set();
    if (event.wait() != WaitStatus::ready) return 5;
    event.clear();
    if (event.wait_for(1us) != WaitStatus::timeout) return 6;
  }
  {
    const rouse::Shield shield;
    if (rouse::sleep_for(1us) != WaitStatus::timeout) return 7;
  }
  source.request_stop();
  if (rouse::wait_readable(shared.quiet, stop) != WaitStatus::stopped) return 8;
  if (mine.wait_for(1h, stop) != WaitStatus::ready) return 9;
  mine.clear();
  return mine.wait_for(1h, stop) == WaitStatus::stopped ? 0 : 10;
}

void fork_and_check(Disturbance& shared) {
  std::stop_source source;
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::alarm(20);
    std::_Exit(wait_in_child(shared, source));
  }
  ASSERT_GT(pid, 0);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) ASSERT_EQ(errno, EINTR);
  ASSERT_TRUE(WIFEXITED(status)) << "the child was killed by signal " << WTERMSIG(status);
  ASSERT_EQ(WEXITSTATUS(status), 0);
}

TEST(ForkRace, TheChildOfAnyOfSeveralThreadsWaitsAsEver) {
  if (rouse::test::under_tsan) GTEST_SKIP() << "ThreadSanitizer hangs in forks of busy processes";
  Disturbance disturbance;
  std::vector<std::jthread> forkers;
  for (int f = 0; f < 2; ++f) {
    forkers.emplace_back([&] {
      (void)rouse::sleep_for(1us);  // has its control block
      const int count = rounds(60);
      for (int i = 0; i < count && !HasFailure(); ++i) fork_and_check(disturbance);
    });
  }
}

TEST(ForkRace, TheFirstWaitOfAThreadMayBeInTheChild) {
  if (rouse::test::under_sanitizer) {
    GTEST_SKIP() << "the allocators of the sanitizers do not survive a fork in the middle of them";
  }
  Disturbance disturbance;
  const int count = rounds(60);
  for (int i = 0; i < count && !HasFailure(); ++i) {
    std::jthread([&] { fork_and_check(disturbance); }).join();
  }
}

// The child of a child, and so on: each generation resets what the one before it had.
TEST(ForkRace, EachGenerationOfChildrenWaitsAsEver) {
  if (rouse::test::under_tsan) GTEST_SKIP() << "ThreadSanitizer hangs in forks of busy processes";
  Disturbance disturbance;
  (void)rouse::sleep_for(1us);
  const int count = rounds(20);
  for (int i = 0; i < count && !HasFailure(); ++i) {
    std::stop_source source;
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::alarm(20);
      // Of the child's own: what its child does to the source is not seen here.
      const pid_t grandchild = ::fork();
      if (grandchild == 0) std::_Exit(wait_in_child(disturbance, source));
      int status = 0;
      if (::waitpid(grandchild, &status, 0) != grandchild || status != 0) std::_Exit(100);
      std::_Exit(wait_in_child(disturbance, source));
    }
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    ASSERT_EQ(status, 0);
  }
}

}  // namespace
