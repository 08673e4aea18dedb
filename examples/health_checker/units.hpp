#pragma once
// Units: durations and sizes as people write them. Strict: what does not fit exactly is no value.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace health {

/// "500ms", "10s", "5m", "1h", "1d"; a whole number and a unit, nothing else. Empty also if it does
/// not fit.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) noexcept;

/// "4096", "4096B", "4k", "4K", "4KiB" (1024 each), "4kB", "4KB" (1000 each), and so on with M, G
/// and T. Empty also if it does not fit.
std::optional<std::uint64_t> parse_bytes(std::string_view text) noexcept;

/// "90%", "99.5%". Empty if it is not in [0, 100].
std::optional<double> parse_percent(std::string_view text) noexcept;

}  // namespace health
