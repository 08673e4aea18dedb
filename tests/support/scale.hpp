#pragma once
// How much a test may do: less where a sanitizer slows it down, more by ROUSE_TEST_SCALE.

#include <algorithm>
#include <cstdlib>

namespace rouse::test {

#if defined(__SANITIZE_THREAD__)
inline constexpr bool under_tsan = true;
#else
inline constexpr bool under_tsan = false;
#endif
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool under_asan = true;
#else
inline constexpr bool under_asan = false;
#endif
inline constexpr bool under_sanitizer = under_tsan || under_asan;

/// `plain` rounds, a tenth of it under TSan and a third under ASan, times ROUSE_TEST_SCALE.
inline int rounds(int plain) {
  const char* const text = std::getenv("ROUSE_TEST_SCALE");
  const double scale = text != nullptr ? std::strtod(text, nullptr) : 1.0;
  const double share = under_tsan ? 0.1 : under_asan ? 0.34 : 1.0;
  return std::max(1, static_cast<int>(plain * share * (scale > 0 ? scale : 1.0)));
}

}  // namespace rouse::test
