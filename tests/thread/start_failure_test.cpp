// A thread that cannot be started: an exception that says so, nothing leaked, nothing half-started.
// The system's refusals are made here: pthread_create and operator new fail when the test says so.

#include "rouse/thread/signal_stop.hpp"
#include "rouse/thread/stop_all.hpp"
#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <new>
#include <optional>
#include <string>
#include <system_error>

#include <gtest/gtest.h>

namespace {

constexpr long never = -1;

// Counts down; the call that finds 0 fails.
std::atomic<long> creations_left{never};
std::atomic<long> allocations_left{never};
std::atomic<long> live_allocations{0};

bool fails(std::atomic<long>& left) { return left.load() != never && left.fetch_sub(1) == 0; }

void* allocate(std::size_t size, std::size_t alignment) {
  if (fails(allocations_left)) {
    allocations_left = never;
    throw std::bad_alloc();
  }
  void* memory = nullptr;
  if (::posix_memalign(&memory, alignment < sizeof(void*) ? sizeof(void*) : alignment, size) != 0) {
    throw std::bad_alloc();
  }
  live_allocations.fetch_add(1);
  return memory;
}

void release(void* memory) noexcept {
  if (memory != nullptr) live_allocations.fetch_sub(1);
  std::free(memory);
}

}  // namespace

// Not inlined: gcc 12 would take the pairs of new and free that it then sees for a mistake.
[[gnu::noinline]] void* operator new(std::size_t size) {
  return allocate(size, alignof(std::max_align_t));
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { release(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { release(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  release(memory);
}

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*start)(void*), void* argument) {
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto next = reinterpret_cast<Create>(::dlsym(RTLD_NEXT, "pthread_create"));
  if (fails(creations_left)) {
    creations_left = never;
    return EAGAIN;
  }
  return next(thread, attributes, start, argument);
}

namespace {

using namespace std::chrono_literals;
using rouse::StoppableThread;
using rouse::WaitStatus;

class StartFailure : public testing::Test {
 protected:
  // What is made once per process and pooled for good is made before anything is counted.
  void SetUp() override {
    StoppableThread thread([] { (void)rouse::sleep_for(0s); });
    thread.start();
    thread.join();
  }
  void TearDown() override {
    creations_left = never;
    allocations_left = never;
  }
};

TEST_F(StartFailure, OfTheSystemIsAnExceptionThatNamesTheThread) {
  bool ran = false;
  StoppableThread thread([&] { ran = true; }, {.name = "unlucky"});
  const long live_before = live_allocations;
  creations_left = 0;
  try {
    thread.start();
    FAIL() << "started";
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::errc::resource_unavailable_try_again);
    EXPECT_NE(std::string(e.what()).find("cannot start thread 'unlucky'"), std::string::npos)
        << e.what();
  }
  EXPECT_EQ(live_allocations, live_before);
  EXPECT_FALSE(thread.running());
  EXPECT_EQ(thread.native_id(), 0);
  EXPECT_THROW(thread.join(), std::system_error);
  EXPECT_THROW((void)thread.try_join_for(0s), std::system_error);

  thread.start();  // there is room again
  thread.join();
  EXPECT_TRUE(ran);
}

TEST_F(StartFailure, OfRunningLeavesNothing) {
  const long live_before = live_allocations;
  for (int i = 0; i < 10; ++i) {
    creations_left = 0;
    EXPECT_THROW(rouse::Running<StoppableThread>([] {}), std::system_error);
  }
  EXPECT_EQ(live_allocations, live_before);
}

TEST_F(StartFailure, InTheMiddleOfManyLeavesTheOthersToBeStopped) {
  std::deque<StoppableThread> threads;
  std::size_t started = 0;
  creations_left = 5;
  try {
    for (int i = 0; i < 10; ++i) {
      threads.emplace_back([] { (void)rouse::sleep_for(1h); });
      threads.back().start();
      ++started;
    }
    FAIL() << "all started";
  } catch (const std::system_error&) {
    EXPECT_EQ(started, 5U);
  }
  const rouse::StopReport report = rouse::stop_all(threads, 1min);
  EXPECT_TRUE(report) << report.to_string();
  EXPECT_EQ(report.stopped, 6U);  // the one that did not start counts as stopped
}

TEST_F(StartFailure, OfTheReaderLeavesTheSignalMask) {
  creations_left = 0;
  EXPECT_THROW(rouse::SignalStop({SIGUSR1}), std::system_error);
  sigset_t mask{};
  ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  EXPECT_EQ(::sigismember(&mask, SIGUSR1), 0);
}

// Every allocation on the way fails once.
template <class Action>
void survives_each_failing_allocation(Action action) {
  action();  // what is pooled for good
  const long live_before = live_allocations;
  long failures = 0;
  for (long n = 0;; ++n) {
    allocations_left = n;
    bool failed = false;
    try {
      action();
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    const bool reached = allocations_left == never;
    allocations_left = never;
    ASSERT_EQ(live_allocations, live_before) << "leaked when allocation " << n << " failed";
    if (!reached) break;
    EXPECT_TRUE(failed) << "allocation " << n;
    ++failures;
  }
  EXPECT_GT(failures, 0);
}

TEST_F(StartFailure, OfAnyAllocationLeaksNothing) {
  survives_each_failing_allocation([] {
    WaitStatus status = WaitStatus::ready;
    {
      StoppableThread thread([&] { status = rouse::sleep_for(1h); },
                             {.name = "a name that does not fit into a short string"});
      thread.start();
    }
    EXPECT_EQ(status, WaitStatus::stopped);
  });
}

TEST_F(StartFailure, OfAnyAllocationOfAScopeLeaksNothing) {
  survives_each_failing_allocation([] {
    rouse::StopScope outer;
    rouse::StopScope inner = rouse::StopScope::with_deadline(1h);
    const rouse::this_thread::Bind bind_outer(outer);
    const rouse::this_thread::Bind bind_inner(inner);
    outer.request_stop();
    EXPECT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
  });
}

}  // namespace
