#include "suggest.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace health {
namespace {

TEST(Suggest, CountsInsertionsRemovalsReplacementsAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("period", "period"), 0U);
  EXPECT_EQ(edit_distance("perid", "period"), 1U);
  EXPECT_EQ(edit_distance("periodd", "period"), 1U);
  EXPECT_EQ(edit_distance("periad", "period"), 1U);
  EXPECT_EQ(edit_distance("peirod", "period"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(Suggest, NamesOnlyWhatIsNear) {
  const std::vector<std::string_view> words{"tcp", "http", "process", "file"};
  EXPECT_EQ(suggestion("htpt", words), "; did you mean 'http'?");
  EXPECT_EQ(suggestion("TPC", words), "; did you mean 'tcp'?");
  EXPECT_EQ(suggestion("proces", words), "; did you mean 'process'?");
  EXPECT_EQ(suggestion("database", words), "");
  EXPECT_EQ(suggestion("x", words), "");
  EXPECT_EQ(suggestion("", words), "");
  EXPECT_EQ(suggestion(std::string(100'000, 'h'), words), "");
  EXPECT_EQ(suggestion("tcp", {}), "");
}

}  // namespace
}  // namespace health
