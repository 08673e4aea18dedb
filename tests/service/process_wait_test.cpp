// Every wait for processes and ports ends by a stop, by its deadline and by what is raised, and one
// that has events sleeps until then.

#include "rouse/service/autowait.hpp"

#include "support/loopback_server.hpp"
#include "support/observed_thread.hpp"
#include "support/processes.hpp"
#include "support/test_socket.hpp"
#include "wait/control_block.hpp"

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <ostream>
#include <stop_token>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::PortOptions;
using rouse::ProcessInfo;
using rouse::ProcessOptions;
using rouse::WaitStatus;
using rouse::WaitTime;
using rouse::test::ClosedPort;
using rouse::test::ObservedThread;
using rouse::test::TestSocket;

const std::string& this_program() {
  static const std::string path = std::filesystem::read_symlink("/proc/self/exe");
  return path;
}

struct EndlessWait {
  const char* name;
  std::function<WaitStatus(WaitTime timeout, std::stop_token stop)> wait;
};

class EachWait : public testing::TestWithParam<EndlessWait> {};

std::vector<EndlessWait> endless_waits() {
  static const TestSocket server;
  static const ClosedPort closed;
  const std::uint16_t free_port = closed.port();
  const auto process = [](WaitTime timeout) { return ProcessOptions{.timeout = timeout}; };
  const auto port = [](WaitTime timeout) { return PortOptions{.timeout = timeout}; };
  return {
      {"process_exists",
       [=](WaitTime timeout, std::stop_token stop) -> WaitStatus {
         return rouse::wait_until_process_exists("rouse-nobody", process(timeout), stop);
       }},
      {"process_exists_predicate",
       [=](WaitTime timeout, std::stop_token stop) -> WaitStatus {
         const auto none = [](const ProcessInfo&) { return false; };
         return rouse::wait_until_process_exists(none, process(timeout), stop);
       }},
      {"process_gone",
       [=](WaitTime timeout, std::stop_token stop) {
         return rouse::wait_until_process_gone(::getpid(), process(timeout), stop);
       }},
      {"process_gone_path",
       [=](WaitTime timeout, std::stop_token stop) {
         return rouse::wait_until_process_gone(this_program(), process(timeout), stop);
       }},
      {"port_used",
       [=](WaitTime timeout, std::stop_token stop) {
         return rouse::wait_until_port_used(free_port, port(timeout), stop);
       }},
      {"port_free",
       [=](WaitTime timeout, std::stop_token stop) {
         return rouse::wait_until_port_free(server.port(), port(timeout), stop);
       }},
      {"process_uses_ports",
       [=](WaitTime timeout, std::stop_token stop) -> WaitStatus {
         return rouse::wait_until_process_uses_ports(this_program(), {server.port(), free_port},
                                                     port(timeout), stop);
       }},
      {"process_killed",
       [=](WaitTime timeout, std::stop_token stop) {
         return rouse::wait_until_process_killed(::getpid(), {free_port}, port(timeout), stop);
       }},
  };
}

INSTANTIATE_TEST_SUITE_P(ProcessWait, EachWait, testing::ValuesIn(endless_waits()),
                         [](const auto& each) { return std::string(each.param.name); });

void PrintTo(const EndlessWait& wait, std::ostream* stream) { *stream << wait.name; }

TEST_P(EachWait, EndsByAStop) {
  std::stop_source source;
  WaitStatus status = WaitStatus::ready;
  ObservedThread thread([&] { status = GetParam().wait(1h, source.get_token()); });
  thread.await_blocked();
  source.request_stop();
  thread.join();
  EXPECT_EQ(status, WaitStatus::stopped);
}

TEST_P(EachWait, EndsAtItsDeadline) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(GetParam().wait(5ms, {}), WaitStatus::timeout);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 5ms);
}

TEST_P(EachWait, LeavesNoDescriptorBehind) {
  EXPECT_EQ(GetParam().wait(0s, {}), WaitStatus::timeout);
  const std::size_t before = rouse::test::count_descriptors();
  EXPECT_EQ(GetParam().wait(5ms, {}), WaitStatus::timeout);
  EXPECT_EQ(rouse::test::count_descriptors(), before);
}

TEST_P(EachWait, EndsByWhatIsRaised) {
  struct Raised {};
  bool thrown = false;
  ObservedThread thread([&] {
    try {
      (void)GetParam().wait(1h, {});
    } catch (const Raised&) {
      thrown = true;
    }
  });
  thread.await_blocked();
  EXPECT_TRUE(thread.block()->raise(std::make_exception_ptr(Raised())));
  thread.join();
  EXPECT_TRUE(thrown);
}

/// How often the calling thread has gone to sleep.
long sleeps_of_this_thread() {
  std::ifstream file("/proc/thread-self/status");
  std::string word;
  while (file >> word && word != "voluntary_ctxt_switches:") {
  }
  long count = -1;
  file >> count;
  return count;
}

TEST(ProcessWait, SleepsUntilTheProcessEnds) {
  const auto condition = rouse::until::process_gone(::getpid());
  EXPECT_EQ(rouse::wait_until(condition, {.timeout = 1ms}), WaitStatus::timeout);
  // A page that the kernel has to fetch is a sleep too, so one wait of some must have slept once.
  long sleeps = 0;
  for (int i = 0; i < 5 && sleeps != 1; ++i) {
    const long before = sleeps_of_this_thread();
    ASSERT_GE(before, 0);
    EXPECT_EQ(rouse::wait_until(condition, {.timeout = 500ms}), WaitStatus::timeout);
    sleeps = sleeps_of_this_thread() - before;
  }
  EXPECT_EQ(sleeps, 1);
}

}  // namespace
