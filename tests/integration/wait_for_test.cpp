// The command for scripts: what it waits for, and what its exit status says.

#include "support/child_process.hpp"
#include "support/loopback.hpp"
#include "support/temporary_directory.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace rouse::test {
namespace {

std::vector<std::string> wait_for(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(),
                   std::filesystem::path(ROUSE_CHECKER_THREADS).parent_path() / "wait_for");
  return arguments;
}

TEST(WaitFor, FileThatAppears) {
  const TemporaryDirectory folder;
  ChildProcess child(wait_for({"file", folder / "*.pid", "-v"}));
  ASSERT_TRUE(child.wait_for_output("wait_for: a file *.pid in ")) << child;
  folder.write("server.pid", "1\n");
  EXPECT_EQ(child.wait_for_exit(), 0) << child;
  EXPECT_EQ(child.output(), folder / "server.pid\n") << child;
}

TEST(WaitFor, FileThatIsGone) {
  const TemporaryDirectory folder;
  const std::string path = folder.write("lock", "");
  ChildProcess child(wait_for({"file", path, "--gone", "-v"}));
  ASSERT_TRUE(child.wait_for_output("wait_for: no file ")) << child;
  std::filesystem::remove(path);
  EXPECT_EQ(child.wait_for_exit(), 0) << child;
}

TEST(WaitFor, LineThatIsWritten) {
  const TemporaryDirectory folder;
  const std::string path = folder.write("log", "ready long ago\n");
  ChildProcess child(wait_for({"line", path, "^ready", "--from-end", "-v"}));
  ASSERT_TRUE(child.wait_for_output("wait_for: a line with '^ready'")) << child;
  std::ofstream(path, std::ios::app) << "starts\nready now\n";
  EXPECT_EQ(child.wait_for_exit(), 0) << child;
  EXPECT_EQ(child.output(), "ready now\n") << child;
}

TEST(WaitFor, ProcessThatRunsAndEnds) {
  ChildProcess other({"/bin/cat"});
  ChildProcess runs(wait_for({"process", "/bin/cat"}));
  EXPECT_EQ(runs.wait_for_exit(), 0) << runs;
  EXPECT_NE(runs.output(), "") << runs;

  ChildProcess gone(wait_for({"gone", std::to_string(other.pid()), "-v"}));
  ASSERT_TRUE(gone.wait_for_output("wait_for: ")) << gone;
  other.close_input();
  EXPECT_EQ(gone.wait_for_exit(), 0) << gone;
}

TEST(WaitFor, PortThatIsListenedOn) {
  const SilentServer server;
  ::sockaddr_in address{};
  ::socklen_t size = sizeof address;
  ASSERT_EQ(::getsockname(server.fd(), reinterpret_cast<::sockaddr*>(&address), &size), 0);
  ChildProcess child(wait_for({"port", std::to_string(ntohs(address.sin_port))}));
  EXPECT_EQ(child.wait_for_exit(), 0) << child;
}

TEST(WaitFor, TimeThatPasses) {
  const TemporaryDirectory folder;
  ChildProcess child(wait_for({"file", folder / "never", "--timeout", "1ms"}));
  EXPECT_EQ(child.wait_for_exit(), 1) << child;
  EXPECT_NE(child.error().find("0.001 s have passed without a file never in "), std::string::npos)
      << child;
}

TEST(WaitFor, StopsAtSignals) {
  const TemporaryDirectory folder;
  for (const int signal : {SIGINT, SIGTERM}) {
    ChildProcess child(wait_for({"file", folder / "never", "-v"}));
    ASSERT_TRUE(child.wait_for_output("wait_for: ")) << child;
    ASSERT_TRUE(child.send(signal));
    EXPECT_EQ(child.wait_for_exit(), 130) << child;
  }
}

TEST(WaitFor, TellsErrors) {
  struct Case {
    std::vector<std::string> arguments;
    std::string error;
  };
  const Case cases[] = {
      {{"line", "/tmp/log", "("}, "wait_for: rouse: line_matches: bad pattern '('"},
      {{"line", "/", "x"}, "wait_for: rouse: / is no regular file"},
      {{"port", "70000"}, "wait_for: rouse: port 70000 "},
      {{"file", "/tmp/"}, "is not the name of a file"},
      {{"file", "/tmp/x", "--timeout", "soon"}, "--timeout"},
      {{"gone", "0"}, "wait_for: "},
      {{"nonsense"}, "--help"},
      {{}, "--help"},
  };
  for (const Case& each : cases) {
    ChildProcess child(wait_for(each.arguments));
    EXPECT_EQ(child.wait_for_exit(), 2) << child;
    EXPECT_NE(child.error().find(each.error), std::string::npos) << child;
    EXPECT_EQ(child.output(), "") << child;
  }
}

}  // namespace
}  // namespace rouse::test
