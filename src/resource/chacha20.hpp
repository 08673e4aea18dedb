#pragma once
// chacha20_stream: many random bytes from few, by the block function of RFC 8439.

#include <string.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace rouse::detail {

using ChaCha20Key = std::array<std::uint32_t, 8>;

/// What chacha20_stream() makes at a time: four blocks of 64 bytes.
inline constexpr std::size_t chacha20_step = 256;

/// Fills `bytes`, whose size is a multiple of chacha20_step, with the blocks 0, 1, 2 … for a nonce
/// of zeros. Four blocks at a time lie word by word: the first word of each, then the second of
/// each, in the machine's byte order. So no byte of them is moved once it is computed.
inline void chacha20_stream(const ChaCha20Key& key, std::span<std::byte> bytes) noexcept {
  using Lanes [[gnu::vector_size(16)]] = std::uint32_t;  // a word of each block
  using State = std::array<Lanes, 16>;

  constexpr auto rotate = [](Lanes lanes, int bits) {
    return lanes << bits | lanes >> (32 - bits);
  };
  constexpr auto quarter_round = [=](State& s, std::size_t a, std::size_t b, std::size_t c,
                                     std::size_t d) {
    s[a] += s[b], s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d], s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b], s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d], s[b] = rotate(s[b] ^ s[c], 7);
  };

  State first{};
  const std::array<std::uint32_t, 4> constants{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  for (std::size_t i = 0; i < 4; ++i) first[i] = Lanes{} + constants[i];
  for (std::size_t i = 0; i < 8; ++i) first[4 + i] = Lanes{} + key[i];
  first[12] = Lanes{0, 1, 2, 3};

  for (; !bytes.empty(); bytes = bytes.subspan(chacha20_step)) {
    State state = first;
    for (int round = 0; round < 20; round += 2) {
      quarter_round(state, 0, 4, 8, 12);
      quarter_round(state, 1, 5, 9, 13);
      quarter_round(state, 2, 6, 10, 14);
      quarter_round(state, 3, 7, 11, 15);
      quarter_round(state, 0, 5, 10, 15);
      quarter_round(state, 1, 6, 11, 12);
      quarter_round(state, 2, 7, 8, 13);
      quarter_round(state, 3, 4, 9, 14);
    }
    for (std::size_t i = 0; i < state.size(); ++i) {
      const Lanes lanes = state[i] + first[i];
      std::memcpy(bytes.data() + i * sizeof lanes, &lanes, sizeof lanes);
    }
    first[12] += 4;
  }
  ::explicit_bzero(&first, sizeof first);
}

}  // namespace rouse::detail
