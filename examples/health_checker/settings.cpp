#include "settings.hpp"

#include "display.hpp"
#include "suggest.hpp"
#include "units.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

namespace health {
namespace {

constexpr std::size_t longest_text = 4096;
constexpr std::size_t longest_list = 256;

std::string quoted(std::string_view text) {
  constexpr std::size_t shown = 64;  // a message is one line
  return "'" + cut(printable(text), shown) + "'";
}

// A value as the user sees it in the file.
std::string described(const toml::node& node) {
  if (const auto* text = node.as_string()) return health::quoted(text->get());
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  if (node.is_floating_point()) return "a floating-point number";
  if (node.is_array()) return "an array";
  if (node.is_table()) return "a table";
  return "a date or time";
}

std::string exact_number(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return {text, end};
}

template <class Value, class Show>
std::string between(const Value& least, const Value& most, Show show) {
  return "between " + show(least) + " and " + show(most);
}

std::optional<std::chrono::milliseconds> duration_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return parse_duration(text->get());
  if (const auto* seconds = node.as_integer()) {
    std::int64_t ms = 0;
    if (__builtin_mul_overflow(seconds->get(), std::int64_t{1000}, &ms)) return std::nullopt;
    return std::chrono::milliseconds(ms);
  }
  if (const auto* seconds = node.as_floating_point()) {
    const double ms = std::round(seconds->get() * 1000);
    // Also false for what is not a number.
    if (!(std::abs(ms) < 1e15)) return std::nullopt;
    return std::chrono::milliseconds(static_cast<std::int64_t>(ms));
  }
  return std::nullopt;
}

}  // namespace

std::string ConfigError::to_string() const {
  std::string text = file;
  if (line != 0) text += ":" + std::to_string(line) + ":" + std::to_string(column);
  return printable(text + ": " + message);
}

Settings::Settings(const toml::table& table, std::string what, std::string file,
                   std::vector<ConfigError>& errors)
    : table_(table), what_(std::move(what)), file_(std::move(file)), errors_(errors) {}

bool Settings::has(std::string_view key) const { return table_.contains(key); }

const toml::node* Settings::find(std::string_view key) {
  if (std::ranges::find(known_, key) == known_.end()) known_.emplace_back(key);
  return table_.get(key);
}

void Settings::error_from(const toml::source_region& where, const std::string& message) {
  errors_.push_back({file_, where.begin.line, where.begin.column,
                     what_.empty() ? message : what_ + ": " + message});
}

void Settings::error_at(std::string_view key, const std::string& message) {
  const toml::node* const node = table_.get(key);
  error_from(node != nullptr ? node->source() : table_.source(), message);
}

void Settings::wrong(std::string_view key, const toml::node& node, std::string_view must_be) {
  error_from(node.source(),
             quoted(key) + " must be " + std::string(must_be) + ", but is " + described(node));
}

void Settings::error_within(const ListedText& entry, std::size_t offset,
                            const std::string& message) {
  const std::string_view text = entry.text;
  const auto before = static_cast<std::uint32_t>(columns(text.substr(0, offset)));
  toml::source_region where = entry.node->source();
  // Between two quotes, and with escapes it would be longer.
  const bool as_it_is = where.begin.line == where.end.line &&
                        where.end.column - where.begin.column == columns(text) + 2;
  if (!as_it_is) {
    error_from(where, message + " (at character " + std::to_string(before + 1) + " of it)");
    return;
  }
  where.begin.column += 1 + before;
  error_from(where, message);
}

std::optional<std::string> Settings::checked_text(std::string_view key, const toml::node& node) {
  const auto* const text = node.as_string();
  if (text == nullptr) {
    wrong(key, node, "a string");
    return std::nullopt;
  }
  if (text->get().size() > longest_text) {
    error_from(node.source(),
               quoted(key) + " is longer than " + std::to_string(longest_text) + " bytes");
    return std::nullopt;
  }
  // Where a path or an argument goes to the kernel, it would end there in silence.
  if (text->get().find('\0') != std::string::npos) {
    error_from(node.source(), quoted(key) + " must not hold a NUL character");
    return std::nullopt;
  }
  return text->get();
}

std::string Settings::text(std::string_view key, std::string fallback) {
  const toml::node* const node = find(key);
  if (node == nullptr) return fallback;
  return checked_text(key, *node).value_or(std::move(fallback));
}

std::string Settings::required_text(std::string_view key) {
  const toml::node* const node = find(key);
  if (node == nullptr) {
    error_at(key, quoted(key) + " is missing");
    return {};
  }
  std::optional<std::string> text = checked_text(key, *node);
  if (text && text->empty()) error_at(key, quoted(key) + " must not be empty");
  return std::move(text).value_or("");
}

std::string Settings::choice(std::string_view key,
                             std::initializer_list<std::string_view> choices) {
  std::string fallback(*choices.begin());
  const toml::node* const node = find(key);
  if (node == nullptr) return fallback;
  const std::optional<std::string> text = checked_text(key, *node);
  if (!text) return fallback;
  if (std::ranges::find(choices, *text) != choices.end()) return *text;
  std::string all;
  for (const std::string_view one : choices) {
    all += (all.empty() ? "" : ", ") + quoted(one);
  }
  wrong(key, *node, "one of " + all);
  return fallback;
}

std::vector<Settings::ListedText> Settings::listed_texts(std::string_view key) {
  const toml::node* const node = find(key);
  if (node == nullptr) return {};
  const toml::array* const array = node->as_array();
  if (array == nullptr) {
    wrong(key, *node, "an array of strings");
    return {};
  }
  if (array->size() > longest_list) {
    error_at(key, quoted(key) + " has more than " + std::to_string(longest_list) + " entries");
    return {};
  }
  std::vector<ListedText> list;
  for (const toml::node& entry : *array) {
    if (!entry.is_string()) {
      wrong(key, entry, "an array of strings; this entry");
      continue;
    }
    if (auto text = checked_text(key, entry)) list.push_back({*std::move(text), &entry});
  }
  return list;
}

std::vector<std::string> Settings::text_list(std::string_view key) {
  std::vector<std::string> list;
  for (ListedText& entry : listed_texts(key)) list.push_back(std::move(entry.text));
  return list;
}

std::int64_t Settings::integer(std::string_view key, std::int64_t fallback, std::int64_t least,
                               std::int64_t most) {
  const toml::node* const node = find(key);
  if (node == nullptr) return fallback;
  const auto* const value = node->as_integer();
  if (value != nullptr && value->get() >= least && value->get() <= most) return value->get();
  const auto show = [](std::int64_t number) { return std::to_string(number); };
  wrong(key, *node, "an integer " + between(least, most, show));
  return fallback;
}

std::int64_t Settings::required_integer(std::string_view key, std::int64_t least,
                                        std::int64_t most) {
  if (!has(key)) error_at(key, quoted(key) + " is missing");
  return integer(key, least, least, most);
}

double Settings::number(std::string_view key, double fallback, double least, double most) {
  const toml::node* const node = find(key);
  if (node == nullptr) return fallback;
  double value = std::numeric_limits<double>::quiet_NaN();
  if (const auto* real = node->as_floating_point()) value = real->get();
  if (const auto* whole = node->as_integer()) value = static_cast<double>(whole->get());
  if (value >= least && value <= most) return value;
  wrong(key, *node, "a number " + between(least, most, exact_number));
  return fallback;
}

bool Settings::flag(std::string_view key, bool fallback) {
  const toml::node* const node = find(key);
  if (node == nullptr) return fallback;
  if (const auto* const value = node->as_boolean()) return value->get();
  wrong(key, *node, "true or false");
  return fallback;
}

std::optional<std::chrono::milliseconds> Settings::optional_duration(
    std::string_view key, std::chrono::milliseconds least, std::chrono::milliseconds most) {
  const toml::node* const node = find(key);
  if (node == nullptr) return std::nullopt;
  const std::optional<std::chrono::milliseconds> value = duration_of(*node);
  if (value && *value >= least && *value <= most) return value;
  wrong(key, *node,
        "a duration " + between(least, most, exact_text) +
            " (\"500ms\", \"10s\", \"5m\", \"1h\", "
            "\"1d\", or a number of seconds)");
  return std::nullopt;
}

std::chrono::milliseconds Settings::duration(std::string_view key,
                                             std::chrono::milliseconds fallback,
                                             std::chrono::milliseconds least,
                                             std::chrono::milliseconds most) {
  return optional_duration(key, least, most).value_or(fallback);
}

std::optional<std::uint64_t> Settings::optional_bytes(std::string_view key) {
  const toml::node* const node = find(key);
  if (node == nullptr) return std::nullopt;
  if (const auto* const count = node->as_integer(); count != nullptr && count->get() >= 0) {
    return static_cast<std::uint64_t>(count->get());
  }
  if (const auto* const text = node->as_string()) {
    if (const auto bytes = parse_bytes(text->get())) return bytes;
  }
  wrong(key, *node, "a size (\"4k\", \"10MiB\", \"1GB\", or a number of bytes)");
  return std::nullopt;
}

double Settings::percent(std::string_view key, double fallback) {
  const toml::node* const node = find(key);
  if (node == nullptr) return fallback;
  if (const auto* const text = node->as_string()) {
    if (const auto share = parse_percent(text->get())) return *share;
  } else if (node->is_number()) {
    return number(key, fallback, 0, 100);
  }
  wrong(key, *node, "a share between 0% and 100% (\"90%\", or a number of per cent)");
  return fallback;
}

void Settings::report_unknown_keys(std::initializer_list<std::string_view> also_known) {
  std::vector<std::string_view> known(known_.begin(), known_.end());
  known.insert(known.end(), also_known.begin(), also_known.end());
  for (const auto& [key, value] : table_) {
    if (std::ranges::find(known, key.str()) != known.end()) continue;
    // A key that is there already is not the one that was mistyped.
    std::vector<std::string_view> missing;
    std::ranges::copy_if(known, std::back_inserter(missing),
                         [&](std::string_view other) { return !has(other); });
    error_from(key.source(), "unknown key " + quoted(key.str()) + suggestion(key.str(), missing));
  }
}

}  // namespace health
