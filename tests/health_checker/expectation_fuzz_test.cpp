// Conditions that nobody would write, made by damaging good ones, asked of JSON that is damaged
// too.

#include "support/fuzz_corpus.hpp"
#include "support/scale.hpp"

#include <string>

#include <gtest/gtest.h>

namespace health {
namespace {

class ExpectationFuzz : public testing::Test {
 protected:
  void SetUp() override { ASSERT_GT(corpus_.inputs().size(), 20U); }

  static int ask(const std::string& condition, const std::string& json) {
    SCOPED_TRACE(condition);
    return rouse::test::feed(condition + "\n" + json);
  }

  std::string damaged(const std::string& text) {
    return corpus_.damaged(text, {.bytes = "=!<>~:\"\\/ \t0123456789.amsdiB[{(*+)}],\x01\xFF"});
  }

  const std::string json_ =
      R"({"ready": true, "n": 3, "list": ["a", 1, null], "deep": {"er": "x-y"},)"
      R"( "a/b": {"m~n": null}, "with blank": "so \"it\" is \\"})";
  rouse::test::FuzzCorpus corpus_{rouse::test::lines_of(ROUSE_EXPECTATION_CORPUS), 7};
};

TEST_F(ExpectationFuzz, TheCorpusKeepsItsPromises) {
  for (const std::string& condition : corpus_.inputs()) {
    EXPECT_EQ(ask(condition, json_), 0);
    EXPECT_EQ(ask(condition, ""), 0);
  }
}

TEST_F(ExpectationFuzz, SoDoesWhatIsDamaged) {
  for (int i = rouse::test::rounds(10'000); i > 0; --i) {
    const std::string& condition = corpus_.any();
    EXPECT_EQ(ask(damaged(condition), json_), 0);
    EXPECT_EQ(ask(condition, damaged(json_)), 0);
  }
}

}  // namespace
}  // namespace health
