// A file that changes in the middle of a read. All else is in line_condition_test.cpp.

#include "service/followed_file.hpp"

#include "support/temporary_directory.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rouse::test {
namespace {

// Once, when so many bytes of a read are there.
std::function<void()> in_the_middle;
std::size_t middle = 0;

ssize_t read_here(int fd, void* buffer, std::size_t size, off_t offset) {
  return ::syscall(SYS_pread64, fd, buffer, size, offset);
}

}  // namespace
}  // namespace rouse::test

// Instead of the C library's.
extern "C" ssize_t pread(int fd, void* buffer, size_t size, off_t offset) {
  using namespace rouse::test;
  if (!in_the_middle || size <= middle) return read_here(fd, buffer, size, offset);
  const ssize_t first = read_here(fd, buffer, middle, offset);
  std::exchange(in_the_middle, nullptr)();
  const ssize_t second = read_here(fd, static_cast<char*>(buffer) + middle, size - middle,
                                   offset + static_cast<off_t>(middle));
  return first + second;
}

namespace rouse::test {
namespace {

using detail::FollowedFile;
using detail::UniqueFd;
using testing::ElementsAre;

class FollowedFileReads : public testing::Test {
 protected:
  ~FollowedFileReads() override { in_the_middle = nullptr; }

  std::vector<std::string> read() {
    std::vector<std::string> lines;
    for (bool more = true; more;) {
      more = file_.read(buffer_);
      while (const auto line = file_.line()) {
        lines.emplace_back(*line);
        file_.take_line();
      }
    }
    return lines;
  }

  void write_in_the_middle(const std::string& text, std::size_t at) {
    middle = at;
    in_the_middle = [this, text] { directory_.write("log", text); };
  }

  const TemporaryDirectory directory_;
  const std::string line_ = std::string(100, 'a');
  const std::string path_ = directory_.write("log", line_ + "\n");
  std::vector<char> buffer_ = std::vector<char>(4096);
  FollowedFile file_{UniqueFd(::open(path_.c_str(), O_PATH | O_CLOEXEC)), path_, 1000};
};

// What was compared is of the file as it was, and what follows is not.
TEST_F(FollowedFileReads, TruncatedAndWrittenAgainBehindWhatIsCompared) {
  EXPECT_THAT(read(), ElementsAre(line_));
  const std::string line(150, 'b');
  write_in_the_middle(line + "\ntwo\n", FollowedFile::compared);
  EXPECT_THAT(read(), ElementsAre(line, "two"));
  EXPECT_FALSE(in_the_middle);
}

TEST_F(FollowedFileReads, TruncatedAndWrittenAgainDuringTheFirstRead) {
  const std::string line(150, 'b');
  write_in_the_middle(line + "\ntwo\n", 10);
  EXPECT_THAT(read(), ElementsAre(line, "two"));
  EXPECT_FALSE(in_the_middle);
}

TEST_F(FollowedFileReads, GrowsMeanwhile) {
  EXPECT_THAT(read(), ElementsAre(line_));
  write_in_the_middle(line_ + "\nb\n", FollowedFile::compared);
  EXPECT_THAT(read(), ElementsAre("b"));
  EXPECT_FALSE(in_the_middle);
}

}  // namespace
}  // namespace rouse::test
