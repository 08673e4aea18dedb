#pragma once
// Suggest: what somebody who mistyped a word may have meant.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace health {

/// How many letters must be inserted, removed, replaced, or swapped with their neighbour, to make
/// `to` of `from` (optimal string alignment).
std::size_t edit_distance(std::string_view from, std::string_view to);

/// "; did you mean 'period'?" for the candidate nearest to `word`, whatever the case of its
/// letters. Empty if none is near enough to be meant: one mistake in three letters.
std::string suggestion(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace health
