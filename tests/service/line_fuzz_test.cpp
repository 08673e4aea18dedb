// Pieces of bytes that are made of those of the corpus, in another order.

#include "support/fuzz_corpus.hpp"
#include "support/scale.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

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

std::vector<std::string> corpus() {
  std::vector<std::string> inputs;
  for (const std::string& line : lines_of(ROUSE_LINE_CORPUS)) {
    inputs.push_back(without_escapes(line));
  }
  return inputs;
}

class LineFuzz : public testing::Test {
 protected:
  void SetUp() override { ASSERT_GT(corpus_.inputs().size(), 20U); }

  FuzzCorpus corpus_{corpus(), 8};
};

TEST_F(LineFuzz, TheCorpusGivesTheLinesOfTheSimpleSplitter) {
  for (const std::string& input : corpus_.inputs()) EXPECT_EQ(feed(input), 0);
}

TEST_F(LineFuzz, SoDoItsPartsInAnyOrder) {
  constexpr std::string_view separators = "||!\n\rx";
  for (int i = rounds(20'000); i > 0; --i) {
    std::string input(1, static_cast<char>(corpus_.below(8)));
    for (std::size_t parts = 1 + corpus_.below(12); parts > 0; --parts) {
      const std::string& part = corpus_.any();
      input += part.substr(1 + corpus_.below(part.size() - 1), 1 + corpus_.below(8));
      input += separators[corpus_.below(separators.size())];
    }
    ASSERT_EQ(feed(input), 0);
  }
}

}  // namespace
}  // namespace rouse::test
