// Configurations that nobody would write, made by damaging the one that the program comes with.

#include "support/fuzz_corpus.hpp"
#include "support/scale.hpp"

#include <cstddef>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace health {
namespace {

using rouse::test::feed;

std::string without_comments() {
  std::string text;
  for (const std::string& line : rouse::test::lines_of(ROUSE_CONFIG_CORPUS)) {
    // They are most of it, and all alike.
    text += line.substr(0, line.find("  #")) + "\n";
  }
  return text;
}

class ConfigFuzz : public testing::Test {
 protected:
  void SetUp() override { ASSERT_GT(text_.size(), 1000U); }

  const std::string text_ = without_comments();
  rouse::test::FuzzCorpus corpus_{{text_}, 7};
};

TEST_F(ConfigFuzz, WhatTheProgramComesWithKeepsThePromises) {
  EXPECT_EQ(feed(text_), 0);
  for (std::size_t length = 0; length < text_.size(); length += 37) {
    EXPECT_EQ(feed(std::string_view(text_).substr(0, length)), 0);
  }
}

TEST_F(ConfigFuzz, SoDoesWhatIsDamaged) {
  for (int i = rouse::test::rounds(2'000); i > 0; --i) {
    const std::string text =
        corpus_.damaged(text_, {.bytes = "=\"'[]{}.,:#\\ \n0123456789abc_-\x01\xFF\xC3\xA9",
                                .erased = 40,
                                .inserted = 200});
    EXPECT_EQ(feed(text), 0);
  }
}

}  // namespace
}  // namespace health
