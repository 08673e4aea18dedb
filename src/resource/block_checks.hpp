#pragma once
// What finds a use of a block after it was given back: a filling that a debug build looks at again,
// and the poison of AddressSanitizer.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace rouse::detail {

#if defined(ROUSE_CHECK_BUFFERS) || defined(__SANITIZE_ADDRESS__)
inline constexpr bool checks_blocks = true;
#else
inline constexpr bool checks_blocks = false;
#endif

inline void poison([[maybe_unused]] std::byte* memory, [[maybe_unused]] std::size_t size) noexcept {
#ifdef __SANITIZE_ADDRESS__
  __asan_poison_memory_region(memory, size);
#endif
}

inline void unpoison([[maybe_unused]] std::byte* memory,
                     [[maybe_unused]] std::size_t size) noexcept {
#ifdef __SANITIZE_ADDRESS__
  __asan_unpoison_memory_region(memory, size);
#endif
}

inline constexpr std::byte block_filling{0xDB};

/// Whether `block` has not been written to since it was filled. Pages that were given back to the
/// system meanwhile read as zeros.
inline bool is_untouched(const std::byte* block, std::size_t size, std::byte filling) noexcept {
  constexpr std::size_t page = 4096;
  while (size != 0) {
    const std::size_t within = reinterpret_cast<std::uintptr_t>(block) % page;
    const std::size_t part = std::min(size, page - within);
    const std::byte first = *block;
    if ((first != filling && first != std::byte{0}) ||
        std::memcmp(block, block + 1, part - 1) != 0) {
      return false;
    }
    block += part;
    size -= part;
  }
  return true;
}

}  // namespace rouse::detail
