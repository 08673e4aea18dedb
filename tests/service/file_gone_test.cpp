// Files that go: by every way in which a path can cease to lead to them.

#include "rouse/service/autowait.hpp"

#include "support/in_child.hpp"
#include "support/mount_namespace.hpp"
#include "support/observed_call.hpp"
#include "support/processes.hpp"
#include "support/temporary_directory.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <string>

#include <gtest/gtest.h>

namespace rouse::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class FileGone : public testing::Test {
 protected:
  // Only events can tell in time.
  static constexpr FileOptions when_told{.timeout = seconds(40), .interval = hours(1)};

  /// How a wait ends that blocks before `happens()` is called.
  WaitStatus status_after(const std::string& name, const std::function<void()>& happens) const {
    ObservedCall wait([&] { return wait_until_file_gone(directory_ / name, when_told); });
    wait.await_blocked();
    happens();
    return wait.result();
  }
  bool is_gone(const std::string& name) const {
    return wait_until_file_gone(directory_ / name, {.timeout = seconds(0)}) == WaitStatus::ready;
  }

  const TemporaryDirectory directory_;
};

TEST_F(FileGone, IsReadyAtOnceIfNothingIsThere) {
  directory_.write("file", "x");
  EXPECT_FALSE(is_gone("file"));
  EXPECT_FALSE(is_gone(""));
  EXPECT_TRUE(is_gone("none"));
  EXPECT_TRUE(is_gone("no/such/directory"));
  EXPECT_TRUE(is_gone("file/below"));
  fs::create_symlink("none", directory_ / "dangling");
  EXPECT_FALSE(is_gone("dangling"));
  EXPECT_TRUE(is_gone("dangling/file"));
  EXPECT_EQ(until::file_gone(directory_ / "file").describe(), "no file " + directory_ / "file");
}

TEST_F(FileGone, HearsOfEveryWayToGo) {
  const auto make = [&] { directory_.write("a/b/file", "x"); };
  make();
  EXPECT_EQ(status_after("a/b/file", [&] { fs::remove(directory_ / "a/b/file"); }),
            WaitStatus::ready);
  make();
  EXPECT_EQ(
      status_after("a/b/file", [&] { fs::rename(directory_ / "a/b/file", directory_ / "c"); }),
      WaitStatus::ready);
  make();
  EXPECT_EQ(status_after("a/b/file", [&] { fs::rename(directory_ / "a", directory_ / "moved"); }),
            WaitStatus::ready);
  make();
  EXPECT_EQ(status_after("a/b", [&] { fs::remove_all(directory_ / "a"); }), WaitStatus::ready);
  make();
  fs::create_hard_link(directory_ / "a/b/file", directory_ / "other");
  EXPECT_EQ(status_after("a/b/file", [&] { fs::remove(directory_ / "a/b/file"); }),
            WaitStatus::ready);
  fs::create_symlink("none", directory_ / "dangling");
  EXPECT_EQ(status_after("dangling", [&] { fs::remove(directory_ / "dangling"); }),
            WaitStatus::ready);
}

TEST_F(FileGone, FollowsLinksOnTheWay) {
  directory_.write("one/file", "x");
  fs::create_directory(directory_ / "two");
  fs::create_symlink("one", directory_ / "current");
  fs::create_symlink("two", directory_ / "next");
  EXPECT_EQ(status_after("current/file",
                         [&] { fs::rename(directory_ / "next", directory_ / "current"); }),
            WaitStatus::ready);
}

TEST_F(FileGone, IsWaitedForAgain) {
  directory_.write("file", "x");
  const auto gone = until::file_gone(directory_ / "file", when_told);
  for (int i = 0; i < 5; ++i) {
    ObservedCall wait([&] { return wait_until(gone); });
    wait.await_blocked();
    fs::remove(directory_ / "file");
    EXPECT_EQ(wait.result(), WaitStatus::ready);
    directory_.write("file", "x");
    EXPECT_EQ(wait_until(gone, {.timeout = seconds(0)}), WaitStatus::timeout);
  }
}

TEST_F(FileGone, DoesNotKeepTheFileOpen) {
  directory_.write("file", "x");
  EXPECT_FALSE(is_gone("file"));
  const std::size_t descriptors = count_descriptors();
  ObservedCall wait([&] { return wait_until_file_gone(directory_ / "file", when_told); });
  wait.await_blocked();
  EXPECT_LE(count_descriptors(), descriptors);
  fs::remove(directory_ / "file");
  EXPECT_EQ(wait.result(), WaitStatus::ready);
}

TEST_F(FileGone, IsNoticedInProcWhereNobodyTells) {
  const ::pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    std::_Exit(0);
  }
  ObservedCall wait([&] {
    return wait_until_file_gone("/proc/" + std::to_string(child) + "/stat",
                                {.timeout = seconds(40), .interval = milliseconds(1)});
  });
  wait.await_blocked();
  EXPECT_EQ(::kill(child, SIGKILL), 0);
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(wait.result(), WaitStatus::ready);
}

TEST_F(FileGone, AMountIsAWayToGoAndToCome) {
  directory_.write("d/old", "x");
  fs::create_directory(directory_ / "aside");
  constexpr int not_permitted = 77;
  const int result = in_child([&] {
    const std::string place = directory_ / "d";
    const std::string aside = directory_ / "aside";
    if (!enter_mount_namespace()) return not_permitted;
    ObservedCall gone([&] { return wait_until_file_gone(place + "/old", when_told); });
    gone.await_blocked();
    ObservedCall comes([&] { return wait_until_file_exists(place, "new", when_told); });
    comes.await_blocked();
    ObservedCall in_the_tree([&] {
      FileOptions options = when_told;
      options.recursive = true;
      return wait_until_file_exists(directory_.path(), "new", options);
    });
    in_the_tree.await_blocked();
    if (!mount_over(aside)) return 1;
    if (::mount(aside.c_str(), place.c_str(), nullptr, MS_BIND, nullptr) != 0) return 2;
    if (gone.result() != WaitStatus::ready) return 3;
    directory_.write("aside/new", "x");
    if (comes.result() != WaitStatus::ready) return 4;
    return in_the_tree.result() == WaitStatus::ready ? 0 : 5;
  });
  if (result == not_permitted) GTEST_SKIP() << "mounting is not permitted";
  EXPECT_EQ(result, 0);
}

}  // namespace
}  // namespace rouse::test
