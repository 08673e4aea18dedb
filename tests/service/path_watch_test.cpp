// A path walked step by step: what it leads to, and who is told when it leads elsewhere.

#include "service/path_watch.hpp"

#include "rouse/service/autowait.hpp"

#include "support/in_child.hpp"
#include "support/mount_namespace.hpp"
#include "support/temporary_directory.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <gtest/gtest.h>

namespace rouse::test {
namespace {

namespace fs = std::filesystem;
using detail::FileEvents;
using detail::FileWatcher;
using detail::PathWatch;
using detail::UniqueFd;
using detail::WaitHint;
using std::chrono::milliseconds;
using std::chrono::seconds;
using enum PathWatch::Last;

class PathWatchOf : public testing::Test {
 protected:
  /// Whether a walk may lead elsewhere by now.
  bool is_concerned(const PathWatch& way) {
    std::array<::pollfd, FileEvents::polled> fds{};
    FileEvents::instance().poll(fds);
    EXPECT_GE(::poll(fds.data(), fds.size(), 0), 0);
    FileEvents::instance().dispatch(fds);
    return way.concerned(watcher_.take());
  }
  void write(const std::string& name) const { directory_.write(name, "x"); }
  void rename(const std::string& from, const std::string& to) const {
    fs::rename(directory_ / from, directory_ / to);
  }

  const TemporaryDirectory directory_;
  WaitHint hint_;
  FileWatcher watcher_{hint_, "a test"};
};

bool is_same_file(const UniqueFd& fd, const std::string& path) {
  struct stat one {};
  struct stat other {};
  return fd && ::fstat(fd.get(), &one) == 0 && ::lstat(path.c_str(), &other) == 0 &&
         one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

TEST_F(PathWatchOf, LeadsWhereTheKernelGoes) {
  write("a/b/file");
  fs::create_symlink("a/./b", directory_ / "relative");
  fs::create_symlink(directory_ / "relative//", directory_ / "absolute");
  fs::create_symlink("absolute/file", directory_ / "to_file");
  for (const char* const name :
       {"a/b/file", "a//b/./file", "a/b/../b/file", "relative/file", "absolute/file",
        "absolute/../b/file", "to_file", "../../../../../../.."}) {
    const std::string path = directory_ / name;
    PathWatch way(path, follow);
    EXPECT_TRUE(is_same_file(way.walk(watcher_), fs::canonical(path))) << name;
  }
  PathWatch link(directory_ / "to_file", as_it_stands);
  EXPECT_TRUE(is_same_file(link.walk(watcher_), directory_ / "to_file"));
  for (const char* const name : {"none", "a/none/file", "a/b/file/..", "a/b/file/below"}) {
    PathWatch way(directory_ / name, follow);
    EXPECT_FALSE(way.walk(watcher_)) << name;
  }
}

TEST_F(PathWatchOf, IsConcernedByEachStepOnly) {
  write("a/b/file");
  write("c/b/file");
  fs::create_symlink("a", directory_ / "link");
  fs::create_symlink("c", directory_ / "next");
  PathWatch way(directory_ / "link/b/file", follow);
  EXPECT_TRUE(way.walk(watcher_));
  EXPECT_TRUE(way.is_told());
  write("a/b/other");
  write("a/other");
  write("other");
  EXPECT_FALSE(is_concerned(way));
  fs::remove(directory_ / "a/b/file");
  EXPECT_TRUE(is_concerned(way));
  EXPECT_FALSE(way.walk(watcher_));
  write("a/b/file");
  EXPECT_TRUE(is_concerned(way));
  EXPECT_TRUE(way.walk(watcher_));
  rename("a", "moved");
  EXPECT_TRUE(is_concerned(way));
  EXPECT_FALSE(way.walk(watcher_));
  // The end of the way is no longer watched where it was.
  fs::remove(directory_ / "moved/b/file");
  EXPECT_FALSE(is_concerned(way));
  rename("next", "link");
  EXPECT_TRUE(is_concerned(way));
  EXPECT_TRUE(is_same_file(way.walk(watcher_), directory_ / "c/b/file"));
}

TEST_F(PathWatchOf, NoWalkIsToldWhereNobodyTells) {
  PathWatch process("/proc/self/status", follow);
  EXPECT_TRUE(process.walk(watcher_));
  EXPECT_FALSE(process.is_told());
  PathWatch device("/sys/kernel", follow);
  EXPECT_TRUE(device.walk(watcher_));
  EXPECT_FALSE(device.is_told());
  PathWatch way(directory_.path(), follow);
  EXPECT_TRUE(way.walk(watcher_));
  EXPECT_TRUE(way.is_told());
}

TEST_F(PathWatchOf, FollowsAsManyLinksAsTheKernel) {
  write("0");
  for (int i = 1; i <= 41; ++i) {
    fs::create_symlink(std::to_string(i - 1), directory_ / std::to_string(i));
  }
  PathWatch longest(directory_ / "40", follow);
  EXPECT_TRUE(is_same_file(longest.walk(watcher_), directory_ / "0"));
  EXPECT_EQ(::access((directory_ / "40").c_str(), F_OK), 0);
  EXPECT_NE(::access((directory_ / "41").c_str(), F_OK), 0);
  PathWatch too_long(directory_ / "41", follow);
  try {
    (void)too_long.walk(watcher_);
    ADD_FAILURE() << "41 links";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::too_many_symbolic_link_levels);
    EXPECT_NE(std::string(error.what()).find(directory_ / "41"), std::string::npos);
  }
}

TEST_F(PathWatchOf, LeadsIntoTheMountsOfAnotherProcess) {
  fs::create_directory(directory_ / "d");
  constexpr int not_permitted = 77;
  const int result = in_child([&] {
    std::array<int, 2> to_other{};
    std::array<int, 2> from_other{};
    if (::pipe(to_other.data()) != 0 || ::pipe(from_other.data()) != 0) return 1;
    char byte = 'x';
    const ::pid_t other = ::fork();
    if (other == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      byte = enter_mount_namespace() && mount_over(directory_ / "d") ? 'y' : 'n';
      if (::write(from_other[1], &byte, 1) != 1 || ::read(to_other[0], &byte, 1) != 1) return 1;
      write("d/file");
      ::pause();
    }
    if (::read(from_other[0], &byte, 1) != 1) return 2;
    if (byte != 'y') return not_permitted;
    const std::string there = "/proc/" + std::to_string(other) + "/root" + directory_ / "d";
    int calls = 0;
    const auto asks = until::holds(
        [&] {
          if (++calls == 2 && ::write(to_other[1], &byte, 1) != 1) throw std::runtime_error("pipe");
          return false;
        },
        {.interval = milliseconds(1)});
    const auto file = until::file_exists(there, "f*", {.interval = milliseconds(1)});
    const AnyReady found = wait_until_any({file, asks}, {.timeout = seconds(15)});
    ::kill(other, SIGKILL);
    if (fs::exists(directory_ / "d/file")) return 3;
    return found == AnyReady{WaitStatus::ready, 0} ? 0 : 4;
  });
  if (result == not_permitted) GTEST_SKIP() << "mounting is not permitted";
  EXPECT_EQ(result, 0);
}

}  // namespace
}  // namespace rouse::test
