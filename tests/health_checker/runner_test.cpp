#include "runner.hpp"

#include "rouse/rouse.hpp"

#include <functional>
#include <stdexcept>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;

class FakeChecker : public BaseChecker {
 public:
  explicit FakeChecker(std::function<CheckResult(std::stop_token)> body) : body_(std::move(body)) {}
  CheckResult check(std::stop_token stop) override { return body_(std::move(stop)); }

 private:
  std::function<CheckResult(std::stop_token)> body_;
};

CheckResult sleep_an_hour() {
  if (rouse::sleep_for(1h) != rouse::WaitStatus::timeout) throw rouse::Stopped();
  return {};
}

TEST(Runner, GivesTheResultAndItsDuration) {
  FakeChecker checker(
      [](std::stop_token) { return CheckResult{.status = Status::warning, .message = "hm"}; });
  const auto result = run_check(checker, 10s);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, Status::warning);
  EXPECT_EQ(result->message, "hm");
  EXPECT_GE(result->duration, 0ns);
}

TEST(Runner, TimeoutIsCritical) {
  FakeChecker checker([](std::stop_token) { return sleep_an_hour(); });
  const auto result = run_check(checker, 20ms);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, Status::critical);
  EXPECT_EQ(result->message, "timed out after 20ms");
  EXPECT_GE(result->duration, 20ms);
}

TEST(Runner, ExceptionIsUnknown) {
  FakeChecker checker([](std::stop_token) -> CheckResult { throw std::runtime_error("broken"); });
  const auto result = run_check(checker, 10s);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, Status::unknown);
  EXPECT_EQ(result->message, "broken");
}

TEST(Runner, GivingUpWithoutAStopIsUnknown) {
  FakeChecker checker([](std::stop_token) -> CheckResult { throw rouse::Stopped(); });
  const auto result = run_check(checker, 10s);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, Status::unknown);
}

TEST(Runner, StopOfTheThreadHasNoResult) {
  rouse::Event started;
  bool had_result = true;
  FakeChecker checker([&](std::stop_token) {
    started.set();
    return sleep_an_hour();
  });
  rouse::StoppableThread thread([&] { had_result = run_check(checker, 1h).has_value(); });
  thread.start();
  ASSERT_EQ(started.wait(), rouse::WaitStatus::ready);
  thread.request_stop();
  thread.join();
  EXPECT_FALSE(had_result);
}

TEST(Runner, GivesTheCheckTheTokenOfItsScope) {
  rouse::Event started;
  FakeChecker checker([&](std::stop_token stop) -> CheckResult {
    started.set();
    rouse::Shield shield;  // obeys the given token only
    (void)rouse::sleep_for(1h, stop);
    throw rouse::Stopped();
  });
  rouse::StoppableThread thread([&] { (void)run_check(checker, 1h); });
  thread.start();
  ASSERT_EQ(started.wait(), rouse::WaitStatus::ready);
  thread.request_stop();
  thread.join();
}

}  // namespace
}  // namespace health
