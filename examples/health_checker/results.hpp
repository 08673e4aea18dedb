#pragma once
// Results: what is known of every check, and a table of it for people.
//
// Thread safety: add() before the threads start; then update() and rows() from any thread.

#include "base_checker.hpp"

#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace health {

struct Row {
  std::string name = {};
  std::string type = {};
  std::optional<Status> state = {};  ///< Empty: it has not run yet.
  CheckResult last = {};
  std::chrono::steady_clock::time_point when = {};  ///< Of the last result.
};

class Results {
 public:
  void add(std::string name, std::string type);

  /// The name must have been added.
  void update(std::string_view name, Status state, CheckResult last);

  /// In the order they were added.
  [[nodiscard]] std::vector<Row> rows() const;

 private:
  mutable std::mutex mutex_;
  std::vector<Row> rows_;
  std::unordered_map<std::string, std::size_t> index_;
};

/// The rows with aligned columns, no line wider than `width` (but at least 60), and a line with the
/// sums. What comes from outside is printable in it.
std::string table_text(const std::vector<Row>& rows, std::chrono::steady_clock::time_point now,
                       std::size_t width);

/// "ok", or "warning (now ok)" where the last result is not the state.
std::string state_text(const Row& row);

/// The worst state of all: critical, then warning, then unknown. A row without a result is unknown.
Status worst(const std::vector<Row>& rows) noexcept;

}  // namespace health
