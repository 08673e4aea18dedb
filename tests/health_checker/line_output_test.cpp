#include "line_output.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace health {
namespace {

using testing::EndsWith;

class Output : public testing::Test {
 protected:
  // Nothing blocks here: make_pipe()'s end for reading does not, and this one is for that only.
  void fill() {
    const Fd again = open_again(pipe_.write_end.get());
    const std::string text(4096, 'x');
    while (::write(again.get(), text.data(), text.size()) > 0) {
    }
  }

  std::string read_all() {
    std::string all;
    std::array<char, 4096> bytes;
    for (ssize_t got = 0; (got = ::read(pipe_.read_end.get(), bytes.data(), bytes.size())) > 0;) {
      all.append(bytes.data(), static_cast<std::size_t>(got));
    }
    return all;
  }

  Pipe pipe_ = make_pipe();
};

TEST_F(Output, LeavesOutWhatNobodyReadsAndSaysSo) {
  LineOutput output(pipe_.write_end.get());
  output.write("first\n");
  EXPECT_EQ(read_all(), "first\n");
  fill();
  for (int i = 0; i < 1000; ++i) output.write("lost\n");  // with a wait each: 5 minutes
  EXPECT_THAT(read_all(), EndsWith("x"));
  output.write("second\n");
  EXPECT_EQ(read_all(), "... 1000 lines left out\nsecond\n");
  output.write("third\n");
  EXPECT_EQ(read_all(), "third\n");
}

TEST_F(Output, LeavesTheOpenFileAsItIs) {
  const LineOutput output(pipe_.write_end.get());
  EXPECT_EQ(::fcntl(pipe_.write_end.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(Output, MayGoNowhere) {
  LineOutput closed(-1);
  closed.write("lost\n");
  LineOutput gone(pipe_.write_end.get());
  pipe_.read_end.reset();
  ::signal(SIGPIPE, SIG_IGN);
  gone.write("lost\n");
}

}  // namespace
}  // namespace health
