// Files that change: by every way in which that may be, and once for each wait.

#include "rouse/service/autowait.hpp"

#include "support/observed_call.hpp"
#include "support/temporary_directory.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include <gtest/gtest.h>

namespace rouse::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using std::chrono::seconds;

class FileChanged : public testing::Test {
 protected:
  // Only events can tell in time.
  static constexpr FileOptions when_told{.timeout = seconds(40), .interval = hours(1)};

  /// How a wait ends that blocks before `happens()` is called.
  WaitStatus status_after(const std::function<void()>& happens) const {
    ObservedCall wait([&] { return wait_until_file_changed(file_, when_told); });
    wait.await_blocked();
    happens();
    return wait.result();
  }
  static bool holds_now(const Condition& condition) {
    return wait_until(condition, {.timeout = seconds(0)}) == WaitStatus::ready;
  }
  void write(std::string_view text) const { directory_.write("d/file", text); }

  const TemporaryDirectory directory_;
  const std::string file_ = directory_ / "d/file";
};

TEST_F(FileChanged, HearsOfEveryWayToChange) {
  EXPECT_EQ(status_after([&] { write("it comes"); }), WaitStatus::ready);
  EXPECT_EQ(status_after([&] { std::ofstream(file_, std::ios::app) << "more"; }),
            WaitStatus::ready);
  EXPECT_EQ(status_after([&] { EXPECT_EQ(::truncate(file_.c_str(), 2), 0); }), WaitStatus::ready);
  EXPECT_EQ(status_after([&] { EXPECT_EQ(::chmod(file_.c_str(), 0600), 0); }), WaitStatus::ready);
  EXPECT_EQ(status_after([&] {
              directory_.write("new", "it");
              fs::rename(directory_ / "new", file_);
            }),
            WaitStatus::ready);
  EXPECT_EQ(status_after([&] { fs::remove(file_); }), WaitStatus::ready);
}

TEST_F(FileChanged, FollowsLinks) {
  directory_.write("one", "1");
  directory_.write("two", "2");
  fs::create_directory(directory_ / "d");
  fs::create_symlink("../one", file_);
  EXPECT_EQ(status_after([&] { std::ofstream(directory_ / "one", std::ios::app) << "more"; }),
            WaitStatus::ready);
  EXPECT_EQ(status_after([&] {
              fs::create_symlink("../two", directory_ / "link");
              fs::rename(directory_ / "link", file_);
            }),
            WaitStatus::ready);
}

TEST_F(FileChanged, ComparesWithWhatItWasWhenTheConditionWasMade) {
  write("x");
  const Condition condition = until::file_changed(file_, when_told);
  EXPECT_FALSE(holds_now(condition));
  write("changed before anybody waits");
  EXPECT_TRUE(holds_now(condition));
  EXPECT_FALSE(holds_now(condition)) << "that was told";
  fs::remove(file_);
  EXPECT_TRUE(holds_now(condition));
  EXPECT_FALSE(holds_now(condition));
  write("again");
  EXPECT_TRUE(holds_now(condition));
}

TEST_F(FileChanged, IsNotConcernedWithOthers) {
  write("x");
  ObservedCall wait([&] { return wait_until_file_changed(file_, when_told); });
  wait.await_blocked();
  directory_.write("d/other", "y");
  fs::remove(directory_ / "d/other");
  std::ifstream(file_).get();
  wait.await_blocked();
  write("changed");
  EXPECT_EQ(wait.result(), WaitStatus::ready);
}

// A writer that is as quick as the kernel's clock is coarse: size and times of the file are what
// they were.
TEST_F(FileChanged, HearsOfAChangeThatShowsInNothingElse) {
  for (int i = 0; i < 20; ++i) {
    write("a");
    EXPECT_EQ(status_after([&] {
                std::ofstream out(file_, std::ios::in | std::ios::binary);
                out << "b";
              }),
              WaitStatus::ready);
  }
}

TEST_F(FileChanged, LooksAgainWhereThereAreNoEvents) {
  const Condition load = until::file_changed("/proc/sys/kernel/random/uuid",
                                             {.interval = std::chrono::milliseconds(1)});
  EXPECT_EQ(wait_until(load, {.timeout = std::chrono::milliseconds(5)}), WaitStatus::timeout);
  EXPECT_EQ(load.describe(), "a change of /proc/sys/kernel/random/uuid");
}

}  // namespace
}  // namespace rouse::test
