// The program as a daemon: it reads its configuration anew, and tells a service manager how it is.

#include "support/child_process.hpp"
#include "support/fail.hpp"
#include "support/http_client.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_socket.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rouse::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

using testing::StartsWith;

std::string check(const std::string& name, const std::string& says) {
  return "[[check]]\nname = \"" + name +
         "\"\ntype = \"command\"\nperiod = \"24h\"\nshell = \"echo " + says + "\"\n";
}

// A service manager's end of the socket.
class Manager {
 public:
  explicit Manager(const std::string& path)
      : path_(path), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      fail("bind");
    }
  }

  /// The next that is told; empty if nothing comes.
  std::string next() const {
    pollfd readable{socket_.get(), POLLIN, 0};
    const auto limit = std::chrono::milliseconds(child_limit);
    if (::poll(&readable, 1, static_cast<int>(limit.count())) != 1) return {};
    char buffer[256];
    const ssize_t size = ::recv(socket_.get(), buffer, sizeof buffer, 0);
    return {buffer, static_cast<std::size_t>(size < 0 ? 0 : size)};
  }
  /// Passes over others.
  std::string next_but(const std::string& other) const {
    for (;;) {
      const std::string told = next();
      if (told != other) return told;
    }
  }

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  const std::string path_;
  FileDescriptor socket_;
};

class HealthCheckerDaemon : public testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> arguments() const {
    return {ROUSE_HEALTH_CHECKER, "--config", config_};
  }
  // As an editor does it: a new file in the place of the old.
  void replace(const std::string& text) const {
    std::filesystem::rename(folder_.write("health.toml.new", text), config_);
  }
  static void stop(ChildProcess& child) {
    ASSERT_TRUE(child.send(SIGTERM));
    EXPECT_EQ(child.wait_for_exit(), 0) << child;
  }

  TemporaryDirectory folder_;
  const std::string config_ =
      folder_.write("health.toml", check("kept", "k") + check("changed", "before"));
};

TEST_F(HealthCheckerDaemon, ReadsItsConfigurationAnewWhenTheFileChanges) {
  ChildProcess child(arguments());
  ASSERT_TRUE(child.wait_for_output("started 2 checks")) << child;
  replace(check("kept", "k") + check("changed", "after") + check("added", "a"));
  ASSERT_TRUE(child.wait_for_output("1 added, 0 removed, 1 changed, 1 as before")) << child;
  EXPECT_THAT(child.error(), HasSubstr("(the file has changed)"));
  ASSERT_TRUE(child.write("check changed\n"));
  ASSERT_TRUE(child.wait_for_output("changed: ok: after")) << child;

  replace(check("kept", "k"));
  ASSERT_TRUE(child.wait_for_output("0 added, 2 removed, 0 changed, 1 as before")) << child;
  ASSERT_TRUE(child.write("check added\n"));
  ASSERT_TRUE(child.wait_for_output("No check is named 'added'")) << child;
  stop(child);
}

TEST_F(HealthCheckerDaemon, ReadsItsConfigurationAnewAtASignal) {
  ChildProcess child(arguments());
  ASSERT_TRUE(child.wait_for_output("started 2 checks")) << child;
  for (std::size_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(child.send(SIGHUP));
    ASSERT_TRUE(child.wait_until([&] {
      return child.count("(SIGHUP): 0 added, 0 removed, 0 changed, 2 as before") >= i;
    })) << child;
  }
  stop(child);
}

TEST_F(HealthCheckerDaemon, KeepsWhatItHasIfTheNewConfigurationIsWrong) {
  ChildProcess child(arguments());
  ASSERT_TRUE(child.wait_for_output("started 2 checks")) << child;
  replace(check("kept", "k") + "[[check]]\nname = \"x\"\ntype = \"tpc\"\n");
  ASSERT_TRUE(child.wait_for_output("the configuration was not reloaded")) << child;
  EXPECT_THAT(child.error(), HasSubstr("did you mean 'tcp'?"));
  ASSERT_TRUE(child.write("check changed\n"));
  ASSERT_TRUE(child.wait_for_output("changed: ok: before")) << child;

  replace(check("kept", "k") + check("changed", "before"));
  ASSERT_TRUE(child.wait_for_output("0 added, 0 removed, 0 changed, 2 as before")) << child;
  stop(child);
}

TEST_F(HealthCheckerDaemon, TellsItsServiceManagerHowItIs) {
  const Manager manager(folder_ / "notify");
  ChildProcess child(arguments(), {.environment = {"NOTIFY_SOCKET=" + manager.path()}});
  EXPECT_EQ(manager.next(), "READY=1\nSTATUS=2 checks");
  ASSERT_TRUE(child.send(SIGHUP));
  EXPECT_EQ(manager.next(), "RELOADING=1");
  EXPECT_EQ(manager.next(), "READY=1\nSTATUS=2 checks");
  ASSERT_TRUE(child.send(SIGTERM));
  EXPECT_EQ(manager.next(), "STOPPING=1");
  EXPECT_EQ(child.wait_for_exit(), 0) << child;
}

TEST_F(HealthCheckerDaemon, FeedsTheWatchdogByItsScheduler) {
  for (const char* const engine : {"pool", "threads"}) {
    replace("engine = \"" + std::string(engine) + "\"\n" + check("a", "a"));
    const Manager manager(folder_ / engine);
    ChildProcess child(arguments(),
                       {.environment = {"NOTIFY_SOCKET=" + manager.path(), "WATCHDOG_USEC=20000"}});
    EXPECT_THAT(manager.next_but("WATCHDOG=1"), StartsWith("READY=1"));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(manager.next(), "WATCHDOG=1");
    stop(child);
  }
}

TEST_F(HealthCheckerDaemon, KeepsItsNameFromTheCommandsOfChecks) {
  replace(check("environment", "socket=$NOTIFY_SOCKET=$WATCHDOG_USEC="));
  const Manager manager(folder_ / "notify");
  ChildProcess child(
      arguments(), {.environment = {"NOTIFY_SOCKET=" + manager.path(), "WATCHDOG_USEC=60000000"}});
  ASSERT_TRUE(child.write("check environment\n"));
  ASSERT_TRUE(child.wait_for_output("ok: socket===")) << child;
  stop(child);
}

TEST_F(HealthCheckerDaemon, ServesWhatItKnows) {
  replace("[server]\nlisten = \"127.0.0.1:0\"\n" + check("kept", "k"));
  ChildProcess child(arguments());
  ASSERT_TRUE(child.write("check kept\n"));
  ASSERT_TRUE(child.wait_for_output("kept: ok: k")) << child;
  const std::string line = "serving http://127.0.0.1:";
  const std::size_t at = child.error().find(line);
  ASSERT_NE(at, std::string::npos) << child;
  const auto port = static_cast<std::uint16_t>(std::stoi(child.error().substr(at + line.size())));
  EXPECT_EQ(http_get(port, "/readyz").status, 200);
  EXPECT_THAT(http_get(port, "/api/v1/status").body, HasSubstr("\"kept\""));
  const std::string metrics = http_get(port, "/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("health_engine_checks 1\n"));
  EXPECT_THAT(metrics, HasSubstr("\nhealth_engine_lag_p99_seconds "));
  stop(child);
  EXPECT_THAT(child.error(), HasSubstr("stopped server in"));
}

TEST_F(HealthCheckerDaemon, DoesNotStartWhereItsPortIsTaken) {
  const TestSocket taken;
  replace("[server]\nlisten = \"127.0.0.1:" + std::to_string(taken.port()) + "\"\n" +
          check("kept", "k"));
  ChildProcess child(arguments());
  EXPECT_EQ(child.wait_for_exit(), 3) << child;
  EXPECT_THAT(child.error(), HasSubstr(std::to_string(taken.port())));
}

TEST_F(HealthCheckerDaemon, TellsOfItsStopLayerByLayer) {
  ChildProcess child(arguments());
  ASSERT_TRUE(child.wait_for_output("started 2 checks")) << child;
  stop(child);
  for (const char* const layer : {"stopped reload in", "stopped timers in", "stopped pool in"}) {
    EXPECT_THAT(child.error(), HasSubstr(layer));
  }
}

}  // namespace
}  // namespace rouse::test
