// The program as its users meet it: the command line, the configuration, the console.
//
// How it stops under load is in health_checker_stop_test.cpp.

#include "support/child_process.hpp"
#include "support/loopback.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace rouse::test {
namespace {

using namespace std::chrono_literals;

std::string command_check(const std::string& name, const std::string& shell) {
  return "[[check]]\nname = \"" + name + "\"\ntype = \"command\"\nperiod = \"24h\"\n" +
         "timeout = \"24h\"\nshell = '''" + shell + "'''\n";
}

std::multiset<std::string> sorted_lines(std::istream& stream) {
  std::multiset<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.insert(line);
  return lines;
}

// A check whose every run is seen by `runs`.
std::string called_at(const std::string& times, const RollCall& runs) {
  return "[[check]]\nname = \"only\"\ntype = \"command\"\n" + times + "shell = '''echo >" +
         runs.path() + "'''\n";
}

// A pipe at `path` that has no room.
FileDescriptor full_pipe(const std::string& path) {
  EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
  FileDescriptor pipe(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  const std::string text(4096, 'x');
  while (::write(pipe.get(), text.data(), text.size()) > 0) {
  }
  return pipe;
}

class HealthChecker : public testing::Test {
 protected:
  // Its path.
  std::string config(std::string_view text) const { return folder_.write("health.toml", text); }

  static std::vector<std::string> arguments(const std::string& config,
                                            std::vector<std::string> more = {}) {
    more.insert(more.begin(), {ROUSE_HEALTH_CHECKER, "--config", config});
    return more;
  }

  static void expect_stopped(ChildProcess& child) {
    EXPECT_EQ(child.wait_for_exit(), 0) << child;
    EXPECT_NE(child.error().find("stopped in "), std::string::npos) << child;
  }

  TemporaryDirectory folder_;
};

TEST_F(HealthChecker, OnceExitsWithTheWorstState) {
  // From the best to the worst: ok, unknown, warning, critical.
  struct Case {
    std::vector<int> states;
    int expected;
  };
  for (const Case& c : {Case{{0, 0}, 0}, Case{{0, 1}, 1}, Case{{1, 2, 0}, 2}, Case{{0, 3}, 3},
                        Case{{3, 2}, 2}, Case{{1, 3}, 1}}) {
    std::string text;
    for (const int state : c.states) {
      const std::string number = std::to_string(state);
      text += command_check("exits-" + number + "-" + std::to_string(text.size()),
                            "echo this is " + number + "; exit " + number);
    }
    ChildProcess child(arguments(config(text), {"--once"}));
    EXPECT_EQ(child.wait_for_exit(), c.expected) << text << child;
    for (const int state : c.states) {
      EXPECT_NE(child.output().find("this is " + std::to_string(state)), std::string::npos)
          << child;
    }
    EXPECT_NE(child.output().find(std::to_string(c.states.size()) + " checks: "), std::string::npos)
        << child;
  }
}

TEST_F(HealthChecker, OnceRunsTheChecksConcurrently) {
  // Each waits until the other has come.
  const std::string a = folder_.path() / "a";
  const std::string b = folder_.path() / "b";
  ASSERT_EQ(::mkfifo(a.c_str(), 0600), 0);
  ASSERT_EQ(::mkfifo(b.c_str(), 0600), 0);
  ChildProcess child(arguments(config(command_check("first", "echo >" + a + "; read line <" + b) +
                                      command_check("second", "read line <" + a + "; echo >" + b)),
                               {"--once"}));
  EXPECT_EQ(child.wait_for_exit(), 0) << child;
}

TEST_F(HealthChecker, OnceIsStoppedBySignals) {
  adopt_orphans();
  RollCall roll_call(folder_);
  for (const int signal : {SIGINT, SIGTERM}) {
    roll_call.reset();
    ChildProcess child(arguments(
        config(command_check("sleeper", "echo >" + roll_call.path() + "; exec sleep 3600")),
        {"--once"}));
    const int fd = roll_call.fd();
    ASSERT_TRUE(child.wait_until([&] { return roll_call.count() == 1; }, child_limit, {&fd, 1}))
        << child;
    ASSERT_TRUE(child.send(signal));
    EXPECT_EQ(child.wait_for_exit(1s), 128 + signal) << child;
    EXPECT_TRUE(descendants_of(::getpid()).empty());
  }
}

TEST_F(HealthChecker, CheckConfigRunsNothing) {
  const std::filesystem::path trace = folder_.path() / "trace";
  ChildProcess child(arguments(config(command_check("one", "touch " + trace.string()) +
                                      command_check("two", "touch " + trace.string())),
                               {"--check-config"}));
  EXPECT_EQ(child.wait_for_exit(), 0) << child;
  EXPECT_EQ(child.output(), "2 checks, no errors\n") << child;
  EXPECT_EQ(child.error(), "") << child;
  EXPECT_FALSE(std::filesystem::exists(trace));
}

TEST_F(HealthChecker, ABadConfigIsExplainedAndStartsNothing) {
  const std::filesystem::path trace = folder_.path() / "trace";
  const std::string file = config(command_check("good", "touch " + trace.string()) +  // 6 lines
                                  "[[check]]\n"
                                  "name = \"bad\"\n"
                                  "type = \"tpc\"\n"
                                  "  perid = \"10s\"\n"
                                  "[[check]]\n"
                                  "name = \"worse\"\n"
                                  "type = \"tcp\"\n"
                                  "host = \"127.0.0.1\"\n"
                                  "port = 70000\n"
                                  "perid = \"10s\"\n");
  for (const char* const mode : {"", "--once", "--check-config"}) {
    std::vector<std::string> more;
    if (*mode != '\0') more.emplace_back(mode);
    ChildProcess child(arguments(file, more));
    EXPECT_EQ(child.wait_for_exit(), 3) << child;
    EXPECT_EQ(child.output(), "") << child;
    // Every mistake in one run, each with its place and what was probably meant.
    for (const std::string& expected :
         {file + ":9:8: check 'bad': unknown type 'tpc'; did you mean 'tcp'?",
          file + ":15:8: check 'worse': 'port' ",
          file + ":16:1: check 'worse': unknown key 'perid'; did you mean 'period'?"}) {
      EXPECT_NE(child.error().find(expected), std::string::npos) << expected << '\n' << child;
    }
  }
  EXPECT_FALSE(std::filesystem::exists(trace));
}

TEST_F(HealthChecker, ASyntaxErrorHasItsPlace) {
  const std::string file = config("[[check]]\nname = \"half\ntype = \"tcp\"\n");
  ChildProcess child(arguments(file));
  EXPECT_EQ(child.wait_for_exit(), 3) << child;
  EXPECT_TRUE(child.error().starts_with(file + ":2:")) << child;
}

TEST_F(HealthChecker, AMissingConfigIsNamed) {
  const std::string file = folder_.path() / "nowhere.toml";
  ChildProcess child(arguments(file));
  EXPECT_EQ(child.wait_for_exit(), 3) << child;
  EXPECT_NE(child.error().find(file), std::string::npos) << child;
}

TEST_F(HealthChecker, AMistypedOptionIsRefused) {
  ChildProcess child({ROUSE_HEALTH_CHECKER, "--onec"});
  EXPECT_EQ(child.wait_for_exit(), 3) << child;
  EXPECT_NE(child.error().find("--onec"), std::string::npos) << child;
}

TEST_F(HealthChecker, AnswersCommands) {
  ChildProcess child(arguments(config(command_check("alpha", "echo first letter") +
                                      command_check("omega", "echo last letter; exit 1"))));
  ASSERT_TRUE(child.write("check alpha\nCHECK omega\n")) << child;
  ASSERT_TRUE(child.wait_for_output("alpha: ok: first letter")) << child;
  ASSERT_TRUE(child.wait_for_output("omega: warning: last letter")) << child;

  ASSERT_TRUE(child.write("check alhpa\n")) << child;
  ASSERT_TRUE(child.wait_for_output("No check is named 'alhpa'; did you mean 'alpha'?")) << child;
  ASSERT_TRUE(child.write("halt\n")) << child;
  ASSERT_TRUE(child.wait_for_output("Invalid command: 'halt' (stop, status, check NAME, help)\n"))
      << child;
  ASSERT_TRUE(child.write("help\n")) << child;
  ASSERT_TRUE(child.wait_for_output("check NAME  runs a check now")) << child;

  ASSERT_TRUE(child.write(" Status \n")) << child;
  ASSERT_TRUE(child.wait_for_output("2 checks: 1 ok, 1 warning\n")) << child;
  EXPECT_EQ(child.count("\nalpha "), 1u) << child;
  EXPECT_EQ(child.count("\nomega "), 1u) << child;

  ASSERT_TRUE(child.write("STOP\n")) << child;
  expect_stopped(child);
}

TEST_F(HealthChecker, ALineMayComeInParts) {
  ChildProcess child(arguments(config(command_check("only", "exit 0"))));
  ASSERT_TRUE(child.write("help\nst")) << child;
  ASSERT_TRUE(child.wait_for_output("check NAME  runs a check now")) << child;
  ASSERT_TRUE(child.write("op")) << child;
  child.close_input();
  expect_stopped(child);
}

TEST_F(HealthChecker, EndOfInputStopsNothing) {
  // A check that runs each second, and says so.
  ChildProcess child(arguments(config("[[check]]\nname = \"only\"\ntype = \"command\"\n"
                                      "period = \"1s\"\nshell = \"echo it runs\"\n"),
                               {"--verbose"}));
  child.close_input();
  ASSERT_TRUE(child.wait_for_output("standard input has ended")) << child;
  const std::size_t before = child.count("only: ok: it runs");
  ASSERT_TRUE(child.wait_for_output("only: ok: it runs", before + 1)) << child;
  ASSERT_TRUE(child.send(SIGTERM));
  expect_stopped(child);
}

TEST_F(HealthChecker, KillsACommandThatDoesNotListen) {
  adopt_orphans();
  RollCall roll_call(folder_);
  ChildProcess child(arguments(config(command_check(
      "deaf", "trap '' TERM; echo >" + roll_call.path() + "; while :; do sleep 3600; done"))));
  ASSERT_TRUE(child.write("check deaf\n")) << child;
  const int fd = roll_call.fd();
  ASSERT_TRUE(child.wait_until([&] { return roll_call.count() == 1; }, child_limit, {&fd, 1}))
      << child;
  ASSERT_TRUE(child.send(SIGINT));
  EXPECT_EQ(child.wait_for_exit(1s), 0) << child;
  for (const pid_t process : descendants_of(::getpid())) {
    const std::string description = describe_process(process);
    EXPECT_TRUE(wait_until_gone(process, 1s)) << "left behind: " << description;
  }
}

TEST_F(HealthChecker, LogsToAFileAsWell) {
  const std::string log = folder_.path() / "health.log";
  ChildProcess child(arguments(config(command_check("only", "echo it runs")), {"--log-file", log}));
  ASSERT_TRUE(child.write("check only\n")) << child;
  ASSERT_TRUE(child.wait_for_output("only: ok: it runs")) << child;
  ASSERT_TRUE(child.write("stop\n")) << child;
  expect_stopped(child);
  // Lines of two threads may change places on their way to the one and the other.
  std::ifstream file(log);
  std::istringstream error(child.error());
  EXPECT_EQ(sorted_lines(file), sorted_lines(error)) << child;
}

// Somebody has pressed Ctrl-S, or what collects the log hangs.
TEST_F(HealthChecker, ChecksAndStopsThoughNobodyReadsItsLog) {
  const std::string log = folder_.path() / "log";
  const FileDescriptor never_read = full_pipe(log);
  RollCall runs(folder_);
  const std::string file = config(called_at("period = \"1s\"\ntimeout = \"1s\"\n", runs));
  ChildProcess child({"/bin/sh", "-c", "exec \"$0\" --verbose --config \"$1\" 2>\"$2\"",
                      ROUSE_HEALTH_CHECKER, file, log});
  const int others[] = {runs.fd()};
  ASSERT_TRUE(child.wait_until([&] { return runs.count() >= 3; }, child_limit, others)) << child;
  ASSERT_TRUE(child.send(SIGTERM));
  EXPECT_EQ(child.wait_for_exit(), 0) << child;
}

TEST_F(HealthChecker, StopsThoughNobodyReadsWhatACommandSays) {
  const std::string output = folder_.path() / "output";
  const FileDescriptor never_read = full_pipe(output);
  RollCall runs(folder_);
  // Only when it is asked to, or at New Year.
  const std::string file = config(called_at("cron = \"0 0 1 1 *\"\n", runs));
  ChildProcess child(
      {"/bin/sh", "-c", "exec \"$0\" --config \"$1\" >\"$2\"", ROUSE_HEALTH_CHECKER, file, output});
  ASSERT_TRUE(child.write("check only\n"));
  const int others[] = {runs.fd()};
  // Then the answer is under way.
  ASSERT_TRUE(child.wait_until([&] { return runs.count() >= 1; }, child_limit, others)) << child;
  ASSERT_TRUE(child.send(SIGTERM));
  expect_stopped(child);
}

TEST_F(HealthChecker, ChecksTheWebServerNextDoor) {
  const Nginx nginx;
  const std::string url = "http://127.0.0.1:" + std::to_string(nginx.port()) + "/";
  ChildProcess child(arguments(config("[[check]]\nname = \"fine\"\ntype = \"http\"\nurl = \"" +
                                      url + "\"\nbody_regex = \"is w.ll\"\n" +
                                      "[[check]]\nname = \"odd\"\ntype = \"http\"\nurl = \"" + url +
                                      "\"\nbody_regex = \"is b.d\"\n"),
                               {"--once"}));
  EXPECT_EQ(child.wait_for_exit(), 2) << child;
  EXPECT_NE(child.output().find("2 checks: 1 ok, 1 critical\n"), std::string::npos) << child;
}

}  // namespace
}  // namespace rouse::test
