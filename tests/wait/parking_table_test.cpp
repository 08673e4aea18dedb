// The parking table by itself: nodes that wake functions, and nodes that leave while a wake is
// under way.

#include "wait/parking_table.hpp"

#include "support/scale.hpp"

#include <array>
#include <atomic>
#include <deque>
#include <latch>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using rouse::detail::ParkingTable;
using rouse::detail::WaitNode;

constexpr auto always = [] { return true; };
constexpr auto do_nothing = [] {};

void count_wake(void* counter) noexcept { static_cast<std::atomic<int>*>(counter)->fetch_add(1); }

TEST(ParkingTable, CallsTheFunctionOfANodeOnce) {
  int key = 0;
  std::atomic<int> calls{0};
  WaitNode node;
  node.waker = {&count_wake, &calls};
  ASSERT_TRUE(ParkingTable::enqueue(node, &key, always));
  ParkingTable::wake_all(&key, do_nothing);
  EXPECT_EQ(calls, 1);
  ParkingTable::wake_all(&key, do_nothing);
  EXPECT_EQ(calls, 1);
  const auto left = ParkingTable::dequeue(node);
  EXPECT_TRUE(left.signalled);
  EXPECT_TRUE(left.call_due);
}

TEST(ParkingTable, DoesNotCallTheFunctionOfANodeThatLeft) {
  int key = 0;
  std::atomic<int> calls{0};
  WaitNode node;
  node.waker = {&count_wake, &calls};
  ASSERT_TRUE(ParkingTable::enqueue(node, &key, always));
  const auto left = ParkingTable::dequeue(node);
  EXPECT_FALSE(left.signalled);
  EXPECT_FALSE(left.call_due);
  ParkingTable::wake_all(&key, do_nothing);
  EXPECT_EQ(calls, 0);
}

TEST(ParkingTable, TakesNoNodeThatIsNotValid) {
  int key = 0;
  std::atomic<int> calls{0};
  WaitNode node;
  node.waker = {&count_wake, &calls};
  EXPECT_FALSE(ParkingTable::enqueue(node, &key, [] { return false; }));
  ParkingTable::wake_all(&key, do_nothing);
  EXPECT_EQ(calls, 0);
}

TEST(ParkingTable, WakesTheNodesOfOneKeyOnlyAlsoInASharedBucket) {
  // More keys than buckets, so that some share one.
  constexpr std::size_t keys = 3000;
  static std::array<int, keys> addresses{};
  std::deque<std::atomic<int>> calls(keys);
  std::deque<WaitNode> nodes(keys);
  for (std::size_t i = 0; i < keys; ++i) {
    nodes[i].waker = {&count_wake, &calls[i]};
    ASSERT_TRUE(ParkingTable::enqueue(nodes[i], &addresses[i], always));
  }
  for (std::size_t i = 0; i < keys; i += 2) ParkingTable::wake_all(&addresses[i], do_nothing);
  for (std::size_t i = 0; i < keys; ++i) {
    EXPECT_EQ(calls[i], i % 2 == 0 ? 1 : 0) << i;
    EXPECT_EQ(ParkingTable::dequeue(nodes[i]).signalled, i % 2 == 0) << i;
  }
}

TEST(ParkingTable, WakesInTheOrderOfArrival) {
  int key = 0;
  std::vector<int> order;
  struct Entry {
    std::vector<int>* order;
    int number;
    WaitNode node;
  };
  std::deque<Entry> entries;
  for (int i = 0; i < 100; ++i) {  // several batches
    Entry& entry = entries.emplace_back();
    entry.order = &order;
    entry.number = i;
    entry.node.waker = {[](void* p) noexcept {
                          auto* e = static_cast<Entry*>(p);
                          e->order->push_back(e->number);
                        },
                        &entry};
    ASSERT_TRUE(ParkingTable::enqueue(entry.node, &key, always));
  }
  ParkingTable::wake_all(&key, do_nothing);
  ASSERT_EQ(order.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(ParkingTable, RunsTheUpdateUnderTheLockAndFunctionsWithoutIt) {
  int key = 0;
  // A function may use the table: it would deadlock under the bucket's lock.
  WaitNode node;
  node.waker = {[](void* k) noexcept { ParkingTable::wake_all(k, do_nothing); }, &key};
  ASSERT_TRUE(ParkingTable::enqueue(node, &key, always));
  bool updated = false;
  ParkingTable::wake_all(&key, [&] { updated = true; });
  EXPECT_TRUE(updated);
}

TEST(ParkingTable, CallsOrDoesNotCallButTellsWhichWhenLeavingRacesWithAWake) {
  // 100 nodes are more than one batch: some are taken from the setter's list while it wakes others.
  constexpr std::size_t nodes_per_round = 100;
  for (int round = 0; round < rouse::test::rounds(2000); ++round) {
    int key = 0;
    std::deque<std::atomic<int>> calls(nodes_per_round);
    std::deque<WaitNode> nodes(nodes_per_round);
    std::vector<ParkingTable::Dequeued> left(nodes_per_round);
    for (std::size_t i = 0; i < nodes_per_round; ++i) {
      nodes[i].waker = {&count_wake, &calls[i]};
      ASSERT_TRUE(ParkingTable::enqueue(nodes[i], &key, always));
    }
    std::latch start(2);
    std::jthread leaver([&] {
      start.arrive_and_wait();
      for (std::size_t i = nodes_per_round; i-- > 0;) left[i] = ParkingTable::dequeue(nodes[i]);
    });
    start.arrive_and_wait();
    ParkingTable::wake_all(&key, do_nothing);
    leaver.join();
    for (std::size_t i = 0; i < nodes_per_round; ++i) {
      EXPECT_EQ(calls[i], left[i].call_due ? 1 : 0) << i;
      EXPECT_TRUE(left[i].signalled || !left[i].call_due) << i;
    }
  }
}

}  // namespace
