#pragma once
// Config file: reads its text, and refuses what could hurt whoever parses it.

#include "settings.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace health {

inline constexpr std::size_t largest_config = std::size_t{8} << 20;

/// The text of the regular file `path`, of at most `largest_config` bytes. Empty, with an error
/// recorded, if there is none or it cannot be read. Never blocks on a FIFO or a device.
std::optional<std::string> read_config_file(const std::string& path,
                                            std::vector<ConfigError>& errors);

/// Finds where tables and arrays in `text`, TOML, are nested deeper than any configuration needs.
/// A parser that follows a.a.a.a... and its destructors use up the stack.
std::optional<ConfigError> find_deep_nesting(std::string_view text, const std::string& file);

}  // namespace health
