// Waits for processes: that come, have ended, or were never there.

#include "rouse/service/autowait.hpp"

#include "support/child_process.hpp"
#include "support/conditions.hpp"
#include "support/idle_process.hpp"
#include "support/in_child.hpp"
#include "support/no_descriptors.hpp"
#include "support/refused_call.hpp"
#include "support/temporary_directory.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::ProcessInfo;
using rouse::ProcessOptions;
using rouse::WaitStatus;
using rouse::test::ChildProcess;
using rouse::test::holds_now;
using rouse::test::IdleProcess;
using rouse::test::in_child;
using rouse::test::status_after;
using rouse::test::TemporaryDirectory;
using testing::HasSubstr;

constexpr ProcessOptions only_now{.timeout = 0s};
constexpr ProcessOptions patiently{.timeout = 40s};
constexpr ProcessOptions often{.timeout = 40s, .interval = 1ms};

/// Of a process that is there.
ProcessInfo info_of(::pid_t pid) {
  return rouse::wait_until_process_exists(
             [pid](const ProcessInfo& info) { return info.pid == pid; }, only_now)
      .process;
}

std::string what_is_said_by(auto action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing";
}

// A program of its own, that only this test runs.
class OwnProgram {
 public:
  explicit OwnProgram(const std::string& name, const std::string& original = "/bin/sleep")
      : path_(folder_ / name) {
    std::filesystem::copy_file(original, path_);
  }
  const std::string& path() const { return path_; }
  IdleProcess start() const { return IdleProcess::running({path_, {path_, "1000"}}); }

 private:
  TemporaryDirectory folder_;
  std::string path_;
};

// --- process_exists
// --------------------------------------------------------------------------------

TEST(ProcessExists, IsReadyAtOnceIfThereIsOne) {
  const OwnProgram program("napper");
  const IdleProcess process = program.start();
  const rouse::ProcessFound found = rouse::wait_until_process_exists(program.path(), only_now);
  EXPECT_EQ(found.status, WaitStatus::ready);
  EXPECT_EQ(found.process.pid, process.pid());
  EXPECT_EQ(found.process.executable, program.path());
  EXPECT_EQ(found.process.name, "napper");
}

TEST(ProcessExists, IsNotReadyWithoutOne) {
  const OwnProgram program("napper");
  const rouse::ProcessFound found = rouse::wait_until_process_exists(program.path(), only_now);
  EXPECT_EQ(found.status, WaitStatus::timeout);
  EXPECT_EQ(found.process.pid, 0);
}

TEST(ProcessExists, FindsThisProcess) { EXPECT_EQ(info_of(::getpid()).pid, ::getpid()); }

// However many there are, and with no time to wait.
TEST(ProcessExists, LooksAtAllProcesses) {
  std::deque<IdleProcess> processes;
  for (int i = 0; i < 420; ++i) processes.emplace_back();
  const ::pid_t last = processes.back().pid();
  EXPECT_EQ(info_of(last).pid, last);
  const auto never =
      rouse::wait_until_process_exists([](const ProcessInfo&) { return false; }, only_now);
  EXPECT_EQ(never.status, WaitStatus::timeout);
}

TEST(ProcessExists, PassesOnWhatAPredicateThrows) {
  const auto condition = rouse::until::process_exists(
      [](const ProcessInfo&) -> bool { throw std::runtime_error("enough"); });
  EXPECT_EQ(what_is_said_by([&] { (void)rouse::wait_until(condition); }), "enough");
  EXPECT_EQ(what_is_said_by([&] { (void)rouse::wait_until(condition); }), "enough");
}

// The same of the form that listens to events, if that is permitted, and of the one that looks
// again: whether all goes well.
bool finds_programs_that_start() {
  const OwnProgram program("napper");
  const auto condition = rouse::until::process_exists(program.path(), {.interval = 20ms});
  for (int i = 0; i < 3; ++i) {
    std::optional<IdleProcess> process;
    if (status_after(condition, [&] { process.emplace(program.start()); }) != WaitStatus::ready ||
        condition.process().pid != process->pid()) {
      return false;
    }
    process.reset();
    if (holds_now(condition) || condition.process().pid != 0) return false;
  }
  return true;
}

bool finds_a_process_that_changes(const std::string& shell, const std::string& path) {
  ChildProcess process({"/bin/sh", "-c", "read x; " + shell + "; read y"});
  const auto condition = rouse::until::process_exists(path, {.interval = 20ms});
  return status_after(condition, [&] { process.write("go\n"); }) == WaitStatus::ready &&
         condition.process().pid == process.pid();
}

bool finds_what_comes() {
  const TemporaryDirectory folder;
  return finds_programs_that_start() &&
         finds_a_process_that_changes("printf rouse-renamed > /proc/$$/comm", "rouse-renamed") &&
         // Nobody tells of this one.
         finds_a_process_that_changes("cd " + folder.path().string(), folder / "sh");
}

TEST(ProcessExists, FindsWhatComes) { EXPECT_TRUE(finds_what_comes()); }

TEST(ProcessExists, FindsWhatComesWithoutEvents) {
  EXPECT_EQ(in_child([] {
              rouse::test::refuse_call(SYS_socket, EPERM, AF_NETLINK);
              if (rouse::until::connector_in_use()) return 1;
              return finds_what_comes() ? 0 : 2;
            }),
            0);
}

bool looks_once_more_when_the_time_is_over(std::chrono::milliseconds time) {
  const auto begin = std::chrono::steady_clock::now();
  auto last_look = begin;
  (void)rouse::wait_until_process_exists(
      [&last_look](const ProcessInfo&) {
        last_look = std::chrono::steady_clock::now();
        return false;
      },
      {.timeout = time, .interval = 1h});
  return last_look >= begin + time;
}

TEST(ProcessExists, LooksOnceMoreWhenTheTimeIsOver) {
  EXPECT_TRUE(looks_once_more_when_the_time_is_over(5ms));
  EXPECT_EQ(in_child([] {
              rouse::test::refuse_call(SYS_socket, EPERM, AF_NETLINK);
              // By itself it looks after 255 ms, and then after 511 ms.
              return looks_once_more_when_the_time_is_over(450ms) ? 0 : 1;
            }),
            0);
}

// With events it need not look again: how often the predicate sees this process.
TEST(ProcessExists, IsToldByEventsWhereTheyAreInUse) {
  const OwnProgram program("napper");
  int looks = 0;
  const auto condition = rouse::until::process_exists(
      [&](const ProcessInfo& info) {
        if (info.pid == ::getpid()) ++looks;
        return info.executable == program.path();
      },
      {.interval = std::chrono::hours::max()});
  std::optional<IdleProcess> process;
  EXPECT_EQ(status_after(condition, [&] { process.emplace(program.start()); }), WaitStatus::ready);
  if (rouse::until::connector_in_use()) {
    EXPECT_EQ(looks, 1);
  } else {
    EXPECT_GE(looks, 1);
  }
}

// --- process_gone
// ----------------------------------------------------------------------------------

TEST(ProcessGone, IsReadyWhenTheProcessEnds) {
  const IdleProcess process;
  const auto condition = rouse::until::process_gone(process.pid());
  EXPECT_FALSE(holds_now(condition));
  EXPECT_EQ(status_after(condition, [&] { process.kill(); }), WaitStatus::ready);
  EXPECT_TRUE(holds_now(condition));
}

TEST(ProcessGone, IsReadyAtOnceWithoutAProcess) {
  IdleProcess process;
  const ::pid_t pid = process.pid();
  process.kill();
  EXPECT_EQ(rouse::wait_until_process_gone(pid, only_now), WaitStatus::ready);  // a zombie
  process.reap();
  EXPECT_EQ(rouse::wait_until_process_gone(pid, only_now), WaitStatus::ready);
}

TEST(ProcessGone, IsOfTheProcessThatWasThereWhenItWasMade) {
  IdleProcess process;
  const auto condition = rouse::until::process_gone(process.pid());
  const auto exactly = rouse::until::process_gone(info_of(process.pid()));
  EXPECT_FALSE(holds_now(condition));
  EXPECT_FALSE(holds_now(exactly));
  process.kill();
  process.reap();
  EXPECT_TRUE(holds_now(condition));
  EXPECT_TRUE(holds_now(exactly));
}

TEST(ProcessGone, IsReadyForAProcessThatWasStartedAtAnotherTime) {
  ProcessInfo info = info_of(::getpid());
  EXPECT_EQ(rouse::wait_until_process_gone(info, only_now), WaitStatus::timeout);
  --info.start_time;
  EXPECT_EQ(rouse::wait_until_process_gone(info, only_now), WaitStatus::ready);
}

TEST(ProcessGone, RefusesAThread) {
  std::string said;
  ::pid_t id = 0;
  ProcessInfo info;
  std::jthread([&] {
    info.pid = id = ::gettid();
    said = what_is_said_by([&] { (void)rouse::until::process_gone(id); });
    // But what was a process's pid may be a thread's by now.
    EXPECT_TRUE(holds_now(rouse::until::process_gone(info)));
  }).join();
  EXPECT_THAT(said, testing::AllOf(HasSubstr("rouse: process " + std::to_string(id) + ": "),
                                   HasSubstr("is a thread")));
}

TEST(ProcessGone, RefusesWhatIsNoPid) {
  EXPECT_THROW((void)rouse::until::process_gone(0), std::invalid_argument);
  EXPECT_THROW((void)rouse::until::process_gone(-1), std::invalid_argument);
  EXPECT_THROW((void)rouse::until::process_gone(ProcessInfo()), std::invalid_argument);
}

TEST(ProcessGone, RefusesAnIntervalOfNothing) {
  const ProcessOptions nothing{.interval = 0s};
  EXPECT_THROW((void)rouse::until::process_gone(1, nothing), std::invalid_argument);
  EXPECT_THROW((void)rouse::until::process_gone("napper", nothing), std::invalid_argument);
  EXPECT_THROW((void)rouse::until::process_exists("napper", nothing), std::invalid_argument);
}

TEST(ProcessGone, NamesTheLimitOfDescriptors) {
  EXPECT_THAT(what_is_said_by([] {
                const rouse::test::NoDescriptors none;
                (void)rouse::until::process_gone(::getpid());
              }),
              testing::AllOf(HasSubstr("rouse: process " + std::to_string(::getpid())),
                             HasSubstr("RLIMIT_NOFILE")));
}

TEST(ProcessGone, LooksAgainWhereTheKernelHasNoPidfds) {
  for (const int error : {ENOSYS, EPERM}) {
    EXPECT_EQ(in_child([&] {
                rouse::test::refuse_call(SYS_pidfd_open, error);
                IdleProcess process;
                const ::pid_t pid = process.pid();
                const ProcessInfo info = info_of(pid);
                const auto condition = rouse::until::process_gone(pid, often);
                const auto exactly = rouse::until::process_gone(info, often);
                const auto any = rouse::until::process_gone(info.executable, often);
                if (holds_now(condition) || holds_now(exactly) || holds_now(any)) return 1;
                if (status_after(condition, [&] { process.kill(); }) != WaitStatus::ready) return 2;
                if (!holds_now(exactly)) return 3;
                process.reap();
                if (!holds_now(rouse::until::process_gone(pid))) return 4;
                std::string said;
                std::jthread([&said] {
                  said = what_is_said_by([] { (void)rouse::until::process_gone(::gettid()); });
                }).join();
                return said.find("is a thread") != std::string::npos ? 0 : 5;
              }),
              0)
        << error;
  }
}

// --- a pid that is another process's by now
// --------------------------------------------------------

constexpr int not_permitted = 77;

// In a namespace where all pids are the test's own.
int reuse_a_pid() {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("proc", "/proc", "proc", 0, nullptr) != 0) {
    return not_permitted;
  }
  auto process = std::make_unique<IdleProcess>();
  const ::pid_t pid = process->pid();
  const ProcessInfo before = info_of(pid);
  const auto condition = rouse::until::process_gone(pid);
  const auto exactly = rouse::until::process_gone(before);
  if (holds_now(condition) || holds_now(exactly)) return 1;

  // Until the clock that start times are told by has gone on.
  do {
    process.reset();
    std::ofstream last("/proc/sys/kernel/ns_last_pid");
    if (!(last << pid - 1 << std::flush)) return not_permitted;
    process = std::make_unique<IdleProcess>();
    if (process->pid() != pid) return 2;
  } while (info_of(pid).start_time == before.start_time);

  if (!holds_now(condition)) return 3;
  if (!holds_now(exactly)) return 4;
  if (!holds_now(rouse::until::process_gone(before))) return 5;
  if (holds_now(rouse::until::process_gone(pid))) return 6;
  return holds_now(rouse::until::process_gone(info_of(pid))) ? 7 : 0;
}

TEST(ProcessGone, IsNotDeceivedByAPidThatIsUsedAgain) {
  const int outcome = in_child([] {
    if (::unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) return not_permitted;
    return in_child(reuse_a_pid);
  });
  if (outcome == not_permitted) {
    ProcessInfo info = info_of(::getpid());
    ++info.start_time;
    EXPECT_TRUE(holds_now(rouse::until::process_gone(info)));
  } else {
    EXPECT_EQ(outcome, 0);
  }
}

// --- process_gone by path
// --------------------------------------------------------------------------

TEST(ProcessGone, IsOfAllThatAPathFinds) {
  const OwnProgram program("napper");
  const auto condition = rouse::until::process_gone(program.path());
  EXPECT_TRUE(holds_now(condition));
  auto first = std::make_unique<IdleProcess>(program.start());
  auto second = std::make_unique<IdleProcess>(program.start());
  EXPECT_FALSE(holds_now(condition));
  first.reset();
  EXPECT_FALSE(holds_now(condition));
  first = std::make_unique<IdleProcess>(program.start());
  second.reset();
  EXPECT_FALSE(holds_now(condition));
  EXPECT_EQ(status_after(condition, [&] { first->kill(); }), WaitStatus::ready);
}

TEST(ProcessGone, GoesOnWithTheNextOneThatAPathFinds) {
  const OwnProgram program("napper");
  std::deque<IdleProcess> processes;
  for (int i = 0; i < 5; ++i) processes.push_back(program.start());
  EXPECT_EQ(status_after(rouse::until::process_gone(program.path()),
                         [&] {
                           for (const IdleProcess& process : processes) process.kill();
                         }),
            WaitStatus::ready);
}

// It lives on as another program.
TEST(ProcessGone, SeesAProcessThatExecutesAnotherProgram) {
  const OwnProgram shell("shell", "/bin/sh");
  ChildProcess process({shell.path(), "-c", "read x; exec /bin/cat"});
  ASSERT_EQ(rouse::wait_until_process_exists(shell.path(), patiently), WaitStatus::ready);
  const auto condition = rouse::until::process_gone(shell.path(), often);
  EXPECT_EQ(status_after(condition, [&] { process.write("go\n"); }), WaitStatus::ready);
  EXPECT_EQ(info_of(process.pid()).name, "cat");
}

TEST(ProcessConditions, SayWhatIsWaitedFor) {
  EXPECT_EQ(rouse::until::process_exists("napper").describe(), "a process napper");
  EXPECT_EQ(rouse::until::process_gone(::getpid()).describe(),
            "the end of process " + std::to_string(::getpid()));
  EXPECT_EQ(rouse::until::process_gone("napper").describe(), "the end of each process napper");
}

}  // namespace
