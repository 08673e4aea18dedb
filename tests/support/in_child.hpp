#pragma once
// in_child: something that is tried in a forked child.

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include <gtest/gtest.h>

namespace rouse::test {

/// Runs `body` in a forked child and returns what it returns, 0 to 255, or 256 and the number of
/// the signal that killed the child.
template <class Body>
int in_child(Body body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::alarm(20);
    std::_Exit(body());
  }
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

}  // namespace rouse::test
