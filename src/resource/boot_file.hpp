#pragma once
// The file in which generators of cycle ids count their boots. Design: docs/design/ids.md.

#include <cstdint>
#include <string>

namespace rouse::detail {

/// Adds one to the number in the file, modulo 65,536, durably, and returns the sum, which no other
/// process or thread gets. What it throws and when it blocks: CycleIdGenerator's constructor.
std::uint16_t take_boot_number(const std::string& path);

}  // namespace rouse::detail
