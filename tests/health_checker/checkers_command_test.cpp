#include "checkers/command.hpp"
#include "checkers/perfdata.hpp"
#include "checkers/subprocess.hpp"
#include "support/checks.hpp"
#include "support/processes.hpp"
#include "support/scale.hpp"
#include "support/temporary_directory.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <deque>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;
using rouse::test::at_once;
using rouse::test::leaves_no_child;
using rouse::test::run_check;
using testing::HasSubstr;
using testing::StartsWith;

CommandOptions shell(const std::string& line) {
  CommandOptions options;
  options.argv = {"/bin/sh", "-c", line};
  return options;
}

CheckResult run_shell(const std::string& line) {
  CommandChecker checker(shell(line));
  return run_check(checker);
}

/// A FIFO through which a command tells its process number when it is under way.
class PidReport {
 public:
  PidReport() : path_(directory_ / "report") {
    if (::mkfifo(path_.c_str(), 0600) != 0) throw std::runtime_error("mkfifo");
  }

  [[nodiscard]] const std::string& path() const { return path_; }

  /// Blocks until a command has written a number (the watchdog ends a test that waits in vain).
  pid_t wait() const {
    std::ifstream file(path_);
    pid_t pid = 0;
    file >> pid;
    return pid;
  }

 private:
  rouse::test::TemporaryDirectory directory_;
  std::string path_;
};

TEST(CommandChecker, TakesTheStatusFromTheExitCode) {
  EXPECT_EQ(run_shell("echo fine; exit 0").status, Status::ok);
  EXPECT_EQ(run_shell("echo hm; exit 1").status, Status::warning);
  EXPECT_EQ(run_shell("echo bad; exit 2").status, Status::critical);
  EXPECT_EQ(run_shell("echo who knows; exit 3").status, Status::unknown);
  EXPECT_EQ(run_shell("echo fine; exit 0").message, "fine");
}

TEST(CommandChecker, OtherEndingsAreUnknownAndSaySo) {
  const CheckResult code = run_shell("echo odd; exit 77");
  EXPECT_EQ(code.status, Status::unknown);
  EXPECT_EQ(code.message, "exit code 77: odd");

  const CheckResult killed = run_shell("kill -SEGV $$");
  EXPECT_EQ(killed.status, Status::unknown);
  EXPECT_THAT(killed.message, StartsWith("killed by SIGSEGV"));
}

TEST(CommandChecker, TakesTheFirstLineAndTheFiguresBehindTheBar) {
  const CheckResult result =
      run_shell("echo \"OK - all good | 'disk a'=12.5MB;20;30;0;40 users=3\"; echo more");
  EXPECT_EQ(result.message, "OK - all good");
  ASSERT_EQ(result.figures.size(), 2U);
  EXPECT_EQ(result.figures[0].name, "disk a");
  EXPECT_DOUBLE_EQ(result.figures[0].value, 12.5);
  EXPECT_EQ(result.figures[0].unit, "MB");
  EXPECT_EQ(result.figures[1].name, "users");
}

TEST(CommandChecker, ShowsTheErrorsOfASilentCommand) {
  EXPECT_EQ(run_shell("echo 'no such thing' >&2; exit 2").message, "no such thing");
  EXPECT_EQ(run_shell("exit 0").message, "no output");
}

TEST(CommandChecker, MissingProgramIsNamedWithTheReason) {
  CommandOptions options;
  options.argv = {"/does/not/exist"};
  CommandChecker checker(options);
  try {
    run_check(checker);
    FAIL() << "it ran";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
    EXPECT_THAT(error.what(), HasSubstr("/does/not/exist (ENOENT)"));
  }
  EXPECT_EQ(rouse::test::count_children(), 0U);
}

TEST(CommandChecker, LooksForTheProgramInThePath) {
  CommandOptions options;
  options.argv = {"echo", "from the path"};
  CommandChecker checker(options);
  EXPECT_EQ(run_check(checker).message, "from the path");
}

TEST(CommandChecker, AFloodOfOutputIsReadAndMostOfItDropped) {
  CommandOptions options = shell("echo first; head -c 20000000 /dev/zero; echo; exit 1");
  options.output_cap = 1000;
  CommandChecker checker(options);
  const CheckResult result = run_check(checker);
  EXPECT_EQ(result.status, Status::warning);
  EXPECT_EQ(result.message, "first (output cut)");
}

TEST(CommandChecker, AnEndlessFloodEndsWithTheTimeout) {
  std::optional<CommandChecker> checker(std::in_place, shell("exec yes"));
  const auto started = std::chrono::steady_clock::now();
  EXPECT_FALSE(run_check(*checker, 100ms).has_value());
  EXPECT_LT(std::chrono::steady_clock::now() - started, 100ms + at_once);
  EXPECT_TRUE(leaves_no_child([&] { checker.reset(); }));
}

TEST(CommandChecker, AStopEndsASleepOfAnHourAndItsWholeGroup) {
  const PidReport report;
  std::optional<CommandChecker> checker(
      std::in_place, shell("sleep 3600 & echo $$ > " + report.path() + "; wait"));
  pid_t group = 0;
  const auto stopped = rouse::test::stop_check(*checker, [&] { group = report.wait(); });
  EXPECT_TRUE(stopped.stopped);
  EXPECT_LT(stopped.after, at_once);
  EXPECT_GT(group, 0);
  EXPECT_TRUE(rouse::test::becomes_true([&] { return !rouse::test::group_runs(group); }));
  EXPECT_TRUE(leaves_no_child([&] { checker.reset(); }));
}

TEST(CommandChecker, WhatIgnoresTermIsKilled) {
  const PidReport report;
  std::optional<CommandChecker> checker(
      std::in_place,
      shell("trap '' TERM; echo $$ > " + report.path() + "; while :; do sleep 3600; done"));
  pid_t group = 0;
  const auto stopped = rouse::test::stop_check(*checker, [&] { group = report.wait(); });
  EXPECT_TRUE(stopped.stopped);
  EXPECT_LT(stopped.after, at_once);
  EXPECT_TRUE(rouse::test::becomes_true([&] { return !rouse::test::group_runs(group); }));
  EXPECT_TRUE(leaves_no_child([&] { checker.reset(); }));
}

TEST(CommandChecker, AStoppedProcessIsKilledToo) {
  const PidReport report;
  CommandChecker checker(shell("echo $$ > " + report.path() + "; kill -STOP $$; sleep 3600"));
  pid_t group = 0;
  const auto stopped = rouse::test::stop_check(checker, [&] { group = report.wait(); });
  EXPECT_TRUE(stopped.stopped);
  EXPECT_LT(stopped.after, at_once);
  EXPECT_TRUE(rouse::test::becomes_true([&] { return !rouse::test::group_runs(group); }));
}

TEST(CommandChecker, AGrandchildThatHoldsThePipeHoldsNothingUp) {
  CommandChecker checker(shell("sleep 3600 & echo $!; exit 0"));
  const CheckResult result = run_check(checker);
  EXPECT_EQ(result.status, Status::ok);
  const auto grandchild = static_cast<pid_t>(std::stol(result.message));
  EXPECT_TRUE(rouse::test::becomes_true([&] {
    for (const auto& process : rouse::test::all_processes()) {
      if (process.pid == grandchild && process.state != 'Z') return false;
    }
    return true;
  }));
}

TEST(CommandChecker, AGrandchildThatLeftTheGroupHoldsNothingUp) {
  CommandChecker checker(shell("setsid sleep 30 & echo $!; exit 0"));
  const CheckResult result = run_check(checker);
  EXPECT_EQ(result.status, Status::ok);
  // A daemon is none of the check's business: this test must end it itself, if setsid has made it
  // one yet (before that it was killed with the group).
  for (const auto& process : rouse::test::all_processes()) {
    if (process.pid == std::stol(result.message)) ::kill(process.pid, SIGKILL);
  }
}

TEST(CommandChecker, TheTimeLimitMakesItCritical) {
  CommandOptions options = shell("trap 'exit 0' TERM; while :; do sleep 0.01; done");
  options.time_limit = 50ms;
  std::optional<CommandChecker> checker(std::in_place, options);
  const CheckResult result = run_check(*checker);
  EXPECT_EQ(result.status, Status::critical);
  EXPECT_EQ(result.message, "did not end within 50 ms, was ended");
  EXPECT_TRUE(leaves_no_child([&] { checker.reset(); }));
}

TEST(CommandChecker, AfterTheTimeLimitTheGraceIsCutShortByAStop) {
  const PidReport report;
  CommandOptions options =
      shell("trap 'echo $$ > " + report.path() + "' TERM; while :; do sleep 0.01; done");
  options.time_limit = 100ms;
  options.grace = 1h;
  std::optional<CommandChecker> checker(std::in_place, options);
  const auto stopped = rouse::test::stop_check(*checker, [&] { (void)report.wait(); });
  EXPECT_TRUE(stopped.stopped);
  EXPECT_LT(stopped.after, at_once);
  EXPECT_TRUE(leaves_no_child([&] { checker.reset(); }));
}

TEST(CommandChecker, TheCommandSeesNoSignalMaskAndNoInputAndNoDescriptors) {
  // As in the program, which blocks them for signalfd and whose children would inherit that.
  sigset_t signals;
  sigset_t before;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals, &before);
  struct sigaction ignore {};
  struct sigaction old {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, &old);
  const int leak = ::dup(0);  // without O_CLOEXEC

  EXPECT_EQ(run_shell("grep SigBlk /proc/self/status").message, "SigBlk:\t0000000000000000");
  // But for 32 and 33, which glibc keeps for itself.
  const std::string ignored = run_shell("grep SigIgn /proc/self/status").message;
  EXPECT_EQ(std::stoull(ignored.substr(8), nullptr, 16) & ~0x180000000ULL, 0U) << ignored;
  EXPECT_EQ(run_shell("readlink /proc/self/fd/0").message, "/dev/null");
  // ls has its own for the directory.
  EXPECT_EQ(run_shell("ls /proc/self/fd | tr '\\n' ' '").message, "0 1 2 3");

  ::close(leak);
  ::sigaction(SIGPIPE, &old, nullptr);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST(CommandChecker, PassesTheEnvironment) {
  ::setenv("ROUSE_TEST_VARIABLE", "seen", 1);
  EXPECT_EQ(run_shell("echo $ROUSE_TEST_VARIABLE").message, "seen");
  ::unsetenv("ROUSE_TEST_VARIABLE");
}

TEST(CommandChecker, LeavesNeitherDescriptorsNorZombies) {
  const auto all_kinds_of_ends = [] {
    (void)run_shell("echo a; echo b >&2");
    std::optional<CommandChecker> sleeper(std::in_place, shell("sleep 3600"));
    (void)run_check(*sleeper, 1ms);
    EXPECT_TRUE(leaves_no_child([&] { sleeper.reset(); }));
    CommandOptions missing;
    missing.argv = {"/does/not/exist"};
    CommandChecker broken(missing);
    EXPECT_THROW(run_check(broken), std::system_error);
  };
  all_kinds_of_ends();  // what is made once per thread
  const std::size_t before = rouse::test::count_descriptors();
  for (int i = 0; i < rouse::test::rounds(30); ++i) all_kinds_of_ends();
  EXPECT_EQ(rouse::test::count_descriptors(), before);
}

TEST(CommandChecker, ManyAtOnceAllEndAtOneStop) {
  const int count = rouse::test::rounds(100);
  rouse::StopScope scope;
  std::atomic<int> stopped = 0;
  std::deque<CommandChecker> checkers;
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, &checker = checkers.emplace_back(shell("sleep 3600"))] {
      rouse::this_thread::Bind bind(scope);
      try {
        (void)checker.check(scope.token());
      } catch (const rouse::Stopped&) {
        ++stopped;
      }
    });
  }
  EXPECT_TRUE(rouse::test::becomes_true(
      [&] { return rouse::test::count_children() == static_cast<std::size_t>(count); }));
  const auto started = std::chrono::steady_clock::now();
  scope.request_stop();
  for (std::thread& thread : threads) thread.join();
  const auto took = std::chrono::steady_clock::now() - started;
  EXPECT_EQ(stopped, count);
  EXPECT_LT(took, 2 * at_once);
  RecordProperty("stop_ms", static_cast<int>(took / 1ms));
  EXPECT_TRUE(leaves_no_child([&] { checkers.clear(); }));
}

TEST(Perfdata, ReadsLabelsValuesAndUnits) {
  const auto figures = parse_perfdata(" a=1 'b c'=-2.5%;80;90 'it''s'=3e2s;;;0 d=+7c");
  ASSERT_EQ(figures.size(), 4U);
  EXPECT_EQ(figures[0].name, "a");
  EXPECT_EQ(figures[1].name, "b c");
  EXPECT_DOUBLE_EQ(figures[1].value, -2.5);
  EXPECT_EQ(figures[1].unit, "%");
  EXPECT_EQ(figures[2].name, "it's");
  EXPECT_DOUBLE_EQ(figures[2].value, 300);
  EXPECT_EQ(figures[3].unit, "c");
}

TEST(Perfdata, PassesOverWhatIsNone) {
  EXPECT_TRUE(parse_perfdata("").empty());
  EXPECT_TRUE(parse_perfdata("time=U nothing = 'open=3 x=nan y=inf =").empty());
  const auto figures = parse_perfdata("junk a=1 'x y z b=2");
  ASSERT_EQ(figures.size(), 2U);
  EXPECT_EQ(figures[1].name, "b");
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "a=1 ";
  EXPECT_EQ(parse_perfdata(many).size(), 64U);
}

}  // namespace
}  // namespace health
