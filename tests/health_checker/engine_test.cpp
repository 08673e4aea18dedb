// What holds of an engine, whichever it is.

#include "engine.hpp"

#include "rouse/rouse.hpp"
#include "rouse/service/condition.hpp"

#include "support/fake_checker.hpp"
#include "support/scale.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;
using rouse::WaitStatus;
using testing::HasSubstr;

constexpr std::chrono::milliseconds long_enough = 20s;

struct Seen {
  std::string check;
  Status state;
  Status result;
  int against;
  Asked asked;
  rouse::Id128 run;
};

// What an engine reports, and a wait for it.
class Reports {
 public:
  EngineHandlers handlers() {
    return {.on_report =
                [this](const Report& report) {
                  add({report.check.name, report.state, report.result.status, report.against,
                       report.asked, report.run});
                },
            .on_trouble =
                [this](const std::string& check, const std::string& what) {
                  {
                    const std::lock_guard guard(mutex_);
                    troubles_.push_back(check + ": " + what);
                  }
                  told_.set();
                }};
  }

  /// The first `count` of them.
  std::vector<Seen> wait_for(std::size_t count) {
    for (;;) {
      {
        const std::lock_guard guard(mutex_);
        if (seen_.size() >= count) return seen_;
      }
      if (told_.wait_for(long_enough) != WaitStatus::ready) {
        ADD_FAILURE() << "no report";
        return std::vector<Seen>(count);
      }
      told_.clear();
    }
  }
  std::string wait_for_trouble() {
    for (;;) {
      {
        const std::lock_guard guard(mutex_);
        if (!troubles_.empty()) return troubles_.front();
      }
      if (told_.wait_for(long_enough) != WaitStatus::ready) return "none";
      told_.clear();
    }
  }
  std::size_t count() const {
    const std::lock_guard guard(mutex_);
    return seen_.size();
  }

 private:
  void add(Seen seen) {
    {
      const std::lock_guard guard(mutex_);
      seen_.push_back(std::move(seen));
    }
    told_.set();
  }

  mutable std::mutex mutex_;
  std::vector<Seen> seen_;
  std::vector<std::string> troubles_;
  rouse::Event told_;
};

CheckResult result_of(Status status) { return {.status = status}; }

// Runs until it is stopped, and says when it has begun.
std::function<CheckResult()> hanging(rouse::Event& entered) {
  return [&entered] {
    entered.set();
    if (rouse::sleep_for(24h) == WaitStatus::stopped) throw rouse::Stopped();
    return CheckResult{};
  };
}

class EachEngine : public testing::TestWithParam<EngineKind> {
 protected:
  std::unique_ptr<Engine> make(std::size_t most_at_once = 8) {
    return make_engine({.engine = GetParam(), .most_at_once = most_at_once}, reports_.handlers());
  }

  Reports reports_;  // outlives the engine
};

std::string name_of(const testing::TestParamInfo<EngineKind>& kind) {
  return kind.param == EngineKind::pool ? "Pool" : "Threads";
}
INSTANTIATE_TEST_SUITE_P(Engine, EachEngine, testing::Values(EngineKind::pool, EngineKind::threads),
                         name_of);

bool all_stopped(const std::vector<StoppedLayer>& layers) {
  return std::ranges::all_of(layers, [](const auto& layer) { return bool(layer.report); });
}

TEST_P(EachEngine, RunsAgainAndAgain) {
  const auto engine = make();
  CheckConfig check = fake_check("a", [] { return result_of(Status::ok); });
  check.period = 5ms;
  engine->add(std::move(check));
  const std::vector<Seen> seen = reports_.wait_for(3);
  EXPECT_EQ(seen[2].state, Status::ok);
  EXPECT_EQ(seen[2].asked, Asked::by_the_clock);
  EXPECT_LT(seen[0].run, seen[1].run);
  EXPECT_LT(seen[1].run, seen[2].run);
  const EngineFigures figures = engine->figures();
  EXPECT_EQ(figures.checks, 1U);
  EXPECT_GE(figures.lag.count(), 3U);
}

TEST_P(EachEngine, FollowsACalendar) {
  const auto engine = make();
  CheckConfig check = fake_check("a", [] { return result_of(Status::ok); });
  check.cron.emplace("* * * * * *", "UTC");
  engine->add(std::move(check));
  EXPECT_EQ(reports_.wait_for(2)[1].asked, Asked::by_the_clock);
}

TEST_P(EachEngine, RunsACheckAtOnceWhenAsked) {
  // By itself it would run within ten seconds, then a day later.
  const auto engine = make();
  engine->add(fake_check("a", [] { return result_of(Status::warning); }));
  for (std::size_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(engine->check_now("a"));
    EXPECT_EQ(reports_.wait_for(i)[i - 1].asked, Asked::by_somebody);
  }
  EXPECT_FALSE(engine->check_now("b"));
}

TEST_P(EachEngine, TakesARequestDuringARunForAnotherOne) {
  rouse::Event entered;
  rouse::Event leave;
  const auto engine = make();
  engine->add(fake_check("a", [&] {
    entered.set();
    if (leave.wait() != WaitStatus::ready) throw rouse::Stopped();
    return result_of(Status::ok);
  }));
  engine->check_now("a");
  ASSERT_EQ(entered.wait(), WaitStatus::ready);
  engine->check_now("a");
  leave.set();
  (void)reports_.wait_for(2);
}

TEST_P(EachEngine, NeverOverlapsACheck) {
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  const auto engine = make();
  CheckConfig check = fake_check("a", [&] {
    most = std::max(most.load(), ++inside);
    const WaitStatus slept = rouse::sleep_for(3ms);
    --inside;
    if (slept == WaitStatus::stopped) throw rouse::Stopped();
    return result_of(Status::ok);
  });
  check.period = 1ms;
  engine->add(std::move(check));
  for (int i = 0; i < 5; ++i) engine->check_now("a");
  (void)reports_.wait_for(5);
  EXPECT_EQ(most, 1);
}

TEST_P(EachEngine, ChecksSoonAgainUntilAFailureIsConfirmed) {
  const auto engine = make();
  CheckConfig check = fake_check(
      "a", [n = 0]() mutable { return result_of(n++ == 0 ? Status::ok : Status::critical); });
  check.fall = 3;
  check.recheck = 1ms;
  engine->add(std::move(check));
  engine->check_now("a");
  (void)reports_.wait_for(1);
  // The period is a day: this one is asked for, the others come by themselves.
  engine->check_now("a");
  const std::vector<Seen> seen = reports_.wait_for(4);
  EXPECT_EQ(seen[1].state, Status::ok);
  EXPECT_EQ(seen[1].against, 1);
  EXPECT_EQ(seen[2].against, 2);
  EXPECT_EQ(seen[2].asked, Asked::by_the_clock);
  EXPECT_EQ(seen[3].state, Status::critical);
  EXPECT_EQ(seen[3].against, 0);
}

TEST_P(EachEngine, RunsACheckWhenItsEventTellsOfAChange) {
  rouse::Event happens;
  const auto engine = make();
  engine->add(fake_check(
      "a", [] { return result_of(Status::ok); },
      [&, armed = false]() mutable -> std::optional<std::vector<rouse::Condition>> {
        if (std::exchange(armed, true)) return std::nullopt;
        return std::vector<rouse::Condition>{rouse::until::event_set(happens)};
      }));
  happens.set();
  EXPECT_EQ(reports_.wait_for(1)[0].asked, Asked::by_an_event);
  // An event that has held is not waited for again: the next report is one that is asked for.
  engine->check_now("a");
  EXPECT_EQ(reports_.wait_for(2)[1].asked, Asked::by_somebody);
}

TEST_P(EachEngine, PausesBetweenTheRunsOfAnEventThatAlwaysHolds) {
  const auto engine = make();
  engine->add(fake_check(
      "a", [] { return result_of(Status::ok); },
      []() -> std::optional<std::vector<rouse::Condition>> {
        return std::vector<rouse::Condition>{rouse::until::holds([] { return true; })};
      }));
  const auto begin = std::chrono::steady_clock::now();
  (void)reports_.wait_for(4);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 2 * event_pause);
  EXPECT_TRUE(all_stopped(engine->stop(long_enough))) << "though it always holds";
}

TEST_P(EachEngine, TellsACheckThatItsEventsAreLost) {
  class Watched : public FakeChecker {
   public:
    using FakeChecker::FakeChecker;
    void lost(const std::string& why) override { reason = why; }
    std::string reason;
  };
  auto checker = std::make_unique<Watched>(
      std::function<CheckResult(std::stop_token)>(
          [](std::stop_token) { return result_of(Status::ok); }),
      [armed = false]() mutable -> std::optional<std::vector<rouse::Condition>> {
        if (std::exchange(armed, true)) return std::nullopt;
        throw std::runtime_error("no descriptors");
      });
  const Watched& watched = *checker;
  CheckConfig check = fake_check("a", [] { return CheckResult{}; });
  check.checker = std::move(checker);
  const auto engine = make();
  engine->add(std::move(check));
  EXPECT_THAT(reports_.wait_for_trouble(), HasSubstr("a: no event tells of it: no descriptors"));
  EXPECT_EQ(watched.reason, "no descriptors");
  engine->check_now("a");
  (void)reports_.wait_for(1);
}

TEST_P(EachEngine, IsDestroyedWhileChecksRun) {
  rouse::Event entered;
  auto engine = make();
  engine->add(fake_check("a", hanging(entered)));
  engine->add(fake_check(
      "b", [] { return result_of(Status::ok); },
      []() -> std::optional<std::vector<rouse::Condition>> {
        return std::vector<rouse::Condition>{rouse::until::holds([] { return true; })};
      }));
  engine->check_now("a");
  ASSERT_EQ(entered.wait(), WaitStatus::ready);
  engine.reset();
}

TEST_P(EachEngine, GoesOnByThePeriodWhereAnEventCannotBeWaitedFor) {
  const auto engine = make();
  engine->add(fake_check(
      "a", [] { return result_of(Status::ok); },
      [armed = false]() mutable -> std::optional<std::vector<rouse::Condition>> {
        if (std::exchange(armed, true)) return std::nullopt;
        return std::vector<rouse::Condition>{
            rouse::until::holds([]() -> bool { throw std::runtime_error("no events here"); })};
      }));
  EXPECT_THAT(reports_.wait_for_trouble(), HasSubstr("a: no event tells of it: no events here"));
  engine->check_now("a");
  (void)reports_.wait_for(1);
}

TEST_P(EachEngine, TellsWhatBreaksARun) {
  std::string trouble;
  rouse::Event told;
  const auto engine =
      make_engine({.engine = GetParam()},
                  {.on_report = [](const Report&) { throw std::runtime_error("no room"); },
                   .on_trouble =
                       [&](const std::string& check, const std::string& what) {
                         trouble = check + ": " + what;
                         told.set();
                       }});
  engine->add(fake_check("a", [] { return result_of(Status::ok); }));
  engine->check_now("a");
  ASSERT_EQ(told.wait(), WaitStatus::ready);
  EXPECT_THAT(trouble, testing::MatchesRegex("a: .*: no room"));
}

TEST_P(EachEngine, RemovesACheckInTheMiddleOfItsRun) {
  rouse::Event entered;
  const auto engine = make();
  engine->add(fake_check("a", hanging(entered)));
  engine->check_now("a");
  ASSERT_EQ(entered.wait(), WaitStatus::ready);
  engine->remove("a", long_enough);
  EXPECT_FALSE(engine->check_now("a"));
  EXPECT_EQ(engine->figures().checks, 0U);
  engine->remove("a", long_enough);  // does nothing

  engine->add(fake_check("a", [] { return result_of(Status::ok); }));
  engine->check_now("a");
  EXPECT_EQ(reports_.wait_for(1).size(), 1U) << "of the new one only";
}

TEST_P(EachEngine, KeepsARemovedCheckOutOfSightThatDoesNotEnd) {
  rouse::Event entered;
  rouse::Event leave;
  rouse::Event left;
  const auto engine = make();
  engine->add(fake_check("a", [&] {
    const rouse::Shield shield;
    entered.set();
    (void)leave.wait();
    left.set();
    return result_of(Status::critical);
  }));
  engine->check_now("a");
  ASSERT_EQ(entered.wait(), WaitStatus::ready);
  engine->remove("a", 1ms);
  engine->add(fake_check("a", [] { return result_of(Status::ok); }));
  leave.set();
  ASSERT_EQ(left.wait(), WaitStatus::ready);
  engine->check_now("a");
  EXPECT_EQ(reports_.wait_for(1)[0].result, Status::ok);
}

TEST_P(EachEngine, StopsWithoutAReportOfWhatRan) {
  rouse::Event entered;
  const auto engine = make();
  engine->add(fake_check("a", hanging(entered)));
  engine->add(fake_check("sleeps", [] { return result_of(Status::ok); }));
  engine->check_now("a");
  ASSERT_EQ(entered.wait(), WaitStatus::ready);
  EXPECT_EQ(engine->figures().in_flight, 1U);
  EXPECT_TRUE(all_stopped(engine->stop(long_enough)));
  EXPECT_FALSE(engine->check_now("a"));
}

TEST_P(EachEngine, StopsManyTogether) {
  constexpr std::size_t count = 100;
  std::latch entered(count);
  const auto engine = make(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = "check-" + std::to_string(i);
    engine->add(fake_check(name, [&] {
      entered.count_down();
      if (rouse::sleep_for(24h) == WaitStatus::stopped) throw rouse::Stopped();
      return result_of(Status::ok);
    }));
    engine->check_now(name);
  }
  entered.wait();
  EXPECT_TRUE(all_stopped(engine->stop(long_enough)));
}

TEST_P(EachEngine, NamesWhoDoesNotStop) {
  rouse::Event entered;
  rouse::Event leave;
  const auto engine = make();
  engine->add(fake_check("stubborn", [&] {
    const rouse::Shield shield;
    entered.set();
    (void)leave.wait();
    return result_of(Status::ok);
  }));
  engine->check_now("stubborn");
  ASSERT_EQ(entered.wait(), WaitStatus::ready);
  std::string all;
  for (const StoppedLayer& layer : engine->stop(1ms)) all += layer.report.to_string();
  EXPECT_THAT(all, HasSubstr("stubborn"));
  EXPECT_THAT(all, HasSubstr("Event"));
  leave.set();
}

TEST_P(EachEngine, EndsARunThatHangsBeyondItsTimeout) {
  std::atomic<int> runs{0};
  const auto engine = make();
  // A token alone does not hear of deadlines.
  CheckConfig check = fake_check("a", [&](std::stop_token stop) -> CheckResult {
    if (++runs > 1) return result_of(Status::ok);
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait(lock, stop, [] { return false; });
    throw rouse::Stopped();
  });
  check.timeout = 1ms;
  engine->add(std::move(check));
  engine->check_now("a");
  EXPECT_EQ(reports_.wait_for(1)[0].result, Status::critical);
  EXPECT_THAT(reports_.wait_for_trouble(), HasSubstr("a: has not ended 500 ms after its timeout"));
  EXPECT_EQ(engine->figures().overdue, 1U);
  engine->check_now("a");
  (void)reports_.wait_for(2);
}

TEST(PoolEngine, RunsNoMoreAtOnceThanItMay) {
  Reports reports;
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  const auto engine =
      make_engine({.engine = EngineKind::pool, .most_at_once = 2}, reports.handlers());
  for (int i = 0; i < 8; ++i) {
    const std::string name = std::to_string(i);
    engine->add(fake_check(name, [&] {
      most = std::max(most.load(), ++inside);
      (void)rouse::sleep_for(1ms);
      --inside;
      return result_of(Status::ok);
    }));
    engine->check_now(name);
  }
  (void)reports.wait_for(8);
  EXPECT_LE(most, 2);
}

}  // namespace
}  // namespace health
