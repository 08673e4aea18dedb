// A watch that is called, taken back or started again at the instant in which its event is set:
// exactly one of "called" and "taken back"; what the function destroys is not touched any more.

#include "rouse/wait/event.hpp"
#include "rouse/wait/event_watch.hpp"

#include "support/at_once.hpp"
#include "support/rendezvous.hpp"
#include "support/scale.hpp"

#include <array>
#include <atomic>
#include <memory>
#include <utility>

#include <gtest/gtest.h>

namespace {

using rouse::Event;
using rouse::WaitStatus;
using rouse::detail::EventWatch;
using rouse::test::at_once;
using rouse::test::delay;
using rouse::test::rounds;

TEST(EventWatchRace, IsEitherCalledOrTakenBack) {
  struct Operation {
    std::atomic<int> calls{0};
    int data = 0;
    EventWatch watch{[](void* context) noexcept {
                       auto& self = *static_cast<Operation*>(context);
                       ++self.data;
                       self.calls.fetch_add(1, std::memory_order_release);
                     },
                     this};
  };
  // More than a setter takes at once: some are in its list when they are taken back.
  constexpr std::size_t operations = 40;
  Event event;
  std::unique_ptr<std::array<Operation, operations>> current;
  std::array<bool, operations> taken_back{};
  int all_called = 0;
  at_once(
      rounds(4'000),
      {[&](int i) {
         delay(static_cast<unsigned>(i) % 64);
         event.set();
       },
       [&](int i) {
         delay(static_cast<unsigned>(i) / 64 % 64);
         for (std::size_t n = operations; n-- > 0;) taken_back[n] = (*current)[n].watch.cancel();
       }},
      [&] {
        event.clear();
        current = std::make_unique<std::array<Operation, operations>>();
        for (Operation& operation : *current) ASSERT_TRUE(operation.watch.start(event));
      },
      [&](int) {
        int called = 0;
        for (std::size_t n = 0; n < operations; ++n) {
          const Operation& operation = (*current)[n];
          ASSERT_EQ(operation.calls, taken_back[n] ? 0 : 1);
          ASSERT_EQ(operation.data, operation.calls);
          called += operation.calls;
        }
        all_called += called;
      });
  RecordProperty("called", all_called);
}

// start() against set(): it is told that the event is set, or it is called.
TEST(EventWatchRace, IsStartedBeforeOrAfterASet) {
  Event event;
  std::atomic<int> calls{0};
  EventWatch watch(
      [](void* context) noexcept { static_cast<std::atomic<int>*>(context)->fetch_add(1); },
      &calls);
  bool started = false;
  int too_late = 0;
  at_once(
      rounds(20'000),
      {[&](int i) {
         delay(static_cast<unsigned>(i) % 64);
         event.set();
       },
       [&](int i) {
         delay(static_cast<unsigned>(i) / 64 % 64);
         started = watch.start(event);
       }},
      [&] {
        event.clear();
        calls = 0;
      },
      [&](int) {
        ASSERT_EQ(calls, started ? 1 : 0);
        too_late += started ? 0 : 1;
      });
  RecordProperty("too late", too_late);
}

// A thread and a watch wait for an event that the last of them frees, while set() is on its way
// out.
TEST(EventWatchRace, MayFreeItselfAndTheEventWhenItIsCalled) {
  struct Operation {
    Event event;
    std::shared_ptr<Operation> self;  // while it is started
    EventWatch watch{[](void* context) noexcept { static_cast<Operation*>(context)->self.reset(); },
                     this};
  };
  std::weak_ptr<Operation> current;
  std::shared_ptr<Operation> for_waiter;
  Event* event = nullptr;
  at_once(
      rounds(20'000),
      {[&](int i) {
         delay(static_cast<unsigned>(i) % 64);
         event->set();
       },
       [&](int i) {
         const std::shared_ptr<Operation> mine = std::move(for_waiter);
         delay(static_cast<unsigned>(i) / 64 % 64);
         EXPECT_EQ(mine->event.wait(), WaitStatus::ready);
       }},
      [&] {
        for_waiter = std::shared_ptr<Operation>(new Operation);  // `current` keeps no memory
        for_waiter->self = for_waiter;
        current = for_waiter;
        event = &for_waiter->event;
        ASSERT_TRUE(for_waiter->watch.start(*event));
      },
      [&](int) { ASSERT_TRUE(current.expired()); });
}

}  // namespace
