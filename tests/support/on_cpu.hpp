#pragma once
// OnCpu: while it lives, the calling thread runs on one CPU.
//
// The kernel likes to keep threads that wake each other on one CPU, where nothing ever happens at
// the same instant. A thread inherits the CPU of the one that made it, until it has its own OnCpu.

#include <sched.h>

#include <cstddef>

namespace rouse::test {

class [[nodiscard]] OnCpu {
 public:
  /// The number `n` of those that the process may use, counted round and round.
  explicit OnCpu(std::size_t n) noexcept {
    ::sched_getaffinity(0, sizeof before_, &before_);
    // Of the process, not of a thread that may be on one already.
    static const ::cpu_set_t all = before_;
    std::size_t left = n % static_cast<std::size_t>(CPU_COUNT(&all));
    std::size_t cpu = 0;
    while (!CPU_ISSET(cpu, &all) || left-- > 0) ++cpu;
    ::cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ::sched_setaffinity(0, sizeof one, &one);
  }
  ~OnCpu() { ::sched_setaffinity(0, sizeof before_, &before_); }
  OnCpu(const OnCpu&) = delete;
  OnCpu& operator=(const OnCpu&) = delete;

 private:
  ::cpu_set_t before_{};
};

}  // namespace rouse::test
