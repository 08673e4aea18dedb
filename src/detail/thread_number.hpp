#pragma once
// thread_number: small numbers for threads, for those who share something out among them.

#include <atomic>

namespace rouse::detail {

/// The calling thread's: the first thread that asks has 0, the next 1, and so on.
inline unsigned thread_number() noexcept {
  static constinit std::atomic<unsigned> threads{0};
  static constinit thread_local unsigned number = 0;
  if (number == 0) number = threads.fetch_add(1, std::memory_order_relaxed) + 1;
  return number - 1;
}

}  // namespace rouse::detail
