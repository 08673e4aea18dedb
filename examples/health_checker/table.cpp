#include "table.hpp"

#include "checkers/text.hpp"
#include "display.hpp"
#include "terminal.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace health {
namespace {

constexpr std::size_t state_column = 2;
using Cells = std::array<std::string, 6>;

// How urgent a row is to look at, 0 first.
constexpr std::size_t pending_rank = 3;
constexpr std::size_t ranks = 5;
constexpr std::size_t no_colour = ranks;
constexpr std::array<const char*, ranks> rank_names{"critical", "warning", "unknown", "not run yet",
                                                    "ok"};
constexpr std::array<const char*, ranks> rank_colours{red, yellow, magenta, dim, green};

std::size_t rank_of(const Row& row) noexcept {
  if (!row.state) return pending_rank;
  switch (*row.state) {
    case Status::critical:
      return 0;
    case Status::warning:
      return 1;
    case Status::unknown:
      return 2;
    case Status::ok:
      break;
  }
  return 4;
}

std::string coloured(const std::string& text, std::size_t rank, bool colours) {
  return colours ? rank_colours[rank] + text + colour_off : text;
}

Cells cells_of(const Row& row, std::chrono::steady_clock::time_point now) {
  constexpr std::size_t widest_name = 40;
  Cells cells{cut(printable(row.name), widest_name), row.type, state_text(row), "-", "-", "-"};
  if (row.state) {
    cells[3] = duration_text(now - row.when);
    cells[4] = duration_text(row.last.duration);
    cells[5] = printable(row.last.message);
  }
  return cells;
}

std::string join(const Cells& cells, const std::array<std::size_t, 6>& widths, std::size_t width,
                 std::size_t colour) {
  std::string line;
  std::size_t state_begin = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i == state_column) state_begin = line.size();
    line += cells[i];
    if (i + 1 < cells.size()) line.append(widths[i] - columns(cells[i]) + 2, ' ');
  }
  line = cut(line, width);
  // Not where the cut has gone through it.
  if (colour != no_colour &&
      line.compare(state_begin, cells[state_column].size(), cells[state_column]) == 0) {
    line.replace(state_begin, cells[state_column].size(),
                 coloured(cells[state_column], colour, true));
  }
  return line;
}

// The heading and the rows, aligned.
std::vector<std::string> aligned(const std::vector<const Row*>& rows,
                                 std::chrono::steady_clock::time_point now, std::size_t width,
                                 bool colours) {
  std::vector<Cells> table{{"NAME", "TYPE", "STATE", "AGE", "TOOK", "MESSAGE"}};
  for (const Row* const row : rows) table.push_back(cells_of(*row, now));
  std::array<std::size_t, 6> widths{};
  for (const Cells& cells : table) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      widths[i] = std::max(widths[i], columns(cells[i]));
    }
  }
  std::vector<std::string> lines{join(table[0], widths, width, no_colour)};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t colour = colours ? rank_of(*rows[i]) : no_colour;
    lines.push_back(join(table[i + 1], widths, width, colour));
  }
  return lines;
}

using Sums = std::array<std::size_t, ranks>;

// "1 critical, 2 ok": those that are not 0, in this order.
std::string sums_text(const Sums& sums, std::initializer_list<std::size_t> order, bool colours) {
  std::string text;
  for (const std::size_t rank : order) {
    if (sums[rank] == 0) continue;
    if (!text.empty()) text += ", ";
    text += coloured(std::to_string(sums[rank]) + " " + rank_names[rank], rank, colours);
  }
  return text;
}

std::string total_text(const Sums& sums, bool colours) {
  std::size_t total = 0;
  for (const std::size_t sum : sums) total += sum;
  std::string text = std::to_string(total) + (total == 1 ? " check: " : " checks: ");
  text += sums[4] != 0 ? coloured(std::to_string(sums[4]) + " ok", 4, colours) : "0 ok";
  const std::string others = sums_text(sums, {1, 0, 2, pending_rank}, colours);
  return others.empty() ? text : text + ", " + others;
}

}  // namespace

std::string table_text(const std::vector<Row>& rows, std::chrono::steady_clock::time_point now,
                       std::size_t width, bool colours) {
  std::vector<const Row*> all;
  Sums sums{};
  for (const Row& row : rows) {
    all.push_back(&row);
    ++sums[rank_of(row)];
  }
  std::string text;
  for (const std::string& line : aligned(all, now, std::max<std::size_t>(width, 60), colours)) {
    text += line + "\n";
  }
  return text + total_text(sums, colours) + "\n";
}

std::vector<std::string> table_lines(const std::vector<Row>& rows,
                                     std::chrono::steady_clock::time_point now,
                                     const TableWindow& window) {
  std::array<std::vector<const Row*>, ranks> ranked;
  Sums sums{};
  for (const Row& row : rows) {
    const std::size_t rank = rank_of(row);
    ++sums[rank];
    if (ranked[rank].size() < window.height) ranked[rank].push_back(&row);
  }

  // Besides the rows there are the heading, the sums, and what is left out, if anything is.
  std::size_t most = 0;
  if (window.height > 2) most = window.height - (rows.size() <= window.height - 2 ? 2 : 3);
  std::vector<const Row*> shown;
  Sums hidden = sums;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    for (const Row* const row : ranked[rank]) {
      if (shown.size() == most) break;
      shown.push_back(row);
      --hidden[rank];
    }
  }

  std::vector<std::string> lines;
  if (!shown.empty()) {
    lines = aligned(shown, now, window.width, window.colours);
    if (shown.size() < rows.size()) {
      const std::size_t count = rows.size() - shown.size();
      const std::string which =
          count == hidden[4] ? " ok" : ": " + sums_text(hidden, {0, 1, 2, 3, 4}, false);
      lines.push_back(cut("... and " + std::to_string(count) + " more" + which, window.width));
    }
  }
  const std::string total = total_text(sums, window.colours);
  const std::string plain = total_text(sums, false);
  lines.push_back(columns(plain) <= window.width ? total : cut(plain, window.width));
  return lines;
}

}  // namespace health
