// Which processes a path finds, and the search among all of them.

#include "service/process_search.hpp"

#include "support/idle_process.hpp"
#include "support/temporary_directory.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using rouse::ProcessInfo;
using rouse::detail::Look;
using rouse::detail::ProcessEntry;
using rouse::detail::ProcessMatcher;
using rouse::detail::ProcessSearch;
using rouse::test::IdleProcess;
using rouse::test::TemporaryDirectory;
using testing::HasSubstr;
using Extent = ProcessSearch::Extent;

bool finds(ProcessMatcher matcher, const IdleProcess& process) {
  matcher.refresh();
  const auto entry = ProcessEntry::open(process.pid());
  const auto info = entry ? matcher.match(*entry) : std::nullopt;
  EXPECT_TRUE(!info || info->pid == process.pid());
  return info.has_value();
}
bool finds(const std::string& path, const IdleProcess& process) {
  return finds(ProcessMatcher(path), process);
}

// A program of its own, in a folder of its own.
class ProcessMatcherTest : public testing::Test {
 protected:
  ProcessMatcherTest() {
    std::filesystem::create_directory(here_);
    std::filesystem::copy_file("/bin/sleep", program_);
  }

  IdleProcess start(const std::string& program, const std::string& first_word,
                    const std::string& directory = "/") const {
    return IdleProcess::running({program, {first_word, "1000"}, directory});
  }

  const TemporaryDirectory folder_;
  const std::string here_ = folder_ / "here";
  const std::string program_ = here_ + "/napper";
};

TEST_F(ProcessMatcherTest, FindsAnExecutable) {
  const IdleProcess process = start(program_, "zzz");
  EXPECT_TRUE(finds(program_, process));
  EXPECT_TRUE(finds(here_ + "/../here/./napper", process));
  EXPECT_TRUE(finds(std::filesystem::relative(program_).string(), process));
  EXPECT_TRUE(finds("napper", process));
  EXPECT_TRUE(finds("zzz", process));

  EXPECT_FALSE(finds(here_ + "/nap", process));
  EXPECT_FALSE(finds(here_, process));
  EXPECT_FALSE(finds(folder_ / "napper", process));
  EXPECT_FALSE(finds("nap", process));
  EXPECT_FALSE(finds("./napper", process));
  EXPECT_FALSE(finds("zz", process));
}

TEST_F(ProcessMatcherTest, FollowsLinksAsTheyAre) {
  std::filesystem::create_symlink("here", folder_ / "now");
  std::filesystem::create_symlink("here/napper", folder_ / "dozer");
  const IdleProcess process = start(folder_ / "dozer", folder_ / "dozer");
  EXPECT_TRUE(finds(folder_ / "now/napper", process));
  EXPECT_TRUE(finds(folder_ / "dozer", process));
  EXPECT_TRUE(finds("dozer", process));
  EXPECT_TRUE(finds("napper", process));

  ProcessMatcher matcher(folder_ / "now/napper");
  std::filesystem::remove(folder_ / "now");
  std::filesystem::create_symlink("/bin", folder_ / "now");
  EXPECT_FALSE(finds(matcher, process));
}

TEST_F(ProcessMatcherTest, FindsAnExecutableThatWasDeleted) {
  std::filesystem::create_symlink("here", folder_ / "now");
  const IdleProcess process = start(program_, "zzz");
  std::filesystem::remove(program_);
  EXPECT_TRUE(finds(program_, process));
  EXPECT_TRUE(finds(folder_ / "now/napper", process));
  std::filesystem::remove_all(here_);
  EXPECT_TRUE(finds(program_, process));
}

TEST_F(ProcessMatcherTest, FindsTheFirstWordOfACommandLine) {
  const IdleProcess process = start("/bin/sleep", "/made/up/name");
  EXPECT_TRUE(finds("/made/up/name", process));
  EXPECT_TRUE(finds("name", process));
  EXPECT_FALSE(finds("/made/up", process));
  EXPECT_FALSE(finds("/up/name", process));
  EXPECT_FALSE(finds("1000", process));
}

TEST_F(ProcessMatcherTest, FindsANameInTheDirectoryWhereItWorks) {
  std::filesystem::create_symlink("here", folder_ / "now");
  const IdleProcess process = start("/bin/sleep", "./worker", here_);
  EXPECT_TRUE(finds(here_ + "/worker", process));
  EXPECT_TRUE(finds(folder_ / "now/worker", process));
  EXPECT_FALSE(finds(folder_ / "worker", process));
  EXPECT_FALSE(finds(here_ + "/orker", process));

  const IdleProcess at_root = start("/bin/sleep", "worker", "/");
  EXPECT_TRUE(finds("/worker", at_root));
}

TEST_F(ProcessMatcherTest, FindsAScriptByItsName) {
  const std::string script = folder_.write("job.sh", "#!/bin/sh\nkill -STOP $$\n");
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  const auto process = IdleProcess::running({script, {script}});
  EXPECT_TRUE(finds("job.sh", process));
  EXPECT_TRUE(finds("sh", process));
  EXPECT_FALSE(finds(script, process));
}

TEST_F(ProcessMatcherTest, FindsNoZombie) {
  IdleProcess process([] { ::prctl(PR_SET_NAME, "rouse-zombie"); });
  EXPECT_TRUE(finds("rouse-zombie", process));
  process.kill();
  EXPECT_FALSE(finds("rouse-zombie", process));
}

TEST_F(ProcessMatcherTest, AsksAPredicateAboutAllThatIsKnown) {
  const IdleProcess process = start(program_, "zzz", here_);
  ProcessInfo seen;
  EXPECT_TRUE(finds(ProcessMatcher([&](const ProcessInfo& info) {
                      seen = info;
                      return true;
                    }),
                    process));
  EXPECT_EQ(seen.pid, process.pid());
  EXPECT_GT(seen.start_time, 0U);
  EXPECT_EQ(seen.name, "napper");
  EXPECT_EQ(seen.executable, program_);
  EXPECT_THAT(seen.command_line, testing::ElementsAre("zzz", "1000"));
  EXPECT_EQ(seen.working_directory, here_);
  EXPECT_FALSE(finds(ProcessMatcher([](const ProcessInfo&) { return false; }), process));
}

TEST_F(ProcessMatcherTest, RefusesWhatNamesNoFile) {
  for (const std::string& path : {std::string(), std::string("/"), std::string("bin/"),
                                  std::string("./"), std::string("a\0b", 3)}) {
    EXPECT_THROW(ProcessMatcher{path}, std::invalid_argument) << path;
  }
  EXPECT_THROW(ProcessMatcher{rouse::ProcessPredicate()}, std::invalid_argument);
}

TEST_F(ProcessMatcherTest, SaysWhatItLooksFor) {
  EXPECT_EQ(ProcessMatcher("napper").describe(), "process napper");
  EXPECT_EQ(ProcessMatcher("/a/b\n").describe(), "process /a/b\\x0a");
  EXPECT_THAT(ProcessMatcher([](const ProcessInfo&) { return true; }).describe(),
              HasSubstr("predicate"));
}

TEST(ProcessSearch, GoesThroughManyProcessesInPieces) {
  std::deque<IdleProcess> processes;
  for (int i = 0; i < 220; ++i) processes.emplace_back();
  const ::pid_t last = processes.back().pid();
  ProcessMatcher matcher([last](const ProcessInfo& info) { return info.pid == last; });
  ProcessSearch search;
  const auto accepts = [](const ProcessEntry&, const ProcessInfo&) { return true; };
  EXPECT_FALSE(search.under_way());
  ASSERT_EQ(search.look(matcher, accepts, Extent::piece), Look::more);
  EXPECT_TRUE(search.under_way());
  Look found = Look::more;
  while (found == Look::more) found = search.look(matcher, accepts, Extent::piece);
  EXPECT_EQ(found, Look::yes);
  EXPECT_FALSE(search.under_way());

  EXPECT_EQ(search.look(matcher, accepts, Extent::piece), Look::more);
  EXPECT_EQ(search.look(matcher, accepts, Extent::all), Look::yes);  // goes on
  EXPECT_EQ(search.look(matcher, accepts, Extent::piece), Look::more);
  search.abandon();
  EXPECT_FALSE(search.under_way());
}

TEST(ProcessSearch, PassesByWhoIsNotAccepted) {
  const IdleProcess first([] { ::prctl(PR_SET_NAME, "rouse-search"); });
  const IdleProcess second([] { ::prctl(PR_SET_NAME, "rouse-search"); });
  ProcessMatcher matcher("rouse-search");
  ProcessSearch search;
  const auto is_second = [&](const ProcessEntry& entry, const ProcessInfo& info) {
    EXPECT_EQ(entry.pid(), info.pid);
    return info.pid == second.pid();
  };
  EXPECT_EQ(search.look(matcher, is_second, Extent::all), Look::yes);
  const auto none = [](const ProcessEntry&, const ProcessInfo&) { return false; };
  EXPECT_EQ(search.look(matcher, none, Extent::all), Look::no);
}

}  // namespace
