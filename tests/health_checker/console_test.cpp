#include "console.hpp"

#include "rouse/rouse.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class InputPipe {
 public:
  InputPipe() {
    if (::pipe2(fds_, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category());
  }
  ~InputPipe() {
    ::close(fds_[0]);
    close_writer();
  }
  InputPipe(const InputPipe&) = delete;
  InputPipe& operator=(const InputPipe&) = delete;

  int reader() const { return fds_[0]; }
  void write(std::string_view text) {
    ASSERT_EQ(::write(fds_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void close_writer() {
    if (fds_[1] >= 0) ::close(std::exchange(fds_[1], -1));
  }

 private:
  int fds_[2] = {-1, -1};
};

TEST(Console, ParsesCommands) {
  EXPECT_EQ(parse_command("").kind, Command::none);
  EXPECT_EQ(parse_command(" \t\r").kind, Command::none);
  EXPECT_EQ(parse_command("stop").kind, Command::stop);
  EXPECT_EQ(parse_command("  STOP \r").kind, Command::stop);
  EXPECT_EQ(parse_command("Status").kind, Command::status);
  EXPECT_EQ(parse_command("help").kind, Command::help);
  const Command check = parse_command(" Check \t Disk of  Web ");
  EXPECT_EQ(check.kind, Command::check);
  EXPECT_EQ(check.argument, "Disk of  Web");
}

TEST(Console, RefusesWhatIsNoCommand) {
  for (const char* line : {"stopp", "stop now", "status all", "help me", "check", "check  ", "?",
                           "\xff\xfe", "check\x01web"}) {
    const Command command = parse_command(line);
    EXPECT_EQ(command.kind, Command::invalid) << line;
  }
  EXPECT_EQ(parse_command(" stop now ").argument, "stop now");
}

TEST(LineReader, TakesLinesHoweverTheyCome) {
  InputPipe pipe;
  LineReader reader(pipe.reader());
  std::string line;
  pipe.write("one\n\ntwo\r\nth");
  EXPECT_EQ(reader.next(line), LineReader::Status::line);
  EXPECT_EQ(line, "one");
  EXPECT_EQ(reader.next(line), LineReader::Status::line);
  EXPECT_EQ(line, "");
  EXPECT_EQ(reader.next(line), LineReader::Status::line);
  EXPECT_EQ(line, "two\r");
  pipe.write("ree");
  pipe.close_writer();
  EXPECT_EQ(reader.next(line), LineReader::Status::line);
  EXPECT_EQ(line, "three");
  EXPECT_EQ(reader.next(line), LineReader::Status::end);
  EXPECT_EQ(reader.next(line), LineReader::Status::end);
}

TEST(LineReader, ThrowsLongLinesAwayAndGoesOn) {
  for (const std::size_t extra : {1U, 1000U, 20'000U}) {
    InputPipe pipe;
    LineReader reader(pipe.reader());
    std::string line;
    pipe.write(std::string(LineReader::longest_line, 'x') + "\n");
    pipe.write(std::string(LineReader::longest_line + extra, 'x') + "\nstop\n");
    pipe.write(std::string(LineReader::longest_line + extra, 'x'));
    pipe.close_writer();
    EXPECT_EQ(reader.next(line), LineReader::Status::line);
    EXPECT_EQ(line.size(), LineReader::longest_line);
    EXPECT_EQ(reader.next(line), LineReader::Status::too_long);
    EXPECT_EQ(reader.next(line), LineReader::Status::line);
    EXPECT_EQ(line, "stop");
    EXPECT_EQ(reader.next(line), LineReader::Status::too_long);
    EXPECT_EQ(reader.next(line), LineReader::Status::end);
  }
}

TEST(LineReader, EndsAtOnceWhereThereIsNothing) {
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  LineReader reader(null);
  std::string line;
  EXPECT_EQ(reader.next(line), LineReader::Status::end);
  ::close(null);
}

TEST(LineReader, SaysThatItCannotRead) {
  const int folder = ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  std::string line;
  EXPECT_THROW((void)LineReader(folder).next(line), std::system_error);
  ::close(folder);
  InputPipe pipe;
  const int closed = ::dup(pipe.reader());
  ::close(closed);
  EXPECT_THROW((void)LineReader(closed).next(line), std::system_error);
}

TEST(LineReader, StopsAlsoWhereThereIsAlwaysMoreToRead) {
  InputPipe pipe;
  pipe.write("status\n");
  rouse::StopScope scope;
  const rouse::this_thread::Bind bind(scope);
  scope.request_stop();
  std::string line;
  EXPECT_EQ(LineReader(pipe.reader()).next(line), LineReader::Status::stopped);
}

struct Session {
  explicit Session(int input)
      : console(input,
                {.status = [] { return "the table\n"; },
                 .check = [](const std::string& name) { return "checking " + name + "\n"; }},
                [this](const std::string& text) { printed.push_back(text); }) {}

  std::vector<std::string> printed;
  Console console;
};

TEST(Console, DoesWhatItIsTold) {
  InputPipe pipe;
  Session session(pipe.reader());
  pipe.write("status\n\nCHECK web\nstop\nstatus\n");
  EXPECT_EQ(session.console.run(), Console::End::stop_command);
  EXPECT_THAT(session.printed, ElementsAre("the table\n", "checking web\n"));
}

TEST(Console, SaysWhatItDoesNotUnderstand) {
  InputPipe pipe;
  Session session(pipe.reader());
  pipe.write("foo\x1b[2J\xff\nhelp\n");
  pipe.write(std::string(5000, 'x') + "\n");
  pipe.close_writer();
  EXPECT_EQ(session.console.run(), Console::End::end_of_input);
  ASSERT_EQ(session.printed.size(), 3U);
  EXPECT_EQ(session.printed[0],
            "Invalid command: 'foo\\x1B[2J\\xFF' (stop, status, check NAME, help)\n");
  EXPECT_THAT(session.printed[1], HasSubstr("check NAME"));
  EXPECT_THAT(session.printed[2], HasSubstr("longer than 4096 bytes"));
}

TEST(Console, IsStoppedWhileItWaits) {
  InputPipe pipe;
  rouse::Event printed;
  Console::End end = Console::End::end_of_input;
  rouse::StoppableThread thread([&] {
    Console console(pipe.reader(), {.status = [] { return std::string(); }, .check = {}},
                    [&](const std::string&) { printed.set(); });
    end = console.run();
  });
  thread.start();
  pipe.write("status\n");
  ASSERT_EQ(printed.wait(), rouse::WaitStatus::ready);
  thread.request_stop();
  thread.join();
  EXPECT_EQ(end, Console::End::stopped);
}

}  // namespace
}  // namespace health
