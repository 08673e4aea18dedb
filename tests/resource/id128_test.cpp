// Id128: order, texts, bytes, hash, and what is refused.

#include "rouse/resource/id128.hpp"

#include "rouse/fmt.hpp"

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iomanip>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <fmt/compile.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using rouse::Id128;

constexpr Id128 example{0x0123456789ABCDEF, 0xFEDCBA9876543210};
constexpr std::string_view example_hex = "0123456789abcdeffedcba9876543210";
constexpr std::string_view example_uuid = "01234567-89ab-cdef-fedc-ba9876543210";

// Usable where constants are.
static_assert(Id128::from_hex(example_hex) == example);
static_assert(Id128::from_uuid(example_uuid) == example);
static_assert(Id128::from_bytes(example.bytes()) == example);
static_assert(Id128{} == Id128{0, 0} && Id128{0, 1} > Id128{});
static_assert(std::is_trivially_copyable_v<Id128> && sizeof(Id128) == 16);

std::vector<Id128> some_ids() {
  std::vector<Id128> ids{{0, 0}, {0, 1}, {1, 0}, {0, UINT64_MAX}, {UINT64_MAX, UINT64_MAX}};
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; ++i) ids.push_back({random() >> i % 64, random() >> i % 61});
  return ids;
}

template <class Parse>
std::string refusal(Parse parse, std::string_view text) {
  try {
    (void)parse(text);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Id128, IsWrittenAsDigitsAndAsUuid) {
  EXPECT_EQ(example.to_hex(), example_hex);
  EXPECT_EQ(example.to_uuid(), example_uuid);
  EXPECT_EQ(Id128{}.to_hex(), std::string(32, '0'));
  EXPECT_EQ(Id128{}.to_uuid(), "00000000-0000-0000-0000-000000000000");
}

TEST(Id128, IsWrittenIntoMemoryOfTheCallerAndNoFurther) {
  std::array<char, 38> text;
  text.fill('x');
  example.to_hex(std::span(text).subspan<1, 32>());
  EXPECT_EQ(std::string_view(text.data(), 34), "x" + std::string(example_hex) + "x");
  text.fill('x');
  example.to_uuid(std::span(text).subspan<1, 36>());
  EXPECT_EQ(std::string_view(text.data(), 38), "x" + std::string(example_uuid) + "x");
}

TEST(Id128, ComesBackFromEachForm) {
  for (const Id128& id : some_ids()) {
    EXPECT_EQ(Id128::from_hex(id.to_hex()), id);
    EXPECT_EQ(Id128::from_uuid(id.to_uuid()), id);
    EXPECT_EQ(Id128::from_bytes(id.bytes()), id);
  }
}

TEST(Id128, IsReadInEitherCase) {
  EXPECT_EQ(Id128::from_hex("0123456789ABCDEFfedcba9876543210"), example);
  EXPECT_EQ(Id128::from_uuid("01234567-89AB-cdef-FEDC-ba9876543210"), example);
}

TEST(Id128, HasItsMostSignificantByteFirst) {
  const auto bytes = example.bytes();
  EXPECT_EQ(bytes[0], std::byte{0x01});
  EXPECT_EQ(bytes[7], std::byte{0xEF});
  EXPECT_EQ(bytes[8], std::byte{0xFE});
  EXPECT_EQ(bytes[15], std::byte{0x10});
}

TEST(Id128, NamesTheCharacterThatIsNoDigit) {
  const auto parse = [](std::string_view text) { return Id128::from_hex(text); };
  // Each neighbour of a digit in ASCII, and what makes logs unreadable.
  for (const char c : {'/', ':', '@', 'G', '`', 'g', ' ', '-', 'x'}) {
    for (std::size_t i = 0; i < example_hex.size(); ++i) {
      std::string text(example_hex);
      text[i] = c;
      EXPECT_EQ(refusal(parse, text), "Id128::from_hex: '" + std::string(1, c) + "' at position " +
                                          std::to_string(i + 1) +
                                          " instead of a hexadecimal digit");
    }
  }
  EXPECT_EQ(refusal(parse, std::string(example_hex.substr(1)) + '\n'),
            "Id128::from_hex: '\\x0a' at position 32 instead of a hexadecimal digit");
  EXPECT_EQ(refusal(parse, std::string(1, '\0') + std::string(example_hex.substr(1))),
            "Id128::from_hex: '\\x00' at position 1 instead of a hexadecimal digit");
  EXPECT_EQ(refusal(parse, "\xC3\xA4" + std::string(example_hex.substr(2))),
            "Id128::from_hex: byte 195 at position 1 instead of a hexadecimal digit");
}

TEST(Id128, RefusesTextsOfAnotherLength) {
  const auto hex = [](std::string_view text) { return Id128::from_hex(text); };
  const auto uuid = [](std::string_view text) { return Id128::from_uuid(text); };
  EXPECT_EQ(refusal(hex, ""), "Id128::from_hex: 0 characters instead of 32");
  EXPECT_EQ(refusal(hex, example_hex.substr(1)), "Id128::from_hex: 31 characters instead of 32");
  EXPECT_EQ(refusal(hex, example_uuid), "Id128::from_hex: 36 characters instead of 32");
  EXPECT_EQ(refusal(uuid, example_hex), "Id128::from_uuid: 32 characters instead of 36");
  EXPECT_EQ(refusal(uuid, "{" + std::string(example_uuid) + "}"),
            "Id128::from_uuid: 38 characters instead of 36");
  EXPECT_EQ(refusal(uuid, std::string(1 << 20, 'f')),
            "Id128::from_uuid: 1048576 characters instead of 36");
}

TEST(Id128, NamesTheHyphenThatIsMissingAndTheOneThatIsTooMany) {
  const auto parse = [](std::string_view text) { return Id128::from_uuid(text); };
  for (std::size_t i = 0; i < example_uuid.size(); ++i) {
    std::string text(example_uuid);
    const bool hyphen = text[i] == '-';
    text[i] = hyphen ? '0' : '-';
    EXPECT_EQ(refusal(parse, text), std::string("Id128::from_uuid: '") + text[i] +
                                        "' at position " + std::to_string(i + 1) + " instead of " +
                                        (hyphen ? "a hyphen" : "a hexadecimal digit"));
  }
}

TEST(Id128, IsOrderedAsItsTextsAndItsBytesAre) {
  const std::vector<Id128> ids = some_ids();
  for (std::size_t i = 1; i < ids.size(); ++i) {
    const Id128& a = ids[i - 1];
    const Id128& b = ids[i];
    const std::strong_ordering order = a <=> b;
    EXPECT_EQ(order, a.to_hex() <=> b.to_hex());
    EXPECT_EQ(order, a.to_uuid() <=> b.to_uuid());
    EXPECT_EQ(order, a.bytes() <=> b.bytes());
    EXPECT_EQ(order == 0, a == b);
  }
}

// Counted ids, of which only a few bits differ, in a table whose size is a power of two.
TEST(Id128, HasAHashInWhichEachBitCounts) {
  const std::hash<Id128> hash;
  EXPECT_EQ(hash(example), hash(Id128(example)));
  constexpr int keys = 4096;
  for (int shift = 0; shift + 12 <= 128; ++shift) {
    std::set<std::size_t> full;
    std::set<std::size_t> low;
    for (std::uint64_t i = 0; i < keys; ++i) {
      const Id128 id = shift >= 64  ? Id128{i << (shift - 64), 7}
                       : shift > 52 ? Id128{i >> (64 - shift), i << shift}
                                    : Id128{7, i << shift};
      full.insert(hash(id));
      low.insert(hash(id) % (4 * keys));
    }
    EXPECT_EQ(full.size(), std::size_t{keys}) << shift;
    // Of 4,096 keys at random 3,623 would be alone or first in 16,384 places.
    EXPECT_GT(low.size(), std::size_t{3400}) << shift;
  }
}

TEST(Id128, IsWrittenToStreams) {
  std::ostringstream out;
  out << example << '|' << std::setw(34) << std::setfill('.') << Id128{} << '|' << 12;
  EXPECT_EQ(out.str(), std::string(example_hex) + "|.." + std::string(32, '0') + "|12");
}

TEST(Id128, IsFormatted) {
  EXPECT_EQ(fmt::format("{}", example), example_hex);
  EXPECT_EQ(fmt::format("{:.>34}", example), ".." + std::string(example_hex));
  EXPECT_EQ(fmt::format("{:.8}", example), example_hex.substr(0, 8));
  EXPECT_EQ(fmt::format(FMT_COMPILE("<{}>"), example), "<" + std::string(example_hex) + ">");
}

}  // namespace
