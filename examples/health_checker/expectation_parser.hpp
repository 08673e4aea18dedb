#pragma once
// parse_expectation: conditions from text; expectation.hpp has their grammar.

#include "expectation.hpp"

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace health {

class Settings;

/// What is wrong with a condition, and where.
class ExpectationError : public std::invalid_argument {
 public:
  ExpectationError(std::size_t offset, const std::string& message)
      : std::invalid_argument(message), offset_(offset) {}

  /// In bytes from the condition's begin, at most its size.
  [[nodiscard]] std::size_t offset() const noexcept { return offset_; }

 private:
  std::size_t offset_;
};

/// Throws ExpectationError; one about a subject that is not among `subjects` says which there are.
Expectation parse_expectation(std::string_view text, const std::vector<Subject>& subjects);

/// Those of the key `expect`. What is wrong with them is recorded in `settings`, where it is.
std::vector<Expectation> read_expectations(Settings& settings,
                                           const std::vector<Subject>& subjects);

}  // namespace health
