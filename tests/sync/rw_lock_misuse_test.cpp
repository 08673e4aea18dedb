// What the checks of a debug build say of misuse, and that they say nothing of correct use. This
// program has an RWLock of its own, compiled with the checks, whatever the build.

#include "rouse/sync/rw_lock.hpp"

#include "support/readers.hpp"
#include "sync/held_locks.hpp"

#include <array>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <sstream>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::ReadGuard;
using rouse::RWLock;
using rouse::WaitStatus;
using rouse::WriteGuard;
using rouse::test::let_readers_meet;

static_assert(rouse::detail::locks_are_checked);

// Tests that fork come first.
TEST(RWLockMisuseDeathTest, UnlockWithoutALock) {
  RWLock lock;
  EXPECT_DEATH(lock.unlock(), "rouse: RWLock 0x.*: unlock by a thread that does not have it");
  EXPECT_DEATH(lock.unlock_shared(), "unlock_shared by a thread that does not have it");
  EXPECT_DEATH((void)lock.try_upgrade(), "try_upgrade by a thread that does not have it");
  EXPECT_DEATH(lock.downgrade(), "downgrade by a thread that does not have it");
}

TEST(RWLockMisuseDeathTest, TheMessageHasTheAddress) {
  RWLock lock;
  std::ostringstream address;
  address << "RWLock " << static_cast<const void*>(&lock) << ": unlock";
  EXPECT_DEATH(lock.unlock(), address.str());
}

TEST(RWLockMisuseDeathTest, UnlockOfTheOtherKind) {
  RWLock lock;
  lock.lock_shared();
  EXPECT_DEATH(lock.unlock(), "unlock by a thread that only shares it");
  EXPECT_DEATH(lock.downgrade(), "downgrade by a thread that only shares it");
  lock.unlock_shared();
  lock.lock();
  EXPECT_DEATH(lock.unlock_shared(), "unlock_shared by a thread that has it exclusively");
  EXPECT_DEATH((void)lock.try_upgrade(), "try_upgrade by a thread that has it exclusively");
  lock.unlock();
}

TEST(RWLockMisuseDeathTest, UnlockByAnotherThread) {
  RWLock lock;
  lock.lock();
  EXPECT_DEATH(std::thread([&] { lock.unlock(); }).join(), "unlock by a thread that does not");
  lock.downgrade();
  EXPECT_DEATH(std::thread([&] { lock.unlock_shared(); }).join(),
               "unlock_shared by a thread that does not have it");
  lock.unlock_shared();
}

TEST(RWLockMisuseDeathTest, UnlockTwice) {
  RWLock lock;
  lock.lock();
  lock.unlock();
  EXPECT_DEATH(lock.unlock(), "unlock by a thread that does not have it");
  lock.lock_shared();
  lock.unlock_shared();
  EXPECT_DEATH(lock.unlock_shared(), "unlock_shared by a thread that does not have it");
}

// They would wait for themselves, or for a writer that waits for them.
TEST(RWLockMisuseDeathTest, AnUntimedLockOfWhatTheThreadHas) {
  std::stop_source source;
  const std::stop_token stop = source.get_token();
  for (const bool shared : {false, true}) {
    RWLock lock;
    shared ? lock.lock_shared() : lock.lock();
    const std::string why = " by a thread that has it already";
    EXPECT_DEATH(lock.lock(), ": lock" + why);
    EXPECT_DEATH((void)lock.lock(stop), ": lock" + why);
    EXPECT_DEATH((void)lock.try_lock_for(std::chrono::hours::max()), ": lock" + why);
    EXPECT_DEATH((void)WriteGuard{lock}, ": lock" + why);
    EXPECT_DEATH(lock.lock_shared(), ": lock_shared" + why);
    EXPECT_DEATH((void)lock.lock_shared(stop), ": lock_shared" + why);
    EXPECT_DEATH((void)ReadGuard{lock}, ": lock_shared" + why);
    shared ? lock.unlock_shared() : lock.unlock();
  }
}

TEST(RWLockMisuseDeathTest, DestructionWhileHeld) {
  constexpr const char* message = "RWLock 0x.*: destroyed while a thread has it or waits for it";
  const auto destroy = [](auto take) {
    auto lock = std::make_unique<RWLock>();
    take(*lock);
    lock.reset();
  };
  EXPECT_DEATH(destroy([](RWLock& lock) { lock.lock(); }), message);
  EXPECT_DEATH(destroy([](RWLock& lock) { lock.lock_shared(); }), message);
  EXPECT_DEATH(destroy([](RWLock& lock) {
                 let_readers_meet(lock);
                 lock.lock_shared();
               }),
               message);
  EXPECT_DEATH(destroy([](RWLock& lock) { std::thread([&] { lock.lock_shared(); }).join(); }),
               message);
}

// --- correct use ---------------------------------------------------------------------------------

TEST(RWLockMisuse, ManyScopesOneAfterTheOther) {
  std::array<RWLock, 3> locks;
  let_readers_meet(locks[0]);
  const auto use = [&] {
    for (int i = 0; i < 100; ++i) {
      for (RWLock& lock : locks) {
        const WriteGuard writer(lock);
      }
      const std::shared_lock first(locks[0]);
      const ReadGuard second(locks[1], 1h);
      const std::unique_lock third(locks[2], 1h);
    }
  };
  std::thread other(use);
  use();
  other.join();
  for (RWLock& lock : locks) {
    EXPECT_TRUE(lock.try_lock());
    lock.unlock();
  }
}

TEST(RWLockMisuse, AnotherLockInTheSamePlace) {
  for (int i = 0; i < 3; ++i) {
    std::optional<RWLock> lock(std::in_place);
    lock->lock();
    lock->unlock();
    EXPECT_TRUE(lock->try_lock_shared());
    lock->unlock_shared();
  }
}

TEST(RWLockMisuse, UpgradeAndDowngrade) {
  for (const bool met : {false, true}) {
    RWLock lock;
    if (met) let_readers_meet(lock);
    lock.lock_shared();
    ASSERT_TRUE(lock.try_upgrade());
    lock.downgrade();
    ASSERT_TRUE(lock.try_upgrade());
    lock.unlock();
    ASSERT_TRUE(lock.try_lock());
    lock.downgrade();
    lock.unlock_shared();
  }
}

TEST(RWLockMisuse, AnUpgradeThatFailsLeavesTheThreadAReader) {
  RWLock lock;
  lock.lock_shared();
  ASSERT_TRUE(lock.try_lock_shared());
  EXPECT_FALSE(lock.try_upgrade());
  lock.unlock_shared();
  lock.unlock_shared();
}

TEST(RWLockMisuse, TimedFormsOfWhatTheThreadHas) {
  RWLock lock;
  lock.lock();
  EXPECT_FALSE(lock.try_lock());
  EXPECT_FALSE(lock.try_lock_shared());
  EXPECT_FALSE(lock.try_lock_for(1ms));
  EXPECT_EQ(lock.try_lock_shared_for(1ms, {}), WaitStatus::timeout);
  lock.downgrade();
  EXPECT_FALSE(lock.try_lock_for(1ms));
  ASSERT_TRUE(lock.try_lock_shared_for(1ms));
  ASSERT_TRUE(lock.try_lock_shared());
  for (int i = 0; i < 3; ++i) lock.unlock_shared();
}

// On a thread of its own: one that had so many is not checked any more.
TEST(RWLockMisuse, MoreLocksAtOnceThanAreRemembered) {
  std::thread([] {
    std::vector<std::unique_ptr<RWLock>> locks;
    for (int i = 0; i < 100; ++i) {
      RWLock& lock = *locks.emplace_back(std::make_unique<RWLock>());
      i % 2 == 0 ? lock.lock() : lock.lock_shared();
    }
    for (int i = 0; i < 100; i += 2) locks[static_cast<std::size_t>(i)]->downgrade();
    for (const auto& lock : locks) ASSERT_TRUE(lock->try_upgrade());
    for (const auto& lock : locks) lock->unlock();
  }).join();
}

}  // namespace
