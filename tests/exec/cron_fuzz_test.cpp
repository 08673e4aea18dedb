// Expressions that nobody would write, made by damaging good ones. ROUSE_FUZZ_INPUTS says how many;
// ROUSE_FUZZ_SEED chooses others.

#include "rouse/exec/cron.hpp"

#include "support/scale.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

// Ends the program where something does not hold.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace rouse::test {
namespace {

unsigned fuzz_variable(const char* name, unsigned otherwise) {
  const char* const text = std::getenv(name);
  return text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : otherwise;
}

class CronFuzz : public testing::Test {
 protected:
  void SetUp() override {
    std::ifstream file(ROUSE_CRON_CORPUS);
    for (std::string line; std::getline(file, line);) corpus_.push_back(line);
    ASSERT_GT(corpus_.size(), 20U);
  }

  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }

  std::string damaged(std::string text) {
    constexpr std::string_view pieces = "*?/-,#LWlw@ \t0123456789JANSUN\n\xFF";
    for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
      const std::size_t at = below(text.size() + 1);
      const std::string& other = corpus_[below(corpus_.size())];
      switch (below(5)) {
        case 0:
          text.insert(at, 1, pieces[below(pieces.size())]);
          break;
        case 1:
          if (at < text.size()) text[at] = pieces[below(pieces.size())];
          break;
        case 2:
          text.erase(at, 1 + below(3));
          break;
        case 3:
          text.insert(at, other.substr(below(other.size()), 1 + below(4)));
          break;
        default:
          text = text.substr(0, at) + other.substr(below(other.size()));
      }
    }
    return text;
  }

  int feed(const std::string& expression) {
    std::string input(9, '\0');
    const auto after = static_cast<std::int64_t>(random_());
    std::memcpy(input.data(), &after, sizeof after);
    input[8] = static_cast<char>(below(256));
    input += expression;
    SCOPED_TRACE(expression);
    return LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()),
                                  input.size());
  }

  std::vector<std::string> corpus_;
  std::mt19937_64 random_{fuzz_variable("ROUSE_FUZZ_SEED", 6)};
};

bool is_cron(const std::string& expression) {
  try {
    return Cron(expression) == Cron(expression);
  } catch (const CronError&) {
    return false;
  }
}

TEST_F(CronFuzz, GoodExpressionsKeepTheirPromisesAtAnyTime) {
  for (const std::string& expression : corpus_) {
    for (int i = rounds(30); i > 0; --i) EXPECT_EQ(feed(expression), 0);
  }
}

TEST_F(CronFuzz, DamagedExpressionsAreRefusedOrKeepTheirPromises) {
  const unsigned inputs = fuzz_variable("ROUSE_FUZZ_INPUTS", static_cast<unsigned>(rounds(20'000)));
  unsigned good = 0;
  for (unsigned i = 0; i < inputs; ++i) {
    const std::string expression = damaged(corpus_[below(corpus_.size())]);
    EXPECT_EQ(feed(expression), 0);
    good += is_cron(expression) ? 1U : 0U;
  }
  // Both kinds are there.
  EXPECT_GT(good, inputs / 20);
  EXPECT_LT(good, inputs - inputs / 20);
}

}  // namespace
}  // namespace rouse::test
