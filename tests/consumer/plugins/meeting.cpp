// A thread of one library is woken and stopped by another, which is loaded at run time: with one
// copy of rouse in the process they share the parking table and the control blocks.

#include "meeting.hpp"

#include <dlfcn.h>

#include <cstdio>
#include <thread>

namespace {

int failures = 0;

void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "meeting: not so: %s\n", what);
  ++failures;
}

// Returns when the thread is in the kernel, so that the other library has to wake it there.
void await_blocked(const rouse::StoppableThread& thread) {
  while (!thread.activity().blocked_in.starts_with("Event::wait")) std::this_thread::yield();
}

}  // namespace

int main(int argc, char** argv) {
  void* const wakes = argc == 2 ? ::dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (wakes == nullptr) {
    std::fprintf(stderr, "meeting: %s\n", ::dlerror());
    return 1;
  }
  const auto wake_there = reinterpret_cast<decltype(&wake)>(::dlsym(wakes, "wake"));
  const auto stop_there = reinterpret_cast<decltype(&stop)>(::dlsym(wakes, "stop"));
  const auto wait_bound_there =
      reinterpret_cast<decltype(&wait_bound)>(::dlsym(wakes, "wait_bound"));
  const auto catches_there =
      reinterpret_cast<decltype(&catches_stopped)>(::dlsym(wakes, "catches_stopped"));

  {
    rouse::Event event;
    WaitingThread thread(event);
    thread.start();
    await_blocked(thread);
    wake_there(event);
    thread.join();
    check(thread.ended_by == rouse::WaitStatus::ready, "a set in one wakes a wait in the other");
  }
  {
    rouse::Event never;
    WaitingThread thread(never);
    thread.start();
    await_blocked(thread);
    stop_there(thread);
    thread.join();
    check(thread.ended_by == rouse::WaitStatus::stopped, "a stop in one ends a wait in the other");
  }
  {
    rouse::Event never;
    rouse::StopScope scope;
    scope.request_stop();
    check(wait_bound_there(scope, never) == rouse::WaitStatus::stopped,
          "a wait in one obeys what was bound in the other");
  }
  check(catches_there(), "an exception of one is caught in the other");
  return failures == 0 ? 0 : 1;
}
