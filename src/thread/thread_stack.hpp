#pragma once
// ThreadStack: the memory of a thread's stack, which the next thread has when this one has ended.
//
//   ThreadStack stack = ThreadStack::take(256 * 1024);
//   if (stack) pthread_attr_setstack(&attributes, stack.lowest(), stack.size());
//   ...
//   pthread_join(thread, nullptr);
//   stack = {};  // not earlier: the system's thread ends on it
//
// glibc gives pages back at the end of each thread and, beyond 40 MiB of stacks, unmaps one in each
// join; when many end together most of their time goes into that. Here stacks come in slabs, and go
// back to the system a slab at a time. docs/design/stacks.md has the reasons and figures.
//
// Thread safety: of different objects: any thread. After a fork the child has stacks for its
// threads as before; those of the threads that it has not stay taken.

#include <cstddef>
#include <utility>

namespace rouse::detail {

class StackShelf;

class ThreadStack {
 public:
  ThreadStack() noexcept = default;
  ThreadStack(ThreadStack&& other) noexcept
      : slab_(std::exchange(other.slab_, nullptr)), index_(other.index_) {}
  ThreadStack& operator=(ThreadStack&& other) noexcept {
    ThreadStack before(std::move(*this));
    slab_ = std::exchange(other.slab_, nullptr);
    index_ = other.index_;
    return *this;
  }
  /// No thread runs on it any more.
  ~ThreadStack();

  /// False in a program with a sanitizer: what those put on a stack needs room, so they enlarge the
  /// stacks that the system makes, and complain of others.
  static bool suit_threads() noexcept;

  /// At least so many bytes, and a page below them that may not be touched. Empty if the system has
  /// no room.
  static ThreadStack take(std::size_t size) noexcept;

  explicit operator bool() const noexcept { return slab_ != nullptr; }
  [[nodiscard]] void* lowest() const noexcept;
  [[nodiscard]] std::size_t size() const noexcept;

 private:
  friend class StackShelf;
  struct Slab;

  ThreadStack(Slab* slab, unsigned index) noexcept : slab_(slab), index_(index) {}

  Slab* slab_ = nullptr;
  unsigned index_ = 0;  // which of its stacks
};

}  // namespace rouse::detail
