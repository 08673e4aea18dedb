// Configurations that nobody would write, made by damaging the one that the program comes with.

#include "support/scale.hpp"

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <random>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

// Ends the program where something does not hold.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace health {
namespace {

class ConfigFuzz : public testing::Test {
 protected:
  void SetUp() override {
    std::ifstream file(ROUSE_CONFIG_CORPUS);
    for (std::string line; std::getline(file, line);) {
      // The comments are most of it, and all alike.
      text_ += line.substr(0, line.find("  #")) + "\n";
    }
    ASSERT_GT(text_.size(), 1000U);
  }

  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }

  std::string damaged() {
    constexpr std::string_view pieces = "=\"'[]{}.,:#\\ \n0123456789abc_-\x01\xFF\xC3\xA9";
    std::string text = text_;
    for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
      const std::size_t at = below(text.size());
      switch (below(4)) {
        case 0:
          text.insert(at, 1, pieces[below(pieces.size())]);
          break;
        case 1:
          text[at] = pieces[below(pieces.size())];
          break;
        case 2:
          text.erase(at, 1 + below(40));
          break;
        default: {
          // Some lines once more, elsewhere.
          const std::size_t from = text.find('\n', below(text.size()));
          if (from != std::string::npos) text.insert(at, text.substr(from, below(200)));
        }
      }
    }
    return text;
  }

  static int feed(std::string_view text) {
    return LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  }

  std::string text_;
  std::mt19937_64 random_{7};
};

TEST_F(ConfigFuzz, WhatTheProgramComesWithKeepsThePromises) {
  EXPECT_EQ(feed(text_), 0);
  for (std::size_t length = 0; length < text_.size(); length += 37) {
    EXPECT_EQ(feed(std::string_view(text_).substr(0, length)), 0);
  }
}

TEST_F(ConfigFuzz, SoDoesWhatIsDamaged) {
  for (int i = rouse::test::rounds(2'000); i > 0; --i) EXPECT_EQ(feed(damaged()), 0);
}

}  // namespace
}  // namespace health
