#pragma once
// as_task: anything as a task of a pool. The queues know no more of one than its address.

#include "exec/work_deque.hpp"

namespace rouse::test {

template <class T>
detail::Task& as_task(T& thing) noexcept {
  return reinterpret_cast<detail::Task&>(thing);
}

/// What as_task() was given. Null for null.
template <class T>
T* from_task(detail::Task* task) noexcept {
  return reinterpret_cast<T*>(task);
}

}  // namespace rouse::test
