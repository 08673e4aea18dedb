// process, memory and load, on files that the test has written as the kernel would.

#include "checkers/load.hpp"
#include "checkers/memory.hpp"
#include "checkers/process.hpp"
#include "checkers/subprocess.hpp"
#include "support/checks.hpp"
#include "support/temporary_directory.hpp"

#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <system_error>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;
using rouse::test::run_check;
using rouse::test::TemporaryDirectory;
using testing::HasSubstr;

/// A directory like /proc.
class FakeProc {
 public:
  void add(int pid, const std::string& name, char state, const std::string& exe,
           const std::string& command) const {
    const std::string folder = std::to_string(pid);
    directory_.write(folder + "/stat", folder + " (" + name + ") " + state + " 1 1 1 0");
    directory_.write(folder + "/cmdline", command);
    if (!exe.empty() && ::symlink(exe.c_str(), (directory_ / (folder + "/exe")).c_str()) != 0) {
      throw std::runtime_error("symlink");
    }
  }
  [[nodiscard]] const TemporaryDirectory& directory() const { return directory_; }
  [[nodiscard]] ProcessOptions options() const {
    ProcessOptions options;
    options.proc = directory_ / "";
    return options;
  }

 private:
  TemporaryDirectory directory_;
};

CheckResult check(ProcessOptions options) {
  ProcessChecker checker(std::move(options));
  return run_check(checker);
}

double count(const ProcessOptions& options) { return check(options).figures.at(0).value; }

TEST(ProcessChecker, FindsByNamePathAndCommandLine) {
  const FakeProc proc;
  proc.add(10, "nginx", 'S', "/usr/sbin/nginx", std::string("nginx: master\0-g\0daemon", 23));
  proc.add(11, "nginx", 'S', "", "nginx: worker");
  proc.add(12, "odd) name (", 'R', "/opt/other (deleted)", "");
  proc.add(13, "a_very_long_nam", 'S', "", "");
  proc.add(14, "gone", 'Z', "", "");
  proc.directory().write("15/nothing", "");  // has vanished
  proc.directory().write("16/stat", "16 garbage");
  proc.directory().write("self/stat", "17 (nginx) S 1");

  ProcessOptions options = proc.options();
  options.process = "nginx";
  EXPECT_EQ(count(options), 2);
  options.command = "master -g";
  EXPECT_EQ(count(options), 1);
  EXPECT_EQ(check(options).message, "running (pid 10)");
  options = proc.options();
  options.path = "/opt/other";
  EXPECT_EQ(count(options), 1);
  options = proc.options();
  options.process = "odd) name (";
  EXPECT_EQ(count(options), 1);
  options.process = "other";
  EXPECT_EQ(count(options), 1);
  options.process = "a_very_long_name_that_is_cut";
  EXPECT_EQ(count(options), 1);
  options.process = "gone";
  EXPECT_EQ(count(options), 0);
  EXPECT_EQ(check(options).status, Status::critical);
  EXPECT_EQ(check(options).message, "not running");
}

TEST(ProcessChecker, CountsHaveLimits) {
  const FakeProc proc;
  for (int pid = 1; pid <= 3; ++pid) proc.add(pid, "worker", 'S', "", "");
  ProcessOptions options = proc.options();
  options.process = "worker";
  options.min = 3;
  options.max = 3;
  EXPECT_EQ(check(options).status, Status::ok);
  EXPECT_EQ(check(options).message, "3 running");
  options.min = 4;
  options.max = 5;
  EXPECT_EQ(check(options).message, "3 running, fewer than 4");
  options.min = 0;
  options.max = 2;
  EXPECT_EQ(check(options).message, "3 running, more than 2");
  EXPECT_EQ(check(options).status, Status::critical);
  options.process = "absent";
  EXPECT_EQ(check(options).status, Status::ok);
}

TEST(ProcessChecker, PidFile) {
  const FakeProc proc;
  proc.add(77, "daemon", 'S', "", "");
  ProcessOptions options = proc.options();
  options.pid_file = proc.directory().write("daemon.pid", "77\n");
  EXPECT_EQ(check(options).status, Status::ok);
  options.process = "somebody_else";  // the number was given to another process
  EXPECT_EQ(check(options).status, Status::critical);
  options.process.clear();
  proc.directory().write("daemon.pid", "78");
  EXPECT_EQ(check(options).message, "not running");
  proc.directory().write("daemon.pid", "seventy");
  EXPECT_THAT(check(options).message, HasSubstr("holds no process number"));
  options.pid_file = proc.directory() / "missing.pid";
  EXPECT_EQ(check(options).status, Status::critical);
  options.min = 0;
  options.max = 0;
  EXPECT_EQ(check(options).status, Status::ok);
}

TEST(ProcessChecker, FindsARealProcess) {
  Subprocess sleeper({"sleep", "3601.25"});
  ProcessOptions options;
  options.process = "sleep";
  options.command = "sleep 3601.25";
  EXPECT_EQ(check(options).message, "running (pid " + std::to_string(sleeper.pid()) + ")");
  (void)sleeper.end(1s);
  EXPECT_EQ(check(options).status, Status::critical);
}

TEST(ProcessChecker, AStopEndsTheSearch) {
  ProcessOptions options;
  options.process = "sleep";
  ProcessChecker checker(options);
  rouse::StopScope scope;
  scope.request_stop();
  rouse::this_thread::Bind bind(scope);
  EXPECT_THROW((void)checker.check(scope.token()), rouse::Stopped);
}

TEST(MemoryChecker, GradesTheAvailableShare) {
  const TemporaryDirectory directory;
  MemoryOptions options;
  options.meminfo = directory.write(
      "meminfo", "MemTotal:  1000 kB\nMemFree:  10 kB\nMemAvailable:   80 kB\nSwapTotal: 0 kB\n");
  options.own_cgroup = directory / "none";
  MemoryChecker warned(options);
  EXPECT_EQ(run_check(warned).status, Status::warning);
  EXPECT_EQ(run_check(warned).message, "8% available, 80.0 KiB of 1000.0 KiB");
  options.available = {.warning = 5, .critical = 4};
  MemoryChecker fine(options);
  EXPECT_EQ(run_check(fine).status, Status::ok);
  options.available = {.warning = 20, .critical = 10};
  MemoryChecker bad(options);
  EXPECT_EQ(run_check(bad).status, Status::critical);
}

TEST(MemoryChecker, HonoursTheLimitsOfItsControlGroups) {
  const TemporaryDirectory directory;
  MemoryOptions options;
  options.meminfo = directory.write("meminfo", "MemTotal: 1000 kB\nMemAvailable: 900 kB\n");
  options.own_cgroup = directory.write("own", "1:name=systemd:/x\n0::/a/b\n");
  options.cgroup_root = directory / "cgroup";
  MemoryChecker checker(options);
  directory.write("cgroup/a/b/memory.max", "max\n");
  directory.write("cgroup/a/b/memory.current", "1000\n");
  EXPECT_EQ(run_check(checker).status, Status::ok);
  EXPECT_NEAR(run_check(checker).figures.at(0).value, 90, 1e-9);

  directory.write("cgroup/a/memory.max", "1000\n");
  directory.write("cgroup/a/memory.current", "980\n");
  EXPECT_EQ(run_check(checker).status, Status::critical);
  EXPECT_THAT(run_check(checker).message, HasSubstr("2% available"));
  EXPECT_THAT(run_check(checker).message, HasSubstr("control group"));

  directory.write("cgroup/a/memory.stat", "anon 1\ninactive_file 480\n");
  EXPECT_NEAR(run_check(checker).figures.at(0).value, 50, 1e-9);

  directory.write("own", "0::/../../elsewhere\n");
  EXPECT_NEAR(run_check(checker).figures.at(0).value, 90, 1e-9);
}

TEST(MemoryChecker, ReadsThisMachine) {
  MemoryChecker checker({});
  const CheckResult result = run_check(checker);
  EXPECT_GT(result.figures.at(0).value, 0) << result.message;
  EXPECT_LE(result.figures.at(0).value, 100);
}

TEST(MemoryChecker, OddFilesAreABrokenCheck) {
  const TemporaryDirectory directory;
  MemoryOptions options;
  options.meminfo = directory.write("meminfo", "nothing of it");
  MemoryChecker odd(options);
  EXPECT_THROW((void)run_check(odd), std::runtime_error);
  options.meminfo = directory / "missing";
  MemoryChecker missing(options);
  EXPECT_THROW((void)run_check(missing), std::system_error);
}

TEST(LoadChecker, GradesPerCpu) {
  const TemporaryDirectory directory;
  LoadOptions options;
  options.loadavg = directory.write("loadavg", "12.00 6.00 2.00 1/467 12345\n");
  options.cpus = 2;
  LoadChecker five(options);
  EXPECT_EQ(run_check(five).status, Status::warning);
  EXPECT_EQ(run_check(five).message, "3.00 per CPU (2 CPUs, averages 12.00 6.00 2.00)");
  options.window = LoadOptions::Window::one;
  LoadChecker one(options);
  EXPECT_EQ(run_check(one).status, Status::critical);
  options.window = LoadOptions::Window::fifteen;
  LoadChecker fifteen(options);
  EXPECT_EQ(run_check(fifteen).status, Status::ok);
}

TEST(LoadChecker, ReadsThisMachine) {
  LoadChecker checker({});
  EXPECT_EQ(run_check(checker).figures.size(), 4U);
  const TemporaryDirectory directory;
  LoadOptions options;
  options.loadavg = directory.write("loadavg", "1.0 x");
  LoadChecker odd(options);
  EXPECT_THROW((void)run_check(odd), std::runtime_error);
}

}  // namespace
}  // namespace health
