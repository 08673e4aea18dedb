#include "results.hpp"

#include "rouse/rouse.hpp"

#include <deque>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;

const std::chrono::steady_clock::time_point now{1000s};

Row row(std::string name, Status state, std::string message) {
  return {.name = std::move(name),
          .type = "tcp",
          .state = state,
          .last = {.status = state, .message = std::move(message), .duration = 12ms},
          .when = now - 5s};
}

TEST(Results, KeepTheLastOfEach) {
  Results results;
  results.add("b", "tcp");
  results.add("a", "http");
  results.update("a", Status::ok, {.status = Status::critical, .message = "refused"});
  const std::vector<Row> rows = results.rows();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].name, "b");
  EXPECT_FALSE(rows[0].state);
  EXPECT_EQ(rows[1].type, "http");
  EXPECT_EQ(rows[1].state, Status::ok);
  EXPECT_EQ(rows[1].last.message, "refused");
}

TEST(Results, MayBeUpdatedByManyThreads) {
  Results results;
  for (int i = 0; i < 4; ++i) results.add(std::to_string(i), "tcp");
  {
    std::deque<rouse::StoppableThread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&results, name = std::to_string(i)] {
        for (int round = 0; round < 100; ++round) {
          results.update(name, Status::ok, {.status = Status::ok, .message = name});
          (void)results.rows();
        }
      });
      threads.back().start();
    }
    for (auto& thread : threads) thread.join();
  }
  for (const Row& each : results.rows()) EXPECT_EQ(each.last.message, each.name);
}

TEST(Results, KnowWhenAllHaveRunThatAreAwaited) {
  Results results;
  results.add("a", "tcp");
  results.add("b", "tcp");
  results.add("at New Year", "tcp", "", false);
  results.update("a", Status::ok, {.status = Status::ok});
  EXPECT_FALSE(results.all_have_run());
  results.update("b", Status::critical, {.status = Status::critical});
  EXPECT_TRUE(results.all_have_run());
}

TEST(Results, TellWhatHasChanged) {
  Results results;
  results.add("a", "tcp");
  results.add("b", "tcp", "group");
  std::uint64_t seen = 0;
  Results::Changes changes = results.changes_since(seen);
  EXPECT_TRUE(changes.all);
  ASSERT_EQ(changes.rows.size(), 2U);
  EXPECT_EQ(changes.rows[1].group, "group");

  changes = results.changes_since(seen);
  EXPECT_FALSE(changes.all);
  EXPECT_TRUE(changes.rows.empty());

  results.update("b", Status::warning, {.status = Status::warning});
  changes = results.changes_since(seen);
  EXPECT_FALSE(changes.all);
  ASSERT_EQ(changes.rows.size(), 1U);
  EXPECT_EQ(changes.rows[0].name, "b");
  EXPECT_EQ(changes.rows[0].runs, 1U);

  results.arrange({"b"});
  changes = results.changes_since(seen);
  EXPECT_TRUE(changes.all);
  ASSERT_EQ(changes.rows.size(), 2U);
  EXPECT_EQ(changes.rows[0].name, "b");

  results.remove("b");
  changes = results.changes_since(seen);
  EXPECT_TRUE(changes.all);
  ASSERT_EQ(changes.rows.size(), 1U);
  EXPECT_FALSE(results.row("b"));
  results.update("b", Status::ok, {});
  EXPECT_TRUE(results.changes_since(seen).rows.empty()) << "it was removed while it ran";
}

TEST(Results, KnowSinceWhenAStateIs) {
  Results results;
  results.add("a", "tcp");
  results.update("a", Status::ok, {.status = Status::ok});
  const auto since = results.row("a")->since;
  results.update("a", Status::ok, {.status = Status::ok});
  EXPECT_EQ(results.row("a")->since, since);
  EXPECT_GE(results.row("a")->when, since);
  results.update("a", Status::critical, {.status = Status::critical});
  EXPECT_GE(results.row("a")->since, since);
  EXPECT_EQ(results.history("a").back().runs, 3U);
  EXPECT_TRUE(results.history("b").empty());
}

TEST(Results, WakeWhoHasSubscribed) {
  Results results;
  results.add("a", "tcp");
  Results::Subscription news(results);
  EXPECT_EQ(news.wait_for(0s), rouse::WaitStatus::timeout) << "nothing since it was made";
  rouse::StoppableThread updater([&] { results.update("a", Status::ok, {}); });
  updater.start();
  EXPECT_EQ(news.wait(), rouse::WaitStatus::ready);
  updater.join();
  EXPECT_EQ(news.wait_for(0s), rouse::WaitStatus::timeout) << "heard already";
}

TEST(Results, ShowAResultThatIsNotTheState) {
  Row flapping = row("web", Status::ok, "refused");
  flapping.last.status = Status::critical;
  EXPECT_EQ(state_text(flapping), "ok (now critical)");
  EXPECT_EQ(state_text(row("web", Status::warning, "")), "warning");
}

TEST(Results, WorstIsCriticalThenWarningThenUnknown) {
  const Row ok = row("a", Status::ok, "");
  const Row warning = row("b", Status::warning, "");
  const Row critical = row("c", Status::critical, "");
  const Row unknown = row("d", Status::unknown, "");
  EXPECT_EQ(worst({}), Status::ok);
  EXPECT_EQ(worst({ok, ok}), Status::ok);
  EXPECT_EQ(worst({ok, unknown, ok}), Status::unknown);
  EXPECT_EQ(worst({unknown, warning, ok}), Status::warning);
  EXPECT_EQ(worst({warning, critical, unknown}), Status::critical);
  EXPECT_EQ(worst({ok, Row{.name = "new"}}), Status::unknown);
}

}  // namespace
}  // namespace health
