#include "checker_thread.hpp"

#include "rouse/rouse.hpp"

#include "support/fake_checker.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;
using rouse::WaitStatus;

CheckConfig config_of(std::string name, std::chrono::milliseconds period,
                      std::function<CheckResult()> body) {
  CheckConfig check;
  check.name = std::move(name);
  check.type = "fake";
  check.period = period;
  check.timeout = period;
  check.checker = std::make_unique<FakeChecker>(std::move(body));
  return check;
}

CheckResult result_of(Status status) { return {.status = status}; }

TEST(CheckerThread, RunsAgainAndAgain) {
  const CheckConfig check = config_of("a", 5ms, [] { return result_of(Status::ok); });
  std::latch runs(3);
  std::atomic<int> left{3};
  const rouse::Running<CheckerThread> thread(check, [&](const Report& report) {
    EXPECT_EQ(&report.check, &check);
    EXPECT_EQ(report.state, Status::ok);
    EXPECT_FALSE(report.requested);
    if (left.fetch_sub(1) > 0) runs.count_down();
  });
  runs.wait();
}

TEST(CheckerThread, RunsAtOnceWhenAsked) {
  // By itself it would run within ten seconds, then hours later.
  const CheckConfig check = config_of("a", 24h, [] { return result_of(Status::warning); });
  rouse::Event reported;
  std::vector<Status> before;
  rouse::Running<CheckerThread> thread(check, [&](const Report& report) {
    if (!report.requested) return;
    before.push_back(report.before.value_or(Status::unknown));
    reported.set();
  });
  for (int i = 0; i < 3; ++i) {
    thread.check_now();
    ASSERT_EQ(reported.wait(), WaitStatus::ready);
    reported.clear();
  }
  EXPECT_EQ(before.back(), Status::warning);
}

TEST(CheckerThread, RequestDuringARunAsksForAnother) {
  rouse::Event entered;
  rouse::Event leave;
  const CheckConfig check = config_of("a", 24h, [&] {
    entered.set();
    if (leave.wait() != WaitStatus::ready) throw rouse::Stopped();
    return result_of(Status::ok);
  });
  std::latch reports(2);
  std::atomic<int> left{2};
  rouse::Running<CheckerThread> thread(check, [&](const Report&) {
    if (left.fetch_sub(1) > 0) reports.count_down();
  });
  thread.check_now();
  ASSERT_EQ(entered.wait(), WaitStatus::ready);
  thread.check_now();
  leave.set();
  reports.wait();
}

TEST(CheckerThread, NeverOverlapsItself) {
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  CheckConfig check = config_of("a", 1ms, [&] {
    most = std::max(most.load(), ++inside);
    const rouse::WaitStatus slept = rouse::sleep_for(3ms);
    --inside;
    if (slept == WaitStatus::stopped) throw rouse::Stopped();
    return result_of(Status::ok);
  });
  check.timeout = 10s;
  std::latch runs(5);
  std::atomic<int> left{5};
  rouse::Running<CheckerThread> thread(check, [&](const Report&) {
    if (left.fetch_sub(1) > 0) runs.count_down();
  });
  for (int i = 0; i < 5; ++i) thread.check_now();
  runs.wait();
  EXPECT_EQ(most, 1);
}

TEST(CheckerThread, AppliesTheThresholds) {
  CheckConfig check = config_of(
      "a", 24h, [n = 0]() mutable { return result_of(n++ == 0 ? Status::ok : Status::critical); });
  check.fall = 2;
  std::mutex mutex;
  std::vector<std::pair<Status, int>> seen;
  rouse::Event reported;
  rouse::Running<CheckerThread> thread(check, [&](const Report& report) {
    const std::lock_guard lock(mutex);
    seen.emplace_back(report.state, report.against);
    reported.set();
  });
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return seen.size();
  };
  while (count() < 3) {
    thread.check_now();
    ASSERT_EQ(reported.wait(), WaitStatus::ready);
    reported.clear();
  }
  thread.request_stop();
  thread.join();
  EXPECT_EQ(seen[0], std::pair(Status::ok, 0));
  EXPECT_EQ(seen[1], std::pair(Status::ok, 1));
  EXPECT_EQ(seen[2], std::pair(Status::critical, 0));
}

TEST(CheckerThread, StopEndsARunWithoutAReport) {
  rouse::Event entered;
  const CheckConfig check = config_of("a", 24h, [&] {
    entered.set();
    if (rouse::sleep_for(24h) == WaitStatus::stopped) throw rouse::Stopped();
    return result_of(Status::ok);
  });
  bool reported = false;
  rouse::Running<CheckerThread> thread(check, [&](const Report&) { reported = true; });
  thread.check_now();
  ASSERT_EQ(entered.wait(), WaitStatus::ready);
  thread.request_stop();
  thread.join();
  EXPECT_FALSE(reported);
}

TEST(CheckerThread, ManyStopTogether) {
  constexpr int count = 100;
  std::latch entered(count);
  std::deque<CheckConfig> checks;
  std::deque<rouse::Running<CheckerThread>> threads;
  for (int i = 0; i < count; ++i) {
    checks.push_back(config_of("check-" + std::to_string(i), 24h, [&, first = true]() mutable {
      if (std::exchange(first, false)) entered.count_down();
      if (rouse::sleep_for(24h) == WaitStatus::stopped) throw rouse::Stopped();
      return result_of(Status::ok);
    }));
    threads.emplace_back(checks.back(), [](const Report&) {}).check_now();
  }
  entered.wait();
  const rouse::StopReport report = rouse::stop_all(threads, 20s);
  EXPECT_TRUE(report) << report.to_string();
  EXPECT_EQ(report.stopped, std::size_t{count});
}

TEST(CheckerThread, TellsWhatEndedIt) {
  const CheckConfig check = config_of("a", 24h, [] { return result_of(Status::ok); });
  rouse::Event told;
  rouse::Running<CheckerThread> thread(
      check, [](const Report&) { throw std::runtime_error("no room"); },
      [&](const std::exception_ptr& exception) {
        EXPECT_THROW(std::rethrow_exception(exception), std::runtime_error);
        told.set();
      });
  thread.check_now();
  EXPECT_EQ(told.wait(), WaitStatus::ready);
}

}  // namespace
}  // namespace health
