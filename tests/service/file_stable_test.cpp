// Files that are complete: nothing has been done to them for a while.

#include "rouse/service/autowait.hpp"

#include "support/temporary_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace rouse::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

void set_times(const std::string& path, std::time_t when) {
  const ::timespec times[2] = {{when, 0}, {when, 0}};
  EXPECT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

class FileStable : public testing::Test {
 protected:
  // The kernel's time of a change is that of its last tick.
  static constexpr milliseconds tick{10};
  static constexpr milliseconds quiet{60};
  // Only events, and the file's own time, can tell.
  static constexpr FileOptions unpolled{.timeout = seconds(40), .interval = hours(1)};
  static constexpr FileOptions only_now{.timeout = seconds(0)};

  /// From `happens()`, which is called in the middle of a wait, to the wait's end.
  nanoseconds time_after(const std::function<void()>& happens) const {
    std::optional<steady_clock::time_point> begin;
    const auto in_the_middle = until::holds(
        [&] {
          begin = steady_clock::now();
          happens();
          return false;
        },
        {.interval = hours(1)});
    // Unless the test had to wait for so long itself that the file is stable at the first look.
    while (!begin) {
      if (fs::exists(file_)) append();
      EXPECT_EQ(wait_until_any({until::file_stable(file_, quiet, unpolled), in_the_middle},
                               {.timeout = seconds(40)}),
                (AnyReady{WaitStatus::ready, 0}));
    }
    return steady_clock::now() - *begin;
  }
  void append() const { std::ofstream(file_, std::ios::app) << "more"; }

  const TemporaryDirectory directory_;
  const std::string file_ = directory_ / "d/file";
};

TEST_F(FileStable, IsReadyAtOnceIfItHasBeenQuiet) {
  directory_.write("d/file", "x");
  const auto begin = steady_clock::now();
  EXPECT_EQ(wait_until_file_stable(file_, quiet, unpolled), WaitStatus::ready);
  EXPECT_GE(steady_clock::now() - begin, quiet - tick);
  EXPECT_EQ(wait_until_file_stable(file_, quiet, only_now), WaitStatus::ready);
  EXPECT_EQ(wait_until_file_stable(file_, hours(1), only_now), WaitStatus::timeout);
  EXPECT_EQ(wait_until_file_stable(file_, hours::max(), only_now), WaitStatus::timeout);
}

TEST_F(FileStable, NeedsNoQuietIfNoneIsAskedFor) {
  EXPECT_EQ(wait_until_file_stable(file_, seconds(0), only_now), WaitStatus::timeout);
  directory_.write("d/file", "x");
  EXPECT_EQ(wait_until_file_stable(file_, seconds(0), only_now), WaitStatus::ready);
  EXPECT_EQ(wait_until_file_stable(file_, seconds(-1), only_now), WaitStatus::ready);
  fs::create_symlink("none", directory_ / "dangling");
  EXPECT_EQ(wait_until_file_stable(directory_ / "dangling", seconds(0), only_now),
            WaitStatus::timeout);
  EXPECT_EQ(until::file_stable(file_, quiet).describe(), "a complete file " + file_);
}

TEST_F(FileStable, IsWaitedForUntilItIsThere) {
  EXPECT_GE(time_after([&] { directory_.write("d/file", "x"); }), quiet - tick);
}

TEST_F(FileStable, CountsFromTheLastChange) {
  directory_.write("d/file", "x");
  EXPECT_GE(time_after([&] { append(); }), quiet - tick);
  EXPECT_GE(time_after([&] { fs::permissions(file_, fs::perms::owner_all); }), quiet - tick);
  // Whatever is written into its times.
  EXPECT_GE(time_after([&] { set_times(file_, 0); }), quiet - tick);
  const std::time_t in_an_hour =
      std::chrono::system_clock::to_time_t(std::chrono::system_clock::now() + hours(1));
  EXPECT_GE(time_after([&] { set_times(file_, in_an_hour); }), quiet - tick);
  EXPECT_GE(time_after([&] {
              fs::remove(file_);
              directory_.write("d/file", "z");
            }),
            quiet - tick);
}

TEST_F(FileStable, CountsFromWhenAnotherTookItsPlace) {
  directory_.write("old/file", "x");
  ASSERT_EQ(wait_until_file_stable(directory_ / "old/file", quiet, unpolled), WaitStatus::ready);
  directory_.write("d/file", "x");
  EXPECT_GE(time_after([&] {
              fs::rename(directory_ / "d", directory_ / "gone");
              fs::rename(directory_ / "old", directory_ / "d");
            }),
            quiet - tick);
}

TEST_F(FileStable, IsNotReadyWhileItGrows) {
  directory_.write("d/file", "x");
  std::vector<steady_clock::time_point> written(2, steady_clock::now());
  std::atomic<bool> enough{false};
  std::jthread writer([&] {
    std::ofstream file(file_, std::ios::app);
    while (!enough.load()) {
      file << "more" << std::flush;
      written.push_back(steady_clock::now());
      std::this_thread::yield();
    }
  });
  const auto stable = until::file_stable(file_, quiet, unpolled);
  (void)wait_until(stable, {.timeout = 2 * quiet});
  enough.store(true);
  const WaitStatus status = wait_until(stable);
  const auto ended = steady_clock::now();
  writer.join();
  written.push_back(ended);
  EXPECT_EQ(status, WaitStatus::ready);
  // The writer itself may have had to wait, also between a change and the look at the clock.
  nanoseconds longest{0};
  for (std::size_t i = 2; i < written.size(); ++i) {
    longest = std::max<nanoseconds>(longest, written[i] - written[i - 2]);
  }
  EXPECT_GE(longest, quiet - tick);
}

}  // namespace
}  // namespace rouse::test
