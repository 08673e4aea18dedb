#pragma once
// rouse with {fmt}: Id128 as an argument of fmt::format and of spdlog.
//
/// @code
///   const std::string line = fmt::format("request {}", rouse::Id128{1, 2});
///   // request 00000000000000010000000000000002
///   const std::string column = fmt::format("{:>40}", rouse::Id128{1, 2});
/// @endcode
//
// Needs {fmt} 9 or later, which the program finds itself: CMake's fmt::fmt. No other header of
// rouse asks for it, and rouse.hpp does not include this one. Thread safety: as fmt::format has it.
// Ordering: none.
// Lifetime: nothing is kept.

#include "rouse/resource/id128.hpp"

#include <fmt/format.h>

/// Writes to_hex(); fill, alignment, width and precision are those of a string.
template <>
struct fmt::formatter<rouse::Id128> : fmt::formatter<fmt::string_view> {
  template <class Context>
  auto format(const rouse::Id128& id, Context& context) const {
    char text[32];
    id.to_hex(text);
    return fmt::formatter<fmt::string_view>::format({text, sizeof text}, context);
  }
};
