#include "checkers/disk.hpp"
#include "checkers/file.hpp"
#include "checkers/mounts.hpp"
#include "support/checks.hpp"
#include "support/processes.hpp"
#include "support/scale.hpp"
#include "support/temporary_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using namespace std::chrono_literals;
using rouse::test::at_once;
using rouse::test::becomes_true;
using rouse::test::leaves_no_child;
using rouse::test::run_check;
using rouse::test::TemporaryDirectory;
using testing::HasSubstr;

FileOptions file(std::string path) {
  FileOptions options;
  options.path = std::move(path);
  return options;
}

constexpr auto in_child = ChildCall::Where::always_in_child;

CheckResult check(FileOptions options) {
  FileChecker checker(std::move(options));
  return run_check(checker);
}

/// Sets the time of the last change to so long ago.
void make_old(const std::string& path, std::chrono::seconds age) {
  timespec times[2] = {{0, UTIME_OMIT}, {::time(nullptr) - age.count(), 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

// What a call on a dead network file system does.
[[noreturn]] void hang() {
  for (;;) ::pause();
}
FileFacts hanging_look_at_file(const char*) { hang(); }
DiskFacts hanging_look_at_disk(const char*) { hang(); }
FileFacts dying_look_at_file(const char*) { ::_exit(1); }

/// Says through a FIFO that it is under way, and hangs.
FileFacts telling_look_at_file(const char* path) {
  const int fd = ::open(path, O_WRONLY);
  (void)!::write(fd, "x", 1);
  hang();
}

TEST(FileChecker, PresentAndAbsent) {
  const TemporaryDirectory directory;
  const std::string there = directory.write("there", "12345");
  const CheckResult result = check(file(there));
  EXPECT_EQ(result.status, Status::ok) << result.message;
  EXPECT_EQ(result.figures.at(0).name, "age");
  EXPECT_EQ(result.figures.at(1).value, 5);
  EXPECT_EQ(check(file(directory / "missing")).status, Status::critical);
  EXPECT_EQ(check(file(directory / "missing")).message, (directory / "missing") + " is not there");

  FileOptions absent = file(directory / "missing");
  absent.absent = true;
  EXPECT_EQ(check(absent).status, Status::ok);
  absent.path = there + "/below a file";
  EXPECT_EQ(check(absent).status, Status::ok);
  absent.path = there;
  EXPECT_EQ(check(absent).status, Status::critical);
}

TEST(FileChecker, Age) {
  const TemporaryDirectory directory;
  const std::string path = directory.write("file", "");
  FileOptions options = file(path);
  options.max_age = 1h;
  EXPECT_EQ(check(options).status, Status::ok);
  make_old(path, 2h);
  const CheckResult old = check(options);
  EXPECT_EQ(old.status, Status::critical);
  EXPECT_THAT(old.message, HasSubstr("older than 60.0 min"));
  make_old(path, -2h);
  EXPECT_EQ(check(options).figures.at(0).value, 0);
}

TEST(FileChecker, SizeAndKind) {
  const TemporaryDirectory directory;
  FileOptions options = file(directory.write("file", "12345"));
  options.min_size = 5;
  options.max_size = 5;
  options.kind = FileOptions::Kind::regular;
  EXPECT_EQ(check(options).status, Status::ok);
  options.min_size = 6;
  EXPECT_THAT(check(options).message, HasSubstr("smaller than 6 B"));
  options.min_size = 0;
  options.max_size = 4;
  EXPECT_THAT(check(options).message, HasSubstr("larger than 4 B"));
  options.max_size = 5;
  options.kind = FileOptions::Kind::directory;
  EXPECT_THAT(check(options).message, HasSubstr("not a directory"));
  options = file(directory / ".");
  options.kind = FileOptions::Kind::directory;
  EXPECT_EQ(check(options).status, Status::ok);
}

TEST(FileChecker, OtherErrorsAreUnknown) {
  const CheckResult result = check(file("/" + std::string(5000, 'x')));
  EXPECT_EQ(result.status, Status::unknown);
  EXPECT_THAT(result.message, HasSubstr("File name too long"));
}

TEST(FileChecker, LeavesNeitherDescriptorsNorZombies) {
  const auto check_in_child = [] {
    std::optional<FileChecker> checker(std::in_place, file("/"), &look_at_file, in_child);
    EXPECT_EQ(run_check(*checker).status, Status::ok);
    EXPECT_TRUE(leaves_no_child([&] { checker.reset(); }));
  };
  check_in_child();  // makes what a thread keeps
  const std::size_t before = rouse::test::count_descriptors();
  for (int i = 0; i < rouse::test::rounds(50); ++i) check_in_child();
  EXPECT_EQ(rouse::test::count_descriptors(), before);
}

TEST(FileChecker, AHangingCallIsEndedByTheTimeout) {
  std::optional<FileChecker> checker(std::in_place, file("/dead"), &hanging_look_at_file, in_child);
  const auto started = std::chrono::steady_clock::now();
  EXPECT_FALSE(run_check(*checker, 50ms).has_value());
  EXPECT_LT(std::chrono::steady_clock::now() - started, 50ms + at_once);
  EXPECT_TRUE(leaves_no_child([&] { checker.reset(); }));
}

TEST(FileChecker, AHangingCallIsEndedByAStop) {
  const TemporaryDirectory directory;
  const std::string fifo = directory / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::optional<FileChecker> checker(std::in_place, file(fifo), &telling_look_at_file, in_child);
  const auto stopped = rouse::test::stop_check(*checker, [&] {
    char byte;
    const int fd = ::open(fifo.c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_EQ(::read(fd, &byte, 1), 1);
    ::close(fd);
  });
  EXPECT_TRUE(stopped.stopped);
  EXPECT_LT(stopped.after, at_once);
  EXPECT_TRUE(leaves_no_child([&] { checker.reset(); }));
}

TEST(FileChecker, ADyingChildIsABrokenCheck) {
  std::optional<FileChecker> checker(std::in_place, file("/"), &dying_look_at_file, in_child);
  EXPECT_THROW((void)run_check(*checker), std::runtime_error);
  EXPECT_TRUE(leaves_no_child([&] { checker.reset(); }));
}

TEST(FileChecker, TheChildSeesWhatTheParentSees) {
  const TemporaryDirectory directory;
  FileChecker there(file(directory.write("there", "12345")), &look_at_file, in_child);
  EXPECT_EQ(run_check(there).figures.at(1).value, 5);
  FileChecker missing(file(directory / "missing"), &look_at_file, in_child);
  EXPECT_EQ(run_check(missing).status, Status::critical);
}

TEST(Mounts, FindsNetworkFileSystemsWithoutLookingAtThem) {
  const TemporaryDirectory directory;
  const std::string real = std::filesystem::canonical(directory / "");
  const auto link = [&](const char* name, const std::string& target) {
    ASSERT_EQ(::symlink(target.c_str(), (real + "/" + name).c_str()), 0);
  };
  const std::string list =
      directory.write("mountinfo",
                      "1 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
                      "2 1 0:9 / " +
                          real +
                          "/nfs rw,noatime shared:1 master:2 - nfs4 server:/ rw\n"
                          "3 1 0:8 / " +
                          real +
                          "/a\\040b rw - fuse.sshfs x rw\n"
                          "4 1 0:7 / " +
                          real +
                          "/over rw - nfs x rw\n"
                          "5 1 0:6 / " +
                          real + "/over rw - tmpfs x rw\n");
  link("link", "nfs/deeper");
  link("absolute", real + "/nfs");
  link("local", "mountinfo");
  link("loop", "loop");
  EXPECT_TRUE(may_hang(real + "/nfs", list));
  EXPECT_TRUE(may_hang(real + "/nfs/a/../..", list));
  EXPECT_TRUE(may_hang(real + "/./link/file", list));
  EXPECT_TRUE(may_hang(real + "/absolute", list));
  EXPECT_TRUE(may_hang(real + "/a b/c", list));
  EXPECT_TRUE(may_hang("relative", list));
  EXPECT_TRUE(may_hang("/", directory / "no list"));
  EXPECT_FALSE(may_hang(real + "/nfs_not", list));
  EXPECT_FALSE(may_hang(real + "/local", list));
  EXPECT_FALSE(may_hang(real + "/over/x", list));
  EXPECT_FALSE(may_hang(real + "/missing/../file", list));
  EXPECT_FALSE(may_hang(real + "/loop", list));
  EXPECT_FALSE(may_hang("/", list));
  EXPECT_FALSE(may_hang("/proc"));
}

TEST(DiskChecker, TellsShareAndSpace) {
  DiskOptions options;
  options.path = "/";
  options.used = {.warning = 101, .critical = 101};
  options.inodes_used = {.warning = 101, .critical = 101};
  DiskChecker checker(options);
  const CheckResult result = run_check(checker);
  EXPECT_EQ(result.status, Status::ok) << result.message;
  EXPECT_EQ(result.figures.at(0).name, "used");
  EXPECT_GE(result.figures.at(0).value, 0);
  EXPECT_LE(result.figures.at(0).value, 100);
  EXPECT_EQ(result.figures.at(1).name, "free");
}

DiskFacts nearly_full(const char*) {
  return {.error = 0, .used = 92, .available = 8, .inodes = 100, .inodes_available = 50};
}
DiskFacts out_of_inodes(const char*) {
  return {.error = 0, .used = 10, .available = 90, .inodes = 100, .inodes_available = 1};
}
DiskFacts without_inodes(const char*) {
  return {.error = 0, .used = 10, .available = 90, .inodes = 0, .inodes_available = 0};
}

TEST(DiskChecker, GradesSpaceAndInodes) {
  DiskOptions options;
  options.path = "/";
  DiskChecker full(options, &nearly_full);
  EXPECT_EQ(run_check(full).status, Status::warning);
  EXPECT_EQ(run_check(full).message, "92% used, 8 B free");
  DiskChecker inodes(options, &out_of_inodes);
  EXPECT_EQ(run_check(inodes).status, Status::critical);
  EXPECT_THAT(run_check(inodes).message, HasSubstr("99% of the inodes used"));
  DiskChecker none(options, &without_inodes);
  EXPECT_EQ(run_check(none).status, Status::ok);
  EXPECT_EQ(run_check(none).figures.size(), 2U);
}

TEST(DiskChecker, AMissingPathIsUnknown) {
  DiskOptions options;
  options.path = "/does/not/exist";
  DiskChecker checker(options);
  const CheckResult result = run_check(checker);
  EXPECT_EQ(result.status, Status::unknown);
  EXPECT_EQ(result.message, "/does/not/exist: No such file or directory");
}

TEST(DiskChecker, AHangingCallIsEndedByStopAndTimeout) {
  DiskOptions options;
  options.path = "/dead";
  std::optional<DiskChecker> checker(std::in_place, options, &hanging_look_at_disk, in_child);
  EXPECT_FALSE(run_check(*checker, 20ms).has_value());
  // A second look is refused as long as the first one's child is there.
  EXPECT_TRUE(becomes_true([] { return rouse::test::count_running_children() == 0; }));
  const auto stopped = rouse::test::stop_check(*checker, [] {});
  EXPECT_TRUE(stopped.stopped);
  EXPECT_LT(stopped.after, at_once);
  EXPECT_TRUE(leaves_no_child([&] { checker.reset(); }));
}

}  // namespace
}  // namespace health
