#include "units.hpp"

#include <charconv>
#include <limits>
#include <system_error>

namespace health {
namespace {

template <class Number>
struct Split {
  Number number{};
  std::string_view unit;
};

// A number without a sign, and what follows it.
template <class Number>
std::optional<Split<Number>> split(std::string_view text) noexcept {
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  Split<Number> result;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, result.number);
  if (error != std::errc{}) return std::nullopt;
  result.unit = std::string_view(rest, static_cast<std::size_t>(end - rest));
  return result;
}

template <class Number>
struct Unit {
  std::string_view name;
  Number factor;
};

template <class Number, std::size_t size>
std::optional<Number> parse(std::string_view text, const Unit<Number> (&units)[size]) noexcept {
  const auto parts = split<Number>(text);
  if (!parts) return std::nullopt;
  for (const Unit<Number>& unit : units) {
    if (parts->unit != unit.name) continue;
    if (parts->number > std::numeric_limits<Number>::max() / unit.factor) return std::nullopt;
    return parts->number * unit.factor;
  }
  return std::nullopt;
}

constexpr Unit<std::int64_t> durations[] = {
    {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};

constexpr std::uint64_t one = 1;
constexpr Unit<std::uint64_t> sizes[] = {
    {"", one},        {"B", one},  //
    {"k", one << 10}, {"K", one << 10},   {"KiB", one << 10},
    {"kB", 1'000},    {"KB", 1'000},  //
    {"M", one << 20}, {"MiB", one << 20}, {"MB", 1'000'000},
    {"G", one << 30}, {"GiB", one << 30}, {"GB", 1'000'000'000},
    {"T", one << 40}, {"TiB", one << 40}, {"TB", 1'000'000'000'000}};

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) noexcept {
  const auto count = parse(text, durations);
  if (!count) return std::nullopt;
  return std::chrono::milliseconds(*count);
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) noexcept {
  return parse(text, sizes);
}

std::optional<double> parse_percent(std::string_view text) noexcept {
  const auto parts = split<double>(text);
  if (!parts || parts->unit != "%" || parts->number > 100) return std::nullopt;
  return parts->number;
}

}  // namespace health
