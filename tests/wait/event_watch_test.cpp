#include "rouse/wait/event_watch.hpp"

#include "rouse/wait/event.hpp"

#include "support/observed_thread.hpp"

#include <deque>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace {

using rouse::Event;
using rouse::WaitStatus;
using rouse::detail::EventWatch;
using rouse::test::ObservedThread;

void count(void* calls) noexcept { ++*static_cast<int*>(calls); }

TEST(EventWatch, CallsItsFunctionAtTheNextSet) {
  Event event;
  int calls = 0;
  EventWatch watch(&count, &calls);
  ASSERT_TRUE(watch.start(event));
  EXPECT_EQ(calls, 0);
  event.set();
  EXPECT_EQ(calls, 1);
  EXPECT_FALSE(watch.cancel());
}

TEST(EventWatch, CallsItOnce) {
  Event event;
  int calls = 0;
  EventWatch watch(&count, &calls);
  ASSERT_TRUE(watch.start(event));
  event.set();
  event.set();
  event.clear();
  event.set();
  EXPECT_EQ(calls, 1);
}

TEST(EventWatch, IsNotStartedByAnEventThatIsSet) {
  Event event(true);
  int calls = 0;
  EventWatch watch(&count, &calls);
  EXPECT_FALSE(watch.start(event));
  event.clear();
  event.set();
  EXPECT_EQ(calls, 0);
}

TEST(EventWatch, IsCalledThoughTheEventIsClearedAtOnce) {
  Event event;
  int calls = 0;
  EventWatch watch(&count, &calls);
  ASSERT_TRUE(watch.start(event));
  event.set();
  event.clear();
  EXPECT_EQ(calls, 1);
}

TEST(EventWatch, IsNotCalledWhenItWasTakenBack) {
  Event event;
  int calls = 0;
  EventWatch watch(&count, &calls);
  ASSERT_TRUE(watch.start(event));
  EXPECT_TRUE(watch.cancel());
  event.set();
  EXPECT_EQ(calls, 0);
}

TEST(EventWatch, MayBeStartedAgainWhenItWasTakenBackOrCalled) {
  Event event;
  Event other;
  int calls = 0;
  EventWatch watch(&count, &calls);
  ASSERT_TRUE(watch.start(event));
  ASSERT_TRUE(watch.cancel());
  ASSERT_TRUE(watch.start(other));
  event.set();
  EXPECT_EQ(calls, 0);
  other.set();
  EXPECT_EQ(calls, 1);
  event.clear();
  ASSERT_TRUE(watch.start(event));
  EXPECT_TRUE(watch.cancel());
}

TEST(EventWatch, LetsItsFunctionDestroyItAndTheEvent) {
  struct Operation {
    Event event;
    std::unique_ptr<Operation>* self = nullptr;
    EventWatch watch{
        [](void* context) noexcept { static_cast<Operation*>(context)->self->reset(); }, this};
  };
  auto operation = std::make_unique<Operation>();
  operation->self = &operation;
  Event& event = operation->event;
  ASSERT_TRUE(operation->watch.start(event));
  event.set();
  EXPECT_EQ(operation, nullptr);
}

TEST(EventWatch, LetsItsFunctionStartItOnTheSameEvent) {
  struct Repeated {
    Event event;
    int calls = 0;
    EventWatch watch{[](void* context) noexcept {
                       auto& self = *static_cast<Repeated*>(context);
                       ++self.calls;
                       self.event.clear();
                       EXPECT_TRUE(self.watch.start(self.event));
                     },
                     this};
  } repeated;
  ASSERT_TRUE(repeated.watch.start(repeated.event));
  for (int i = 1; i <= 3; ++i) {
    repeated.event.set();
    EXPECT_EQ(repeated.calls, i);
  }
  EXPECT_TRUE(repeated.watch.cancel());
  repeated.event.set();
  EXPECT_EQ(repeated.calls, 3);
}

TEST(EventWatch, LetsItsFunctionStartItOnAnotherEvent) {
  struct Chain {
    Event first;
    Event second;
    int calls = 0;
    EventWatch watch{[](void* context) noexcept {
                       auto& self = *static_cast<Chain*>(context);
                       if (++self.calls == 1) {
                         EXPECT_TRUE(self.watch.start(self.second));
                       }
                     },
                     this};
  } chain;
  ASSERT_TRUE(chain.watch.start(chain.first));
  chain.first.set();
  EXPECT_EQ(chain.calls, 1);
  chain.first.set();
  EXPECT_EQ(chain.calls, 1);
  chain.second.set();
  EXPECT_EQ(chain.calls, 2);
}

// More than a setter takes at once; each third is taken back.
TEST(EventWatch, IsOneOfMany) {
  Event event;
  std::vector<int> calls(100);
  std::deque<EventWatch> watches;
  for (int& each : calls) ASSERT_TRUE(watches.emplace_back(&count, &each).start(event));
  for (std::size_t i = 0; i < calls.size(); i += 3) EXPECT_TRUE(watches[i].cancel());
  event.set();
  for (std::size_t i = 0; i < calls.size(); ++i) EXPECT_EQ(calls[i], i % 3 == 0 ? 0 : 1) << i;
}

// The functions of one set() may take each other back, also those that it has not come to yet.
TEST(EventWatch, MayBeTakenBackByAnotherOfTheSameSet) {
  struct Group {
    Event event;
    int calls = 0;
    int taken_back = 0;
    std::deque<EventWatch> others;
    EventWatch first{[](void* context) noexcept {
                       auto& self = *static_cast<Group*>(context);
                       for (EventWatch& watch : self.others) {
                         if (watch.cancel()) ++self.taken_back;
                       }
                     },
                     this};
  } group;
  ASSERT_TRUE(group.first.start(group.event));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(group.others.emplace_back(&count, &group.calls).start(group.event));
  }
  group.event.set();
  EXPECT_EQ(group.calls + group.taken_back, 100);
  EXPECT_GT(group.calls, 0);
  EXPECT_GT(group.taken_back, 0);
}

TEST(EventWatch, WaitsBesideThreads) {
  Event event;
  int calls = 0;
  EventWatch watch(&count, &calls);
  ObservedThread waiter([&] { EXPECT_EQ(event.wait(), WaitStatus::ready); });
  waiter.await_blocked();
  ASSERT_TRUE(watch.start(event));
  event.set();
  EXPECT_EQ(calls, 1);
}

}  // namespace
