#pragma once
// What a check says in the end, and the thresholds from which on a figure is a warning or critical.

#include "base_checker.hpp"

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace health {

inline CheckResult verdict(Status status, std::string message, std::vector<Figure> figures = {}) {
  CheckResult result;
  result.status = status;
  result.message = std::move(message);
  result.figures = std::move(figures);
  return result;
}

/// The worse of two: ok, unknown, warning, critical.
inline Status worse(Status a, Status b) noexcept {
  const auto rank = [](Status s) { return s == Status::unknown ? 0.5 : static_cast<double>(s); };
  return rank(a) < rank(b) ? b : a;
}

/// Values that are bad when they are high. Infinite: never.
struct Ceiling {
  double warning = std::numeric_limits<double>::infinity();
  double critical = std::numeric_limits<double>::infinity();

  [[nodiscard]] Status grade(double value) const noexcept {
    if (value >= critical) return Status::critical;
    return value >= warning ? Status::warning : Status::ok;
  }
};

/// Values that are bad when they are low.
struct Floor {
  double warning = -std::numeric_limits<double>::infinity();
  double critical = -std::numeric_limits<double>::infinity();

  [[nodiscard]] Status grade(double value) const noexcept {
    if (value <= critical) return Status::critical;
    return value <= warning ? Status::warning : Status::ok;
  }
};

}  // namespace health
