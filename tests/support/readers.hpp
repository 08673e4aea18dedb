#pragma once
// What the tests of RWLock do to a lock first: readers meet, so that from then on they use slots.

#include "rouse/sync/rw_lock.hpp"

#include <thread>

namespace rouse::test {

inline void let_readers_meet(RWLock& lock) {
  lock.lock_shared();
  std::thread([&] {
    lock.lock_shared();
    lock.unlock_shared();
  }).join();
  lock.unlock_shared();
}

}  // namespace rouse::test
