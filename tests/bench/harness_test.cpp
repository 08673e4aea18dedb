// The harness itself, on contestants whose figures are known beforehand.

#include "bench/harness.hpp"

#include "support/temporary_directory.hpp"

#include <sched.h>

#include <cstddef>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace rouse::bench;
using testing::HasSubstr;
using testing::Not;

Contestant always(std::string name, double figure) {
  return {std::move(name), [figure](std::size_t) { return figure; }};
}

struct Outcome {
  bool all_ran;
  std::string out;
  std::string errors;
};

Outcome run_rows(std::vector<Row> rows, const RunOptions& options = {}) {
  std::ostringstream out;
  std::ostringstream errors;
  const bool all_ran = run({"area", std::move(rows)}, options, out, errors);
  return {all_ran, out.str(), errors.str()};
}

TEST(BenchHarness, SaysOkOrShortOfEachTargetAndTellsTheOtherPeers) {
  const Outcome outcome =
      run_rows({{.targets = {{"one", "fast", 1.10}, {"two", "slow", 0.60}},
                 .contestants = {always("rouse", 1200), always("fast", 1000),
                                 always("slow", 3'000'000), always("other", 600)}}});
  EXPECT_TRUE(outcome.all_ran);
  EXPECT_EQ(outcome.out,
            "bench: area/one ours=1.20us peer=fast:1.00us ratio=1.200 target=<=1.10 short\n"
            "bench: area/two ours=1.20us peer=slow:3.00ms ratio=0.000 target=<=0.60 ok\n"
            "also: area/one peer=other:600ns ratio=2.000\n");
}

TEST(BenchHarness, ComparesWithTheBestPeerWhereNoneIsNamed) {
  const Outcome outcome = run_rows(
      {{.targets = {{"row", best_peer, 1.0}},
        .contestants = {always("rouse", 4), always("a", 8), always("b", 5), always("c", 9)}}});
  EXPECT_THAT(outcome.out, HasSubstr("peer=b:5.00ns ratio=0.800 target=<=1.00 ok"));
}

TEST(BenchHarness, TakesMediansOfContestantsThatTakeTurns) {
  std::string order;
  double figure = 0;
  Row row{.targets = {{"row", "peer", 1.0}}, .repetitions = 3};
  // The first call of each is the warm-up: its 1000 is not counted.
  row.contestants = {{"rouse",
                      [&, calls = 0](std::size_t) mutable {
                        order += 'r';
                        return calls++ == 0 ? 1000.0 : figure += 1;
                      }},
                     {"peer", [&](std::size_t) {
                        order += 'p';
                        return 1.0;
                      }}};
  const Outcome outcome = run_rows({row});
  EXPECT_EQ(order, "rprpprrp");
  EXPECT_THAT(outcome.out, HasSubstr("ours=2.00ns peer=peer:1.00ns ratio=2.000"));
}

TEST(BenchHarness, ScalesTheOperations) {
  std::vector<std::size_t> counts;
  const Contestant counting{"rouse", [&](std::size_t operations) {
                              counts.push_back(operations);
                              return 1.0;
                            }};
  (void)run_rows({{.targets = {{"row", "peer", 1.0}},
                   .contestants = {counting, always("peer", 1)},
                   .operations = 1000,
                   .repetitions = 2}},
                 {.scale = 0.5});
  EXPECT_THAT(counts, testing::ElementsAre(50, 500, 500));
}

TEST(BenchHarness, DoesNotMeasureWithTooFewCpus) {
  const Outcome outcome = run_rows(
      {{.targets = {{"row", "peer", 1.0}},
        .contestants = {{"rouse", [](std::size_t) -> double { throw std::logic_error("ran"); }},
                        always("peer", 1)},
        .cpus = usable_cpus() + 1}});
  EXPECT_TRUE(outcome.all_ran);
  EXPECT_THAT(outcome.out, testing::StartsWith("skip: area/row not measured: needs "));
  EXPECT_THAT(outcome.out, Not(HasSubstr("bench:")));
}

TEST(BenchHarness, GoesOnAfterAFailureAndTellsIt) {
  const Outcome outcome = run_rows({{.targets = {{"bad", "peer", 1.0}},
                                     .contestants = {{"rouse",
                                                      [](std::size_t) -> double {
                                                        throw std::runtime_error("no threads left");
                                                      }}}},
                                    {.targets = {{"good", "peer", 1.0}},
                                     .contestants = {always("rouse", 1), always("peer", 1)}}});
  EXPECT_FALSE(outcome.all_ran);
  EXPECT_EQ(outcome.errors, "failed: area/bad: no threads left\n");
  EXPECT_THAT(outcome.out, HasSubstr("bench: area/good"));
}

TEST(BenchHarness, MeasuresOnlyTheCasesAskedFor) {
  const std::vector<Contestant> contestants{always("rouse", 1), always("peer", 1)};
  const Outcome outcome =
      run_rows({{.targets = {{"first", "peer", 1.0}}, .contestants = contestants},
                {.targets = {{"second", "peer", 1.0}}, .contestants = contestants}},
               {.cases = {"area/s"}});
  EXPECT_THAT(outcome.out, HasSubstr("area/second"));
  EXPECT_THAT(outcome.out, Not(HasSubstr("area/first")));
}

TEST(BenchHarness, TellsWhenTheFileCannotBeWritten) {
  const rouse::test::TemporaryDirectory folder;
  const Outcome outcome = run_rows({}, {.json_path = (folder.path() / "no" / "file").string()});
  EXPECT_FALSE(outcome.all_ran);
  EXPECT_THAT(outcome.errors, HasSubstr("cannot write"));
}

TEST(BenchHarness, PinsAThreadToOneCpu) {
  std::thread([] {
    for (unsigned index = 0; index < 2 * usable_cpus(); ++index) {
      pin_to(index);
      cpu_set_t set;
      CPU_ZERO(&set);
      ASSERT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
      EXPECT_EQ(CPU_COUNT(&set), 1);
    }
  }).join();
}

TEST(BenchHarness, MeasuresMemoryThatWasTouched) {
  constexpr std::size_t size = std::size_t{16} << 20;
  const double before = memory_in_use();
  std::vector<char> block(size, 'x');
  keep(block);
  EXPECT_GE(memory_in_use() - before, static_cast<double>(size));
}

}  // namespace
