#pragma once
// Conditions of autowait under test: whether one holds, and what a wait returns that has blocked.

#include "rouse/service/autowait.hpp"

#include "support/observed_thread.hpp"

#include <chrono>

namespace rouse::test {

/// Whether it holds now.
inline bool holds_now(const Condition& condition) {
  return wait_until(condition, {.timeout = std::chrono::seconds(0)}) == WaitStatus::ready;
}

/// What a wait returns that blocks before `happens()` is called.
template <class Happens>
WaitStatus status_after(const Condition& condition, Happens happens) {
  WaitStatus status = WaitStatus::timeout;
  ObservedThread waiter(
      [&] { status = wait_until(condition, {.timeout = std::chrono::seconds(40)}); });
  waiter.await_blocked();
  happens();
  waiter.join();
  return status;
}

}  // namespace rouse::test
