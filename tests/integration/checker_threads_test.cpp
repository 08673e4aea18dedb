// The template that people copy, as a process.

#include "support/child_process.hpp"

#include <chrono>
#include <csignal>
#include <string>

#include <gtest/gtest.h>

namespace rouse::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t thread_count = 9;

class CheckerThreads : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(child_.wait_for_output("Thread running interval: ", thread_count)) << child_;
  }

  // All nine end within a second of what has just been done, and with them the program.
  void expect_orderly_end() {
    ASSERT_EQ(child_.wait_for_exit(1s), 0) << child_;
    for (int interval = 10; interval <= 90; interval += 10) {
      const std::string line = "Thread stopping interval: " + std::to_string(interval) + '\n';
      EXPECT_EQ(child_.count(line), 1u) << line << child_;
    }
    EXPECT_EQ(child_.error(), "") << child_;
  }

  void expect_running() {
    EXPECT_EQ(child_.count("Thread stopping"), 0u) << child_;
    EXPECT_EQ(descendants_of(::getpid()).size(), 1u) << child_;
  }

  ChildProcess child_{{ROUSE_CHECKER_THREADS}};
};

TEST_F(CheckerThreads, EachPrintsItsInterval) {
  for (int interval = 10; interval <= 90; interval += 10) {
    const std::string line = "Thread running interval: " + std::to_string(interval) + '\n';
    EXPECT_EQ(child_.count(line), 1u) << line << child_;
  }
}

TEST_F(CheckerThreads, StopEndsAll) {
  ASSERT_TRUE(child_.write("stop\n"));
  expect_orderly_end();
}

TEST_F(CheckerThreads, StopMayBeShoutedAmongSpaces) {
  ASSERT_TRUE(child_.write(" \tSTOP \r\n"));
  expect_orderly_end();
}

TEST_F(CheckerThreads, InterruptEndsAll) {
  ASSERT_TRUE(child_.send(SIGINT));
  expect_orderly_end();
}

TEST_F(CheckerThreads, TerminateEndsAll) {
  ASSERT_TRUE(child_.send(SIGTERM));
  expect_orderly_end();
}

TEST_F(CheckerThreads, WrongLinesAreToldAndChangeNothing) {
  ASSERT_TRUE(child_.write("stopp\n"));
  ASSERT_TRUE(child_.wait_for_output("Invalid command\n", 1)) << child_;
  ASSERT_TRUE(child_.write("\n"));
  ASSERT_TRUE(child_.wait_for_output("Invalid command\n", 2)) << child_;
  ASSERT_TRUE(child_.write("please stop\n"));
  ASSERT_TRUE(child_.wait_for_output("Invalid command\n", 3)) << child_;
  expect_running();
  ASSERT_TRUE(child_.write("stop\n"));
  expect_orderly_end();
}

TEST_F(CheckerThreads, SeveralLinesMayComeAtOnce) {
  ASSERT_TRUE(child_.write("one\ntwo\nstop\nthree\n"));
  expect_orderly_end();
  EXPECT_EQ(child_.count("Invalid command\n"), 2u) << child_;
}

TEST_F(CheckerThreads, ALineMayComeInParts) {
  // The answer to the first line proves that the part behind it was read, too.
  ASSERT_TRUE(child_.write("wrong\nst"));
  ASSERT_TRUE(child_.wait_for_output("Invalid command\n")) << child_;
  expect_running();
  ASSERT_TRUE(child_.write("op\n"));
  expect_orderly_end();
  EXPECT_EQ(child_.count("Invalid command\n"), 1u) << child_;
}

TEST_F(CheckerThreads, TheLastLineMayLackItsEnd) {
  ASSERT_TRUE(child_.write("stop"));
  child_.close_input();
  expect_orderly_end();
}

TEST_F(CheckerThreads, EndOfInputStopsNothing) {
  // The unfinished line is answered when the end has been read.
  ASSERT_TRUE(child_.write("wrong"));
  child_.close_input();
  ASSERT_TRUE(child_.wait_for_output("Invalid command\n")) << child_;
  expect_running();
  ASSERT_TRUE(child_.send(SIGTERM));
  expect_orderly_end();
}

TEST_F(CheckerThreads, AFloodOfInputDoesNotHoldUpAStop) {
  // What is ready wins over a stop: a program that only waits would never see the signal. The pipe
  // is kept full until the child has gone.
  const std::string flood(4096, '\n');
  ASSERT_TRUE(child_.write(flood));
  ASSERT_TRUE(child_.wait_for_output("Invalid command\n", 1000)) << child_.error();
  ASSERT_TRUE(child_.send(SIGINT));
  const auto deadline = std::chrono::steady_clock::now() + 1s;
  bool ended = false;
  while (!ended && std::chrono::steady_clock::now() < deadline) {
    ended = !child_.write(flood) || child_.wait_for_exit(0s).has_value();
  }
  ASSERT_TRUE(ended) << "it still reads\n" << child_.error();
  EXPECT_EQ(child_.wait_for_exit(1s), 0) << child_.error();
  EXPECT_EQ(child_.count("Thread stopping interval: "), thread_count);
}

}  // namespace
}  // namespace rouse::test
