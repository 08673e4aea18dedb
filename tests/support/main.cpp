#include "support/watchdog.hpp"

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

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  testing::UnitTest::GetInstance()->listeners().Append(new WatchdogListener);
  return RUN_ALL_TESTS();
}
