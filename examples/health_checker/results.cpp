#include "results.hpp"

#include "checkers/grade.hpp"
#include "checkers/text.hpp"
#include "display.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace health {

void Results::add(std::string name, std::string type) {
  const std::lock_guard lock(mutex_);
  index_.emplace(name, rows_.size());
  rows_.push_back({std::move(name), std::move(type), std::nullopt, {}, {}});
}

void Results::update(std::string_view name, Status state, CheckResult last) {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  Row& row = rows_[index_.at(std::string(name))];
  row.state = state;
  row.last = std::move(last);
  row.when = now;
}

std::vector<Row> Results::rows() const {
  const std::lock_guard lock(mutex_);
  return rows_;
}

std::string state_text(const Row& row) {
  if (!row.state) return "-";
  const std::string state = to_string(*row.state);
  if (*row.state == row.last.status) return state;
  return state + " (now " + to_string(row.last.status) + ")";
}

std::string table_text(const std::vector<Row>& rows, std::chrono::steady_clock::time_point now,
                       std::size_t width) {
  constexpr std::size_t widest_name = 40;
  constexpr std::size_t count = 6;
  using Line = std::array<std::string, count>;
  std::vector<Line> lines{{"NAME", "TYPE", "STATE", "AGE", "TOOK", "MESSAGE"}};
  for (const Row& row : rows) {
    Line line{cut(printable(row.name), widest_name), row.type, state_text(row), "-", "-", "-"};
    if (row.state) {
      line[3] = duration_text(now - row.when);
      line[4] = duration_text(row.last.duration);
      line[5] = printable(row.last.message);
    }
    lines.push_back(std::move(line));
  }

  std::array<std::size_t, count> widths{};
  for (const Line& line : lines) {
    for (std::size_t i = 0; i < count; ++i) widths[i] = std::max(widths[i], columns(line[i]));
  }

  std::string text;
  for (const Line& line : lines) {
    std::string shown;
    for (std::size_t i = 0; i < count; ++i) {
      shown += line[i];
      if (i + 1 < count) shown.append(widths[i] - columns(line[i]) + 2, ' ');
    }
    text += cut(shown, std::max<std::size_t>(width, 60)) + "\n";
  }

  std::array<std::size_t, 4> sums{};
  std::size_t pending = 0;
  for (const Row& row : rows) {
    if (row.state) {
      ++sums[static_cast<std::size_t>(*row.state)];
    } else {
      ++pending;
    }
  }
  text += std::to_string(rows.size()) + (rows.size() == 1 ? " check: " : " checks: ");
  text += std::to_string(sums[0]) + " ok";
  for (const Status status : {Status::warning, Status::critical, Status::unknown}) {
    const std::size_t sum = sums[static_cast<std::size_t>(status)];
    if (sum != 0) text += ", " + std::to_string(sum) + " " + to_string(status);
  }
  if (pending != 0) text += ", " + std::to_string(pending) + " not run yet";
  return text + "\n";
}

Status worst(const std::vector<Row>& rows) noexcept {
  Status status = Status::ok;
  for (const Row& row : rows) status = worse(status, row.state.value_or(Status::unknown));
  return status;
}

}  // namespace health
