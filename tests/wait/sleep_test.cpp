#include "rouse/wait/sleep.hpp"

#include "rouse/wait/this_thread.hpp"

#include "support/observed_thread.hpp"

#include <chrono>
#include <optional>
#include <stop_token>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::WaitStatus;
using rouse::test::ObservedThread;
using std::chrono::steady_clock;

TEST(Sleep, LastsItsTime) {
  const auto begin = steady_clock::now();
  EXPECT_EQ(rouse::sleep_for(15ms), WaitStatus::timeout);
  EXPECT_GE(steady_clock::now() - begin, 15ms);
  const auto end = steady_clock::now() + 5ms;
  EXPECT_EQ(rouse::sleep_until(end), WaitStatus::timeout);
  EXPECT_GE(steady_clock::now(), end);
  const auto wall_end = std::chrono::system_clock::now() + 5ms;
  EXPECT_EQ(rouse::sleep_until(wall_end), WaitStatus::timeout);
  EXPECT_GE(std::chrono::system_clock::now(), wall_end);
}

TEST(Sleep, IsOverAtOnceForTimesThatArePast) {
  EXPECT_EQ(rouse::sleep_for(0s), WaitStatus::timeout);
  EXPECT_EQ(rouse::sleep_for(std::chrono::hours::min()), WaitStatus::timeout);
  EXPECT_EQ(rouse::sleep_until(steady_clock::time_point::min()), WaitStatus::timeout);
}

template <class Sleep>
void ends_by_stop(Sleep sleep) {
  std::stop_source source;
  std::optional<WaitStatus> status;
  ObservedThread sleeper([&] { status = sleep(source.get_token()); });
  sleeper.await_blocked();
  source.request_stop();
  sleeper.join();
  EXPECT_EQ(status, WaitStatus::stopped);
}

TEST(Sleep, EndsByAForeignStop) {
  ends_by_stop([](std::stop_token stop) { return rouse::sleep_for(1h, stop); });
}

TEST(Sleep, EndsByTheAmbientStop) {
  ends_by_stop([](std::stop_token stop) {
    const rouse::this_thread::Bind bind(stop);
    return rouse::sleep_for(1h);
  });
}

TEST(Sleep, OfTheLongestDurationLastsUntilItIsStopped) {
  ends_by_stop(
      [](std::stop_token stop) { return rouse::sleep_for(std::chrono::hours::max(), stop); });
  ends_by_stop([](std::stop_token stop) {
    return rouse::sleep_until(steady_clock::time_point::max(), stop);
  });
}

TEST(Sleep, OfZeroTellsAStopThatIsPending) {
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(rouse::sleep_for(0s, source.get_token()), WaitStatus::stopped);
}

}  // namespace
