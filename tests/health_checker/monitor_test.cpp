#include "monitor.hpp"

#include "rouse/rouse.hpp"

#include "support/fake_checker.hpp"

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

CheckConfig good_check(std::string name, std::string text = {}) {
  CheckConfig check = fake_check(std::move(name), [] { return CheckResult{.status = Status::ok}; });
  check.text = std::move(text);
  return check;
}

TEST(Monitor, StartsChecksAnswersAndStops) {
  rouse::Event entered;
  Config config;
  config.checks.push_back(fake_check("hangs", [&] {
    entered.set();
    if (rouse::sleep_for(24h) == WaitStatus::stopped) throw rouse::Stopped();
    return CheckResult{};
  }));
  Log log({});
  Monitor monitor(std::move(config), log);
  EXPECT_EQ(monitor.size(), 1U);
  EXPECT_FALSE(monitor.ready());
  EXPECT_THAT(monitor.check_now("hangs"), HasSubstr("Checking 'hangs'"));
  ASSERT_EQ(entered.wait(), WaitStatus::ready);
  ASSERT_EQ(monitor.rows().size(), 1U);
  EXPECT_FALSE(monitor.rows()[0].state);
  EXPECT_THAT(monitor.check_now("hnags"), HasSubstr("did you mean 'hangs'?"));
  EXPECT_THAT(monitor.check_now("a\nb"), HasSubstr("No check is named 'a\\x0Ab'"));

  for (const StoppedLayer& layer : monitor.stop(20s)) {
    EXPECT_TRUE(layer.report) << layer.name << layer.report.to_string();
  }
  EXPECT_THAT(monitor.check_now("hangs"), HasSubstr("no longer checked"));
}

TEST(Monitor, ChangesOnlyWhatIsConfiguredOtherwise) {
  Config config;
  for (const char* name : {"kept", "changed", "removed"}) {
    config.checks.push_back(good_check(name, "before"));
  }
  Log log({});
  Monitor monitor(std::move(config), log);
  Results::Subscription news(monitor.results());
  for (const char* name : {"kept", "changed", "removed"}) (void)monitor.check_now(name);
  while (!monitor.ready()) ASSERT_EQ(news.wait_for(20s), WaitStatus::ready);
  const rouse::Id128 run = monitor.results().row("kept")->run;

  Config next;
  next.checks.push_back(good_check("added"));
  next.checks.push_back(good_check("changed", "after"));
  next.checks.push_back(good_check("kept", "before"));
  const Monitor::Changes changes = monitor.apply(std::move(next), 20s);
  EXPECT_EQ(changes.added, 1U);
  EXPECT_EQ(changes.removed, 1U);
  EXPECT_EQ(changes.restarted, 1U);
  EXPECT_EQ(changes.kept, 1U);
  const std::vector<Row> rows = monitor.results().rows();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].name, "added");
  EXPECT_EQ(rows[1].name, "changed");
  EXPECT_EQ(rows[1].runs, 0U) << "it begins anew";
  EXPECT_EQ(rows[2].run, run) << "it goes on";
  EXPECT_THAT(monitor.check_now("removed"), HasSubstr("No check"));
}

TEST(Monitor, LineSaysWhatHappened) {
  const CheckConfig check = good_check("web");
  const CheckResult result{
      .status = Status::critical, .message = "refused\n\x1b[2J", .duration = 12ms};
  EXPECT_EQ(result_line({.check = check, .result = result}),
            "web: critical: refused\\x0A\\x1B[2J (12 ms, run "
            "00000000-0000-0000-0000-000000000000)");
  const CheckResult wordy{.status = Status::ok, .message = std::string(10'000, 'x')};
  EXPECT_LT(result_line({.check = check, .result = wordy}).size(), 600U);
}

}  // namespace
}  // namespace health
