#pragma once
// What the calling thread's signal mask says.

#include <pthread.h>

#include <csignal>

namespace rouse::test {

inline bool is_blocked(int signal) {
  sigset_t mask{};
  ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  return ::sigismember(&mask, signal) == 1;
}

}  // namespace rouse::test
