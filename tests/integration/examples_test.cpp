// Every example runs to its end and is content with what it saw.

#include "support/child_process.hpp"

#include <filesystem>
#include <iterator>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace rouse::test {
namespace {

constexpr const char* names[] = {"asio",
                                 "buffer_pool",
                                 "cron",
                                 "delay_executor",
                                 "event",
                                 "fd",
                                 "ids",
                                 "interruptible_thread",
                                 "rw_lock",
                                 "shield",
                                 "signal_stop",
                                 "sleep",
                                 "stop_all",
                                 "stop_scope",
                                 "stoppable_thread",
                                 "this_thread",
                                 "thread_pool",
                                 "wait_any"};

class Examples : public testing::TestWithParam<const char*> {};

TEST_P(Examples, Runs) {
  const auto program = std::filesystem::path(ROUSE_CHECKER_THREADS).parent_path() / GetParam();
  ASSERT_TRUE(std::filesystem::exists(program)) << program << " was not built";
  ChildProcess child({program.string()});
  EXPECT_EQ(child.wait_for_exit(), 0) << child;
  EXPECT_NE(child.output(), "") << child;
  EXPECT_EQ(child.error(), "") << child;
}

INSTANTIATE_TEST_SUITE_P(All, Examples, testing::ValuesIn(names),
                         [](const auto& one) { return std::string(one.param); });

TEST(ExamplesList, IsComplete) {
  std::set<std::string> sources;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(ROUSE_SOURCE_DIR) / "examples")) {
    if (entry.path().extension() == ".cpp") sources.insert(entry.path().stem());
  }
  sources.erase("checker_threads");  // have tests of their own
  sources.erase("wait_for");
  EXPECT_EQ(sources, (std::set<std::string>(std::begin(names), std::end(names))));
}

}  // namespace
}  // namespace rouse::test
