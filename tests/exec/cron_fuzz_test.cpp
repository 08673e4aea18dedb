// Expressions that nobody would write, made by damaging good ones. ROUSE_FUZZ_INPUTS says how many;
// ROUSE_FUZZ_SEED chooses others.

#include "rouse/exec/cron.hpp"

#include "support/fuzz_corpus.hpp"
#include "support/scale.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

namespace rouse::test {
namespace {

unsigned fuzz_variable(const char* name, unsigned otherwise) {
  const char* const text = std::getenv(name);
  return text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : otherwise;
}

class CronFuzz : public testing::Test {
 protected:
  void SetUp() override { ASSERT_GT(corpus_.inputs().size(), 20U); }

  // At any time, in one of the ways that the ninth byte chooses.
  int feed_at_any_time(const std::string& expression) {
    std::string input;
    for (std::uint64_t time = corpus_.number(); input.size() < 8; time >>= 8U) {
      input += static_cast<char>(time & 0xFFU);
    }
    input += static_cast<char>(corpus_.below(256));
    SCOPED_TRACE(expression);
    return feed(input + expression);
  }

  FuzzCorpus corpus_{lines_of(ROUSE_CRON_CORPUS), fuzz_variable("ROUSE_FUZZ_SEED", 6)};
};

bool is_cron(const std::string& expression) {
  try {
    return Cron(expression) == Cron(expression);
  } catch (const CronError&) {
    return false;
  }
}

TEST_F(CronFuzz, GoodExpressionsKeepTheirPromisesAtAnyTime) {
  for (const std::string& expression : corpus_.inputs()) {
    for (int i = rounds(30); i > 0; --i) EXPECT_EQ(feed_at_any_time(expression), 0);
  }
}

TEST_F(CronFuzz, DamagedExpressionsAreRefusedOrKeepTheirPromises) {
  const unsigned inputs = fuzz_variable("ROUSE_FUZZ_INPUTS", static_cast<unsigned>(rounds(20'000)));
  unsigned good = 0;
  for (unsigned i = 0; i < inputs; ++i) {
    const std::string expression =
        corpus_.damaged(corpus_.any(), {.bytes = "*?/-,#LWlw@ \t0123456789JANSUN\n\xFF"});
    EXPECT_EQ(feed_at_any_time(expression), 0);
    good += is_cron(expression) ? 1U : 0U;
  }
  // Both kinds are there.
  EXPECT_GT(good, inputs / 20);
  EXPECT_LT(good, inputs - inputs / 20);
}

}  // namespace
}  // namespace rouse::test
