// The core under controlled schedules, and its mutants, each of which must be found.
//
// ROUSE_MODEL_SCHEDULES (default 100000) is how many random schedules an area gets, with seeds from
// ROUSE_MODEL_SEED (default 1) on. ROUSE_MODEL_EXHAUSTIVE (default 12500, less in an area of many)
// is how many schedules the exhaustive search of a scenario may take; it then tells up to how many
// preemptions it has seen all. ROUSE_MODEL_REPLAY repeats the schedule that a report names.

#include "model/schedule/explorer.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace rouse::test::model {

// Otherwise the test's name would have the bytes.
void PrintTo(const Area& area, std::ostream* out) { *out << area.name; }

}  // namespace rouse::test::model

namespace {

using namespace rouse::test::model;

std::uint64_t environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

class Schedules : public testing::TestWithParam<Area> {};

TEST_P(Schedules, AreAllAsPromised) {
  const Area& area = GetParam();
  const std::uint64_t wanted = environment("ROUSE_MODEL_SCHEDULES", 100'000);
  const std::uint64_t budget = std::min<std::uint64_t>(12'500, 300'000 / area.scenarios.size());
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t random = 0;
  std::uint64_t exhaustive = 0;
  unsigned searched[4] = {};
  for (const Scenario& scenario : area.scenarios) {
    SCOPED_TRACE(std::string(area.name) + "/" + scenario.name);
    const Exploration found =
        explore(scenario, {.random = (wanted + area.scenarios.size() - 1) / area.scenarios.size(),
                           .seed = environment("ROUSE_MODEL_SEED", 1),
                           .preemptions = 3,
                           .exhaustive = environment("ROUSE_MODEL_EXHAUSTIVE", budget)});
    ASSERT_FALSE(found.failed) << found.report;
    random += found.random;
    exhaustive += found.exhaustive;
    ++searched[found.preemptions];
  }
  if (std::getenv("ROUSE_MODEL_REPLAY") != nullptr) return;
  EXPECT_GE(random, wanted);
  std::printf(
      "figure: schedules of %s: %llu random, %llu exhaustive (scenarios searched to their end with "
      "3, 2, 1, 0 preemptions: %u, %u, %u, %u), %.1f s\n",
      area.name, static_cast<unsigned long long>(random),
      static_cast<unsigned long long>(exhaustive), searched[3], searched[2], searched[1],
      searched[0], seconds_since(begin));
}

INSTANTIATE_TEST_SUITE_P(Of, Schedules, testing::ValuesIn(areas().begin(), areas().end()),
                         [](const auto& test) { return std::string(test.param.name); });

// "area/name", as mutants.cmake has them.
constexpr const char* mutants[] = {
#include "mutants.inc"
};

class Mutants : public testing::TestWithParam<const char*> {};

TEST_P(Mutants, AreFound) {
  const std::string_view mutant = GetParam();
  const std::size_t slash = mutant.find('/');
  const auto area = std::ranges::find_if(
      areas(), [&](const Area& candidate) { return candidate.name == mutant.substr(0, slash); });
  ASSERT_NE(area, areas().end()) << "no such area";
  // A quick look at every scenario first: most are found by any that concerns them. A long search
  // goes through those that come before the right one.
  for (const std::uint64_t effort : {300U, 4'000U, 20'000U}) {
    for (const Scenario& scenario : area->scenarios) {
      const Exploration found = explore(scenario, {.random = effort,
                                                   .preemptions = 2,
                                                   .exhaustive = effort,
                                                   .mutant = std::string(mutant.substr(slash + 1)),
                                                   .seconds = 60});
      if (!found.failed) continue;
      std::printf("figure: mutant %s found by %s after %llu schedules: %s\n", GetParam(),
                  scenario.name, static_cast<unsigned long long>(found.random + found.exhaustive),
                  found.report.substr(0, found.report.find('\n')).c_str());
      return;
    }
  }
  FAIL() << "no scenario of " << area->name << " finds it";
}

INSTANTIATE_TEST_SUITE_P(Of, Mutants, testing::ValuesIn(mutants), [](const auto& test) {
  std::string name = test.param;
  std::ranges::replace(name, '/', '_');
  return name;
});

}  // namespace
