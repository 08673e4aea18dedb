#pragma once
// Id128: an id of 128 bits, as a value, as 32 hexadecimal digits, as a UUID, as 16 bytes.
//
/// @code
///   const rouse::Id128 id = rouse::Id128::from_hex("0123456789abcdeffedcba9876543210");
///   std::cout << id << '\n';            // 0123456789abcdeffedcba9876543210
///   std::cout << id.to_uuid() << '\n';  // 01234567-89ab-cdef-fedc-ba9876543210
///   std::map<rouse::Id128, std::string> names{{id, "first"}};
///
///   try {
///     (void)rouse::Id128::from_uuid("01234567-89ab-cdef-fedc-ba987654321");
///   } catch (const std::invalid_argument& error) {
///     std::cout << error.what() << '\n';  // says which character is wrong, or missing
///   }
/// @endcode
//
// Where ids come from: resource/ids.hpp. With {fmt}: rouse/fmt.hpp.
// Thread safety: a value, as an integer is.
// Ordering: none.
// Lifetime: a value.
// Cost: 16 bytes. Conversions take some nanoseconds, and memory only where a std::string is
// returned.

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>

namespace rouse {
namespace detail {

/// Throws std::invalid_argument that says what is wrong with `text`, the argument of `function`:
/// its length if it is not `length`, otherwise the character at `index`, which should be
/// `expected`.
[[noreturn, gnu::visibility("default")]] void throw_bad_id(const char* function,
                                                           std::string_view text,
                                                           std::size_t length, std::size_t index,
                                                           const char* expected);

}  // namespace detail

struct Id128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  /// As the number high * 2^64 + low; so are the texts and the bytes, compared from the left.
  friend constexpr auto operator<=>(const Id128&, const Id128&) noexcept = default;

  /// 32 lower-case digits. Throws std::bad_alloc.
  [[nodiscard]] std::string to_hex() const {
    std::string text(hex_length_, '\0');
    to_hex(std::span<char, hex_length_>(text.data(), hex_length_));
    return text;
  }
  /// The same into `text`, without a zero at the end.
  constexpr void to_hex(std::span<char, 32> text) const noexcept {
    for (std::size_t i = 0; i < hex_length_; ++i) text[i] = digit(i);
  }

  /// 36 characters, grouped as 8-4-4-4-12 lower-case digits. Throws std::bad_alloc.
  [[nodiscard]] std::string to_uuid() const {
    std::string text(uuid_length_, '\0');
    to_uuid(std::span<char, uuid_length_>(text.data(), uuid_length_));
    return text;
  }
  /// The same into `text`, without a zero at the end.
  constexpr void to_uuid(std::span<char, 36> text) const noexcept {
    for (std::size_t i = 0, next = 0; i < uuid_length_; ++i) {
      text[i] = is_hyphen(i) ? '-' : digit(next++);
    }
  }

  /// The most significant byte first, as UUIDs are sent and stored.
  [[nodiscard]] constexpr std::array<std::byte, 16> bytes() const noexcept {
    std::array<std::byte, 16> result{};
    for (std::size_t i = 0; i < 8; ++i) {
      result[i] = static_cast<std::byte>(high >> (56 - 8 * i) & 0xFF);
      result[8 + i] = static_cast<std::byte>(low >> (56 - 8 * i) & 0xFF);
    }
    return result;
  }

  /// Takes 32 digits of either case and nothing else. Otherwise throws std::invalid_argument, whose
  /// message names the character and its position, counted from 1.
  [[nodiscard]] static constexpr Id128 from_hex(std::string_view text) {
    constexpr const char* function = "Id128::from_hex";
    if (text.size() != hex_length_) detail::throw_bad_id(function, text, hex_length_, 0, "");
    Id128 id;
    for (std::size_t i = 0; i < hex_length_; ++i) id.append_digit(function, text, i);
    return id;
  }

  /// Takes 36 characters as to_uuid() gives them, of either case, whatever version and variant they
  /// tell; no braces, no "urn:uuid:". Otherwise throws as from_hex() does.
  [[nodiscard]] static constexpr Id128 from_uuid(std::string_view text) {
    constexpr const char* function = "Id128::from_uuid";
    if (text.size() != uuid_length_) detail::throw_bad_id(function, text, uuid_length_, 0, "");
    Id128 id;
    for (std::size_t i = 0; i < uuid_length_; ++i) {
      if (!is_hyphen(i)) {
        id.append_digit(function, text, i);
      } else if (text[i] != '-') {
        detail::throw_bad_id(function, text, uuid_length_, i, "a hyphen");
      }
    }
    return id;
  }

  /// The inverse of bytes().
  [[nodiscard]] static constexpr Id128 from_bytes(std::span<const std::byte, 16> bytes) noexcept {
    Id128 id;
    for (std::size_t i = 0; i < 8; ++i) {
      id.high = id.high << 8 | std::to_integer<std::uint64_t>(bytes[i]);
      id.low = id.low << 8 | std::to_integer<std::uint64_t>(bytes[8 + i]);
    }
    return id;
  }

 private:
  static constexpr std::size_t hex_length_ = 32;
  static constexpr std::size_t uuid_length_ = 36;

  static constexpr bool is_hyphen(std::size_t i) noexcept {
    return i == 8 || i == 13 || i == 18 || i == 23;
  }

  // Number i from the left.
  [[nodiscard]] constexpr char digit(std::size_t i) const noexcept {
    const std::uint64_t half = i < 16 ? high : low;
    return "0123456789abcdef"[half >> (60 - 4 * (i % 16)) & 0xF];
  }

  constexpr void append_digit(const char* function, std::string_view text, std::size_t i) {
    const char c = text[i];
    std::uint64_t value = 0;
    if (c >= '0' && c <= '9') {
      value = static_cast<std::uint64_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      value = static_cast<std::uint64_t>(c - 'a') + 10;
    } else if (c >= 'A' && c <= 'F') {
      value = static_cast<std::uint64_t>(c - 'A') + 10;
    } else {
      detail::throw_bad_id(function, text, text.size(), i, "a hexadecimal digit");
    }
    high = high << 4 | low >> 60;
    low = low << 4 | value;
  }
};

/// Writes to_hex(), padded to the stream's width.
[[gnu::visibility("default")]] std::ostream& operator<<(std::ostream& stream, const Id128& id);

}  // namespace rouse

/// All bits count, so that any table will do. Not against keys that somebody chose to collide.
template <>
struct std::hash<rouse::Id128> {
  [[nodiscard]] std::size_t operator()(const rouse::Id128& id) const noexcept {
    // What splitmix64 ends with: each step can be undone, so nothing is lost.
    std::uint64_t x = id.low ^ id.high * 0x9E3779B97F4A7C15;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
    x = (x ^ x >> 27) * 0x94D049BB133111EB;
    return static_cast<std::size_t>(x ^ x >> 31);
  }
};
