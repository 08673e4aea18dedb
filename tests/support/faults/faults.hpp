#pragma once
// Faults: allocations and calls of the system that fail when a test says so.
//
//   const Fault fault(Call::eventfd, EMFILE);  // the next eventfd() of any thread fails
//   EXPECT_THROW((void)rouse::wait_readable(fd, token), std::system_error);
//
// Replaces operator new and some functions of the C library in the whole program. So it is linked
// only into the tests that tests/CMakeLists.txt lists for it.
// Thread safety: the calls may come from any thread; Faults are made and destroyed by one.

#include <gtest/gtest.h>

namespace rouse::test {

enum class Call {
  allocation,  // operator new; the error does not matter
  pthread_create,
  pthread_setspecific,
  pthread_sigmask,
  eventfd,
  signalfd,
  timerfd_create,
  ppoll,
  futex_wait,
  mmap,
  madvise,
  getrandom,
  openat,
  flock,
  fsync,
  renameat,
  unlinkat,
  read,
  write,
};

/// While it lives, the call number `after` from now on (0 is the next one) fails with `error`, and
/// so do those behind it until `times` have failed. One Fault per kind of call at a time.
class [[nodiscard]] Fault {
 public:
  Fault(Call call, int error, long after = 0, long times = 1) noexcept;
  ~Fault();

  Fault(const Fault&) = delete;
  Fault& operator=(const Fault&) = delete;

  /// How many calls have failed.
  [[nodiscard]] long failed() const noexcept;
  [[nodiscard]] bool reached() const noexcept { return failed() > 0; }
  /// How many have been made, whether they failed or not.
  [[nodiscard]] long calls() const noexcept;

 private:
  const Call call_;
};

/// While it lives, no allocation fails, nor is counted by a Fault, that a shared library makes or
/// has others make: one which does not survive that, of whose file `name` is a part. One at a time.
class [[nodiscard]] SparedLibrary {
 public:
  explicit SparedLibrary(const char* name) noexcept;
  ~SparedLibrary();

  SparedLibrary(const SparedLibrary&) = delete;
  SparedLibrary& operator=(const SparedLibrary&) = delete;
};

/// Since the program began.
[[nodiscard]] long allocations_made() noexcept;
[[nodiscard]] long live_allocations() noexcept;

/// Calls `action(fault)` with call number 0, 1, 2 … failing, until it ends before the call that
/// would fail. Returns how many calls there were.
template <class Action>
long fail_each(Call call, int error, Action action) {
  for (long n = 0;; ++n) {
    SCOPED_TRACE(testing::Message() << "failing call " << n);
    const Fault fault(call, error, n);
    action(fault);
    if (!fault.reached() || testing::Test::HasFatalFailure()) return n;
  }
}

}  // namespace rouse::test
