#pragma once
// acquire: Permits for those who have no deadline.

#include "wait/permits.hpp"

#include <cstdint>
#include <stop_token>

namespace rouse::test {

inline constexpr detail::BlockSite permits_site{"Permits", 0};

inline detail::Acquired acquire(detail::Permits& permits, std::uint32_t n = 1,
                                const std::stop_token& stop = {}) {
  return permits.acquire(detail::Deadline::never(), stop, permits_site, n);
}

}  // namespace rouse::test
