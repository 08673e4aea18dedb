#include "once.hpp"

#include "rouse/rouse.hpp"

#include "support/fake_checker.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;
using rouse::WaitStatus;

void add(Config& config, const std::string& name, std::function<CheckResult()> body) {
  CheckConfig check;
  check.name = name;
  check.type = "fake";
  check.period = 24h;
  check.timeout = 1h;
  check.checker = std::make_unique<FakeChecker>(std::move(body));
  config.checks.push_back(std::move(check));
}

CheckResult sleep_a_day() {
  if (rouse::sleep_for(24h) == WaitStatus::stopped) throw rouse::Stopped();
  return {};
}

TEST(OnceRun, RunsEveryCheckOnceAndNotTooManyTogether) {
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::atomic<int> runs{0};
  Config config;
  constexpr std::size_t count = OnceRun::most_at_once * 2;
  for (std::size_t i = 0; i < count; ++i) {
    add(config, std::to_string(i), [&] {
      const int now = ++inside;
      for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
      }
      ++runs;
      --inside;
      return CheckResult{.status = Status::ok};
    });
  }
  OnceRun run(config);
  EXPECT_TRUE(run.run(20s));
  EXPECT_EQ(runs, static_cast<int>(count));
  EXPECT_LE(most, static_cast<int>(OnceRun::most_at_once));
  EXPECT_EQ(worst(run.rows()), Status::ok);
}

TEST(OnceRun, RunsThemAtTheSameTime) {
  rouse::Event first;
  rouse::Event second;
  const auto meet = [](rouse::Event& mine, rouse::Event& other) {
    mine.set();
    if (other.wait() != WaitStatus::ready) throw rouse::Stopped();
    return CheckResult{.status = Status::ok};
  };
  Config config;
  add(config, "a", [&] { return meet(first, second); });
  add(config, "b", [&] { return meet(second, first); });
  OnceRun run(config);
  EXPECT_TRUE(run.run(20s));
  EXPECT_EQ(worst(run.rows()), Status::ok);
}

TEST(OnceRun, IsStoppedWithItsThread) {
  rouse::Event sleeping;
  Config config;
  add(config, "quick", [] { return CheckResult{.status = Status::warning}; });
  add(config, "slow", [&] {
    sleeping.set();
    return sleep_a_day();
  });
  OnceRun run(config);
  rouse::StoppableThread thread([&] { EXPECT_TRUE(run.run(20s)); });
  thread.start();
  ASSERT_EQ(sleeping.wait(), WaitStatus::ready);
  thread.request_stop();
  thread.join();
  EXPECT_FALSE(run.rows()[1].state);
}

TEST(OnceRun, NamesWhoDoesNotEnd) {
  rouse::Event release;
  rouse::Event stuck;
  Config config;
  add(config, "deaf", [&] {
    const rouse::Shield shield;  // as a call would be that nothing ends
    stuck.set();
    (void)release.wait();
    return CheckResult{.status = Status::ok};
  });
  OnceRun run(config);
  rouse::StoppableThread thread([&] {
    const rouse::StopReport report = run.run(1ms);
    ASSERT_EQ(report.stragglers.size(), 1U);
    EXPECT_EQ(report.stragglers[0].name, "deaf");
  });
  thread.start();
  ASSERT_EQ(stuck.wait(), WaitStatus::ready);
  thread.request_stop();
  thread.join();
  release.set();
}

}  // namespace
}  // namespace health
