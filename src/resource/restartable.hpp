#pragma once
// Restartable sequences: a few instructions on memory of the CPU that they run on, without an
// atomic operation. If the thread is put aside or moved in the middle, or another asks for it by
// restart_all(), the kernel lets it go on behind them as if they had not begun.
//
// Linux's rseq(2), on x86-64 with glibc 2.35 or newer; the idea is that of tcmalloc's per-CPU
// caches. Sanitizers of threads and the schedules of the model tests do not see into it, so there
// it is not available either. Design: docs/design/buffer_pool.md.

#include "rouse/detail/os.hpp"

#include <cstddef>
#include <cstdint>

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(ROUSE_SEAM_HEADER) && \
    __has_include(<sys/rseq.h>)
#define ROUSE_RESTARTABLE
#include <sys/rseq.h>
#endif

namespace rouse::detail {

class Restartable {
 public:
  /// A stack of numbers in two cache lines. Changed by sequences of one CPU only, and by who has
  /// called restart_all() while `closed` was not 0.
  struct alignas(64) Stack {
    static constexpr std::uint32_t places = 31;

    Atomic<std::uint32_t> count{0};
    Atomic<std::uint32_t> numbers[places]{};
  };

#ifdef ROUSE_RESTARTABLE
  /// Whether the kernel and this process can do it. Always the same answer.
  static bool available() noexcept;

  /// After this no sequence is under way that has begun before, and those that begin see what the
  /// caller has done before: a `closed` that is not 0.
  static void restart_all() noexcept;

  /// The newest number of this CPU's stack; 0 if it has none, `closed` is not 0, or the kernel has
  /// broken it off. A CPU beyond `mask` has no stack: two must not share one. The system may have
  /// got it later, or count less than it has.
  static std::uint32_t pop(Stack* stacks, std::uint32_t mask,
                           const Atomic<std::uint32_t>& closed) noexcept {
    std::byte* const area = thread_area();
    const std::uint32_t cpu = cpu_at_first(area);
    if (cpu > mask) [[unlikely]]
      return 0;
    std::uint64_t scratch = 0;
    std::uint32_t number = 0;
    asm volatile(
        // What the kernel is told: from 1 to 2, and where to go on otherwise.
        ".pushsection __rseq_cs, \"aw?\"\n\t"
        ".balign 32\n"
        "3:\n\t"
        ".long 0, 0\n\t"
        ".quad 1f, 2f - 1f, 4f\n\t"
        ".popsection\n\t"
        "leaq 3b(%%rip), %[scratch]\n\t"
        "movq %[scratch], %c[told](%[area])\n"
        "1:\n\t"
        "cmpl %[cpu], %c[now_on](%[area])\n\t"
        "jne 5f\n\t"
        "cmpl $0, %[closed]\n\t"
        "jne 5f\n\t"
        "movl (%[stack]), %k[scratch]\n\t"
        "testl %k[scratch], %k[scratch]\n\t"
        "jz 5f\n\t"
        "movl (%[stack], %[scratch], 4), %[number]\n\t"
        "decl %k[scratch]\n\t"
        "movl %k[scratch], (%[stack])\n"
        "2:\n\t"
        ".pushsection __rseq_failure, \"ax?\"\n\t"
        ".byte 0x0f, 0xb9, 0x3d\n\t"
        ".long %c[signature]\n"
        "4:\n"
        "5:\n\t"
        "xorl %[number], %[number]\n\t"
        "jmp 2b\n\t"
        ".popsection"
        : [number] "=&r"(number), [scratch] "=&r"(scratch)
        : [area] "r"(area), [cpu] "r"(cpu), [stack] "r"(stacks + cpu), [closed] "m"(closed),
          [told] "i"(offsetof(struct rseq, rseq_cs)), [now_on] "i"(offsetof(struct rseq, cpu_id)),
          [signature] "i"(RSEQ_SIG)
        : "memory", "cc");
    return number;
  }

  /// False if this CPU's stack is full or missing, `closed` is not 0, or the kernel has broken it
  /// off.
  static bool push(std::uint32_t number, Stack* stacks, std::uint32_t mask,
                   const Atomic<std::uint32_t>& closed) noexcept {
    std::byte* const area = thread_area();
    const std::uint32_t cpu = cpu_at_first(area);
    if (cpu > mask) [[unlikely]]
      return false;
    std::uint64_t scratch = 0;
    std::uint32_t pushed = 0;
    asm volatile(
        ".pushsection __rseq_cs, \"aw?\"\n\t"
        ".balign 32\n"
        "3:\n\t"
        ".long 0, 0\n\t"
        ".quad 1f, 2f - 1f, 4f\n\t"
        ".popsection\n\t"
        "movl $1, %[pushed]\n\t"
        "leaq 3b(%%rip), %[scratch]\n\t"
        "movq %[scratch], %c[told](%[area])\n"
        "1:\n\t"
        "cmpl %[cpu], %c[now_on](%[area])\n\t"
        "jne 5f\n\t"
        "cmpl $0, %[closed]\n\t"
        "jne 5f\n\t"
        "movl (%[stack]), %k[scratch]\n\t"
        "cmpl %[places], %k[scratch]\n\t"
        "jae 5f\n\t"
        "movl %[number], 4(%[stack], %[scratch], 4)\n\t"
        "incl %k[scratch]\n\t"
        "movl %k[scratch], (%[stack])\n"
        "2:\n\t"
        ".pushsection __rseq_failure, \"ax?\"\n\t"
        ".byte 0x0f, 0xb9, 0x3d\n\t"
        ".long %c[signature]\n"
        "4:\n"
        "5:\n\t"
        "xorl %[pushed], %[pushed]\n\t"
        "jmp 2b\n\t"
        ".popsection"
        : [pushed] "=&r"(pushed), [scratch] "=&r"(scratch)
        : [area] "r"(area), [cpu] "r"(cpu), [stack] "r"(stacks + cpu), [closed] "m"(closed),
          [number] "r"(number), [places] "i"(Stack::places),
          [told] "i"(offsetof(struct rseq, rseq_cs)), [now_on] "i"(offsetof(struct rseq, cpu_id)),
          [signature] "i"(RSEQ_SIG)
        : "memory", "cc");
    return pushed != 0;
  }

 private:
  static std::byte* thread_area() noexcept {
    return static_cast<std::byte*>(__builtin_thread_pointer()) + __rseq_offset;
  }
  static std::uint32_t cpu_at_first(const std::byte* area) noexcept {
    return *reinterpret_cast<const volatile std::uint32_t*>(area +
                                                            offsetof(struct rseq, cpu_id_start));
  }
#else
  static bool available() noexcept { return false; }
  static void restart_all() noexcept {}
  static std::uint32_t pop(Stack*, std::uint32_t, const Atomic<std::uint32_t>&) noexcept {
    return 0;
  }
  static bool push(std::uint32_t, Stack*, std::uint32_t, const Atomic<std::uint32_t>&) noexcept {
    return false;
  }
#endif
};

}  // namespace rouse::detail
