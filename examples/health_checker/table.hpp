#pragma once
// Table: all checks at a glance, for people.
//
// Thread safety: pure functions. What comes from outside is printable in what they return.

#include "results.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace health {

/// The rows with aligned columns, no line wider than `width` (but at least 60), and a line with the
/// sums. With colours the states have those of a traffic light.
std::string table_text(const std::vector<Row>& rows, std::chrono::steady_clock::time_point now,
                       std::size_t width, bool colours = false);

struct TableWindow {
  std::size_t width = 80;   ///< No line is wider.
  std::size_t height = 24;  ///< There are no more lines, but one at least.
  bool colours = false;
};

/// The lines of the same table as far as they fit: the worst first, how many are left out, the
/// sums. Takes time for the rows that are shown; the others are only counted.
std::vector<std::string> table_lines(const std::vector<Row>& rows,
                                     std::chrono::steady_clock::time_point now,
                                     const TableWindow& window);

}  // namespace health
