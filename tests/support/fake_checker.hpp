#pragma once
// FakeChecker: a checker that does what the test says.

#include "base_checker.hpp"

#include <functional>
#include <stop_token>
#include <utility>

namespace health {

class FakeChecker : public BaseChecker {
 public:
  explicit FakeChecker(std::function<CheckResult()> body) : body_(std::move(body)) {}
  CheckResult check(std::stop_token) override { return body_(); }

 private:
  std::function<CheckResult()> body_;
};

}  // namespace health
