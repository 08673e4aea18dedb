// The kinds that hear of changes: what they report without being asked, with periods of a day.

#include "rouse/rouse.hpp"

#include "checkers/file.hpp"
#include "checkers/log_line.hpp"
#include "checkers/port.hpp"
#include "checkers/process.hpp"
#include "engine.hpp"
#include "results.hpp"
#include "support/checks.hpp"
#include "support/fake_checker.hpp"
#include "support/idle_process.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_socket.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;
using rouse::WaitStatus;
using rouse::test::IdleProcess;
using rouse::test::TemporaryDirectory;
using testing::HasSubstr;

// One check in an engine of either kind. By itself it runs once within ten seconds.
class Events : public testing::TestWithParam<EngineKind> {
 protected:
  void start(std::unique_ptr<BaseChecker> checker) {
    CheckConfig check = fake_check("it", [] { return CheckResult{}; });
    check.checker = std::move(checker);
    results_.add("it", "kind");
    engine_ = make_engine(
        {.engine = GetParam()},
        {.on_report =
             [this](const Report& report) {
               results_.update("it", report.state, report.result, report.run);
             },
         .on_trouble = [](const std::string&, const std::string& what) { FAIL() << what; }});
    engine_->add(std::move(check));
    engine_->check_now("it");
  }

  // The message of the first result of that status.
  std::string wait_for(Status status) {
    for (;;) {
      const Row row = *results_.row("it");
      if (row.state && row.last.status == status) return row.last.message;
      if (news_.wait_for(rouse::test::long_enough) != WaitStatus::ready) {
        return "still " + state_text(row) + ": " + row.last.message;
      }
    }
  }

  TemporaryDirectory folder_;
  Results results_;
  Results::Subscription news_{results_};
  std::unique_ptr<Engine> engine_;
};

std::string name_of(const testing::TestParamInfo<EngineKind>& kind) {
  return kind.param == EngineKind::pool ? "Pool" : "Threads";
}
INSTANTIATE_TEST_SUITE_P(Engine, Events, testing::Values(EngineKind::pool, EngineKind::threads),
                         name_of);

void append(const std::string& file, std::string_view text) {
  std::ofstream(file, std::ios::app | std::ios::binary) << text;
}

TEST_P(Events, ALineIsReportedWhenItIsWritten) {
  const std::string log = folder_.write("app.log", "ERROR before the start\n");
  start(std::make_unique<LogLineChecker>(
      LogLineOptions{.file = log, .pattern = "ERROR|FATAL", .hold = 24h}));
  EXPECT_EQ(wait_for(Status::ok), "no such line");
  append(log, "INFO nothing\nERROR disk on fire\n");
  EXPECT_EQ(wait_for(Status::critical), "ERROR disk on fire");

  std::filesystem::rename(log, log + ".1");
  append(log, "FATAL after the rotation\n");
  while (results_.row("it")->last.message != "FATAL after the rotation (2 such lines)") {
    ASSERT_EQ(news_.wait_for(rouse::test::long_enough), WaitStatus::ready);
  }
}

TEST_P(Events, ALineIsForgottenAfterItsTime) {
  const std::string log = folder_.write("app.log", "");
  start(std::make_unique<LogLineChecker>(
      LogLineOptions{.file = log, .pattern = "ERROR", .severity = Status::warning, .hold = 1ms}));
  EXPECT_EQ(wait_for(Status::ok), "no such line");
  append(log, "ERROR for a moment\n");
  // By the time it is looked at it may count no more.
  ASSERT_EQ(news_.wait_for(rouse::test::long_enough), WaitStatus::ready);
  for (;;) {
    engine_->check_now("it");
    ASSERT_EQ(news_.wait_for(rouse::test::long_enough), WaitStatus::ready);
    if (results_.row("it")->last.status == Status::ok) break;
  }
}

TEST_P(Events, AProcessThatEndsIsReportedAtOnce) {
  // Another engine's test may run at the same time.
  const std::string name = "rouse-test-sleeper-of-" + std::to_string(::getpid());
  IdleProcess process = IdleProcess::running({"/bin/sleep", {name, "1000"}, ""});
  start(std::make_unique<ProcessChecker>(ProcessOptions{.command = name + " 1000"}));
  EXPECT_THAT(wait_for(Status::ok), HasSubstr("running (pid "));
  process.kill();
  EXPECT_EQ(wait_for(Status::critical), "not running");
}

TEST_P(Events, AFileThatGoesOrComesIsReportedAtOnce) {
  const std::string file = folder_.write("[odd] *name?", "x");
  start(std::make_unique<FileChecker>(FileOptions{.path = file}));
  EXPECT_THAT(wait_for(Status::ok), HasSubstr("1 B"));
  for (int i = 0; i < 3; ++i) {
    std::filesystem::remove(file);
    EXPECT_THAT(wait_for(Status::critical), HasSubstr("is not there"));
    append(file, "xy");
    EXPECT_THAT(wait_for(Status::ok), HasSubstr(" B, "));
  }
}

TEST_P(Events, ALinkThatLeadsNowhereIsNoEvent) {
  const std::string link = folder_ / "link";
  std::filesystem::create_symlink("target", link);
  start(std::make_unique<FileChecker>(FileOptions{.path = link}));
  EXPECT_THAT(wait_for(Status::critical), HasSubstr("is not there"));
  const std::uint64_t runs = results_.row("it")->runs;
  folder_.write("target", "x");
  EXPECT_THAT(wait_for(Status::ok), HasSubstr(" B, "));
  EXPECT_LE(results_.row("it")->runs, runs + 2);
}

TEST_P(Events, TheEndOfThePortsOwnerIsReportedAtOnce) {
  const rouse::test::TestSocket socket;
  // The child has the socket, too, and keeps the port when ours is closed; here it is the only one
  // of its name.
  IdleProcess owner([] { ::prctl(PR_SET_NAME, "port-owner"); });
  start(std::make_unique<PortChecker>(PortOptions{.port = socket.port(), .owner = "port-owner"}));
  EXPECT_THAT(wait_for(Status::ok), HasSubstr("used by port-owner"));
  owner.kill();
  EXPECT_THAT(wait_for(Status::critical), HasSubstr("but not by port-owner"));
}

TEST(PortChecker, TellsWhetherAPortIsUsed) {
  int port = 0;
  {
    const rouse::test::TestSocket socket;
    port = socket.port();
    PortChecker used({.port = port});
    EXPECT_EQ(rouse::test::run_check(used).status, Status::ok);
    PortChecker free({.port = port, .free = true});
    EXPECT_EQ(rouse::test::run_check(free).status, Status::critical);
    PortChecker other({.port = port, .protocol = rouse::Protocol::udp});
    EXPECT_EQ(rouse::test::run_check(other).status, Status::critical);
    PortChecker here({.port = port, .address = "127.0.0.1"});
    EXPECT_EQ(rouse::test::run_check(here).status, Status::ok);
  }
  PortChecker free({.port = port, .free = true});
  EXPECT_EQ(rouse::test::run_check(free).message, "port " + std::to_string(port) + " is free");
}

TEST(LogLineChecker, SaysWhyALogCannotBeFollowed) {
  const TemporaryDirectory folder;
  LogLineChecker checker({.file = folder.path(), .pattern = "x"});
  EXPECT_FALSE(checker.new_events());
  const CheckResult result = rouse::test::run_check(checker);
  EXPECT_EQ(result.status, Status::unknown);
  EXPECT_THAT(result.message, HasSubstr(folder.path().string()));
}

}  // namespace
}  // namespace health
