#include "monitor.hpp"

#include "rouse/rouse.hpp"

#include "support/fake_checker.hpp"

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;
using rouse::WaitStatus;
using testing::HasSubstr;

CheckConfig check_of(std::string name, std::function<CheckResult()> body) {
  CheckConfig check;
  check.name = std::move(name);
  check.type = "fake";
  check.period = 24h;
  check.timeout = 24h;
  check.checker = std::make_unique<FakeChecker>(std::move(body));
  return check;
}

TEST(Monitor, StartsChecksAnswersAndStops) {
  rouse::Event entered;
  Config config;
  config.checks.push_back(check_of("hangs", [&] {
    entered.set();
    if (rouse::sleep_for(24h) == WaitStatus::stopped) throw rouse::Stopped();
    return CheckResult{};
  }));
  Log log({});
  Monitor monitor(std::move(config), log);
  EXPECT_EQ(monitor.size(), 1U);
  EXPECT_THAT(monitor.check_now("hangs"), HasSubstr("Checking 'hangs'"));
  ASSERT_EQ(entered.wait(), WaitStatus::ready);
  EXPECT_THAT(monitor.status(120), HasSubstr("1 check: 0 ok, 1 not run yet"));
  EXPECT_THAT(monitor.check_now("hnags"), HasSubstr("did you mean 'hangs'?"));
  EXPECT_THAT(monitor.check_now("a\nb"), HasSubstr("No check is named 'a\\x0Ab'"));

  const rouse::StopReport report = monitor.stop(20s);
  EXPECT_TRUE(report) << report.to_string();
  EXPECT_THAT(monitor.check_now("hangs"), HasSubstr("no longer checked"));
}

TEST(Monitor, LineSaysWhatHappened) {
  const CheckConfig check = check_of("web", {});
  const CheckResult result{
      .status = Status::critical, .message = "refused\n\x1b[2J", .duration = 12ms};
  EXPECT_EQ(result_line(check, result), "web: critical: refused\\x0A\\x1B[2J (12 ms)");
  const CheckResult wordy{.status = Status::ok, .message = std::string(10'000, 'x')};
  EXPECT_LT(result_line(check, wordy).size(), 600U);
}

}  // namespace
}  // namespace health
