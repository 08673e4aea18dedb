#pragma once
// Pipe: a descriptor that can be made readable, and one that can be made not writable.

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include <gtest/gtest.h>

namespace rouse::test {

class Pipe {
 public:
  Pipe() { EXPECT_EQ(::pipe2(ends_, O_CLOEXEC | O_NONBLOCK), 0); }
  ~Pipe() {
    close_read();
    close_write();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int read_end() const { return ends_[0]; }
  int write_end() const { return ends_[1]; }
  void put() const { EXPECT_EQ(::write(ends_[1], "x", 1), 1); }
  void fill() const {
    const std::array<char, 4096> bytes{};
    while (::write(ends_[1], bytes.data(), bytes.size()) > 0) {
    }
  }
  void close_read() { close(ends_[0]); }
  void close_write() { close(ends_[1]); }

 private:
  static void close(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  int ends_[2] = {-1, -1};
};

}  // namespace rouse::test
