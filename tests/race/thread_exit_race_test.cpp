// Threads that end while somebody wakes them: their control blocks go to others, and what comes
// late disturbs nobody.

#include "rouse/wait/event.hpp"
#include "rouse/wait/fd.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"
#include "rouse/wait/wait_any.hpp"

#include "support/scale.hpp"
#include "wait/control_block.hpp"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::WaitStatus;
using rouse::detail::ControlBlock;
using rouse::test::rounds;
using rouse::this_thread::Bind;
using std::chrono::steady_clock;

// Nobody stops this thread and nothing is ready: each wait lasts its time, and no longer hint ends
// it before.
bool waits_are_exact(int quiet) {
  Event never;
  Event nor_this;
  std::stop_source source;
  const std::stop_token stop = source.get_token();
  const std::function<WaitStatus(steady_clock::time_point)> waits[] = {
      [&](auto t) { return never.wait_until(t, stop); },
      [&](auto t) { return rouse::sleep_until(t, stop); },
      [&](auto t) { return rouse::wait_any(never, nor_this, t).status; },
      [&](auto t) { return rouse::wait_readable_until(quiet, t, stop); },
  };
  for (const auto& wait : waits) {
    const auto end = steady_clock::now() + 10us;
    if (wait(end) != WaitStatus::timeout || steady_clock::now() < end) return false;
  }
  return true;
}

// Each thread takes over the control block of the one before it, and with it hints that come late.
TEST(ThreadExitRace, ThreadsThatComeAndGoReuseTheirControlBlocksSafely) {
  const int count = rounds(1'000);
  const int quiet = ::eventfd(0, EFD_CLOEXEC);
  Event event;
  std::atomic<bool> finished{false};
  std::jthread disturber([&] {
    while (!finished) {
      event.set();
      event.clear();
      std::this_thread::yield();
    }
  });
  int wrong = 0;
  for (int i = 0; i < count; ++i) {
    std::jthread([&] {
      if (event.wait_for(5us) == WaitStatus::stopped) ++wrong;
      if (!waits_are_exact(quiet)) ++wrong;
    }).join();
  }
  finished = true;
  EXPECT_EQ(wrong, 0);
  ::close(quiet);
}

// The setter is still waking the others when those it woke first are gone, and their event with
// them.
TEST(ThreadExitRace, ThreadsEndAsSoonAsTheirOnlyWaitHasReturned) {
  const int count = rounds(600);
  constexpr int waiters = 4;
  for (int i = 0; i < count; ++i) {
    auto event = std::make_unique<Event>();
    std::atomic<int> left{waiters};
    std::atomic<int> released{0};
    std::vector<std::thread> threads;
    for (int w = 0; w < waiters; ++w) {
      threads.emplace_back([&, w] {
        std::stop_source source;
        if (event->wait(w % 2 == 0 ? source.get_token() : std::stop_token{}) == WaitStatus::ready) {
          ++released;
        }
        if (--left == 0) event.reset();
      });
    }
    event->set();
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(released, waiters);
  }
}

// A stop that ends the last wait of a thread runs its callback until the thread is about to end.
TEST(ThreadExitRace, ThreadsEndAsSoonAsTheirOnlyWaitIsStopped) {
  const int count = rounds(600);
  const int quiet = ::eventfd(0, EFD_CLOEXEC);
  for (int i = 0; i < count; ++i) {
    std::stop_source shared;
    std::atomic<int> stopped{0};
    std::vector<std::thread> threads;
    for (int w = 0; w < 4; ++w) {
      threads.emplace_back([&stopped, w, quiet, stop = shared.get_token()] {
        WaitStatus status = WaitStatus::timeout;
        if (w == 0) {
          const Bind bind(stop);
          status = rouse::wait_readable(quiet);
        } else if (w == 1) {
          const Bind bind(stop);
          status = rouse::sleep_for(1h);
        } else {
          status = w == 2 ? rouse::wait_readable(quiet, stop) : rouse::sleep_for(1h, stop);
        }
        if (status == WaitStatus::stopped) ++stopped;
      });
    }
    shared.request_stop();
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(stopped, 4);
  }
  ::close(quiet);
}

// A waker that is very late: it wakes blocks whose threads have ended long ago.
TEST(ThreadExitRace, WakersThatComeAfterTheEndDisturbNobody) {
  const int count = rounds(400);
  const int quiet = ::eventfd(0, EFD_CLOEXEC);
  std::array<std::atomic<ControlBlock*>, 4> known{};
  std::atomic<bool> finished{false};
  std::vector<std::jthread> wakers;
  for (int w = 0; w < 2; ++w) {
    wakers.emplace_back([&] {
      while (!finished) {
        for (auto& slot : known) {
          if (ControlBlock* const block = slot.load(std::memory_order_acquire)) block->notify();
        }
        std::this_thread::yield();
      }
    });
  }
  std::atomic<int> wrong{0};
  for (int i = 0; i < count; ++i) {
    std::vector<std::jthread> threads;
    for (auto& slot : known) {
      threads.emplace_back([&] {
        slot.store(&ControlBlock::current(), std::memory_order_release);
        if (!waits_are_exact(quiet)) ++wrong;
      });
    }
  }
  finished = true;
  wakers.clear();
  EXPECT_EQ(wrong, 0);
  ::close(quiet);
}

// An exception that was raised at a thread that has ended is not thrown in the next one.
TEST(ThreadExitRace, AnExceptionThatNobodyTookGoesWithItsThread) {
  const int count = rounds(1'000);
  Event never;
  for (int i = 0; i < count; ++i) {
    std::atomic<ControlBlock*> block{nullptr};
    std::atomic<bool> raised{false};
    std::thread thread([&] {
      block = &ControlBlock::current();
      while (!raised) std::this_thread::yield();
    });
    while (block == nullptr) std::this_thread::yield();
    EXPECT_TRUE(block.load()->raise(std::make_exception_ptr(1)));
    raised = true;
    thread.join();
    std::thread([&] { EXPECT_EQ(never.wait_for(1us), WaitStatus::timeout); }).join();
  }
}

TEST(ThreadExitRace, EndedThreadsLeaveTheirBlocksToNewOnes) {
  const int count = rounds(500);
  constexpr int at_once = 4;
  std::mutex mutex;
  std::set<const ControlBlock*> blocks;
  for (int i = 0; i < count; ++i) {
    std::vector<std::jthread> threads;
    for (int t = 0; t < at_once; ++t) {
      threads.emplace_back([&] {
        (void)rouse::sleep_for(1us);
        const std::lock_guard lock(mutex);
        blocks.insert(&ControlBlock::current());
      });
    }
  }
  // As many as there were threads at once, however many there have been.
  EXPECT_LE(blocks.size(), std::size_t{at_once});
}

// --- waits in the destructors at the end of a thread
// --------------------------------------------------------------------------------------------------

std::atomic<int> wrong_at_exit{0};
std::atomic<int> ended_at_exit{0};
Event set_at_exit;

void wait_at_exit() {
  Event never;
  if (never.wait_for(1us) != WaitStatus::timeout) ++wrong_at_exit;
  if (rouse::sleep_for(1us) != WaitStatus::timeout) ++wrong_at_exit;
  (void)set_at_exit.wait_for(20us);
  set_at_exit.set();
  set_at_exit.clear();
  ++ended_at_exit;
}

struct WaitsAtThreadExit {
  ~WaitsAtThreadExit() { wait_at_exit(); }
};

TEST(ThreadExitRace, DestructorsOfThreadLocalObjectsMayWait) {
  const int count = rounds(150);
  wrong_at_exit = 0;
  ended_at_exit = 0;
  for (int i = 0; i < count; ++i) {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([t] {
        thread_local WaitsAtThreadExit before;
        (void)&before;
        // Half of the threads wait for the first time when they end.
        if (t % 2 == 0) (void)rouse::sleep_for(1us);
        thread_local WaitsAtThreadExit behind;
        (void)&behind;
      });
    }
  }
  EXPECT_EQ(wrong_at_exit, 0);
  EXPECT_EQ(ended_at_exit, count * 4 * 2);
}

// A key whose destructor waits in each round that the system makes, but for the rounds that it lets
// pass.
pthread_key_t waiting_key;
std::intptr_t rounds_of_key = 0;
std::mutex blocks_mutex;
std::set<const ControlBlock*> blocks_at_exit;

void wait_in_key(void* value) {
  wait_at_exit();
  {
    const std::lock_guard lock(blocks_mutex);
    blocks_at_exit.insert(&ControlBlock::current());
  }
  const auto round = reinterpret_cast<std::intptr_t>(value);
  if (round < rounds_of_key) ::pthread_setspecific(waiting_key, reinterpret_cast<void*>(round + 1));
}

class ThreadExitRaceOfKeys : public testing::TestWithParam<int> {};

TEST_P(ThreadExitRaceOfKeys, DestructorsOfThreadSpecificDataMayWaitInEachRound) {
  if (rouse::test::under_tsan && GetParam() >= PTHREAD_DESTRUCTOR_ITERATIONS - 1) {
    GTEST_SKIP()
        << "ThreadSanitizer forgets the thread before the last round, in which a block that "
           "was taken this late is given back";
  }
  const int count = rounds(150);
  constexpr int at_once = 3;
  wrong_at_exit = 0;
  ended_at_exit = 0;
  blocks_at_exit.clear();
  rounds_of_key = GetParam();
  ASSERT_EQ(::pthread_key_create(&waiting_key, &wait_in_key), 0);
  for (int i = 0; i < count; ++i) {
    std::vector<std::jthread> threads;
    for (int t = 0; t < at_once; ++t) {
      threads.emplace_back([t] {
        ::pthread_setspecific(waiting_key, reinterpret_cast<void*>(1));
        // For some the first wait is in the destructor (again too late for ThreadSanitizer).
        if (t % 2 == 0 || rouse::test::under_tsan) (void)rouse::sleep_for(1us);
      });
    }
  }
  EXPECT_EQ(wrong_at_exit, 0);
  EXPECT_EQ(ended_at_exit, count * at_once * GetParam());
  // Nothing is called behind the last round, so a block that is taken there stays taken.
  if (GetParam() < PTHREAD_DESTRUCTOR_ITERATIONS) {
    EXPECT_LE(blocks_at_exit.size(), std::size_t{at_once});
  }
  ::pthread_key_delete(waiting_key);
}

INSTANTIATE_TEST_SUITE_P(Rounds, ThreadExitRaceOfKeys,
                         testing::Values(1, 2, 3, PTHREAD_DESTRUCTOR_ITERATIONS));

}  // namespace
