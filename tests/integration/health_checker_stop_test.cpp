// The program with 200 checks in flight: each way to stop it ends it at once and leaves nothing.

#include "support/child_process.hpp"
#include "support/loopback.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace rouse::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// 110 that end at once and are fine, 90 that do not end.
constexpr std::size_t quick_checks = 110;
constexpr std::size_t hanging_checks = 60;
constexpr std::size_t sleeping_checks = 30;
constexpr std::size_t all_checks = quick_checks + hanging_checks + sleeping_checks;

class ConfigText {
 public:
  // `keys` are those of the kind.
  void add(std::size_t count, const std::string& type, const std::string& keys) {
    for (; count > 0; --count) {
      names_.push_back(type + "-" + std::to_string(names_.size()));
      text_ += "[[check]]\nname = \"" + names_.back() + "\"\ntype = \"" + type + "\"\n" + keys;
    }
  }
  [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  // Nothing but a stop ends what hangs, and nothing but the test starts it.
  std::string text_ = "[defaults]\nperiod = \"24h\"\ntimeout = \"24h\"\n";
  std::vector<std::string> names_;
};

class HealthCheckerStop : public testing::Test {
 protected:
  void SetUp() override {
    adopt_orphans();
    const std::string folder = folder_.path();
    const std::string web = "127.0.0.1:" + std::to_string(nginx_.port());
    const std::string silent = "127.0.0.1:" + std::to_string(silent_.port());
    config_.add(30, "http", "url = \"http://" + web + "/\"\nbody_regex = \"^all is w.ll$\"\n");
    config_.add(30, "tcp", "host = \"127.0.0.1\"\nport = " + std::to_string(nginx_.port()) + "\n");
    config_.add(10, "process", "pid_file = \"" + nginx_.pid_file() + "\"\n");
    config_.add(10, "file", "path = \"" + folder + "\"\nkind = \"directory\"\n");
    config_.add(10, "disk", "path = \"" + folder + "\"\nwarning = \"100%\"\ncritical = \"100%\"\n");
    config_.add(10, "memory", "warning = \"0%\"\ncritical = \"0%\"\n");
    config_.add(5, "load", "warning = 9999.0\ncritical = 9999.0\n");
    config_.add(5, "command", "shell = \"echo fine\"\n");
    config_.add(hanging_checks, "http", "url = \"http://" + silent + "/\"\n");
    const std::string here = "echo >" + roll_call_.path() + "; ";
    config_.add(sleeping_checks / 2, "command", "shell = \"" + here + "exec sleep 3600\"\n");
    // With a grandchild in the background.
    config_.add(sleeping_checks - sleeping_checks / 2, "command",
                "shell = \"sleep 3600 & " + here + "sleep 3600; exit 0\"\n");
    ASSERT_EQ(config_.names().size(), all_checks);
    config_file_ = folder_.write("health.toml", config_.text());
    before_ = others();
  }

  // Asks for every check and waits until the quick ones have ended and the others hang.
  void bring_up(ChildProcess& child) {
    silent_.hang_up();
    roll_call_.reset();
    std::string commands;
    for (const std::string& name : config_.names()) commands += "check " + name + "\n";
    ASSERT_TRUE(child.write(commands)) << child;
    const int others[] = {silent_.fd(), roll_call_.fd()};
    const bool up = child.wait_until(
        [&] {
          // No short cut: each must be read, or it wakes the wait for ever.
          const std::size_t held = silent_.accept();
          const std::size_t asleep = roll_call_.count();
          return held >= hanging_checks && asleep >= sleeping_checks && quick_ones_are_ok(child);
        },
        child_limit, others);
    ASSERT_TRUE(up) << silent_.accept() << " connections are held, " << roll_call_.count()
                    << " commands sleep, " << child.count(": ok: ") << " checks are ok\n"
                    << child;
  }

  // One by one: a request that meets the first run by schedule makes a check run twice.
  [[nodiscard]] bool quick_ones_are_ok(const ChildProcess& child) const {
    if (child.count(": ok: ") < quick_checks) return false;
    return std::ranges::all_of(
        std::span(config_.names()).first(quick_checks), [&](const std::string& name) {
          return child.error().find(" " + name + ": ok: ") != std::string::npos;
        });
  }

  static std::set<pid_t> others() {
    const std::vector<pid_t> all = descendants_of(::getpid());
    return {all.begin(), all.end()};
  }

  // Orphans have come to the test, so whatever the program has left is among its descendants. What
  // was killed may need a moment to be gone; what was forgotten sleeps for an hour.
  void expect_nothing_left() const {
    for (const pid_t process : others()) {
      if (before_.contains(process)) continue;
      const std::string description = describe_process(process);
      EXPECT_TRUE(wait_until_gone(process, 1s)) << "left behind: " << description;
    }
  }

  TemporaryDirectory folder_;
  Nginx nginx_;
  SilentServer silent_;
  RollCall roll_call_{folder_};
  ConfigText config_;
  std::string config_file_;
  std::set<pid_t> before_;
};

using Milliseconds = std::chrono::duration<double, std::milli>;

TEST_F(HealthCheckerStop, TakesAMomentAndLeavesNothing) {
  enum class How { command, interrupt, terminate };
  std::vector<Milliseconds> times;
  for (int run = 0; run < 10; ++run) {
    SCOPED_TRACE("run " + std::to_string(run));
    ChildProcess child({ROUSE_HEALTH_CHECKER, "--config", config_file_});
    ASSERT_NO_FATAL_FAILURE(bring_up(child));
    ASSERT_GE(others().size(), before_.size() + 1 + sleeping_checks);

    const auto begin = Clock::now();
    switch (static_cast<How>(run % 3)) {
      case How::command:
        ASSERT_TRUE(child.write("stop\n"));
        break;
      case How::interrupt:
        ASSERT_TRUE(child.send(SIGINT));
        break;
      case How::terminate:
        ASSERT_TRUE(child.send(SIGTERM));
        break;
    }
    ASSERT_EQ(child.wait_for_exit(), 0) << child;
    times.push_back(Clock::now() - begin);
    expect_nothing_left();
    EXPECT_LT(times.back(), 1s) << child;
  }
  std::printf("figure: health_checker stop times:");
  for (const Milliseconds time : times) std::printf(" %.1f", time.count());
  std::ranges::sort(times);
  const Milliseconds median = (times[times.size() / 2 - 1] + times[times.size() / 2]) / 2;
  std::printf(" ms, median %.1f ms (target 100 ms)\n", median.count());
}

TEST_F(HealthCheckerStop, StatusShowsEveryCheck) {
  ChildProcess child({ROUSE_HEALTH_CHECKER, "--config", config_file_});
  ASSERT_NO_FATAL_FAILURE(bring_up(child));
  ASSERT_TRUE(child.write("status\n"));
  ASSERT_TRUE(child.wait_for_output("200 checks: 110 ok, 90 not run yet\n")) << child;
  for (const std::string& name : config_.names()) {
    EXPECT_NE(child.output().find("\n" + name + " "), std::string::npos) << name << '\n' << child;
  }
  ASSERT_TRUE(child.write("stop\n"));
  EXPECT_EQ(child.wait_for_exit(), 0) << child;
}

// The signals that were sent to the process and that nobody has taken yet.
bool is_pending(pid_t process, int signal) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("ShdPnd:")) continue;
    return ((std::stoull(line.substr(7), nullptr, 16) >> (signal - 1)) & 1U) != 0;
  }
  return false;
}

TEST_F(HealthCheckerStop, ASecondInterruptEndsItAtOnce) {
  ChildProcess child({ROUSE_HEALTH_CHECKER, "--config", config_file_});
  ASSERT_NO_FATAL_FAILURE(bring_up(child));
  // The shutdown is made to hang: the table is larger than the pipe that nobody reads, so its
  // writer is stuck from the first byte on.
  ASSERT_GE(::fcntl(child.output_fd(), F_SETPIPE_SZ, 4096), 0);
  ASSERT_TRUE(child.write("status\n"));
  ::pollfd output{child.output_fd(), POLLIN, 0};
  ASSERT_EQ(::poll(&output, 1, 10'000), 1) << child;

  // Equal signals merge while they are pending, so the second waits until the first was taken. For
  // that there is no event to wait for.
  ASSERT_TRUE(child.send(SIGINT));
  const auto deadline = Clock::now() + 10s;
  while (is_pending(child.pid(), SIGINT) && Clock::now() < deadline) ::sched_yield();
  ASSERT_FALSE(is_pending(child.pid(), SIGINT)) << child;
  ::pollfd ended{child.ended_fd(), POLLIN, 0};
  ASSERT_EQ(::poll(&ended, 1, 0), 0) << "it did not hang\n" << child;

  // Not wait_for_exit alone: that reads the output and sets the writer free.
  ASSERT_TRUE(child.send(SIGINT));
  ASSERT_EQ(::poll(&ended, 1, 1'000), 1) << "it did not end at the second signal\n" << child;
  EXPECT_EQ(child.wait_for_exit(), 130) << child;
  // It had no time to tidy up: what it has left is the test's to kill.
  for (const pid_t process : others()) {
    if (before_.contains(process)) continue;
    ::kill(process, SIGKILL);
    EXPECT_TRUE(wait_until_gone(process, 1s)) << describe_process(process);
  }
}

}  // namespace
}  // namespace rouse::test
