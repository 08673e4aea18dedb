#include "suggest.hpp"

#include "display.hpp"

#include <algorithm>
#include <vector>

namespace health {

std::size_t edit_distance(std::string_view from, std::string_view to) {
  // Three rows of the usual table: a swap looks back two.
  std::vector<std::size_t> before(to.size() + 1);
  std::vector<std::size_t> above(to.size() + 1);
  std::vector<std::size_t> row(to.size() + 1);
  for (std::size_t j = 0; j <= to.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before.swap(above);
    above.swap(row);
  }
  return above[to.size()];
}

std::string suggestion(std::string_view word, std::span<const std::string_view> candidates) {
  // Longer is no slip of the finger, and the table grows with the square.
  constexpr std::size_t longest = 64;
  if (word.size() > longest) return {};
  const std::string typed = lower(word);
  std::string_view nearest;
  std::size_t least = std::string_view::npos;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > longest) continue;
    const std::size_t distance = edit_distance(typed, lower(candidate));
    const std::size_t allowed = std::max<std::size_t>(1, candidate.size() / 3);
    // A word of which nothing is left is not meant: 'x' is not near 'ok'.
    if (distance <= allowed && distance < candidate.size() && distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  if (nearest.empty()) return {};
  return "; did you mean '" + printable(nearest) + "'?";
}

}  // namespace health
