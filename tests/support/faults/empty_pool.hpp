#pragma once
// EmptyPool: while it lives no control block is free, so that a thread's first wait allocates one.
//
// Thread safety: one at a time, and no other thread begins or ends meanwhile.

#include "support/faults/faults.hpp"
#include "wait/control_block.hpp"

#include <cerrno>
#include <climits>
#include <new>

namespace rouse::test {

class EmptyPool {
 public:
  EmptyPool() {
    // The pool is empty when it has to allocate.
    const Fault fault(Call::allocation, ENOMEM, 0, LONG_MAX);
    try {
      for (;;) {
        detail::ControlBlock* const block = detail::ControlBlock::acquire();
        block->next_free = taken_;
        taken_ = block;
        ++count_;
      }
    } catch (const std::bad_alloc&) {
    }
  }
  ~EmptyPool() {
    while (taken_ != nullptr) {
      detail::ControlBlock* const block = taken_;
      taken_ = block->next_free;
      detail::ControlBlock::release(block);
    }
  }
  EmptyPool(const EmptyPool&) = delete;
  EmptyPool& operator=(const EmptyPool&) = delete;

  /// How many were free.
  [[nodiscard]] long count() const noexcept { return count_; }

 private:
  detail::ControlBlock* taken_ = nullptr;
  long count_ = 0;
};

}  // namespace rouse::test
