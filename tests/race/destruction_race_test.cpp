// Events that are destroyed as soon as a wait for them has returned, while the set() that ended it
// is still on its way out; and what takes their place in memory. AddressSanitizer judges.

#include "rouse/wait/event.hpp"
#include "rouse/wait/wait_any.hpp"

#include "support/on_cpu.hpp"
#include "support/rendezvous.hpp"
#include "support/scale.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <new>
#include <stop_token>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::AnyReady;
using rouse::Event;
using rouse::WaitStatus;
using rouse::test::OnCpu;
using rouse::test::rounds;
using std::chrono::steady_clock;

// The waiter frees the event as soon as its wait returns, while set() may still be on its way out.
TEST(DestructionRace, MayBeDestroyedRightAfterAWait) {
  std::atomic<Event*> handed_over{nullptr};
  const int count = rounds(20'000);
  const OnCpu here(0);
  std::jthread setter([&] {
    const OnCpu on_cpu(1);
    for (int i = 0; i < count; ++i) {
      Event* event = nullptr;
      while ((event = handed_over.exchange(nullptr, std::memory_order_acq_rel)) == nullptr) {
        std::this_thread::yield();
      }
      event->set();
    }
  });
  for (int i = 0; i < count; ++i) {
    auto event = std::make_unique<Event>();
    handed_over.store(event.get(), std::memory_order_release);
    ASSERT_EQ(event->wait(), WaitStatus::ready);
  }
}

// Another event at the same address must not be woken by what is left of the first one's set().
TEST(DestructionRace, AnEventIsNotWokenByASetOfAnEarlierOneInItsPlace) {
  constexpr int waiters = 40;  // more than a batch: the setter comes back to its list
  const int count = rounds(150);
  alignas(Event) unsigned char storage[sizeof(Event)];
  int replaced = 0;
  for (int i = 0; i < count; ++i) {
    auto* first = ::new (storage) Event;
    std::latch waiting(waiters + 1);
    std::atomic<int> left{waiters};
    std::atomic<int> ready{0};
    std::atomic<bool> wrong{false};
    std::vector<std::jthread> threads;
    // In half of the rounds they also time out at about the time of the set(): then they leave by
    // themselves, while the setter is still busy with the first batch.
    auto end = steady_clock::time_point::max();
    for (int w = 0; w < waiters; ++w) {
      threads.emplace_back([&, w] {
        const OnCpu on_cpu(static_cast<std::size_t>(w));
        waiting.arrive_and_wait();
        if (first->wait_until(end) == WaitStatus::ready) ++ready;
        if (left.fetch_sub(1, std::memory_order_acq_rel) != 1 || ready == 0) return;
        // The last one out puts another event in its place, and waits for that. That somebody was
        // released says that the set() has come.
        auto* second = ::new (storage) Event;
        ++replaced;
        if (second->wait_for(50us) != WaitStatus::timeout) wrong = true;
      });
    }
    if (i % 2 != 0) end = steady_clock::now() + 1ms;
    waiting.arrive_and_wait();
    if (i % 2 != 0) {
      // With them, a little shorter.
      EXPECT_EQ(first->wait_until(end - std::chrono::microseconds(i * 3 % 300)),
                WaitStatus::timeout);
    }
    first->set();
    threads.clear();
    EXPECT_FALSE(wrong);
  }
  EXPECT_GT(replaced, 0);
}

TEST(DestructionRace, WaitAnyOverEventsThatAreDestroyedRightAfter) {
  const int count = rounds(3'000);
  struct Pair {
    Event a;
    Event b;
  };
  std::atomic<Pair*> handed_over{nullptr};
  const OnCpu here(0);
  std::jthread setter([&] {
    const OnCpu on_cpu(1);
    for (int i = 0; i < count; ++i) {
      Pair* pair = nullptr;
      while ((pair = handed_over.exchange(nullptr, std::memory_order_acq_rel)) == nullptr) {
        std::this_thread::yield();
      }
      (i % 2 == 0 ? pair->a : pair->b).set();
    }
  });
  for (int i = 0; i < count; ++i) {
    auto pair = std::make_unique<Pair>();
    handed_over.store(pair.get(), std::memory_order_release);
    const rouse::AnyReady woken = rouse::wait_any(pair->a, pair->b);
    ASSERT_EQ(woken.index, static_cast<std::size_t>(i % 2));
  }
}

// Many events of one wait, in buckets of all kinds; the setter picks one, and all go with the wait.
TEST(DestructionRace, AllEventsOfAWaitAnyGoWithIt) {
  const int count = rounds(1'500);
  constexpr std::size_t events = 20;  // more than fit on the stack
  using Many = std::array<Event, events>;
  std::atomic<Many*> handed_over{nullptr};
  const OnCpu here(0);
  std::jthread setter([&] {
    const OnCpu on_cpu(1);
    for (int i = 0; i < count; ++i) {
      Many* many = nullptr;
      while ((many = handed_over.exchange(nullptr, std::memory_order_acq_rel)) == nullptr) {
        std::this_thread::yield();
      }
      (*many)[static_cast<std::size_t>(i) % events].set();
    }
  });
  for (int i = 0; i < count; ++i) {
    auto many = std::make_unique<Many>();
    std::array<Event*, events> pointers{};
    for (std::size_t e = 0; e < events; ++e) pointers[e] = &(*many)[e];
    handed_over.store(many.get(), std::memory_order_release);
    // A time-out that does not come, and a token that is not stopped, leave as much to tidy up.
    std::stop_source source;
    const AnyReady woken = i % 2 == 0 ? rouse::wait_any(pointers, source.get_token())
                                      : rouse::wait_any_for(pointers, 1h);
    ASSERT_EQ(woken.index, static_cast<std::size_t>(i) % events);
  }
}

// The last of several waiters frees the event that one set() released them from.
TEST(DestructionRace, TheLastOfManyWaitersFreesTheEvent) {
  constexpr int waiters = 6;
  const int count = rounds(1'500);
  struct Shared {
    Event event;
    std::atomic<int> left{waiters};
  };
  std::array<std::atomic<Shared*>, 2> current{};  // the next is made while this one is waited for
  std::vector<std::jthread> threads;
  rouse::test::Rendezvous meet(waiters + 1);
  for (int w = 0; w < waiters; ++w) {
    threads.emplace_back([&, w] {
      const OnCpu on_cpu(static_cast<std::size_t>(w));
      for (int i = 0; i < count; ++i) {
        meet.arrive();
        Shared* const shared = current[static_cast<std::size_t>(i) % 2];
        // Some come through wait_any, some when it is set already.
        const WaitStatus status =
            w % 2 == 0 ? shared->event.wait() : rouse::wait_any(shared->event).status;
        EXPECT_EQ(status, WaitStatus::ready);
        if (shared->left.fetch_sub(1, std::memory_order_acq_rel) == 1) delete shared;
      }
    });
  }
  for (int i = 0; i < count; ++i) {
    auto* const shared = new Shared;
    current[static_cast<std::size_t>(i) % 2] = shared;
    meet.arrive();
    rouse::test::delay(static_cast<unsigned>(i) % 101 * 16);
    shared->event.set();
  }
}

// The place of an event that a wait_any left is taken by another, which others wait for and set
// meanwhile: what is left of the first concerns neither.
TEST(DestructionRace, AnotherEventIsWaitedForInTheSamePlaceAtOnce) {
  const int count = rounds(4'000);
  alignas(Event) unsigned char storage[sizeof(Event)];
  std::atomic<Event*> handed_over{nullptr};
  std::atomic<bool> done{false};
  // One of them is still in its set() when the next one begins its own, in the same place.
  std::vector<std::jthread> setters;
  for (int t = 0; t < 2; ++t) {
    setters.emplace_back([&] {
      const OnCpu on_cpu(1);
      while (!done) {
        Event* const event = handed_over.exchange(nullptr, std::memory_order_acq_rel);
        if (event != nullptr) {
          event->set();
        } else {
          std::this_thread::yield();
        }
      }
    });
  }
  Event never;
  for (int i = 0; i < count; ++i) {
    auto* const first = ::new (storage) Event;
    handed_over.store(first, std::memory_order_release);
    const AnyReady woken = rouse::wait_any(never, *first);
    EXPECT_EQ(woken, (AnyReady{WaitStatus::ready, 1}));
    auto* const second = ::new (storage) Event;
    const auto end = steady_clock::now() + 3us;
    EXPECT_EQ(rouse::wait_any(never, *second, end).status, WaitStatus::timeout);
    EXPECT_GE(steady_clock::now(), end);
    EXPECT_FALSE(second->is_set());
  }
  done = true;
}

}  // namespace
