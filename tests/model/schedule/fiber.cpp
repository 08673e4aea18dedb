#include "model/schedule/fiber.hpp"

#include "model/schedule/interpose.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>

#include <utility>

#if defined(__x86_64__)
#include <asm/prctl.h>
#elif !defined(__aarch64__)
#error "where does this processor keep the address of thread-local state?"
#endif

namespace rouse::test::model {
namespace {

thread_local Fiber* handed_over_here = nullptr;

// Whose thread may wake as soon as nobody is on its stack any more.
Fiber* taken_back = nullptr;

void* thread_pointer() {
  void* pointer = nullptr;
#if defined(__x86_64__)
  asm volatile("mov %%fs:0, %0" : "=r"(pointer));
#else
  asm volatile("mrs %0, tpidr_el0" : "=r"(pointer));
#endif
  return pointer;
}

void set_thread_pointer(void* pointer) {
#if defined(__x86_64__)
  real_syscall(SYS_arch_prctl, reinterpret_cast<const void*>(ARCH_SET_FS),
               reinterpret_cast<long>(pointer), 0, nullptr);
#else
  asm volatile("msr tpidr_el0, %0" : : "r"(pointer) : "memory");
#endif
}

}  // namespace

void Fiber::drive() {
  thread_pointer_ = thread_pointer();
  state_.store(handed_over, std::memory_order_relaxed);
}

void Fiber::hand_over() {
  handed_over_here = this;
  thread_pointer_ = thread_pointer();
  ::getcontext(&sleeper_);
  sleeper_.uc_stack.ss_sp = sleepers_stack_.data();
  sleeper_.uc_stack.ss_size = sleepers_stack_.size();
  ::makecontext(&sleeper_, &sleep, 0);
  ::swapcontext(&context_, &sleeper_);
  arrive();
}

void Fiber::sleep() {
  Fiber& fiber = *handed_over_here;
  fiber.set(handed_over);
  fiber.await(belongs_to_thread);
  ::setcontext(&fiber.context_);
}

void Fiber::await_hand_over() { await(handed_over); }

void Fiber::switch_to(Fiber& to) {
  go_on_as(to);
  arrive();
}

void Fiber::take_back(Fiber& to) {
  taken_back = this;
  go_on_as(to);
}

void Fiber::go_on_as(Fiber& to) {
  to.await_hand_over();
  set_thread_pointer(to.thread_pointer_);
  ::swapcontext(&context_, &to.context_);
}

void Fiber::arrive() {
  if (taken_back != nullptr) std::exchange(taken_back, nullptr)->set(belongs_to_thread);
}

void Fiber::set(State state) {
  state_.store(state, std::memory_order_release);
  real_syscall(SYS_futex, &state_, FUTEX_WAKE_PRIVATE, 1, nullptr);
}

void Fiber::await(State state) {
  for (std::uint32_t now; (now = state_.load(std::memory_order_acquire)) != state;) {
    real_syscall(SYS_futex, &state_, FUTEX_WAIT_PRIVATE, static_cast<long>(now), nullptr);
  }
}

}  // namespace rouse::test::model
