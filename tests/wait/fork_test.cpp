// A forked child may wait: it has its own eventfd and thread id, and no lock of a vanished thread.

#include "rouse/wait/event.hpp"
#include "rouse/wait/event_watch.hpp"
#include "rouse/wait/fd.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"

#include "support/in_child.hpp"
#include "support/observed_thread.hpp"
#include "wait/control_block.hpp"

#include <unistd.h>

#include <chrono>
#include <deque>
#include <latch>
#include <stop_token>
#include <thread>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::WaitStatus;
using rouse::detail::ControlBlock;
using rouse::detail::EventWatch;
using rouse::test::in_child;

TEST(Fork, LeavesAChildThatCanWait) {
  rouse::Event never;
  EXPECT_EQ(never.wait_for(1us), WaitStatus::timeout);
  EXPECT_EQ(in_child([&] {
              if (never.wait_for(1ms) != WaitStatus::timeout) return 1;
              if (rouse::sleep_for(1ms) != WaitStatus::timeout) return 2;
              never.set();
              if (never.wait() != WaitStatus::ready) return 3;
              if (ControlBlock::current().native_id.load() != ::getpid()) return 4;
              return 0;
            }),
            0);
}

TEST(Fork, GivesTheChildAnEventfdOfItsOwn) {
  std::stop_source source;
  const rouse::this_thread::Bind bind(source.get_token());
  EXPECT_EQ(rouse::wait_fds_for({}, 1ms), WaitStatus::timeout);
  ASSERT_GE(ControlBlock::current().event_fd.load(), 0);
  EXPECT_EQ(in_child([&] {
              if (ControlBlock::current().event_fd.load() != -1) return 1;
              if (rouse::wait_fds_for({}, 1ms) != WaitStatus::timeout) return 2;
              source.request_stop();
              return rouse::wait_fds({}) == WaitStatus::stopped ? 0 : 3;
            }),
            0);
  EXPECT_EQ(rouse::wait_fds_for({}, 1ms), WaitStatus::timeout);
}

TEST(Fork, ForgetsTheWaitersThatDoNotExistInTheChild) {
  rouse::Event event;
  rouse::test::ObservedThread waiter([&] { EXPECT_EQ(event.wait(), WaitStatus::ready); });
  waiter.await_blocked();
  EXPECT_EQ(in_child([&] {
              event.set();  // would wake a stack that nobody runs on
              return event.wait() == WaitStatus::ready ? 0 : 1;
            }),
            0);
  event.set();
}

void count_call(void* calls) noexcept { ++*static_cast<int*>(calls); }

TEST(Fork, TakesBackTheWatchesThatWereStartedBefore) {
  rouse::Event event;
  int calls = 0;
  EventWatch first(&count_call, &calls);
  EventWatch second(&count_call, &calls);
  ASSERT_TRUE(first.start(event));
  ASSERT_TRUE(second.start(event));
  EXPECT_EQ(in_child([&] {
              int calls_in_child = 0;
              EventWatch mine(&count_call, &calls_in_child);
              if (!mine.start(event)) return 1;
              // Its links lead to `second` and to the head of a list that `mine` is in.
              if (!first.cancel()) return 2;
              event.set();
              if (calls != 0 || calls_in_child != 1 || mine.cancel()) return 3;
              if (!second.cancel()) return 4;
              event.clear();
              if (!second.start(event)) return 5;
              event.set();
              return calls == 1 && !second.cancel() ? 0 : 6;
            }),
            0);
  EXPECT_TRUE(first.cancel());
  event.set();
  EXPECT_EQ(calls, 1);
}

TEST(Fork, RemembersWhichWatchesWereCalledBefore) {
  rouse::Event event;
  int calls = 0;
  EventWatch watch(&count_call, &calls);
  ASSERT_TRUE(watch.start(event));
  event.set();
  EXPECT_EQ(in_child([&] { return watch.cancel() ? 1 : 0; }), 0);
  EXPECT_EQ(calls, 1);
}

// The setter, which is not there in the child, has called the first of its watches and holds the
// others: some of the first batch, some in its list.
TEST(Fork, TakesBackTheWatchesThatAnotherThreadIsAboutToCall) {
  rouse::Event event;
  struct Hold {
    std::latch begun{1};
    std::latch forked{1};
  } hold;
  EventWatch first(
      [](void* context) noexcept {
        static_cast<Hold*>(context)->begun.count_down();
        static_cast<Hold*>(context)->forked.wait();
      },
      &hold);
  ASSERT_TRUE(first.start(event));
  int calls = 0;
  std::deque<EventWatch> others;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(others.emplace_back(&count_call, &calls).start(event));
  std::jthread setter([&] { event.set(); });
  hold.begun.wait();
  EXPECT_EQ(in_child([&] {
              for (EventWatch& watch : others) {
                if (!watch.cancel()) return 1;
              }
              return calls == 0 && !first.cancel() ? 0 : 2;
            }),
            0);
  hold.forked.count_down();
  setter.join();
  EXPECT_EQ(calls, 100);
}

}  // namespace
