#include "checkers/perfdata.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>

namespace health {
namespace {

constexpr std::size_t most_figures = 64;
constexpr std::string_view blank = " \t\r";

/// Takes `label=` or `'it''s a label'=` from the front of `text`.
std::optional<std::string> take_label(std::string_view& text) {
  std::string label;
  if (text.front() != '\'') {
    const std::size_t end = text.find_first_of("= \t\r");
    if (end == std::string_view::npos || text[end] != '=') return std::nullopt;
    label = text.substr(0, end);
    text.remove_prefix(end + 1);
    return label;
  }
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] != '\'') {
      label += text[i];
    } else if (text.substr(i, 2) == "''") {
      label += text[i++];
    } else if (text.substr(i, 2) == "'=") {
      text.remove_prefix(i + 2);
      return label;
    } else {
      break;
    }
  }
  return std::nullopt;
}

/// "12.5MB;20;30": the value and its unit. "U" (not known) is none.
std::optional<Figure> parse_value(std::string name, std::string_view text) {
  text = text.substr(0, text.find(';'));
  if (text.starts_with('+')) text.remove_prefix(1);
  Figure figure;
  figure.name = std::move(name);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), figure.value);
  if (error != std::errc{} || !std::isfinite(figure.value)) return std::nullopt;
  figure.unit = std::string(end, text.data() + text.size());
  return figure;
}

}  // namespace

std::vector<Figure> parse_perfdata(std::string_view text) {
  std::vector<Figure> figures;
  while (figures.size() < most_figures) {
    const std::size_t begin = text.find_first_not_of(blank);
    if (begin == std::string_view::npos) break;
    text.remove_prefix(begin);
    std::optional<std::string> label = take_label(text);
    const std::size_t end = std::min(text.find_first_of(blank), text.size());
    if (label) {
      if (auto figure = parse_value(std::move(*label), text.substr(0, end))) {
        figures.push_back(std::move(*figure));
      }
    }
    text.remove_prefix(end);
  }
  return figures;
}

}  // namespace health
