#include "rouse/wait/wait_any.hpp"

#include "rouse/wait/this_thread.hpp"

#include "support/observed_thread.hpp"

#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <stop_token>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::AnyReady;
using rouse::Event;
using rouse::WaitStatus;
using rouse::test::ObservedThread;
using std::chrono::steady_clock;

std::vector<Event*> pointers(std::deque<Event>& events) {
  std::vector<Event*> result;
  for (Event& event : events) result.push_back(&event);
  return result;
}

TEST(WaitAny, TellsWhichEventWasSet) {
  for (std::size_t which = 0; which < 3; ++which) {
    std::deque<Event> events(3);
    const std::vector<Event*> list = pointers(events);
    AnyReady woken;
    ObservedThread waiter([&] { woken = rouse::wait_any(list); });
    waiter.await_blocked();
    events[which].set();
    waiter.join();
    EXPECT_EQ(woken, (AnyReady{WaitStatus::ready, which}));
  }
}

TEST(WaitAny, TellsTheFirstInOrderIfSeveralAreSet) {
  Event a;
  Event b(true);
  Event c(true);
  EXPECT_EQ(rouse::wait_any(a, b, c), (AnyReady{WaitStatus::ready, 1}));
  EXPECT_EQ(rouse::wait_any(c, b, a), (AnyReady{WaitStatus::ready, 0}));
}

TEST(WaitAny, TakesDeadlineAndStopBehindTheEvents) {
  Event a;
  Event b;
  std::stop_source source;
  EXPECT_EQ(rouse::wait_any(a, b, steady_clock::now() + 2ms).status, WaitStatus::timeout);
  EXPECT_EQ(rouse::wait_any(a, b, steady_clock::now() - 2ms, source.get_token()).status,
            WaitStatus::timeout);
  source.request_stop();
  EXPECT_EQ(rouse::wait_any(a, b, steady_clock::time_point::max(), source.get_token()).status,
            WaitStatus::stopped);
  EXPECT_EQ(rouse::wait_any(a, source.get_token()).status, WaitStatus::stopped);
}

TEST(WaitAny, TakesWhatConvertsToAnEvent) {
  struct Named : Event {};
  Event a;
  Named named;
  Event c(true);
  named.set();
  EXPECT_EQ(rouse::wait_any(a, named, std::ref(c)), (AnyReady{WaitStatus::ready, 1}));
  named.clear();
  EXPECT_EQ(rouse::wait_any(a, named, std::ref(c)), (AnyReady{WaitStatus::ready, 2}));
}

TEST(WaitAny, TakesADeadlineAtTheEndOfTimeInAnyUnit) {
  Event a;
  std::stop_source source;
  const std::chrono::time_point<steady_clock, std::chrono::hours> far(std::chrono::hours::max());
  AnyReady woken;
  ObservedThread waiter([&] { woken = rouse::wait_any(a, far, source.get_token()); });
  waiter.await_blocked();
  source.request_stop();
  waiter.join();
  EXPECT_EQ(woken.status, WaitStatus::stopped);
}

TEST(WaitAny, HasTimedForms) {
  Event a;
  const std::array<Event*, 1> list{&a};
  EXPECT_EQ(rouse::wait_any_for(list, 1ms).status, WaitStatus::timeout);
  EXPECT_EQ(rouse::wait_any_until(list, steady_clock::now() + 1ms).status, WaitStatus::timeout);
  EXPECT_EQ(rouse::wait_any_until(list, std::chrono::system_clock::now() + 1ms).status,
            WaitStatus::timeout);
  a.set();
  EXPECT_EQ(rouse::wait_any_for(list, 0s), (AnyReady{WaitStatus::ready, 0}));
}

TEST(WaitAny, EndsByTheAmbientStop) {
  Event a;
  Event b;
  std::stop_source source;
  AnyReady woken;
  ObservedThread waiter([&] {
    const rouse::this_thread::Bind bind(source.get_token());
    woken = rouse::wait_any(a, b);
  });
  waiter.await_blocked();
  source.request_stop();
  waiter.join();
  EXPECT_EQ(woken.status, WaitStatus::stopped);
}

TEST(WaitAny, WaitsForTheStopAloneIfThereIsNoEvent) {
  std::stop_source source;
  AnyReady woken;
  ObservedThread waiter([&] { woken = rouse::wait_any({}, source.get_token()); });
  waiter.await_blocked();
  source.request_stop();
  waiter.join();
  EXPECT_EQ(woken.status, WaitStatus::stopped);
}

TEST(WaitAny, TakesAnEventTwice) {
  Event a;
  AnyReady woken;
  ObservedThread waiter([&] { woken = rouse::wait_any(a, a, a); });
  waiter.await_blocked();
  a.set();
  waiter.join();
  EXPECT_EQ(woken, (AnyReady{WaitStatus::ready, 0}));
}

TEST(WaitAny, TakesMoreEventsThanItHasRoomForOnTheStack) {
  std::deque<Event> events(1000);
  const std::vector<Event*> list = pointers(events);
  AnyReady woken;
  ObservedThread waiter([&] { woken = rouse::wait_any(list); });
  waiter.await_blocked();
  events[777].set();
  waiter.join();
  EXPECT_EQ(woken, (AnyReady{WaitStatus::ready, 777}));
}

TEST(WaitAny, LeavesNothingBehindInTheEventsThatWereNotSet) {
  Event a;
  {
    Event b;
    ObservedThread waiter([&] { EXPECT_EQ(rouse::wait_any(a, b).index, 1U); });
    waiter.await_blocked();
    b.set();
    waiter.join();
  }
  // A node left in a's list would be touched here, on a stack that is gone.
  a.set();
  EXPECT_TRUE(a.is_set());
}

TEST(WaitAny, LetsOtherWaitersOfTheSameEventsGo) {
  Event a;
  Event b;
  ObservedThread any([&] { EXPECT_EQ(rouse::wait_any(a, b).index, 0U); });
  ObservedThread one([&] { EXPECT_EQ(a.wait(), WaitStatus::ready); });
  ObservedThread other([&] { EXPECT_EQ(b.wait(), WaitStatus::ready); });
  any.await_blocked();
  one.await_blocked();
  other.await_blocked();
  a.set();
  any.join();
  one.join();
  b.set();
}

}  // namespace
