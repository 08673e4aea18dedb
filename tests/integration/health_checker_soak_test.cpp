// The program for a while, with real targets that come and go: nothing grows.
//
// ROUSE_SOAK_SECONDS=600 runs it for ten minutes.

#include "support/child_process.hpp"
#include "support/idle_process.hpp"
#include "support/loopback.hpp"
#include "support/scale.hpp"
#include "support/sshd.hpp"
#include "support/temporary_directory.hpp"
#include "support/watchdog.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace rouse::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

std::chrono::seconds soak_time() {
  const char* const text = std::getenv("ROUSE_SOAK_SECONDS");
  if (text != nullptr) return std::chrono::seconds(std::strtol(text, nullptr, 10));
  return under_sanitizer ? 5s : 60s;
}

struct Size {
  long kilobytes = 0;
  long descriptors = 0;
};

Size size_of(pid_t process) {
  const std::string folder = "/proc/" + std::to_string(process);
  Size size;
  std::ifstream status(folder + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) size.kilobytes = std::strtol(line.c_str() + 6, nullptr, 10);
  }
  size.descriptors = std::distance(std::filesystem::directory_iterator(folder + "/fd"), {});
  return size;
}

class Soak : public testing::Test {
 protected:
  std::string config() {
    const std::string web = "127.0.0.1:" + std::to_string(nginx_.port());
    const std::string ssh = std::to_string(sshd_.port());
    const std::string plugins = "/usr/lib/nagios/plugins/";
    // A plugin is started, which takes its time on a busy machine; `check` runs it at once.
    const std::string commands = "type = \"command\"\nperiod = \"10s\"\ntimeout = \"10s\"\n";
    std::string text = "[defaults]\nperiod = \"1s\"\ntimeout = \"1s\"\n";
    const auto add = [&](const std::string& name, const std::string& keys) {
      text += "[[check]]\nname = \"" + name + "\"\n" + keys + "\n";
    };
    add("web", "type = \"http\"\nurl = \"http://" + web + "/\"\nbody_regex = \"well\"");
    add("plugin", commands + "argv = [\"" + plugins + "check_tcp\", \"-H\", " +
                      "\"127.0.0.1\", \"-p\", \"" + std::to_string(nginx_.port()) + "\"]");
    add("ssh", "type = \"tcp\"\nhost = \"127.0.0.1\"\nport = " + ssh + "\nexpect = \"SSH-2.0-\"");
    add("ssh-plugin",
        commands + "argv = [\"" + plugins + "check_ssh\", \"-p\", \"" + ssh + "\", \"127.0.0.1\"]");
    add("log", "type = \"log\"\nfile = \"" + log_ + "\"\npattern = \"FATAL\"\nhold = \"1s\"");
    add("file", "type = \"file\"\npath = \"" + file_ + "\"");
    add("process", "type = \"process\"\ncommand = \"rouse-soak-target 1000\"");
    for (int i = 0; i < 20; ++i) {
      add("more-" + std::to_string(i),
          "type = \"tcp\"\nhost = \"127.0.0.1\"\nport = " + std::to_string(nginx_.port()));
    }
    return folder_.write("health.toml", text);
  }

  void start_target() {
    target_.emplace(IdleProcess::running({"/bin/sleep", {"rouse-soak-target", "1000"}, ""}));
  }

  // Does it, and waits for the program to say each of these lines once more.
  static void expect(ChildProcess& child, const std::function<void()>& act,
                     const std::vector<std::string>& lines) {
    std::vector<std::size_t> before;
    for (const std::string& line : lines) before.push_back(child.count(line));
    act();
    for (std::size_t i = 0; i < lines.size(); ++i) {
      ASSERT_TRUE(child.wait_until([&] { return child.count(lines[i]) > before[i]; }))
          << lines[i] << child;
    }
  }

  // All of them go, and come back; the program has to notice both.
  void run_round(ChildProcess& child) {
    arm_watchdog("a round of the soak");  // however long all of them take
    const std::string fatal = "FATAL round " + std::to_string(++round_);
    const auto check_plugins = [&] { child.write("check plugin\ncheck ssh-plugin\n"); };
    expect(child, [&] { nginx_.stop(), check_plugins(); },
           {" web: critical: ", " plugin: critical: "});
    expect(child, [&] { nginx_.start(), check_plugins(); }, {" web: ok: ", " plugin: ok: "});
    expect(child, [&] { std::ofstream(log_, std::ios::app) << fatal << '\n'; },
           {" log: critical: " + fatal + " (", " log: ok: "});
    expect(child, [&] { std::filesystem::remove(file_); }, {" file: critical: "});
    expect(child, [&] { folder_.write("file", "x"); }, {" file: ok: "});
    expect(child, [&] { target_.reset(); }, {" process: critical: "});
    expect(child, [&] { start_target(); }, {" process: ok: "});
    if (round_ % 8 == 0) std::filesystem::rename(log_, log_ + ".1");
  }

  TemporaryDirectory folder_;
  Nginx nginx_;
  Sshd sshd_;
  std::optional<IdleProcess> target_;
  const std::string log_ = folder_.write("app.log", "");
  const std::string file_ = folder_.write("file", "x");
  int round_ = 0;
};

TEST_F(Soak, NothingGrowsWhileTargetsComeAndGo) {
  start_target();
  ChildProcess child({ROUSE_HEALTH_CHECKER, "--config", config()});
  for (const char* const line : {" web: ok: ", " plugin: ok: ", " ssh: ok: ", " ssh-plugin: ok: ",
                                 " log: ok: ", " file: ok: ", " process: ok: "}) {
    ASSERT_TRUE(child.wait_for_output(line)) << line << child;
  }
  for (int i = 0; i < 3; ++i) ASSERT_NO_FATAL_FAILURE(run_round(child));
  const Size before = size_of(child.pid());
  const auto end = Clock::now() + soak_time();
  do {
    ASSERT_NO_FATAL_FAILURE(run_round(child));
  } while (Clock::now() < end);
  const Size after = size_of(child.pid());
  std::printf("figure: soak of %d rounds: %ld KiB, then %ld KiB; %ld descriptors, then %ld\n",
              round_, before.kilobytes, after.kilobytes, before.descriptors, after.descriptors);
  // What is under way at the one moment and not at the other.
  EXPECT_LE(after.descriptors, before.descriptors + 20);
  if (!under_sanitizer) {
    EXPECT_LE(after.kilobytes, before.kilobytes + 12288);
  }
  ASSERT_TRUE(child.send(SIGTERM));
  EXPECT_EQ(child.wait_for_exit(), 0) << child;
}

}  // namespace
}  // namespace rouse::test
