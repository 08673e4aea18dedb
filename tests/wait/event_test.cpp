#include "rouse/wait/event.hpp"

#include "rouse/wait/this_thread.hpp"

#include "support/observed_thread.hpp"

#include <atomic>
#include <chrono>
#include <latch>
#include <limits>
#include <list>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::WaitStatus;
using rouse::test::ObservedThread;
using std::chrono::steady_clock;

static_assert(sizeof(Event) == 4);
static_assert(std::is_trivially_destructible_v<Event>);
constinit Event static_event;

TEST(Event, IsUnsetUnlessToldOtherwise) {
  EXPECT_FALSE(Event().is_set());
  EXPECT_TRUE(Event(true).is_set());
}

TEST(Event, StaysSetUntilCleared) {
  static_event.set();
  static_event.set();
  EXPECT_EQ(static_event.wait(), WaitStatus::ready);
  EXPECT_EQ(static_event.wait(), WaitStatus::ready);
  static_event.clear();
  static_event.clear();
  EXPECT_FALSE(static_event.is_set());
}

TEST(Event, ReleasesAWaiter) {
  Event event;
  WaitStatus status = WaitStatus::timeout;
  ObservedThread waiter([&] { status = event.wait(); });
  waiter.await_blocked();
  event.set();
  waiter.join();
  EXPECT_EQ(status, WaitStatus::ready);
}

TEST(Event, ReleasesEverybodyWhoWaitedWhenItIsClearedAtOnce) {
  // More waiters than one batch of wake-ups holds.
  constexpr int count = 100;
  Event event;
  std::atomic<int> ready{0};
  std::list<ObservedThread> waiters;
  for (int i = 0; i < count; ++i) {
    waiters.emplace_back([&] { ready += event.wait() == WaitStatus::ready ? 1 : 0; });
  }
  for (const ObservedThread& waiter : waiters) waiter.await_blocked();
  event.set();
  event.clear();
  waiters.clear();
  EXPECT_EQ(ready, count);
  EXPECT_FALSE(event.is_set());
}

TEST(Event, TimesOutNotBeforeItsTime) {
  Event event;
  const auto begin = steady_clock::now();
  EXPECT_EQ(event.wait_for(20ms), WaitStatus::timeout);
  EXPECT_GE(steady_clock::now() - begin, 20ms);
}

TEST(Event, TimesOutAtOnceForDeadlinesThatArePast) {
  Event event;
  EXPECT_EQ(event.wait_for(0s), WaitStatus::timeout);
  EXPECT_EQ(event.wait_for(-1h), WaitStatus::timeout);
  EXPECT_EQ(event.wait_for(std::chrono::hours::min()), WaitStatus::timeout);
  EXPECT_EQ(event.wait_for(std::chrono::duration<double>(-1e300)), WaitStatus::timeout);
  EXPECT_EQ(event.wait_until(steady_clock::time_point::min()), WaitStatus::timeout);
  EXPECT_EQ(event.wait_until(steady_clock::now() - 1h), WaitStatus::timeout);
  EXPECT_EQ(event.wait_until(std::chrono::system_clock::time_point::min()), WaitStatus::timeout);
  EXPECT_EQ(event.wait_until(std::chrono::system_clock::now() - 1h), WaitStatus::timeout);
}

TEST(Event, IsReadyAlsoWhenTheDeadlineIsPast) {
  Event event(true);
  EXPECT_EQ(event.wait_for(-1s), WaitStatus::ready);
  EXPECT_EQ(event.wait_until(steady_clock::time_point::min()), WaitStatus::ready);
}

// What libstdc++ 12 overflows on: these waits must last until the event is set.
template <class Wait>
void lasts_until_set(Wait wait) {
  Event event;
  std::optional<WaitStatus> status;
  ObservedThread waiter([&] { status = wait(event); });
  waiter.await_blocked();
  event.set();
  waiter.join();
  EXPECT_EQ(status, WaitStatus::ready);
}

TEST(Event, WaitsForEverIfTheDeadlineIsAtTheEndOfTime) {
  lasts_until_set([](Event& e) { return e.wait_for(std::chrono::hours::max()); });
  lasts_until_set([](Event& e) { return e.wait_for(std::chrono::nanoseconds::max()); });
  lasts_until_set([](Event& e) {
    return e.wait_for(std::chrono::duration<double>(std::numeric_limits<double>::infinity()));
  });
  lasts_until_set([](Event& e) { return e.wait_until(steady_clock::time_point::max()); });
  lasts_until_set(
      [](Event& e) { return e.wait_until(std::chrono::system_clock::time_point::max()); });
}

TEST(Event, WaitsOnTheSystemClockToo) {
  Event event;
  const auto end = std::chrono::system_clock::now() + 10ms;
  EXPECT_EQ(event.wait_until(end), WaitStatus::timeout);
  EXPECT_GE(std::chrono::system_clock::now(), end);
}

TEST(Event, StopsByAForeignToken) {
  Event event;
  std::stop_source source;
  WaitStatus status = WaitStatus::timeout;
  ObservedThread waiter([&] { status = event.wait(source.get_token()); });
  waiter.await_blocked();
  source.request_stop();
  waiter.join();
  EXPECT_EQ(status, WaitStatus::stopped);
}

TEST(Event, StopsByTheAmbientToken) {
  Event event;
  std::stop_source ambient;
  std::stop_source foreign;
  WaitStatus status = WaitStatus::timeout;
  ObservedThread waiter([&] {
    const rouse::this_thread::Bind bind(ambient.get_token());
    status = event.wait_for(1h, foreign.get_token());
  });
  waiter.await_blocked();
  ambient.request_stop();
  waiter.join();
  EXPECT_EQ(status, WaitStatus::stopped);
}

TEST(Event, StopsByTheForeignTokenWhereAnAmbientOneIsBound) {
  Event event;
  std::stop_source ambient;
  std::stop_source foreign;
  WaitStatus status = WaitStatus::timeout;
  ObservedThread waiter([&] {
    const rouse::this_thread::Bind bind(ambient.get_token());
    status = event.wait(foreign.get_token());
    // The foreign stop is not this thread's: the next wait does not see it.
    EXPECT_EQ(event.wait_for(1ms), WaitStatus::timeout);
  });
  waiter.await_blocked();
  foreign.request_stop();
  waiter.join();
  EXPECT_EQ(status, WaitStatus::stopped);
}

TEST(Event, IsStoppedAtOnceIfTheStopCameBefore) {
  Event event;
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(event.wait(source.get_token()), WaitStatus::stopped);
  EXPECT_EQ(event.wait_for(0s, source.get_token()), WaitStatus::stopped);  // not timeout
}

TEST(Event, IsReadyAlsoWhenAStopWasRequested) {
  Event event(true);
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(event.wait(source.get_token()), WaitStatus::ready);
}

TEST(Event, KeepsAStopThatLostToReadyForTheNextWait) {
  Event event;
  std::stop_source source;
  WaitStatus first = WaitStatus::timeout;
  WaitStatus second = WaitStatus::timeout;
  ObservedThread waiter([&] {
    const rouse::this_thread::Bind bind(source.get_token());
    first = event.wait();
    event.clear();
    second = event.wait();
  });
  waiter.await_blocked();
  event.set();
  source.request_stop();
  waiter.join();
  EXPECT_EQ(first, WaitStatus::ready);
  EXPECT_EQ(second, WaitStatus::stopped);
}

TEST(Event, TakesATokenThatCanNeverBeRequested) {
  Event event;
  std::stop_token orphan = std::stop_source().get_token();
  EXPECT_EQ(event.wait_for(1ms, orphan), WaitStatus::timeout);
}

TEST(Event, DoesNotMindWaitersThatLeftBeforeTheSet) {
  Event event;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(event.wait_for(1us), WaitStatus::timeout);
  // The word still says that somebody waits.
  event.clear();
  EXPECT_FALSE(event.is_set());
  event.set();
  EXPECT_TRUE(event.is_set());
  event.clear();
  EXPECT_FALSE(event.is_set());
}

TEST(Event, PublishesWhatEachSetterDidBefore) {
  // The second setter finds the event set; the reader that clears it must still see its value.
  for (int round = 0; round < 1000; ++round) {
    Event event;
    int first = 0;
    int second = 0;
    std::atomic<int> sets{0};
    std::jthread a([&] {
      first = 1;
      event.set();
      sets.fetch_add(1, std::memory_order_relaxed);
    });
    std::jthread b([&] {
      second = 1;
      event.set();
      sets.fetch_add(1, std::memory_order_relaxed);
    });
    // Relaxed: the order under test is the event's.
    while (sets.load(std::memory_order_relaxed) < 2) std::this_thread::yield();
    EXPECT_EQ(event.wait(), WaitStatus::ready);
    event.clear();
    EXPECT_EQ(first + second, 2);
  }
}

}  // namespace
