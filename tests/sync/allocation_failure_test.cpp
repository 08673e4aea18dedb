// No memory, at each allocation of each function of this layer: std::bad_alloc,
// nothing leaked, and what was there before is as it was. What must not throw does without.

#include "rouse/rouse.hpp"

#include "support/faults/allocation_rows.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <stop_token>
#include <thread>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::RWLock;
using rouse::WaitStatus;
using rouse::test::AllocationRows;
using rouse::test::Promise;
using rouse::test::stopped_token;
using std::chrono::steady_clock;

AllocationRows rows() {
  using enum Promise;
  AllocationRows row;

  row.header = "rouse/sync/rw_lock.hpp";
  struct Lock {
    RWLock lock;
    std::stop_token stop = stopped_token();
  };
  // Of a lock that is free, and has readers in slots: no call blocks.
  const auto on_free_lock = [](auto body) {
    return [body] {
      auto state = std::make_shared<Lock>();
      state->lock.lock_shared();
      std::thread([state] { const std::shared_lock second(state->lock); }).join();
      state->lock.unlock_shared();
      return [state, body] { body(state->lock); };
    };
  };
  // Of one that another thread has exclusively, with a stop that ends the wait at once.
  const auto on_held_lock = [](auto wait) {
    return [wait] {
      auto state = std::make_shared<Lock>();
      // Unlocked when the test lets go of the call, by the thread that has locked.
      const std::shared_ptr<Lock> held(state.get(), [state](Lock* l) { l->lock.unlock(); });
      state->lock.lock();
      return [held, wait] { EXPECT_EQ(wait(*held), WaitStatus::stopped); };
    };
  };
  row("~RWLock", allocates_nothing, [] {
    auto lock = std::make_shared<std::optional<RWLock>>(std::in_place);
    return [lock] { lock->reset(); };
  });
  row("lock", allocates_nothing, on_free_lock([](RWLock& lock) {
        lock.lock();
        lock.unlock();
      }));
  row("try_lock", allocates_nothing, on_free_lock([](RWLock& lock) {
        EXPECT_TRUE(lock.try_lock());
        lock.unlock();
      }));
  row("try_lock_for", allocates_nothing, on_free_lock([](RWLock& lock) {
        EXPECT_TRUE(lock.try_lock_for(1h));
        lock.unlock();
      }));
  row("try_lock_until", allocates_nothing, on_free_lock([](RWLock& lock) {
        EXPECT_TRUE(lock.try_lock_until(steady_clock::now()));
        lock.unlock();
      }));
  row("unlock", allocates_nothing, on_free_lock([](RWLock& lock) {
        lock.lock();
        lock.unlock();
      }));
  row("lock_shared", allocates_nothing, on_free_lock([](RWLock& lock) {
        lock.lock_shared();
        lock.unlock_shared();
      }));
  row("try_lock_shared", allocates_nothing, on_free_lock([](RWLock& lock) {
        EXPECT_TRUE(lock.try_lock_shared());
        lock.unlock_shared();
      }));
  row("try_lock_shared_for", allocates_nothing, on_free_lock([](RWLock& lock) {
        EXPECT_TRUE(lock.try_lock_shared_for(1h));
        lock.unlock_shared();
      }));
  row("try_lock_shared_until", allocates_nothing, on_free_lock([](RWLock& lock) {
        EXPECT_TRUE(lock.try_lock_shared_until(steady_clock::now()));
        lock.unlock_shared();
      }));
  row("unlock_shared", allocates_nothing, on_free_lock([](RWLock& lock) {
        lock.lock_shared();
        lock.unlock_shared();
      }));
  row("try_upgrade", allocates_nothing, on_free_lock([](RWLock& lock) {
        lock.lock_shared();
        EXPECT_TRUE(lock.try_upgrade());
        lock.unlock();
      }));
  row("downgrade", allocates_nothing, on_free_lock([](RWLock& lock) {
        lock.lock();
        lock.downgrade();
        lock.unlock_shared();
      }));
  row("ReadGuard", allocates_nothing,
      on_free_lock([](RWLock& lock) { const rouse::ReadGuard guard(lock); }));
  row("~ReadGuard", allocates_nothing,
      on_free_lock([](RWLock& lock) { const rouse::ReadGuard guard(lock); }));
  row("WriteGuard", allocates_nothing,
      on_free_lock([](RWLock& lock) { const rouse::WriteGuard guard(lock); }));
  row("~WriteGuard", allocates_nothing,
      on_free_lock([](RWLock& lock) { const rouse::WriteGuard guard(lock); }));
  row("lock", throws, on_held_lock([](Lock& s) { return s.lock.lock(s.stop); }));
  row("try_lock_for", throws,
      on_held_lock([](Lock& s) { return s.lock.try_lock_for(1h, s.stop); }));
  row("try_lock_until", throws, on_held_lock([](Lock& s) {
        return s.lock.try_lock_until(steady_clock::now() + 1h, s.stop);
      }));
  row("lock_shared", throws, on_held_lock([](Lock& s) { return s.lock.lock_shared(s.stop); }));
  row("try_lock_shared_for", throws,
      on_held_lock([](Lock& s) { return s.lock.try_lock_shared_for(1h, s.stop); }));
  row("try_lock_shared_until", throws, on_held_lock([](Lock& s) {
        return s.lock.try_lock_shared_until(steady_clock::now() + 1h, s.stop);
      }));
  row("ReadGuard", throws, on_held_lock([](Lock& s) {
        try {
          const rouse::ReadGuard guard(s.lock, 1h, s.stop);
        } catch (const rouse::Stopped&) {
          return WaitStatus::stopped;
        }
        return WaitStatus::ready;
      }));
  row("WriteGuard", throws, on_held_lock([](Lock& s) {
        try {
          const rouse::WriteGuard guard(s.lock, 1h, s.stop);
        } catch (const rouse::Stopped&) {
          return WaitStatus::stopped;
        }
        return WaitStatus::ready;
      }));
  return row;
}

TEST(AllocationFailure, AtEachAllocationOfEachFunctionKeepsItsPromise) {
  rows().expect_promises_kept();
}

TEST(AllocationFailure, IsTestedForEachFunctionOfEachHeader) { rows().expect_complete("sync"); }

}  // namespace
