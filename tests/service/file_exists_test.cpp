// Files that appear: exactly named, by pattern, anywhere in a tree, and on all the ways in which a
// path can come to lead to them.

#include "rouse/service/autowait.hpp"

#include "support/in_child.hpp"
#include "support/observed_call.hpp"
#include "support/temporary_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <system_error>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rouse::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;

class FileExists : public testing::Test {
 protected:
  // Only events can tell in time.
  static constexpr FileOptions by_events{.timeout = seconds(40), .interval = hours(1)};
  static constexpr FileOptions in_tree{
      .recursive = true, .timeout = seconds(40), .interval = hours(1)};
  static constexpr FileOptions by_polling{.timeout = seconds(40), .interval = milliseconds(1)};
  static constexpr FileOptions no_wait{.timeout = seconds(0)};
  static constexpr FileOptions no_wait_in_tree{.recursive = true, .timeout = seconds(0)};

  /// The path found at once, or "-".
  static std::string found_now(const std::string& directory, const std::string& glob,
                               FileOptions options = no_wait) {
    const FileFound found = wait_until_file_exists(directory, glob, options);
    EXPECT_EQ(found.path.empty(), found.status != WaitStatus::ready);
    return found.status == WaitStatus::ready ? found.path : "-";
  }

  /// What a wait below the directory finds that blocks before `happens()` is called.
  std::string found_after(const std::string& directory, const std::string& glob,
                          const std::function<void()>& happens,
                          FileOptions options = by_events) const {
    ObservedCall wait(
        [&] { return wait_until_file_exists(directory_ / directory, glob, options); });
    wait.await_blocked();
    happens();
    const FileFound found = wait.result();
    EXPECT_EQ(found.status, WaitStatus::ready);
    return fs::path(found.path).lexically_normal().lexically_relative(directory_.path());
  }

  void make(const std::string& name) const { directory_.write(name, "x"); }
  void make_directory(const std::string& name) const { fs::create_directories(directory_ / name); }
  void rename(const std::string& from, const std::string& to) const {
    fs::rename(directory_ / from, directory_ / to);
  }
  void link(const std::string& target, const std::string& name) const {
    fs::create_symlink(target, directory_ / name);
  }
  void remove(const std::string& name) const { fs::remove_all(directory_ / name); }

  const TemporaryDirectory directory_;
  const std::string top_ = directory_.path();
};

// --- there already
// ---------------------------------------------------------------------------------

TEST_F(FileExists, FindsWhatIsThere) {
  make("a.pid");
  make("sub/deep/b.pid");
  EXPECT_EQ(found_now(top_, "a.pid"), directory_ / "a.pid");
  EXPECT_EQ(found_now(top_, "*.pid"), directory_ / "a.pid");
  EXPECT_EQ(found_now(top_, "b.pid"), "-");
  EXPECT_EQ(found_now(top_, "b.pid", no_wait_in_tree), directory_ / "sub/deep/b.pid");
  EXPECT_EQ(found_now(top_, "b*", no_wait_in_tree), directory_ / "sub/deep/b.pid");
  EXPECT_EQ(found_now(top_, "c*", no_wait_in_tree), "-");
  EXPECT_EQ(found_now(directory_ / "none", "*", no_wait_in_tree), "-");
}

TEST_F(FileExists, FindsEntriesOfAnyKind) {
  make_directory("directory");
  link("nowhere", "dangling");
  ASSERT_EQ(::mkfifo((directory_ / "fifo").c_str(), 0600), 0);
  for (const char* const name : {"directory", "dangling", "fifo"}) {
    EXPECT_EQ(found_now(top_, name), directory_ / name);
    EXPECT_EQ(found_now(top_, std::string(name, 3) + "*", no_wait_in_tree), directory_ / name);
  }
}

TEST_F(FileExists, TellsThePathInTheCallersSpelling) {
  make("sub/file");
  EXPECT_EQ(found_now(top_ + "/sub/", "file"), top_ + "/sub/file");
  EXPECT_EQ(found_now(top_ + "//sub/../sub/.", "f*"), top_ + "//sub/../sub/./file");
  EXPECT_EQ(found_now(top_ + "/", "file", no_wait_in_tree), top_ + "/sub/file");
}

TEST_F(FileExists, MatchesAsAShellDoes) {
  make(".hidden");
  make("[x]");
  make("a\nb");
  make("back\\slash");
  EXPECT_EQ(found_now(top_, "*idden"), "-");
  EXPECT_EQ(found_now(top_, "?hidden"), "-");
  EXPECT_EQ(found_now(top_, "[.]hidden"), "-");
  EXPECT_EQ(found_now(top_, ".hid*"), directory_ / ".hidden");
  EXPECT_EQ(found_now(top_, ".hidden"), directory_ / ".hidden");
  EXPECT_EQ(found_now(top_, "[x]"), "-");
  EXPECT_EQ(found_now(top_, "\\[x]"), directory_ / "[x]");
  EXPECT_EQ(found_now(top_, "[[]x[]]"), directory_ / "[x]");
  EXPECT_EQ(found_now(top_, "a?b"), directory_ / "a\nb");
  EXPECT_EQ(found_now(top_, "a\nb"), directory_ / "a\nb");
  EXPECT_EQ(found_now(top_, "back\\\\slash"), directory_ / "back\\slash");
  EXPECT_EQ(found_now(top_, "[!a-z.[]*"), "-");
}

TEST_F(FileExists, FindsLongNames) {
  const std::string longest(255, 'n');
  make(longest);
  EXPECT_EQ(found_now(top_, longest), directory_ / longest);
  EXPECT_EQ(found_now(top_, "n*n"), directory_ / longest);
  EXPECT_THROW((void)found_now(top_, longest + "n"), std::system_error);
}

TEST_F(FileExists, RefusesWhatCannotBeAName) {
  for (const std::string& glob : {std::string(), std::string("a/b"), std::string("a\0b", 3),
                                  std::string("a*\\"), std::string("\\\\\\")}) {
    EXPECT_THROW((void)until::file_exists(top_, glob), std::invalid_argument) << glob;
  }
  EXPECT_NO_THROW((void)until::file_exists(top_, "a\\\\"));
  EXPECT_THROW((void)until::file_exists("", "a"), std::invalid_argument);
  EXPECT_THROW((void)until::file_exists(std::string("a\0b", 3), "a"), std::invalid_argument);
  EXPECT_THROW((void)until::file_exists(top_, "a", {.interval = seconds(0)}),
               std::invalid_argument);
}

TEST_F(FileExists, SaysWhatItWaitsFor) {
  EXPECT_EQ(until::file_exists("/run", "*.pid").describe(), "a file *.pid in /run");
  EXPECT_EQ(until::file_exists("/run", "*.pid", in_tree).describe(),
            "a file *.pid in /run or below");
}

// --- comes into the directory
// ----------------------------------------------------------------------

TEST_F(FileExists, HearsOfEveryWayToMakeAnEntry) {
  make("old");
  make_directory("elsewhere");
  make("elsewhere/file");
  const std::array<std::function<void(const std::string&)>, 6> ways = {
      [&](const std::string& name) { make(name); },
      [&](const std::string& name) { rename("elsewhere/file", name); },
      [&](const std::string& name) { fs::create_hard_link(directory_ / "old", directory_ / name); },
      [&](const std::string& name) { link("nowhere", name); },
      [&](const std::string& name) { make_directory(name); },
      [&](const std::string& name) { ASSERT_EQ(::mkfifo((directory_ / name).c_str(), 0600), 0); }};
  for (const char* const glob : {"new", "n?w", "[n]ew"}) {
    const FileOptions options = *glob == '[' ? in_tree : by_events;
    for (const auto& way : ways) {
      EXPECT_EQ(found_after(
                    ".", glob, [&] { way("new"); }, options),
                "new");
      if (!fs::exists(directory_ / "elsewhere/file")) make("elsewhere/file");
      remove("new");
    }
  }
}

TEST_F(FileExists, IsNotWokenForGoodByOtherNames) {
  EXPECT_EQ(found_after(".", "w*",
                        [&] {
                          for (int i = 0; i < 300; ++i) make("other" + std::to_string(i));
                          make("wanted");
                        }),
            "wanted");
}

TEST_F(FileExists, WaitsForWhatIsDeletedAndMadeAgain) {
  const auto file = until::file_exists(top_, "file", by_events);
  for (int i = 0; i < 10; ++i) {
    ObservedCall wait([&] { return wait_until(file, {.timeout = seconds(40)}); });
    wait.await_blocked();
    make("file");
    EXPECT_EQ(wait.result(), WaitStatus::ready);
    EXPECT_EQ(file.path(), directory_ / "file");
    EXPECT_EQ(wait_until(file, {.timeout = seconds(0)}), WaitStatus::ready);
    remove("file");
    EXPECT_EQ(wait_until(file, {.timeout = seconds(0)}), WaitStatus::timeout);
    EXPECT_EQ(file.path(), "");
  }
}

TEST_F(FileExists, ComesIntoADirectoryThatMayBeReplaced) {
  make_directory("d");
  EXPECT_EQ(found_after("d", "file",
                        [&] {
                          rename("d", "gone");
                          make("gone/file");
                          make_directory("d");
                          make("d/file");
                        }),
            "d/file");
  remove("d/file");
  for (const char* const glob : {"file", "fil*"}) {
    EXPECT_EQ(found_after("d", glob,
                          [&] {
                            make("other/file");
                            remove("d");
                            make("d");  // a file
                            remove("d");
                            rename("other", "d");
                          }),
              "d/file");
    remove("d/file");
  }
}

TEST_F(FileExists, ComesIntoADirectoryThatIsNotThereYet) {
  for (const char* const glob : {"file", "fil*", "*ile"}) {
    const FileOptions options = *glob == '*' ? in_tree : by_events;
    EXPECT_EQ(found_after(
                  "a/b/c", glob, [&] { make("a/b/c/file"); }, options),
              "a/b/c/file");
    remove("a");
    EXPECT_EQ(found_after(
                  "a/b/c", glob,
                  [&] {
                    make_directory("a");
                    make("x/c/file");
                    rename("x", "a/b");
                  },
                  options),
              "a/b/c/file");
    remove("a");
  }
}

TEST_F(FileExists, FollowsAnAncestorThatIsReplaced) {
  make_directory("a/b/c");
  EXPECT_EQ(found_after("a/b/c", "file",
                        [&] {
                          rename("a", "old");
                          make("new/b/c/file");
                          rename("new", "a");
                        }),
            "a/b/c/file");
}

TEST_F(FileExists, FollowsALinkThatIsSwitched) {
  make_directory("..1");
  make("..2/config");
  link("..1", "..data");
  link("..data", "current");
  link("..2", "..tmp");
  EXPECT_EQ(found_after("current", "config", [&] { rename("..tmp", "..data"); }), "current/config");
  link(directory_ / "later", "absolute");
  EXPECT_EQ(found_after("absolute", "config",
                        [&] {
                          make("..3/config");
                          rename("..3", "later");
                        }),
            "absolute/config");
}

TEST_F(FileExists, GoesUpWhereTheDirectoryIs) {
  make_directory("real/sub");
  link("real/sub", "link");
  EXPECT_EQ(found_after("link/..", "file", [&] { make("real/file"); }), "file");
  EXPECT_TRUE(fs::exists(directory_ / "real/file"));
  remove("real/file");
  // The kernel needs the way through the directory, though it comes back from there.
  ObservedCall wait(
      [&] { return wait_until_file_exists(directory_ / "way/..", "file", by_events); });
  wait.await_blocked();
  make("file");
  make_directory("way");
  EXPECT_EQ(wait.result().path, directory_ / "way/../file");
}

TEST_F(FileExists, BelongsToTheWorkingDirectoryOfItsBeginning) {
  EXPECT_EQ(in_child([&] {
              if (::chdir(top_.c_str()) != 0) return 1;
              const auto file = until::file_exists("sub", "file", no_wait);
              make("sub/file");
              if (::chdir("/") != 0) return 2;
              if (wait_until(file, {.timeout = seconds(0)}) != WaitStatus::ready) return 3;
              if (file.path() != "sub/file") return 4;
              if (::chdir((directory_ / "sub").c_str()) != 0) return 5;
              remove("sub");
              try {
                (void)until::file_exists("sub", "file");
              } catch (const std::system_error&) {
                return 0;
              }
              return 6;
            }),
            0);
}

// --- comes into a tree
// -----------------------------------------------------------------------------

TEST_F(FileExists, ComesIntoANewDirectoryOfTheTree) {
  make_directory("old/deep");
  for (const char* const where : {"file", "old/file", "old/deep/file", "new/deep/file"}) {
    for (const char* const glob : {"file", "f*"}) {
      EXPECT_EQ(found_after(
                    ".", glob, [&] { make(where); }, in_tree),
                where);
      remove(where);
    }
    remove("new");
  }
}

TEST_F(FileExists, ComesWithATreeThatIsMovedIn) {
  const TemporaryDirectory elsewhere;
  elsewhere.write("tree/a/b/file", "x");
  EXPECT_EQ(found_after(
                ".", "file", [&] { fs::rename(elsewhere / "tree", directory_ / "tree"); }, in_tree),
            "tree/a/b/file");
}

TEST_F(FileExists, DoesNotComeIntoATreeThatWasMovedOut) {
  const TemporaryDirectory elsewhere;
  make_directory("tree/a/b");
  make_directory("other");
  EXPECT_EQ(found_after(
                ".", "file",
                [&] {
                  fs::rename(directory_ / "tree", elsewhere / "tree");
                  elsewhere.write("tree/a/b/file", "x");
                  make("other/file");
                },
                in_tree),
            "other/file");
}

TEST_F(FileExists, ComesIntoATreeThatMovesWithin) {
  make_directory("one/deep");
  make_directory("one/deeper");
  make_directory("two");
  EXPECT_EQ(found_after(
                ".", "file",
                [&] {
                  rename("one/deep", "two/deep");
                  make("two/deep/file");
                },
                in_tree),
            "two/deep/file");
  remove("two/deep/file");
  // The name of one that has left is the beginning of another's.
  EXPECT_EQ(found_after(
                ".", "file",
                [&] {
                  rename("two/deep", "deep");
                  make("one/deeper/file");
                },
                in_tree),
            "one/deeper/file");
}

TEST_F(FileExists, ComesIntoADirectoryThatWasMadeAgain) {
  make_directory("tree/a");
  EXPECT_EQ(found_after(
                ".", "file",
                [&] {
                  for (int i = 0; i < 20; ++i) {
                    remove("tree");
                    make_directory("tree/a");
                  }
                  make("tree/a/file");
                },
                in_tree),
            "tree/a/file");
}

TEST_F(FileExists, DoesNotEnterLinksInTheTree) {
  const TemporaryDirectory elsewhere;
  elsewhere.write("file", "x");
  link(elsewhere.path(), "link");
  link("loop", "loop");
  EXPECT_EQ(found_now(top_, "file", no_wait_in_tree), "-");
  EXPECT_EQ(found_after(
                ".", "file",
                [&] {
                  link(elsewhere.path(), "link2");
                  make("file");
                },
                in_tree),
            "file");
}

TEST_F(FileExists, ReadsALargeTreePieceByPiece) {
  constexpr int directories = 30;
  constexpr int files = 300;  // in all more than two looks take
  make("0");
  for (int d = 1; d <= directories; ++d) {
    const std::string name = directory_ / std::to_string(d) + "/";
    fs::create_directory(name);
    for (int f = 0; f < files; ++f) {
      ASSERT_EQ(::link((directory_ / "0").c_str(), (name + std::to_string(f) + "x").c_str()), 0);
    }
  }
  EXPECT_EQ(found_now(top_, "none", no_wait_in_tree), "-");
  // What is deepest is read last.
  EXPECT_EQ(found_after(
                ".", "file", [&] { make("7/deep/deeper/file"); }, in_tree),
            "7/deep/deeper/file");
  EXPECT_EQ(found_now(top_, "file", in_tree), directory_ / "7/deep/deeper/file");
  EXPECT_EQ(found_now(top_, "file", no_wait_in_tree), directory_ / "7/deep/deeper/file");
}

// --- where there are no events
// ---------------------------------------------------------------------

// Tests run as root as well, who may read anything.
int as_nobody(const std::function<int()>& body) {
  return in_child([&] {
    constexpr ::uid_t nobody = 65534;
    if (::geteuid() == 0 && ::setuid(nobody) != 0) return 100;
    return body();
  });
}

// For the child to enter.
void open_to_all(const TemporaryDirectory& directory) {
  fs::permissions(directory.path(), fs::perms::all);
}

TEST_F(FileExists, IsFoundInADirectoryThatMayOnlyBeEntered) {
  open_to_all(directory_);
  EXPECT_EQ(as_nobody([&] {
              make_directory("d");
              fs::permissions(directory_ / "d", fs::perms::owner_exec | fs::perms::owner_write);
              ObservedCall wait(
                  [&] { return wait_until_file_exists(directory_ / "d", "file", by_polling); });
              wait.await_blocked();
              make("d/file");
              return wait.result().path == directory_ / "d/file" ? 0 : 1;
            }),
            0);
}

TEST_F(FileExists, IsFoundInASubdirectoryOnceThatMayBeRead) {
  open_to_all(directory_);
  EXPECT_EQ(as_nobody([&] {
              make("d/file");
              fs::permissions(directory_ / "d", fs::perms::none);
              FileOptions options = by_polling;
              options.recursive = true;
              ObservedCall wait([&] { return wait_until_file_exists(top_, "file", options); });
              wait.await_blocked();
              fs::permissions(directory_ / "d", fs::perms::owner_all);
              return wait.result().path == directory_ / "d/file" ? 0 : 1;
            }),
            0);
}

TEST_F(FileExists, NamesThePathThatMayNotBeRead) {
  open_to_all(directory_);
  EXPECT_EQ(as_nobody([&] {
              make_directory("d/sub");
              fs::permissions(directory_ / "d", fs::perms::none);
              int told = 0;
              for (const auto& [directory, glob] :
                   {std::pair{"d", "*"}, std::pair{"d/sub", "file"}, std::pair{"d", "file"}}) {
                try {
                  (void)wait_until_file_exists(directory_ / directory, glob, by_events);
                } catch (const std::system_error& error) {
                  const std::string what = error.what();
                  if (error.code() == std::errc::permission_denied && what.starts_with("rouse: ") &&
                      what.find(directory_ / directory) != what.npos) {
                    ++told;
                  }
                }
              }
              fs::permissions(directory_ / "d", fs::perms::owner_all);
              return told == 3 ? 0 : 1;
            }),
            0);
}

TEST_F(FileExists, NamesThePathOfALoop) {
  link("loop", "loop");
  for (const char* const glob : {"file", "f*"}) {
    try {
      (void)wait_until_file_exists(directory_ / "loop", glob, by_events);
      ADD_FAILURE() << "a loop leads somewhere";
    } catch (const std::system_error& error) {
      EXPECT_EQ(error.code(), std::errc::too_many_symbolic_link_levels);
      EXPECT_THAT(error.what(), AllOf(HasSubstr("rouse: "), HasSubstr(directory_ / "loop")));
    }
  }
}

TEST_F(FileExists, ComesInProcWhereNobodyTells) {
  constexpr int fd = 900;
  ObservedCall wait([] { return wait_until_file_exists("/proc/self/fd", "900", by_polling); });
  wait.await_blocked();
  ASSERT_EQ(::dup2(STDERR_FILENO, fd), fd);
  EXPECT_EQ(wait.result().path, "/proc/self/fd/900");
  ::close(fd);
}

TEST_F(FileExists, ComesBehindALinkOfProc) {
  make_directory("d");
  const int fd = ::open((directory_ / "d").c_str(), O_PATH | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  // What the link says is elsewhere.
  rename("d", "moved");
  make_directory("d");
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  ObservedCall wait([&] { return wait_until_file_exists(link, "f*", by_polling); });
  wait.await_blocked();
  make("moved/file");
  EXPECT_EQ(wait.result().path, link + "/file");
  ::close(fd);
}

}  // namespace
}  // namespace rouse::test
