// Lines of real files: written, rotated, truncated and replaced before and while somebody waits.

#include "rouse/service/autowait.hpp"

#include "service/unique_fd.hpp"
#include "support/observed_thread.hpp"
#include "support/processes.hpp"
#include "support/temporary_directory.hpp"

#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rouse::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using until::line_matches;

constexpr WaitOptions long_wait{.timeout = seconds(40)};
constexpr WaitOptions no_wait{.timeout = seconds(0)};
constexpr auto from_end = LineStart::end;

/// The line that is there already, or "-".
std::string line_now(const LineCondition& condition) {
  return wait_until(condition, no_wait) == WaitStatus::ready ? condition.line() : "-";
}

/// All that are there.
std::vector<std::string> lines_now(const LineCondition& condition) {
  std::vector<std::string> lines;
  while (wait_until(condition, no_wait) == WaitStatus::ready) lines.push_back(condition.line());
  return lines;
}

/// The next line, when it comes.
std::string next_line(const LineCondition& condition) {
  return wait_until(condition, long_wait) == WaitStatus::ready ? condition.line() : "-";
}

/// What a wait finds that blocks before `happens()` is called.
template <class F>
std::string line_after(const LineCondition& condition, F happens) {
  std::string line;
  ObservedThread waiter([&] { line = next_line(condition); });
  waiter.await_blocked();
  happens();
  waiter.join();
  return line;
}

void append(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary | std::ios::app) << text;
}

/// Whether this process has the file open.
bool is_open(const std::string& path) {
  const auto entries = std::filesystem::directory_iterator("/proc/self/fd");
  return std::ranges::any_of(entries, [&](const auto& entry) {
    std::error_code ignored;
    return std::filesystem::read_symlink(entry.path(), ignored) == path;
  });
}

/// What the process has read so far, in bytes.
std::uint64_t bytes_read() {
  std::ifstream file("/proc/self/io");
  std::string name;
  std::uint64_t count = 0;
  file >> name >> count;
  EXPECT_EQ(name, "rchar:");
  return count;
}

class LineMatches : public testing::Test {
 protected:
  /// A program that has the log open, as long as the test does not close it.
  std::ofstream writer() const { return std::ofstream(log_, std::ios::binary | std::ios::app); }

  /// As logrotate does it: the old one is "log.1" then.
  void rotate() const {
    std::filesystem::rename(log_, rotated_);
    directory_.write("log", "");
  }

  const TemporaryDirectory directory_;
  const std::string log_ = directory_ / "log";
  const std::string rotated_ = directory_ / "log.1";
};

// --- what matches
// ----------------------------------------------------------------------------------

TEST_F(LineMatches, FindsALineThatIsThereWithItsGroups) {
  directory_.write("log", "starting\nlistening on port 8080 (v4)\n");
  const LineFound found = wait_until_line_matches(log_, "port ([0-9]+)( tls)? \\((v.)\\)");
  EXPECT_EQ(found.status, WaitStatus::ready);
  EXPECT_EQ(found.line, "listening on port 8080 (v4)");
  EXPECT_THAT(found.groups, ElementsAre("port 8080 (v4)", "8080", "", "v4"));
}

TEST_F(LineMatches, FindsALineThatIsWrittenWhileItWaits) {
  directory_.write("log", "one\n");
  const auto two = line_matches(log_, "^tw(.)$");
  EXPECT_EQ(line_after(two, [&] { append(log_, "two\n"); }), "two");
  EXPECT_THAT(two.groups(), ElementsAre("two", "o"));
}

TEST_F(LineMatches, TimesOutAndHasFoundNothing) {
  directory_.write("log", "one\ntwo\n");
  const auto condition = line_matches(log_, "one|three");
  EXPECT_EQ(line_now(condition), "one");
  EXPECT_EQ(wait_until(condition, no_wait), WaitStatus::timeout);
  EXPECT_EQ(condition.line(), "");
  EXPECT_THAT(condition.groups(), ElementsAre());
}

TEST_F(LineMatches, WaitsInSequenceGetLinesInSequence) {
  directory_.write("log", "a 1\nb 2\na 3\na 4\n");
  const auto condition = line_matches(log_, "^a");
  EXPECT_THAT(lines_now(condition), ElementsAre("a 1", "a 3", "a 4"));
  EXPECT_EQ(line_after(condition, [&] { append(log_, "a 5\na 6\n"); }), "a 5");
  EXPECT_THAT(lines_now(condition), ElementsAre("a 6"));
}

TEST_F(LineMatches, WhatWasReadIsNotLostWithTheFile) {
  directory_.write("log", "one\ntwo\nthree\n");
  const auto condition = line_matches(log_, "");
  EXPECT_EQ(line_now(condition), "one");
  directory_.write("log", "new\n");
  EXPECT_THAT(lines_now(condition), ElementsAre("two", "three", "new"));
}

TEST_F(LineMatches, AnEmptyLineIsALine) {
  directory_.write("log", "one\n\n\r\n");
  EXPECT_THAT(lines_now(line_matches(log_, "^$")), ElementsAre("", ""));
}

TEST_F(LineMatches, TheEndOfALineMayBeThatOfAnotherSystem) {
  directory_.write("log", "one\r\ntwo\r\n");
  EXPECT_THAT(lines_now(line_matches(log_, "(one|two)$")), ElementsAre("one", "two"));
}

TEST_F(LineMatches, BytesThatAreNoTextMatchAnyByte) {
  using namespace std::string_literals;
  const std::string line = "\0\xFF\xC3 key=value \x80"s;
  directory_.write("log", line + "\n\xC3\xA4\n");
  EXPECT_EQ(line_now(line_matches(log_, "key=(\\w+)")), line);
  EXPECT_EQ(line_now(line_matches(log_, "^\\C\\C\\C key")), line);
  EXPECT_EQ(line_now(line_matches(log_, "^\\x00")), line);
  EXPECT_EQ(line_now(line_matches(log_, "^.$")), "\xC3\xA4");
}

TEST_F(LineMatches, OfALongLineOnlyTheBeginningIsLookedAt) {
  const std::string longer(300'000, 'x');
  directory_.write("log", longer + "end\nshort end\n" + longer + "\n");
  EXPECT_EQ(line_now(line_matches(log_, "end$")), "short end");
  EXPECT_THAT(lines_now(line_matches(log_, "^x", {.max_line = 100})),
              ElementsAre(std::string(100, 'x'), std::string(100, 'x')));
  EXPECT_EQ(line_now(line_matches(log_, "xend$", {.max_line = 1'000'000})), longer + "end");
}

// --- lines without an end
// --------------------------------------------------------------------------

TEST_F(LineMatches, ALineMayComeInParts) {
  auto log = writer();
  log << "hel" << std::flush;
  const auto condition = line_matches(log_, "^hello$");
  EXPECT_EQ(line_now(condition), "-");
  EXPECT_EQ(line_after(condition, [&] { log << "l" << std::flush << "o\n"
                                            << std::flush; }),
            "hello");
}

// It was looked at when it was quiet, and did not match.
TEST_F(LineMatches, AnEndThatDidNotMatchIsMatchedAgainWhenItIsComplete) {
  auto log = writer();
  log << "hel" << std::flush;
  ASSERT_EQ(wait_until_file_stable(log_, milliseconds(150)), WaitStatus::ready);
  const auto condition = line_matches(log_, "^hello$");
  EXPECT_EQ(line_now(condition), "-");
  log << "lo\n" << std::flush;
  EXPECT_EQ(line_now(condition), "hello");
}

TEST_F(LineMatches, SoIsOneThatHasGrown) {
  auto log = writer();
  log << "hel" << std::flush;
  ASSERT_EQ(wait_until_file_stable(log_, milliseconds(150)), WaitStatus::ready);
  const auto condition = line_matches(log_, "^hello$");
  EXPECT_EQ(line_now(condition), "-");
  log << "lo" << std::flush;
  EXPECT_EQ(next_line(condition), "hello");
}

TEST_F(LineMatches, AnEndIsALineOnceItIsQuiet) {
  auto log = writer();
  const auto condition = line_matches(log_, "^hel$");
  const auto before = steady_clock::now();
  EXPECT_EQ(line_after(condition, [&] { log << "hel" << std::flush; }), "hel");
  EXPECT_GE(steady_clock::now() - before, milliseconds(100));
}

// The time of a file has the resolution of the scheduler's clock.
TEST_F(LineMatches, AtTheFirstLookItCountsHowLongItHasBeenQuiet) {
  auto log = writer();
  const auto before = steady_clock::now();
  log << "hel" << std::flush;
  EXPECT_EQ(next_line(line_matches(log_, "^hel$")), "hel");
  EXPECT_GE(steady_clock::now() - before, milliseconds(80));
  ASSERT_EQ(wait_until_file_stable(log_, milliseconds(150)), WaitStatus::ready);
  EXPECT_EQ(line_now(line_matches(log_, "^hel$")), "hel");
}

// Not sooner than it would be quiet if the machine is busy, but that does not happen each time.
TEST_F(LineMatches, AnEndIsALineWhenItsWriterClosesTheFile) {
  const auto condition = line_matches(log_, "^end$");
  const auto time = [&] {
    const auto before = steady_clock::now();
    const std::string line = line_after(condition, [&] { append(log_, "end"); });
    EXPECT_EQ(line, "end");
    append(log_, "\n");
    return steady_clock::now() - before;
  };
  int tries = 100;
  while (time() >= milliseconds(100) && tries > 0) --tries;
  EXPECT_GT(tries, 0);
}

TEST_F(LineMatches, WhatFollowsAnEndThatMatchedIsALineOfItsOwn) {
  auto log = writer();
  log << "one" << std::flush;
  const auto condition = line_matches(log_, "");
  EXPECT_EQ(next_line(condition), "one");
  log << "two\nthree" << std::flush;
  EXPECT_EQ(next_line(condition), "two");
  EXPECT_EQ(next_line(condition), "three");
  log << "\nfour\n" << std::flush;
  EXPECT_THAT(lines_now(condition), ElementsAre("four"));
}

// --- files that come and go
// ------------------------------------------------------------------------

TEST_F(LineMatches, TheFileNeedNotExistYet) {
  EXPECT_EQ(line_after(line_matches(log_, "one"), [&] { append(log_, "one\n"); }), "one");
}

TEST_F(LineMatches, NorDoesItsDirectory) {
  const auto condition = line_matches(directory_ / "a/b/log", "one");
  EXPECT_EQ(line_after(condition, [&] { directory_.write("a/b/log", "one\n"); }), "one");
}

TEST_F(LineMatches, ARotatedLogIsReadFromItsBeginning) {
  directory_.write("log", "one\n");
  const auto condition = line_matches(log_, "");
  EXPECT_EQ(line_now(condition), "one");
  rotate();
  append(log_, "two\n");
  EXPECT_EQ(line_now(condition), "two");
  EXPECT_EQ(line_after(condition,
                       [&] {
                         std::filesystem::rename(log_, rotated_);
                         append(log_, "three\n");
                       }),
            "three");
}

TEST_F(LineMatches, WhoHasTheOldLogOpenMayGoOnWithIt) {
  auto old = writer();
  old << "1 in the mid" << std::flush;
  const auto condition = line_matches(log_, "^[0-9]");
  EXPECT_EQ(line_now(condition), "-");
  rotate();
  auto next = writer();
  next << "2 also in the" << std::flush;
  EXPECT_EQ(line_after(condition, [&] { old << "dle\n" << std::flush; }), "1 in the middle");
  EXPECT_EQ(line_after(condition, [&] { next << " middle\n"
                                             << std::flush; }),
            "2 also in the middle");
  next << "4\n" << std::flush;
  old << "3\n" << std::flush;
  EXPECT_THAT(lines_now(condition), ElementsAre("3", "4"));
}

TEST_F(LineMatches, AnOldLogIsGivenUpWhenItsWriterClosesIt) {
  auto old = writer();
  const auto condition = line_matches(log_, "^[0-9]");
  EXPECT_EQ(line_after(condition,
                       [&] {
                         rotate();
                         old << "x\n" << std::flush;
                         old.close();
                         while (is_open(rotated_)) std::this_thread::yield();
                         append(rotated_, "1\n");
                         append(log_, "2\n");
                       }),
            "2");
  EXPECT_EQ(line_now(condition), "-");
}

TEST_F(LineMatches, AnOldLogIsGivenUpWhenFourNewerOnesHaveCome) {
  auto old = writer();
  const auto condition = line_matches(log_, "");
  EXPECT_EQ(line_now(condition), "-");
  for (int newer = 1; newer <= 3; ++newer) {
    rotate();
    append(log_, "new\n");
    old << "old\n" << std::flush;
    EXPECT_THAT(lines_now(condition), ElementsAre("old", "new"));
  }
  rotate();
  append(log_, "new\n");
  // Nobody will see it grow.
  old << "end" << std::flush;
  EXPECT_THAT(lines_now(condition), ElementsAre("end", "new"));
  old << "\nold\n" << std::flush;
  EXPECT_THAT(lines_now(condition), ElementsAre());
}

TEST_F(LineMatches, ALogThatIsCopiedAndTruncatedIsReadFromItsBeginning) {
  auto log = writer();
  log << "one\nin the mid" << std::flush;
  const auto condition = line_matches(log_, "");
  EXPECT_EQ(line_now(condition), "one");
  std::filesystem::resize_file(log_, 0);
  log << "two\n" << std::flush;
  EXPECT_EQ(line_now(condition), "two");
  EXPECT_EQ(line_after(condition,
                       [&] {
                         std::filesystem::resize_file(log_, 0);
                         log << "2\n" << std::flush;
                       }),
            "2");
}

TEST_F(LineMatches, ALogThatHasGrownSinceItWasTruncatedIsReadFromItsBeginning) {
  directory_.write("log", "one\n");
  const auto condition = line_matches(log_, "");
  EXPECT_EQ(line_now(condition), "one");
  directory_.write("log", "two\n");
  EXPECT_THAT(lines_now(condition), ElementsAre("two"));
  directory_.write("log", "longer\nby far\n");
  EXPECT_THAT(lines_now(condition), ElementsAre("longer", "by far"));
  directory_.write("log", "longer\nbut not by far\n");
  EXPECT_THAT(lines_now(condition), ElementsAre("longer", "but not by far"));
}

TEST_F(LineMatches, AFileThatIsRenamedOverTheLogIsReadFromItsBeginning) {
  directory_.write("log", "one\n");
  const auto condition = line_matches(log_, "");
  EXPECT_EQ(line_now(condition), "one");
  const std::string next = directory_.write("next", "two\nthree\n");
  EXPECT_EQ(line_after(condition, [&] { std::filesystem::rename(next, log_); }), "two");
  EXPECT_THAT(lines_now(condition), ElementsAre("three"));
}

TEST_F(LineMatches, ALinkMayBeSwitchedToAndFro) {
  const std::string a = directory_.write("a", "a1\n");
  const std::string b = directory_.write("b", "b1\n");
  std::filesystem::create_symlink("a", log_);
  const auto condition = line_matches(log_, "");
  EXPECT_EQ(line_now(condition), "a1");
  const auto switch_to = [&](const char* target) {
    std::filesystem::create_symlink(target, directory_ / "new link");
    std::filesystem::rename(directory_ / "new link", log_);
  };
  EXPECT_EQ(line_after(condition, [&] { switch_to("b"); }), "b1");
  EXPECT_EQ(line_after(condition,
                       [&] {
                         switch_to("a");
                         append(a, "a2\n");
                       }),
            "a2");
  append(b, "b2\n");
  append(a, "a3\n");
  EXPECT_THAT(lines_now(condition), ElementsAre("b2", "a3"));
}

TEST_F(LineMatches, AFileWithoutANameIsStillWrittenTo) {
  auto log = writer();
  log << "one\n" << std::flush;
  const auto condition = line_matches(log_, "");
  EXPECT_EQ(line_now(condition), "one");
  std::filesystem::remove(log_);
  EXPECT_EQ(line_after(condition, [&] { log << "two\n" << std::flush; }), "two");
}

// Nobody tells of changes in /proc.
TEST_F(LineMatches, AFileWithoutEventsIsLookedAtAgainAndAgain) {
  std::ofstream("/proc/self/comm") << "before";
  const auto condition = line_matches("/proc/self/comm", "^a", {.interval = milliseconds(5)});
  EXPECT_EQ(line_now(condition), "-");
  EXPECT_EQ(line_after(condition, [] { std::ofstream("/proc/self/comm") << "after"; }), "after");
}

// --- from the end
// ----------------------------------------------------------------------------------

TEST_F(LineMatches, FromTheEndOnlyWhatComesCounts) {
  directory_.write("log", "one\n");
  const auto condition = line_matches(log_, "", {.from = from_end});
  EXPECT_EQ(line_now(condition), "-");
  append(log_, "two\n");
  EXPECT_EQ(line_now(condition), "two");
}

TEST_F(LineMatches, FromTheEndALineInProgressCountsWhenItGoesOn) {
  auto log = writer();
  log << "one\ntw" << std::flush;
  ASSERT_EQ(wait_until_file_stable(log_, milliseconds(150)), WaitStatus::ready);
  const auto condition = line_matches(log_, "", {.from = from_end});
  EXPECT_EQ(line_now(condition), "-");
  EXPECT_EQ(line_after(condition, [&] { log << "o\n" << std::flush; }), "two");
  EXPECT_EQ(line_now(condition), "-");
}

TEST_F(LineMatches, FromTheEndALineInProgressIsFoundThoughItIsLong) {
  const std::string longer(200'000, 'x');
  directory_.write("log", "one\n" + longer);
  const auto condition = line_matches(log_, "", {.from = from_end, .max_line = 1'000'000});
  append(log_, "y\n");
  EXPECT_EQ(line_now(condition), longer + "y");
}

TEST_F(LineMatches, FromTheEndALineInProgressThatIsTooLongIsPassedOver) {
  directory_.write("log", "one\n0123456789");
  const auto condition = line_matches(log_, "", {.from = from_end, .max_line = 5});
  append(log_, "x\ntwo\n");
  EXPECT_THAT(lines_now(condition), ElementsAre("two"));
}

TEST_F(LineMatches, FromTheEndALogThatIsNotThereYetCountsAsAWhole) {
  const auto condition = line_matches(log_, "", {.from = from_end});
  append(log_, "one\n");
  EXPECT_EQ(line_now(condition), "one");
}

TEST_F(LineMatches, FromTheEndALogThatIsTruncatedCountsAsAWhole) {
  directory_.write("log", "one\nand more\n");
  const auto condition = line_matches(log_, "", {.from = from_end});
  directory_.write("log", "two\n");
  EXPECT_EQ(line_now(condition), "two");
}

// --- large files
// -----------------------------------------------------------------------------------

TEST_F(LineMatches, FromTheEndNothingElseIsRead) {
  directory_.write("log", "");
  constexpr std::uintmax_t size = 10'000'000'000;
  std::filesystem::resize_file(log_, size);
  const std::uint64_t before = bytes_read();
  const auto condition = line_matches(log_, "^x", {.from = from_end});
  EXPECT_EQ(line_after(condition, [&] { append(log_, "\nxyz\n"); }), "xyz");
  EXPECT_LT(bytes_read() - before, 1'000'000U);
}

TEST_F(LineMatches, WithoutATimeALongLogIsStillLookedAt) {
  directory_.write("log", std::string(10'000'000, 'x') + "\nend\n");
  EXPECT_EQ(line_now(line_matches(log_, "^end$")), "end");
}

TEST_F(LineMatches, AStopEndsALongLook) {
  directory_.write("log", "");
  constexpr std::uintmax_t size = 10'000'000'000;
  std::filesystem::resize_file(log_, size);
  std::stop_source stop;
  WaitStatus status = WaitStatus::ready;
  const std::uint64_t before = bytes_read();
  std::jthread waiter(
      [&] { status = wait_until(line_matches(log_, "^x"), long_wait, stop.get_token()); });
  while (bytes_read() - before < 5'000'000) std::this_thread::yield();
  stop.request_stop();
  waiter.join();
  EXPECT_EQ(status, WaitStatus::stopped);
  EXPECT_LT(bytes_read() - before, size);
}

// --- what is refused
// -------------------------------------------------------------------------------

TEST_F(LineMatches, ABadPatternIsRefusedWithItsReason) {
  try {
    (void)line_matches(log_, "a(b\n");
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "rouse: line_matches: bad pattern 'a(b\\x0a': missing ): a(b\\x0a");
  }
}

TEST_F(LineMatches, SoAreOptionsWithoutASense) {
  EXPECT_THROW((void)line_matches(log_, "x", {.max_line = 0}), std::invalid_argument);
  EXPECT_THROW((void)line_matches(log_, "x", {.interval = seconds(0)}), std::invalid_argument);
  EXPECT_THROW((void)line_matches("", "x"), std::invalid_argument);
}

/// What a wait for a line of `path` throws.
std::string refusal(const std::string& path, std::errc code) {
  for (const LineStart from : {LineStart::start, LineStart::end}) {
    try {
      (void)wait_until_line_matches(path, "x", {.from = from});
      ADD_FAILURE() << path << " was not refused";
    } catch (const std::system_error& error) {
      EXPECT_EQ(error.code(), code);
      if (from == LineStart::end) return error.what();
    }
  }
  return {};
}

TEST_F(LineMatches, WhatIsNoRegularFileIsRefusedAtOnce) {
  const std::string fifo = directory_ / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const std::string socket = directory_ / "socket";
  ::sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  socket.copy(address.sun_path, sizeof address.sun_path - 1);
  const detail::UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const ::sockaddr*>(&address), sizeof address),
            0);
  const std::string reason = " is no regular file: Operation not supported";
  for (const std::string& path : {fifo, socket, std::string("/dev/null")}) {
    EXPECT_EQ(refusal(path, std::errc::not_supported), "rouse: " + path + reason);
  }
  const std::string directory = directory_.path();
  EXPECT_EQ(refusal(directory, std::errc::is_a_directory),
            "rouse: " + directory + " is no regular file: Is a directory");
}

TEST_F(LineMatches, WhatMayNotBeReadIsRefusedAtOnce) {
  directory_.write("log", "x\n");
  std::filesystem::permissions(directory_.path(), std::filesystem::perms(0755));
  std::filesystem::permissions(log_, std::filesystem::perms::none);
  std::string reason;
  // Root may read anything: of this thread alone.
  std::jthread([&] {
    ::setfsuid(65534);
    reason = refusal(log_, std::errc::permission_denied);
  }).join();
  EXPECT_THAT(reason, AllOf(HasSubstr(log_), HasSubstr("Permission denied")));
}

// --- together
// --------------------------------------------------------------------------------------

TEST_F(LineMatches, ALineThatWasFoundHoldsUntilTheOthersDo) {
  directory_.write("log", "one\ntwo\n");
  Event event;
  const auto line = line_matches(log_, "");
  AllReady all;
  ObservedThread waiter([&] { all = wait_until_all({line, until::event_set(event)}, long_wait); });
  waiter.await_blocked();
  event.set();
  waiter.join();
  EXPECT_EQ(all, WaitStatus::ready);
  EXPECT_EQ(line.line(), "one");
  EXPECT_EQ(line_now(line), "two");
}

TEST_F(LineMatches, TwoMayFollowTheSameFile) {
  const auto a = line_matches(log_, "^a");
  const auto b = line_matches(log_, "^b");
  AnyReady any;
  ObservedThread waiter([&] { any = wait_until_any({a, b}, long_wait); });
  waiter.await_blocked();
  append(log_, "b1\n");
  waiter.join();
  EXPECT_EQ(any, (AnyReady{WaitStatus::ready, 1}));
  EXPECT_EQ(b.line(), "b1");
  append(log_, "a1\n");
  EXPECT_EQ(line_now(a), "a1");
}

TEST_F(LineMatches, LeavesNoDescriptorBehind) {
  directory_.write("log", "one\n");
  (void)wait_until_line_matches(log_, "one");  // opens what stays open
  const std::size_t before = count_descriptors();
  {
    const auto condition = line_matches(log_, "two");
    EXPECT_EQ(line_after(condition, [&] { append(log_, "two\n"); }), "two");
    EXPECT_EQ(count_descriptors(), before + 1);
  }
  EXPECT_EQ(count_descriptors(), before);
}

TEST_F(LineMatches, SaysWhatItWaitsFor) {
  EXPECT_EQ(line_matches("/var/log/app.log", "a\tb").describe(),
            "a line with 'a\\x09b' in /var/log/app.log");
}

}  // namespace
}  // namespace rouse::test
