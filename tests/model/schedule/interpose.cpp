#include "model/schedule/interpose.hpp"

#include "model/schedule/scheduler.hpp"

#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>

using rouse::test::model::Fiber;
using rouse::test::model::Scheduler;

namespace {

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

// The threads that modelled threads made. Only whoever runs touches it.
std::map<pthread_t, int>& made_threads() {
  static auto* threads = new std::map<pthread_t, int>;
  return *threads;
}

// Constructed first in its thread, so destroyed after every other thread_local object: what their
// destructors do is still part of the schedule.
struct AtThreadExit {
  std::unique_ptr<Fiber> fiber;
  ~AtThreadExit() {
    if (fiber != nullptr) Scheduler::instance().detach();
  }
};
thread_local AtThreadExit at_thread_exit;

struct Start {
  void* (*function)(void*);
  void* argument;
  std::unique_ptr<Fiber> fiber;
  int thread;
};

void* run_attached(void* data) {
  const std::unique_ptr<Start> start(static_cast<Start*>(data));
  at_thread_exit.fiber = std::move(start->fiber);
  Scheduler::instance().attach(start->thread);
  return start->function(start->argument);
}

}  // namespace

namespace rouse::test::model {

long real_syscall(long number, const void* a, long b, long c, const void* d) {
  using Syscall = long(long, ...);
  static auto* const function = next<Syscall>("syscall");
  return function(number, a, b, c, d, nullptr, 0);
}

}  // namespace rouse::test::model

extern "C" long syscall(long number, ...) noexcept {
  long arguments[6];
  va_list list;
  va_start(list, number);
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);

  if (number == SYS_futex && Scheduler::self() >= 0) {
    const auto* const address = reinterpret_cast<const void*>(arguments[0]);
    switch (arguments[1] & FUTEX_CMD_MASK) {
      case FUTEX_WAIT:
        Scheduler::instance().wait_address(address, static_cast<std::uint32_t>(arguments[2]),
                                           INT64_MAX);
        return 0;
      case FUTEX_WAKE:
        Scheduler::instance().wake_address(address, static_cast<int>(arguments[2]));
        return 0;
      default:
        Scheduler::instance().fail("a futex operation that the model does not know");
    }
  }
  using Syscall = long(long, ...);
  static auto* const function = next<Syscall>("syscall");
  return function(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                  arguments[5]);
}

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*function)(void*), void* argument) {
  using Create = int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static auto* const create = next<Create>("pthread_create");
  if (Scheduler::self() < 0) return create(thread, attributes, function, argument);
  auto fiber = std::make_unique<Fiber>();
  const int index = Scheduler::instance().add_thread(*fiber);
  const int error = create(thread, attributes, &run_attached,
                           new Start{function, argument, std::move(fiber), index});
  if (error != 0) Scheduler::instance().fail("the system has refused a thread");
  made_threads()[*thread] = index;
  return 0;
}

extern "C" int pthread_join(pthread_t thread, void** result) {
  using Join = int(pthread_t, void**);
  static auto* const join = next<Join>("pthread_join");
  if (Scheduler::self() >= 0) {
    if (const auto made = made_threads().find(thread); made != made_threads().end()) {
      Scheduler::instance().join(made->second);
      made_threads().erase(thread);
    }
  }
  return join(thread, result);
}
