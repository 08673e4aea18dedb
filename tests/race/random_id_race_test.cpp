// Random ids and names at the same time: in threads that begin and end, in signal handlers that
// interrupt a call, and in children that are forked meanwhile. No byte is handed out twice.

#include "rouse/resource/id128.hpp"
#include "rouse/resource/name_generator.hpp"
#include "rouse/resource/random_id.hpp"

#include "support/rendezvous.hpp"
#include "support/scale.hpp"

#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using rouse::Id128;
using rouse::NameGenerator;
using rouse::test::Rendezvous;
using rouse::test::rounds;
using rouse::test::under_sanitizer;

// Each uuid4 once, and none of bytes that were wiped out: of zeros only version and variant are
// left.
void expect_random(std::vector<Id128> ids) {
  for (const Id128& id : ids) {
    ASSERT_NE(id.high & ~std::uint64_t{0xF000}, 0U);
    ASSERT_NE(id.low << 2, 0U);
  }
  std::ranges::sort(ids);
  EXPECT_EQ(std::ranges::adjacent_find(ids), ids.end());
}

TEST(RandomIdRace, ThreadsThatBeginAndEndShareNothing) {
  constexpr int threads = 4;
  const int count = rounds(300);
  Rendezvous meet(threads);
  std::mutex mutex;
  std::vector<Id128> ids;
  std::set<std::string> names;
  Id128 latest;
  std::vector<std::jthread> starters;
  for (int t = 0; t < threads; ++t) {
    starters.emplace_back([&] {
      for (int i = 0; i < count; ++i) {
        meet.arrive();
        std::thread([&] {
          const std::string name = rouse::process_names().next();
          const std::array random{rouse::uuid4(), rouse::uuid4()};
          const std::lock_guard guard(mutex);
          EXPECT_TRUE(names.insert(name).second) << name;
          ids.insert(ids.end(), random.begin(), random.end());
          const Id128 mine = rouse::uuid7();
          EXPECT_LT(latest, mine);
          latest = mine;
        }).join();
      }
    });
  }
  starters.clear();
  EXPECT_EQ(names.size(), static_cast<std::size_t>(threads * count));
  expect_random(std::move(ids));
}

TEST(RandomIdRace, Uuid7IncreasesForWhoeverHasHeardOfAnother) {
  constexpr int threads = 4;
  const int count = rounds(20'000);
  std::mutex mutex;
  Id128 latest;
  std::vector<std::jthread> running;
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&] {
      Id128 heard;
      int wrong = 0;
      for (int i = 0; i < count; ++i) {
        const Id128 mine = rouse::uuid7();
        wrong += heard < mine ? 0 : 1;
        const std::lock_guard guard(mutex);
        heard = latest = std::max(latest, mine);
      }
      EXPECT_EQ(wrong, 0);
    });
  }
}

// Takes ids until it is told that it is done, and keeps those that come first after each change of
// `events`. Nothing else is called meanwhile that a handler must not interrupt.
template <class AfterEach>
std::vector<Id128> ids_around(const std::atomic<std::size_t>& events, std::size_t count,
                              AfterEach after_each) {
  constexpr std::size_t kept = 300;  // what a page of the thread has, and more
  std::vector<Id128> ids;
  ids.reserve((count + 1) * kept);
  std::size_t last = 0;
  for (std::size_t left = kept; last < count || left != 0;) {
    const Id128 id = rouse::uuid4();
    after_each(id);
    if (const std::size_t now = events; now != last) {
      last = now;
      left = kept;
    }
    if (left != 0) {
      --left;
      ids.push_back(id);
    }
  }
  return ids;
}

// Posted by handlers when they are done: they may call nothing else that wakes somebody.
::sem_t handled;

// Sends SIGUSR1 `count` times, one by one: those that are pending together are one.
void send_signals(pthread_t to, std::size_t count) {
  ::sem_init(&handled, 0, 0);
  for (std::size_t i = 0; i < count; ++i) {
    ::pthread_kill(to, SIGUSR1);
    while (::sem_wait(&handled) != 0) {
    }
  }
}

// Written by the handler, which runs in one thread.
struct HandlerIds {
  static constexpr std::size_t room = 30'000;

  std::array<Id128, room> ids;
  std::atomic<std::size_t> count{0};
};
HandlerIds handler_ids;

void take_id_in_handler(int) {
  const std::size_t next = handler_ids.count.load();
  if (next == HandlerIds::room) return;
  handler_ids.ids[next] = rouse::uuid4();
  handler_ids.count.store(next + 1);
  ::sem_post(&handled);
}

// While it lives SIGUSR1 calls `handler`.
class OnUserSignal {
 public:
  explicit OnUserSignal(void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGUSR1, &action, &before_);
  }
  ~OnUserSignal() { ::sigaction(SIGUSR1, &before_, nullptr); }
  OnUserSignal(const OnUserSignal&) = delete;
  OnUserSignal& operator=(const OnUserSignal&) = delete;

 private:
  struct sigaction before_ {};
};

TEST(RandomIdRace, AHandlerTakesBytesOfItsOwn) {
  const OnUserSignal on_signal(&take_id_in_handler);
  handler_ids.count = 0;
  const auto signals = static_cast<std::size_t>(rounds(2'000));
  (void)rouse::uuid4();  // the first call of a thread is not for handlers
  std::vector<Id128> ids;
  {
    const std::jthread sender(&send_signals, ::pthread_self(), signals);
    ids = ids_around(handler_ids.count, signals, [](const Id128&) {});
  }
  EXPECT_EQ(handler_ids.count, signals);
  for (std::size_t i = 0; i < signals; ++i) ids.push_back(handler_ids.ids[i]);
  expect_random(std::move(ids));
}

// What a child has taken, in memory that it shares with its parent.
struct ChildIds {
  static constexpr std::size_t each = 4;
  static constexpr std::size_t room = 1'000;

  std::array<std::array<Id128, each>, room> ids;
};
ChildIds* child_ids = nullptr;
std::atomic<std::size_t> forked{0};
std::atomic<int> failed_forks{0};
std::atomic<bool> is_child{false};

void fork_in_handler(int) {
  const int error = errno;
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    is_child = true;
    return;  // into the middle of a call, maybe
  }
  int status = -1;
  if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0) ++failed_forks;
  ++forked;
  ::sem_post(&handled);
  errno = error;
}

// The child finds its thread's page empty in the middle of a call. Sanitizers' own locks do not
// survive such a fork.
TEST(RandomIdRace, AForkInAHandlerLeavesNoBytesToTheChild) {
  if (under_sanitizer) GTEST_SKIP() << "forks in the middle of anything";
  const OnUserSignal on_signal(&fork_in_handler);
  void* const memory =
      ::mmap(nullptr, sizeof(ChildIds), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  child_ids = ::new (memory) ChildIds;
  forked = 0;
  failed_forks = 0;
  const auto forks = static_cast<std::size_t>(std::min(rounds(300), 1'000));
  std::vector<Id128> ids;
  {
    const std::jthread sender(&send_signals, ::pthread_self(), forks);
    ids = ids_around(forked, forks, [](const Id128& id) {
      if (!is_child) return;
      auto& mine = child_ids->ids[forked];
      mine[0] = id;
      for (std::size_t i = 1; i < mine.size(); ++i) mine[i] = rouse::uuid4();
      std::_Exit(0);
    });
  }
  ASSERT_EQ(failed_forks, 0);
  for (std::size_t i = 0; i < forks; ++i) {
    const auto& of_child = child_ids->ids[i];
    expect_random({of_child.begin(), of_child.end()});
    // The first may have been ready when its thread was interrupted: then both have it.
    ids.insert(ids.end(), of_child.begin() + 1, of_child.end());
  }
  ::munmap(memory, sizeof(ChildIds));
  expect_random(std::move(ids));
}

TEST(RandomIdRace, AChildForkedAmidOtherThreadsHasNamesAndBytesOfItsOwn) {
  std::atomic<bool> done{false};
  std::vector<std::jthread> others;
  for (int t = 0; t < 2; ++t) {
    others.emplace_back([&] {
      while (!done) {
        std::thread([] { (void)rouse::uuid4(); }).join();
        (void)rouse::process_names().next();
        (void)rouse::uuid7();
      }
    });
  }
  const NameGenerator names("web");
  void* const memory =
      ::mmap(nullptr, sizeof(Id128), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* const childs = ::new (memory) Id128;
  const int forks = under_sanitizer ? 1 : rounds(100);
  std::vector<Id128> ids;
  for (int i = 0; i < forks; ++i) {
    ids.push_back(rouse::uuid4());
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(20);
      *childs = rouse::uuid4();
      NameGenerator::Buffer buffer;
      const std::string begin = "web-" + std::to_string(::getpid()) + "-";
      std::_Exit(names.next(buffer).starts_with(begin) ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    ids.push_back(*childs);
  }
  ::munmap(memory, sizeof(Id128));
  done = true;
  others.clear();
  expect_random(std::move(ids));
}

}  // namespace
