#include "rouse/detail/thread_name.hpp"

#include <pthread.h>

#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace {

std::string name_in_kernel(const std::string& name) {
  std::string seen;
  std::jthread([&] {
    rouse::detail::set_thread_name(name);
    char buffer[16] = {};
    ::pthread_getname_np(::pthread_self(), buffer, sizeof buffer);
    seen = buffer;
  }).join();
  return seen;
}

TEST(ThreadName, IsWhatTheKernelShows) { EXPECT_EQ(name_in_kernel("checker 7"), "checker 7"); }

TEST(ThreadName, IsCutAtTheKernelsLimit) {
  EXPECT_EQ(name_in_kernel("0123456789abcdefgh"), "0123456789abcde");
}

TEST(ThreadName, IsNotCutInTheMiddleOfACharacter) {
  EXPECT_EQ(name_in_kernel("0123456789abcd\xC3\xA4z"), "0123456789abcd");
}

TEST(Printable, EscapesControlBytesOnly) {
  EXPECT_EQ(rouse::detail::printable("plain \xC3\xA4"), "plain \xC3\xA4");
  EXPECT_EQ(rouse::detail::printable("a\nb\x1b[31m\x7f"), "a\\x0ab\\x1b[31m\\x7f");
  EXPECT_EQ(rouse::detail::printable(std::string_view("\0", 1)), "\\x00");
}

}  // namespace
