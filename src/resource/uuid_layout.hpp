#pragma once
// Where the fields of UUIDs lie: RFC 9562, sections 5.4 and 5.7.

#include "rouse/resource/id128.hpp"

#include <cstdint>

namespace rouse::detail {

/// Version 4: but for version and variant, what it is given.
constexpr Id128 uuid4_of(Id128 random) noexcept {
  return {(random.high & ~std::uint64_t{0xF000}) | 0x4000,
          random.low << 2 >> 2 | std::uint64_t{1} << 63};
}

/// Time as uuid7_of() takes it: milliseconds since 1970, and 20 bits of their fraction.
inline constexpr int uuid7_fraction_bits = 20;

constexpr std::uint64_t uuid7_time(std::int64_t calendar_ns) noexcept {
  if (calendar_ns < 0) return 0;
  const auto ns = static_cast<std::uint64_t>(calendar_ns);
  constexpr std::uint64_t ns_per_ms = 1'000'000;
  return (ns / ns_per_ms << uuid7_fraction_bits) +
         (ns % ns_per_ms << uuid7_fraction_bits) / ns_per_ms;
}

/// Version 7: the milliseconds, the upper 12 bits of the fraction as rand_a, the lower 8 and then
/// 54 bits of `random` as rand_b.
constexpr Id128 uuid7_of(std::uint64_t time, std::uint64_t random) noexcept {
  return {time >> uuid7_fraction_bits << 16 | 0x7000 | (time >> 8 & 0xFFF),
          std::uint64_t{1} << 63 | (time & 0xFF) << 54 | random << 10 >> 10};
}

}  // namespace rouse::detail
