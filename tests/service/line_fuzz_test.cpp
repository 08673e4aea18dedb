// Pieces of bytes that are made of those of the corpus, in another order.

#include "support/scale.hpp"

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

// Ends the program where something does not hold.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace rouse::test {
namespace {

// As printf's %b does it, as far as the corpus needs it.
std::string without_escapes(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    std::size_t taken = 1;
    char byte = text[0];
    if (byte == '\\' && text.size() > 1) {
      taken = 2;
      switch (text[1]) {
        case 'n':
          byte = '\n';
          break;
        case 'r':
          byte = '\r';
          break;
        case '0':
          byte = '\0';
          break;
        default:
          byte = static_cast<char>(std::stoi(std::string(text.substr(2, 2)), nullptr, 16));
          taken = 4;
      }
    }
    result += byte;
    text.remove_prefix(taken);
  }
  return result;
}

class LineFuzz : public testing::Test {
 protected:
  void SetUp() override {
    std::ifstream file(ROUSE_LINE_CORPUS);
    for (std::string line; std::getline(file, line);) corpus_.push_back(without_escapes(line));
    ASSERT_GT(corpus_.size(), 20U);
  }

  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }

  static int feed(const std::string& input) {
    return LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()),
                                  input.size());
  }

  std::vector<std::string> corpus_;
  std::mt19937_64 random_{8};
};

TEST_F(LineFuzz, TheCorpusGivesTheLinesOfTheSimpleSplitter) {
  for (const std::string& input : corpus_) EXPECT_EQ(feed(input), 0);
}

TEST_F(LineFuzz, SoDoItsPartsInAnyOrder) {
  constexpr std::string_view separators = "||!\n\rx";
  for (int i = rounds(20'000); i > 0; --i) {
    std::string input(1, static_cast<char>(below(8)));
    for (std::size_t parts = 1 + below(12); parts > 0; --parts) {
      const std::string& part = corpus_[below(corpus_.size())];
      input += part.substr(1 + below(part.size() - 1), 1 + below(8));
      input += separators[below(separators.size())];
    }
    ASSERT_EQ(feed(input), 0);
  }
}

}  // namespace
}  // namespace rouse::test
