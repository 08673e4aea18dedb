#include "log.hpp"

#include "support/temporary_directory.hpp"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using testing::HasSubstr;
using testing::Not;

class LogFile : public testing::Test {
 protected:
  std::string text() const {
    std::ostringstream all;
    all << std::ifstream(file_).rdbuf();
    return all.str();
  }

  rouse::test::TemporaryDirectory folder_;
  std::string file_ = folder_ / "log";
};

TEST_F(LogFile, TakesWhatIsThereAndIsPrivate) {
  Log({.file = file_}).info("first");
  Log({.file = file_}).info("second");
  EXPECT_THAT(text(), HasSubstr("first\n"));
  EXPECT_THAT(text(), HasSubstr("second\n"));
  EXPECT_EQ(std::filesystem::status(file_).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(LogFile, TakesTextAsItIsAndEscapesControlBytes) {
  Log({.file = file_}).warning("{} %s {0:x} a\nforged\x1b[2J");
  EXPECT_THAT(text(), HasSubstr("warning {} %s {0:x} a\\x0Aforged\\x1B[2J\n"));
}

TEST_F(LogFile, ShowsDebugOnlyWhenAsked) {
  Log({.file = file_}).debug("quiet");
  EXPECT_THAT(text(), Not(HasSubstr("quiet")));
  Log({.file = file_, .verbose = true}).debug("loud");
  EXPECT_THAT(text(), HasSubstr("loud"));
}

TEST_F(LogFile, HandsItsLinesToASinkInstead) {
  std::vector<std::string> lines;
  Log log({.file = file_, .sink = [&](std::string_view line) { lines.emplace_back(line); }});
  testing::internal::CaptureStderr();
  log.warning("{} a\nb");
  log.debug("quiet");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], testing::EndsWith(" warning {} a\\x0Ab\n"));
  EXPECT_EQ(text(), lines[0]) << "no colours, as standard error is no terminal";
}

TEST_F(LogFile, SaysWhyItCannotBeOpened) {
  EXPECT_THROW(Log({.file = folder_ / "none/log"}), std::system_error);
  EXPECT_THROW(Log({.file = folder_.path().string()}), std::system_error);
  std::filesystem::create_symlink(folder_ / "elsewhere", file_);
  EXPECT_THROW(Log({.file = file_}), std::system_error);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "elsewhere"));
  std::filesystem::remove(file_);
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  EXPECT_THROW(Log({.file = file_}), std::system_error);
}

}  // namespace
}  // namespace health
