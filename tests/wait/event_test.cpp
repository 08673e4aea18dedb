#include "rouse/wait/event.hpp"

#include <gtest/gtest.h>

TEST(Event, IsUnsetUnlessToldOtherwise) {
  rouse::Event event;
  EXPECT_FALSE(event.is_set());
  EXPECT_EQ(event.wait_for(std::chrono::milliseconds(1)), rouse::WaitStatus::timeout);
}
