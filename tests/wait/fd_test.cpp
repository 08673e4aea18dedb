#include "rouse/wait/fd.hpp"

#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"

#include "support/observed_thread.hpp"
#include "support/pipe.hpp"
#include "wait/control_block.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <stop_token>
#include <system_error>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::WaitStatus;
using rouse::test::ObservedThread;
using rouse::test::Pipe;
using std::chrono::steady_clock;

TEST(WaitReadable, IsReadyWhenThereIsData) {
  const Pipe pipe;
  pipe.put();
  EXPECT_EQ(rouse::wait_readable(pipe.read_end()), WaitStatus::ready);
  EXPECT_EQ(rouse::wait_readable_for(pipe.read_end(), 0s), WaitStatus::ready);
}

TEST(WaitReadable, WakesWhenDataComes) {
  const Pipe pipe;
  std::optional<WaitStatus> status;
  ObservedThread reader([&] { status = rouse::wait_readable(pipe.read_end()); });
  reader.await_blocked();
  pipe.put();
  reader.join();
  EXPECT_EQ(status, WaitStatus::ready);
}

TEST(WaitReadable, IsReadyAtHangUp) {
  Pipe pipe;
  std::optional<WaitStatus> status;
  ObservedThread reader([&] { status = rouse::wait_readable(pipe.read_end()); });
  reader.await_blocked();
  pipe.close_write();
  reader.join();
  EXPECT_EQ(status, WaitStatus::ready);
}

TEST(WaitReadable, TimesOut) {
  const Pipe pipe;
  const auto begin = steady_clock::now();
  EXPECT_EQ(rouse::wait_readable_for(pipe.read_end(), 10ms), WaitStatus::timeout);
  EXPECT_GE(steady_clock::now() - begin, 10ms);
  EXPECT_EQ(rouse::wait_readable_until(pipe.read_end(), steady_clock::time_point::min()),
            WaitStatus::timeout);
}

TEST(WaitReadable, StopsByAForeignToken) {
  const Pipe pipe;
  std::stop_source source;
  std::optional<WaitStatus> status;
  ObservedThread reader(
      [&] { status = rouse::wait_readable(pipe.read_end(), source.get_token()); });
  reader.await_blocked();
  source.request_stop();
  reader.join();
  EXPECT_EQ(status, WaitStatus::stopped);
}

TEST(WaitReadable, StopsByTheAmbientTokenAndIsUsableAfterIt) {
  const Pipe pipe;
  std::stop_source source;
  std::vector<WaitStatus> seen;
  ObservedThread reader([&] {
    {
      const rouse::this_thread::Bind bind(source.get_token());
      seen.push_back(rouse::wait_readable_for(pipe.read_end(), std::chrono::hours::max()));
    }
    // The post that ended the wait must not end later ones.
    seen.push_back(rouse::wait_readable_for(pipe.read_end(), 2ms));
    std::stop_source second;
    seen.push_back(rouse::wait_readable_for(pipe.read_end(), 2ms, second.get_token()));
    seen.push_back(rouse::sleep_for(2ms, second.get_token()));
  });
  reader.await_blocked();
  source.request_stop();
  reader.join();
  EXPECT_EQ(seen, (std::vector{WaitStatus::stopped, WaitStatus::timeout, WaitStatus::timeout,
                               WaitStatus::timeout}));
}

TEST(WaitReadable, IsReadyAlsoWhenAStopWasRequested) {
  const Pipe pipe;
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(rouse::wait_readable(pipe.read_end(), source.get_token()), WaitStatus::stopped);
  pipe.put();
  EXPECT_EQ(rouse::wait_readable(pipe.read_end(), source.get_token()), WaitStatus::ready);
}

TEST(WaitReadable, RefusesADescriptorThatIsNotOpen) {
  const int closed = ::dup(STDIN_FILENO);
  ::close(closed);
  for (const int fd : {closed, -1}) {
    try {
      (void)rouse::wait_readable(fd);
      ADD_FAILURE() << "no exception for descriptor " << fd;
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code(), std::errc::bad_file_descriptor);
      EXPECT_NE(std::string(e.what()).find(std::to_string(fd)), std::string::npos) << e.what();
    }
  }
}

TEST(WaitReadable, TakesRegularFilesAsAlwaysReady) {
  const int fd = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(rouse::wait_readable(fd), WaitStatus::ready);
  ::close(fd);
}

TEST(WaitWritable, WaitsForRoom) {
  const Pipe pipe;
  EXPECT_EQ(rouse::wait_writable(pipe.write_end()), WaitStatus::ready);
  pipe.fill();
  EXPECT_EQ(rouse::wait_writable_for(pipe.write_end(), 1ms), WaitStatus::timeout);
  std::optional<WaitStatus> status;
  ObservedThread writer([&] { status = rouse::wait_writable(pipe.write_end()); });
  writer.await_blocked();
  std::array<char, 65536> sink{};
  EXPECT_GT(::read(pipe.read_end(), sink.data(), sink.size()), 0);
  writer.join();
  EXPECT_EQ(status, WaitStatus::ready);
}

TEST(WaitWritable, IsReadyWhenTheReaderIsGone) {
  Pipe pipe;
  pipe.fill();
  std::optional<WaitStatus> status;
  ObservedThread writer([&] { status = rouse::wait_writable(pipe.write_end()); });
  writer.await_blocked();
  pipe.close_read();
  writer.join();
  EXPECT_EQ(status, WaitStatus::ready);
}

TEST(WaitFds, TellsWhichOnesAreReady) {
  const Pipe a;
  const Pipe b;
  std::array<pollfd, 3> fds{
      {{a.read_end(), POLLIN, 0}, {-1, POLLIN, 0}, {b.read_end(), POLLIN, 0}}};
  EXPECT_EQ(rouse::wait_fds_for(fds, 1ms), WaitStatus::timeout);
  b.put();
  EXPECT_EQ(rouse::wait_fds(fds), WaitStatus::ready);
  EXPECT_EQ(fds[0].revents, 0);
  EXPECT_EQ(fds[2].revents, POLLIN);
}

TEST(WaitFds, TakesManyDescriptors) {
  const Pipe quiet;
  const Pipe loud;
  std::vector<pollfd> fds(200, {quiet.read_end(), POLLIN, 0});
  fds.back().fd = loud.read_end();
  std::optional<WaitStatus> status;
  ObservedThread waiter([&] { status = rouse::wait_fds(fds); });
  waiter.await_blocked();
  loud.put();
  waiter.join();
  EXPECT_EQ(status, WaitStatus::ready);
  EXPECT_EQ(fds.back().revents, POLLIN);
}

TEST(WaitFds, TellsAnErrorOfTheSystemAlsoWhenTheDeadlineIsPast) {
  const Pipe pipe;
  std::vector<pollfd> fds(1000, {pipe.read_end(), POLLIN, 0});
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = 100;  // poll takes no more entries than that
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_THROW((void)rouse::wait_fds_for(fds, 0s), std::system_error);
  EXPECT_THROW((void)rouse::wait_fds_for(fds, 1h), std::system_error);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST(WaitReadable, SaysSoIfThereIsNoDescriptorForTheWait) {
  const Pipe pipe;
  std::stop_source source;
  std::optional<std::errc> code;
  ObservedThread reader([&] {
    try {
      rlimit before{};
      ::getrlimit(RLIMIT_NOFILE, &before);
      rlimit none = before;
      const int next = ::dup(STDIN_FILENO);
      ::close(next);
      none.rlim_cur = static_cast<rlim_t>(next);
      ::setrlimit(RLIMIT_NOFILE, &none);
      struct Restore {
        rlimit limit;
        ~Restore() { ::setrlimit(RLIMIT_NOFILE, &limit); }
      } restore{before};
      (void)rouse::wait_readable(pipe.read_end(), source.get_token());
    } catch (const std::system_error& e) {
      code = static_cast<std::errc>(e.code().value());
    }
    EXPECT_EQ(rouse::wait_readable_for(pipe.read_end(), 1ms, source.get_token()),
              WaitStatus::timeout);
  });
  reader.join();
  EXPECT_EQ(code, std::errc::too_many_files_open);
}

TEST(WaitReadable, MakesAnotherEventfdIfAllDescriptorsWereClosed) {
  const Pipe pipe;
  std::stop_source source;
  const std::stop_token stop = source.get_token();
  EXPECT_EQ(rouse::wait_readable_for(pipe.read_end(), 1ms, stop), WaitStatus::timeout);
  ::close(rouse::detail::ControlBlock::current().event_fd.load());
  EXPECT_EQ(rouse::wait_readable_for(pipe.read_end(), 1ms, stop), WaitStatus::timeout);
  source.request_stop();
  EXPECT_EQ(rouse::wait_readable(pipe.read_end(), stop), WaitStatus::stopped);
}

TEST(WaitFds, OfNothingIsASleep) {
  EXPECT_EQ(rouse::wait_fds_for({}, 1ms), WaitStatus::timeout);
  std::stop_source source;
  std::optional<WaitStatus> status;
  ObservedThread waiter([&] { status = rouse::wait_fds({}, source.get_token()); });
  waiter.await_blocked();
  source.request_stop();
  waiter.join();
  EXPECT_EQ(status, WaitStatus::stopped);
}

TEST(WaitFds, SeesADescriptorOfASocketPair) {
  int pair[2] = {-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  EXPECT_EQ(rouse::wait_readable_for(pair[0], 1ms), WaitStatus::timeout);
  ASSERT_EQ(::send(pair[1], "x", 1, 0), 1);
  EXPECT_EQ(rouse::wait_readable(pair[0]), WaitStatus::ready);
  ::close(pair[0]);
  ::close(pair[1]);
}

}  // namespace
