#pragma once
// What the tests of BufferPool put into buffers and look for.

#include "rouse/resource/buffer.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace rouse::test {

/// Bytes that differ from those of another seed, and from each other at any short distance.
inline std::vector<std::byte> some_bytes(std::size_t size, std::uint32_t seed = 1) {
  std::vector<std::byte> bytes(size);
  std::uint32_t state = seed * 2'654'435'761U + 1;
  for (std::byte& byte : bytes) {
    state = state * 1'664'525U + 1'013'904'223U;
    byte = static_cast<std::byte>(state >> 24);
  }
  return bytes;
}

/// What lies in the pieces of a range, one behind the other.
template <class Byte>
std::vector<std::byte> joined(const BufferRange<Byte>& range) {
  std::vector<std::byte> bytes;
  for (const std::span<const std::byte> piece : range) {
    bytes.insert(bytes.end(), piece.begin(), piece.end());
  }
  return bytes;
}

inline std::vector<std::byte> content_of(const Buffer& buffer) { return joined(buffer.content()); }

inline std::string text_of(const Buffer& buffer) {
  std::string text(buffer.size(), '\0');
  (void)buffer.copy_to(std::as_writable_bytes(std::span(text)));
  return text;
}

/// Writes into each word of the buffer's blocks what no other `mark` writes there.
inline void put_mark(Buffer& buffer, std::uint64_t mark) {
  std::uint64_t place = 0;
  for (const std::span<std::byte> piece : buffer.blocks()) {
    auto* const words = reinterpret_cast<std::uint64_t*>(piece.data());
    for (std::size_t i = 0; i < piece.size() / sizeof *words; ++i) words[i] = mark ^ place++ << 40;
  }
}

inline bool has_mark(Buffer& buffer, std::uint64_t mark) {
  std::uint64_t place = 0;
  for (const std::span<std::byte> piece : buffer.blocks()) {
    const auto* const words = reinterpret_cast<const std::uint64_t*>(piece.data());
    for (std::size_t i = 0; i < piece.size() / sizeof *words; ++i) {
      if (words[i] != (mark ^ place++ << 40)) return false;
    }
  }
  return true;
}

}  // namespace rouse::test
