#include "support/watchdog.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

namespace {

class WatchdogListener : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo& info) override {
    name_ = std::string(info.test_suite_name()) + "." + info.name();
    rouse::test::arm_watchdog(name_.c_str());
  }
  void OnTestEnd(const testing::TestInfo&) override { rouse::test::disarm_watchdog(); }

  std::string name_;
};

// The tests again and again until ROUSE_TEST_SECONDS are over, one fails, or all are skipped. Once
// without it.
int run_tests() {
  using Seconds = std::chrono::duration<double>;
  const char* const text = std::getenv("ROUSE_TEST_SECONDS");
  if (text == nullptr || GTEST_FLAG_GET(list_tests)) return RUN_ALL_TESTS();
  const Seconds limit(std::strtod(text, nullptr));
  const auto begin = std::chrono::steady_clock::now();
  const testing::UnitTest& tests = *testing::UnitTest::GetInstance();
  int result = 0;
  Seconds elapsed{};
  int times = 0;
  do {
    result = RUN_ALL_TESTS();
    ++times;
    elapsed = std::chrono::steady_clock::now() - begin;
  } while (result == 0 && elapsed < limit && tests.successful_test_count() > 0);
  std::printf("figure: %s ran %d times in %.1f s\n", GTEST_FLAG_GET(filter).c_str(), times,
              elapsed.count());
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  testing::UnitTest::GetInstance()->listeners().Append(new WatchdogListener);
  return run_tests();
}
