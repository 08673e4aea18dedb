// What /proc says of processes: that are there, have odd names, have just ended, or may not be
// seen.

#include "service/process_table.hpp"

#include "support/idle_process.hpp"
#include "support/in_child.hpp"
#include "support/no_descriptors.hpp"
#include "support/temporary_directory.hpp"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using rouse::ProcessInfo;
using rouse::detail::parse_process_status;
using rouse::detail::ProcessEntry;
using rouse::detail::ProcessStatus;
using rouse::detail::ProcessWalk;
using rouse::test::IdleProcess;
using rouse::test::in_child;
using rouse::test::TemporaryDirectory;

std::string stat_line(const std::string& name) {
  return "77 (" + name + ") S 1 77 77 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 123456789 9 10 11\n";
}

TEST(ProcessTable, ReadsAStatusWhateverTheName) {
  for (const char* name : {"cat", "", "a b", "(", ")", ") R 1\n", "((x) Z 0 0 (", "\n"}) {
    const auto status = parse_process_status(stat_line(name));
    ASSERT_TRUE(status.has_value()) << name;
    EXPECT_EQ(status->name, name);
    EXPECT_EQ(status->state, 'S');
    EXPECT_EQ(status->threads, 3);
    EXPECT_EQ(status->start_time, 123456789U);
  }
}

TEST(ProcessTable, RefusesWhatIsNoStatus) {
  for (const char* text : {"", "77", "77 (cat", "77 )cat( S 1", "77 (cat)", "77 (cat) ",
                           "77 (cat) SS 1 2 3", "77 (cat) S 1 2 3"}) {
    EXPECT_FALSE(parse_process_status(text).has_value()) << text;
  }
  std::string no_number = stat_line("cat");
  no_number.replace(no_number.find("123456789"), 1, "x");
  EXPECT_FALSE(parse_process_status(no_number).has_value());
}

TEST(ProcessTable, KnowsWhatHasEnded) {
  const auto ended = [](char state, long threads) {
    ProcessStatus status;
    status.state = state;
    status.threads = threads;
    return status.ended();
  };
  EXPECT_TRUE(ended('Z', 1));
  EXPECT_TRUE(ended('X', 0));
  EXPECT_FALSE(ended('Z', 2));
  EXPECT_FALSE(ended('T', 1));
}

TEST(ProcessTable, HasThisProcess) {
  const auto process = ProcessEntry::open(::getpid());
  ASSERT_TRUE(process.has_value());
  const std::optional<ProcessInfo> info = process->info();
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->pid, ::getpid());
  EXPECT_GT(info->start_time, 0U);
  EXPECT_EQ(info->executable, std::filesystem::read_symlink("/proc/self/exe"));
  EXPECT_EQ(info->working_directory, std::filesystem::current_path());
  EXPECT_EQ(info->name, process->name());
  ASSERT_FALSE(info->command_line.empty());
  EXPECT_EQ(info->command_line.front(), process->first_word());
  EXPECT_EQ(process->thread_group(), ::getpid());
}

TEST(ProcessTable, KnowsAThreadFromAProcess) {
  std::optional<::pid_t> group;
  std::jthread([&group] {
    const auto thread = ProcessEntry::open(::gettid());
    if (thread) group = thread->thread_group();
  }).join();
  EXPECT_EQ(group, ::getpid());
}

TEST(ProcessTable, ReadsANameThatLooksLikeTheRestOfTheLine) {
  const IdleProcess process([] { ::prctl(PR_SET_NAME, ") R 1\n"); });
  const auto entry = ProcessEntry::open(process.pid());
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->name(), ") R 1\n");
  EXPECT_EQ(entry->info().value().name, ") R 1\n");
}

TEST(ProcessTable, HasNothingOfWhatHasEnded) {
  IdleProcess process;
  const auto entry = ProcessEntry::open(process.pid());
  ASSERT_TRUE(entry.has_value());
  EXPECT_TRUE(entry->info().has_value());

  process.kill();
  EXPECT_TRUE(entry->status().value().ended());
  EXPECT_FALSE(entry->info().has_value());
  EXPECT_EQ(entry->executable(), "");
  EXPECT_EQ(entry->first_word(), "");

  const ::pid_t pid = process.pid();
  process.reap();
  EXPECT_FALSE(entry->status().has_value());
  EXPECT_EQ(entry->name(), "");
  EXPECT_THAT(entry->command_line(), testing::IsEmpty());
  EXPECT_THAT(entry->socket_inodes(), testing::IsEmpty());
  EXPECT_FALSE(entry->thread_group().has_value());
  EXPECT_FALSE(ProcessEntry::open(pid).has_value());
}

TEST(ProcessTable, HasAProcessWhoseFirstThreadHasEnded) {
  const IdleProcess process([] {
    ::signal(SIGUSR1, [](int) { ::syscall(SYS_exit, 0); });  // of one thread
    std::thread([] {
      for (;;) ::pause();
    }).detach();
  });
  ASSERT_EQ(::syscall(SYS_tgkill, process.pid(), process.pid(), SIGUSR1), 0);
  const auto entry = ProcessEntry::open(process.pid());
  ASSERT_TRUE(entry.has_value());
  std::optional<ProcessStatus> status = entry->status();
  while (status && status->state != 'Z') status = entry->status();
  ASSERT_TRUE(status.has_value());
  EXPECT_FALSE(status->ended());
  EXPECT_TRUE(entry->info().has_value());
}

TEST(ProcessTable, KnowsWhereADeletedExecutableWas) {
  const TemporaryDirectory folder;
  const std::string program = folder / "napper";
  std::filesystem::copy_file("/bin/sleep", program);
  const auto process = IdleProcess::running({program, {"napper", "1000"}, folder.path()});
  std::filesystem::remove_all(folder.path());
  const auto entry = ProcessEntry::open(process.pid());
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->executable(), program);
  EXPECT_EQ(entry->working_directory(), folder.path());
}

TEST(ProcessTable, SplitsTheCommandLine) {
  const std::string word(1500, 'w');
  const std::vector<std::string> arguments{"sh", "-c", "kill -STOP $$", "", word, "", word,
                                           word, ""};
  const auto process = IdleProcess::running({"/bin/sh", arguments});
  const auto entry = ProcessEntry::open(process.pid());
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->command_line(), arguments);
  EXPECT_EQ(entry->first_word(), "sh");
}

TEST(ProcessTable, TakesNoWordForAPathThatIsTooLongForOne) {
  const auto process = IdleProcess::running({"/bin/sleep", {std::string(5000, 'x'), "1000"}});
  const auto entry = ProcessEntry::open(process.pid());
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->first_word(), "");
  EXPECT_EQ(entry->command_line().at(0).size(), 5000U);
}

TEST(ProcessTable, WalksThroughAllProcessesOnce) {
  const IdleProcess process;
  std::multiset<::pid_t> pids;
  ProcessWalk walk;
  while (const auto entry = walk.next()) pids.insert(entry->pid());
  EXPECT_EQ(pids.count(::getpid()), 1U);
  EXPECT_EQ(pids.count(process.pid()), 1U);
  EXPECT_EQ(std::set<::pid_t>(pids.begin(), pids.end()).size(), pids.size());
}

// To others it is as a process of another user.
TEST(ProcessTable, LeavesEmptyWhatMayNotBeRead) {
  const IdleProcess closed([] { ::prctl(PR_SET_DUMPABLE, 0); });
  EXPECT_EQ(in_child([&] {
              if (::geteuid() == 0 && ::setuid(rouse::test::nobody) != 0) return 1;
              const auto entry = ProcessEntry::open(closed.pid());
              if (!entry) return 2;
              const auto info = entry->info();
              if (!info || info->name.empty() || info->start_time == 0) return 3;
              if (!info->executable.empty() || !info->working_directory.empty()) return 4;
              try {
                (void)entry->socket_inodes();
                return 5;
              } catch (const std::system_error& error) {
                const std::string what = error.what();
                if (error.code() != std::errc::permission_denied) return 6;
                return what.starts_with("rouse: process " + std::to_string(closed.pid())) ? 0 : 7;
              }
            }),
            0);
}

int error_without_descriptors(auto action) {
  try {
    const rouse::test::NoDescriptors none;
    action();
    return 0;
  } catch (const std::system_error& error) {
    return error.code().value();
  }
}

TEST(ProcessTable, DoesNotTakeALackOfDescriptorsForAnEnd) {
  ProcessWalk walk;
  const auto entry = ProcessEntry::open(::getpid());
  EXPECT_EQ(error_without_descriptors([] { (void)ProcessEntry::open(::getpid()); }), EMFILE);
  EXPECT_EQ(error_without_descriptors([] { ProcessWalk(); }), EMFILE);
  EXPECT_EQ(error_without_descriptors([&] { (void)walk.next(); }), EMFILE);
  EXPECT_EQ(error_without_descriptors([&] { (void)entry->info(); }), EMFILE);
  EXPECT_EQ(error_without_descriptors([&] { (void)entry->first_word(); }), EMFILE);
  EXPECT_EQ(error_without_descriptors([&] { (void)entry->socket_inodes(); }), EMFILE);
}

}  // namespace
