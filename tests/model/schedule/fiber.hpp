#pragma once
// Fiber: the stack and the thread-local state of a thread, for another thread to go on with.
//
//   a thread:    fiber.hand_over();        // sleeps; returns in whoever has switched to it
//   the driver:  mine.switch_to(fiber);    // goes on where that thread has stopped
//
// To the program it is that thread which goes on, with its thread-local variables, its id and its
// locks. Only the kernel takes it for the driver's, and need not put one thread to sleep and wake
// another, which takes ten times as long.

#include <ucontext.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace rouse::test::model {

/// One runs at a time, of all that switch to each other.
class Fiber {
 public:
  /// By the thread that goes on as all of them, first.
  void drive();
  /// By any other thread: sleeps, and returns when somebody switches to it.
  void hand_over();
  /// Returns when its thread sleeps.
  void await_hand_over();
  /// By whoever runs as this fiber: goes on as `to`, and returns when somebody switches back.
  void switch_to(Fiber& to);
  /// The same, but returns at once, in the thread that had handed over: it is no fiber any more.
  void take_back(Fiber& to);

 private:
  enum State : std::uint32_t { belongs_to_thread, handed_over };

  static void sleep();
  void go_on_as(Fiber& to);
  static void arrive();
  void set(State state);
  void await(State state);

  std::atomic<std::uint32_t> state_{belongs_to_thread};
  void* thread_pointer_ = nullptr;
  ::ucontext_t context_{};
  ::ucontext_t sleeper_{};  // the thread, meanwhile: it cannot sleep on the stack it has given away
  std::array<std::byte, 16'384> sleepers_stack_;
};

}  // namespace rouse::test::model
