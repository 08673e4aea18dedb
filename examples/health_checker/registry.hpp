#pragma once
// Registry: checker kinds by their name in the configuration. A new kind is one file under
// checkers/ and one line in registry.cpp.

#include "base_checker.hpp"
#include "settings.hpp"

#include <memory>
#include <span>
#include <string_view>

namespace health {

struct Kind {
  std::string_view name;  ///< `type = "tcp"`
  /// Reads the keys of its own kind. What is wrong with them is recorded in `settings`; the checker
  /// that is returned then is never run.
  std::unique_ptr<BaseChecker> (*make)(Settings& settings);
  /// Instead of the defaults' `fall`, for what does not come again to be confirmed; 0: not.
  int fall = 0;
};

std::span<const Kind> all_kinds() noexcept;

/// Null if there is none of that name.
const Kind* find_kind(std::string_view name) noexcept;

}  // namespace health
