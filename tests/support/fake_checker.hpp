#pragma once
// FakeChecker: a checker that does what the test says; and configurations of such.

#include "config.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace health {

class FakeChecker : public BaseChecker {
 public:
  using Events = std::function<std::optional<std::vector<rouse::Condition>>()>;

  explicit FakeChecker(std::function<CheckResult(std::stop_token)> body, Events events = {})
      : body_(std::move(body)), events_(std::move(events)) {}
  explicit FakeChecker(std::function<CheckResult()> body)
      : FakeChecker([body = std::move(body)](std::stop_token) { return body(); }) {}
  CheckResult check(std::stop_token stop) override { return body_(std::move(stop)); }
  std::optional<std::vector<rouse::Condition>> new_events() override {
    return events_ ? events_() : std::nullopt;
  }

 private:
  std::function<CheckResult(std::stop_token)> body_;
  Events events_;
};

/// A check that runs by itself within ten seconds, then a day later.
inline CheckConfig fake_check(std::string name, std::function<CheckResult(std::stop_token)> body,
                              FakeChecker::Events events = {}) {
  using namespace std::chrono_literals;
  CheckConfig check;
  check.name = std::move(name);
  check.type = "fake";
  check.period = 24h;
  check.timeout = 24h;
  check.recheck = 24h;
  check.checker = std::make_unique<FakeChecker>(std::move(body), std::move(events));
  return check;
}
inline CheckConfig fake_check(std::string name, std::function<CheckResult()> body,
                              FakeChecker::Events events = {}) {
  return fake_check(
      std::move(name), [body = std::move(body)](std::stop_token) { return body(); },
      std::move(events));
}

}  // namespace health
