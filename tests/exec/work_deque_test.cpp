// The queue of one worker, by one thread: order, room, the way round the ring, tasks taken back.
// What others see meanwhile is in tests/race and tests/model.

#include "exec/work_deque.hpp"

#include "support/as_task.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include <gtest/gtest.h>

namespace {

using rouse::detail::Task;
using rouse::detail::WorkDeque;
using rouse::test::as_task;

constexpr std::size_t capacity = WorkDeque::capacity;

// More than fit.
std::array<void*, 2 * capacity> tasks;

Task& task(std::size_t number) { return as_task(tasks[number % tasks.size()]); }

std::vector<Task*> addresses(std::size_t first, std::size_t count) {
  std::vector<Task*> result;
  for (std::size_t i = first; i < first + count; ++i) result.push_back(&task(i));
  return result;
}

std::vector<Task*> take_all(WorkDeque& deque) {
  std::vector<Task*> result;
  while (Task* const taken = deque.take()) result.push_back(taken);
  return result;
}

TEST(WorkDeque, IsEmptyAtFirst) {
  WorkDeque deque;
  EXPECT_TRUE(deque.empty());
  EXPECT_EQ(deque.size(), 0U);
  EXPECT_EQ(deque.take(), nullptr);
  EXPECT_FALSE(deque.take_back(task(0)));
}

TEST(WorkDeque, GivesTheOldestFirst) {
  WorkDeque deque;
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(deque.push(task(i)));
  EXPECT_FALSE(deque.empty());
  EXPECT_EQ(deque.size(), 3U);
  EXPECT_EQ(deque.take(), &task(0));
  EXPECT_TRUE(deque.push(task(3)));
  EXPECT_EQ(take_all(deque), addresses(1, 3));
  EXPECT_TRUE(deque.empty());
}

TEST(WorkDeque, TakesNoMoreThanItHasRoomFor) {
  WorkDeque deque;
  for (std::size_t i = 0; i < capacity; ++i) ASSERT_TRUE(deque.push(task(i)));
  EXPECT_FALSE(deque.push(task(capacity)));
  EXPECT_EQ(deque.size(), capacity);
  EXPECT_EQ(deque.take(), &task(0));
  EXPECT_TRUE(deque.push(task(capacity)));
  EXPECT_FALSE(deque.push(task(capacity + 1)));
  EXPECT_EQ(take_all(deque), addresses(1, capacity));
}

TEST(WorkDeque, TakesManyAtOnceAsFarAsThereIsRoom) {
  WorkDeque deque;
  EXPECT_EQ(deque.push(std::span<Task* const>{}), 0U);
  EXPECT_TRUE(deque.empty());
  EXPECT_EQ(deque.push(addresses(0, 10)), 10U);
  EXPECT_EQ(deque.push(addresses(10, capacity)), capacity - 10);
  EXPECT_EQ(deque.push(addresses(0, 1)), 0U);
  EXPECT_EQ(take_all(deque), addresses(0, capacity));
  EXPECT_EQ(deque.push(addresses(0, capacity)), capacity);
  EXPECT_EQ(take_all(deque), addresses(0, capacity));
}

TEST(WorkDeque, KeepsTheOrderAllAroundTheRing) {
  WorkDeque deque;
  std::size_t pushed = 0;
  std::size_t taken = 0;
  // Lengths of every kind, so that pushes of many come to the ring's end at every place.
  for (std::size_t length = 0; pushed < 100 * capacity; length = (length + 7) % capacity) {
    std::vector<Task*> many;
    for (std::size_t i = 0; i < length; ++i) many.push_back(&task(pushed + i));
    const std::size_t room = capacity - (pushed - taken);
    ASSERT_EQ(deque.push(many), std::min(room, length));
    pushed += std::min(room, length);
    ASSERT_EQ(deque.size(), pushed - taken);
    for (std::size_t i = 0; i < length / 2 + 1 && taken < pushed; ++i, ++taken) {
      ASSERT_EQ(deque.take(), &task(taken));
    }
  }
  EXPECT_GT(taken, 90 * capacity);
}

TEST(WorkDeque, GivesTheNewestBack) {
  WorkDeque deque;
  EXPECT_EQ(deque.push(addresses(0, 3)), 3U);
  EXPECT_TRUE(deque.take_back(task(2)));
  EXPECT_EQ(deque.size(), 2U);
  EXPECT_TRUE(deque.take_back(task(1)));
  EXPECT_TRUE(deque.push(task(3)));
  EXPECT_EQ(deque.take(), &task(0));
  EXPECT_EQ(deque.take(), &task(3));
  EXPECT_EQ(deque.take(), nullptr);
}

TEST(WorkDeque, GivesTheLastOneBack) {
  WorkDeque deque;
  for (std::size_t i = 0; i < 3 * capacity; ++i) {
    ASSERT_TRUE(deque.push(task(0)));
    ASSERT_TRUE(deque.take_back(task(0)));
    ASSERT_FALSE(deque.take_back(task(0)));
    ASSERT_TRUE(deque.empty());
    ASSERT_EQ(deque.take(), nullptr);
  }
}

TEST(WorkDeque, GivesOnlyTheNewestBack) {
  WorkDeque deque;
  EXPECT_EQ(deque.push(addresses(0, 2)), 2U);
  EXPECT_FALSE(deque.take_back(task(0)));
  EXPECT_FALSE(deque.take_back(task(2)));
  EXPECT_EQ(take_all(deque), addresses(0, 2));
}

TEST(WorkDeque, GivesNothingBackThatWasTaken) {
  WorkDeque deque;
  EXPECT_TRUE(deque.push(task(0)));
  EXPECT_EQ(deque.take(), &task(0));
  EXPECT_FALSE(deque.take_back(task(0)));
  EXPECT_TRUE(deque.push(task(1)));
  EXPECT_EQ(take_all(deque), addresses(1, 1));
}

TEST(WorkDeque, HasRoomAgainForWhatWasGivenBack) {
  WorkDeque deque;
  EXPECT_EQ(deque.push(addresses(0, capacity)), capacity);
  EXPECT_TRUE(deque.take_back(task(capacity - 1)));
  EXPECT_TRUE(deque.push(task(capacity)));
  EXPECT_FALSE(deque.push(task(capacity + 1)));
  std::vector<Task*> left = addresses(0, capacity - 1);
  left.push_back(&task(capacity));
  EXPECT_EQ(take_all(deque), left);
}

}  // namespace
