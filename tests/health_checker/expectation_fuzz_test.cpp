// Conditions that nobody would write, made by damaging good ones, asked of JSON that is damaged
// too.

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

namespace health {
namespace {

constexpr std::string_view body =
    R"({"ready": true, "n": 3, "list": ["a", 1, null], "deep": {"er": "x-y"}, "a/b": {"m~n": null},)"
    R"( "with blank": "so \"it\" is \\"})";

class ExpectationFuzz : public testing::Test {
 protected:
  void SetUp() override {
    std::ifstream file(ROUSE_EXPECTATION_CORPUS);
    for (std::string line; std::getline(file, line);) corpus_.push_back(line);
    ASSERT_GT(corpus_.size(), 20U);
  }

  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }

  std::string damaged(std::string text) {
    constexpr std::string_view pieces = "=!<>~:\"\\/ \t0123456789.amsdiB[{(*+)}],\x01\xFF";
    for (std::size_t changes = 1 + below(3); changes > 0; --changes) {
      const std::size_t at = below(text.size() + 1);
      switch (below(4)) {
        case 0:
          text.insert(at, 1, pieces[below(pieces.size())]);
          break;
        case 1:
          if (at < text.size()) text[at] = pieces[below(pieces.size())];
          break;
        case 2:
          text.erase(at, 1 + below(3));
          break;
        default: {
          const std::string& other = corpus_[below(corpus_.size())];
          text = text.substr(0, at) + other.substr(below(other.size()));
        }
      }
    }
    return text;
  }

  static int feed(const std::string& condition, const std::string& json) {
    SCOPED_TRACE(condition);
    const std::string input = condition + "\n" + json;
    return LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()),
                                  input.size());
  }

  std::vector<std::string> corpus_;
  std::mt19937_64 random_{7};
};

TEST_F(ExpectationFuzz, TheCorpusKeepsItsPromises) {
  for (const std::string& condition : corpus_) {
    EXPECT_EQ(feed(condition, std::string(body)), 0);
    EXPECT_EQ(feed(condition, ""), 0);
  }
}

TEST_F(ExpectationFuzz, SoDoesWhatIsDamaged) {
  for (int i = rouse::test::rounds(10'000); i > 0; --i) {
    const std::string& condition = corpus_[below(corpus_.size())];
    EXPECT_EQ(feed(damaged(condition), std::string(body)), 0);
    EXPECT_EQ(feed(condition, damaged(std::string(body))), 0);
  }
}

}  // namespace
}  // namespace health
