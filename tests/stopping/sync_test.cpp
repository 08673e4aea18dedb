// How the blocking calls of sync/ end.

#include "rouse/sync/rw_lock.hpp"

#include "support/stopping/blocking_rows.hpp"

#include <atomic>

#include <gtest/gtest.h>

namespace {

using rouse::ReadGuard;
using rouse::RWLock;
using rouse::WaitStatus;
using rouse::WriteGuard;
using rouse::test::asks_for_a_value;
using rouse::test::BlockingRows;
using rouse::test::Ends;
using rouse::test::Given;
using rouse::test::nothing_ends;
using rouse::test::on;
using rouse::test::only_time_ends;
using rouse::test::Promises;
using rouse::test::waits;
using rouse::test::waits_for_a_time;

// A lock that the test has.
struct Held {
  RWLock lock;
  std::atomic<bool> held{true};

  Held() { lock.lock(); }
  void release() {
    if (held.exchange(false)) lock.unlock();
  }
};

// `result` of a call that locks; whoever got the lock gives it back.
auto exclusively(auto result, Held& held) {
  if (rouse::test::how_ended(result) == Ends::ready) held.lock.unlock();
  return result;
}
auto shared(auto result, Held& held) {
  if (rouse::test::how_ended(result) == Ends::ready) held.lock.unlock_shared();
  return result;
}

BlockingRows rows_of_sync() {
  BlockingRows row("sync");
  row.header = "rouse/sync/rw_lock.hpp";
  const auto locks = [&row](const char* signature, const Promises& promises, auto call) {
    row(signature, promises, on<Held>(call, [](Held& held) { held.release(); }));
  };
  const char* const standard =
      "as the standard's; the forms with a token obey, and so do `ReadGuard` and `WriteGuard`";
  const Promises lock_deaf = nothing_ends(standard);
  const Promises lock_deaf_for_a_time = only_time_ends(Ends::false_, standard);
  locks("RWLock::lock()", lock_deaf, [](Held& held, const Given&) {
    held.lock.lock();
    held.lock.unlock();
  });
  locks("RWLock::lock(stop)", waits, [](Held& held, const Given& given) {
    return exclusively(held.lock.lock(given.stop), held);
  });
  locks("RWLock::try_lock_for(d)", lock_deaf_for_a_time, [](Held& held, const Given& given) {
    return exclusively(held.lock.try_lock_for(given.time), held);
  });
  locks("RWLock::try_lock_until(t)", lock_deaf_for_a_time, [](Held& held, const Given& given) {
    return exclusively(held.lock.try_lock_until(given.until()), held);
  });
  locks("RWLock::try_lock_for(d, stop)", waits_for_a_time, [](Held& held, const Given& given) {
    return exclusively(held.lock.try_lock_for(given.time, given.stop), held);
  });
  locks("RWLock::try_lock_until(t, stop)", waits_for_a_time, [](Held& held, const Given& given) {
    return exclusively(held.lock.try_lock_until(given.until(), given.stop), held);
  });
  locks("RWLock::lock_shared()", lock_deaf, [](Held& held, const Given&) {
    held.lock.lock_shared();
    held.lock.unlock_shared();
  });
  locks("RWLock::lock_shared(stop)", waits, [](Held& held, const Given& given) {
    return shared(held.lock.lock_shared(given.stop), held);
  });
  locks("RWLock::try_lock_shared_for(d)", lock_deaf_for_a_time, [](Held& held, const Given& given) {
    return shared(held.lock.try_lock_shared_for(given.time), held);
  });
  locks("RWLock::try_lock_shared_until(t)", lock_deaf_for_a_time,
        [](Held& held, const Given& given) {
          return shared(held.lock.try_lock_shared_until(given.until()), held);
        });
  locks("RWLock::try_lock_shared_for(d, stop)", waits_for_a_time,
        [](Held& held, const Given& given) {
          return shared(held.lock.try_lock_shared_for(given.time, given.stop), held);
        });
  locks("RWLock::try_lock_shared_until(t, stop)", waits_for_a_time,
        [](Held& held, const Given& given) {
          return shared(held.lock.try_lock_shared_until(given.until(), given.stop), held);
        });

  const Promises guards_for_a_time = with_deadline(asks_for_a_value, Ends::throws_timed_out);
  locks("ReadGuard::ReadGuard(lock, stop)", asks_for_a_value,
        [](Held& held, const Given& given) { const ReadGuard guard(held.lock, given.stop); });
  locks("ReadGuard::ReadGuard(lock, wait_time, stop)", guards_for_a_time,
        [](Held& held, const Given& given) {
          const ReadGuard guard(held.lock, given.time, given.stop);
        });
  locks("WriteGuard::WriteGuard(lock, stop)", asks_for_a_value,
        [](Held& held, const Given& given) { const WriteGuard guard(held.lock, given.stop); });
  locks("WriteGuard::WriteGuard(lock, wait_time, stop)", guards_for_a_time,
        [](Held& held, const Given& given) {
          const WriteGuard guard(held.lock, given.time, given.stop);
        });

  row.does_not_block("RWLock::~RWLock()", "nobody has the lock");
  row.does_not_block("ReadGuard::~ReadGuard()", "unlocks");
  row.does_not_block("WriteGuard::~WriteGuard()", "unlocks");
  return row;
}

TEST(StoppingOfSync, EachCallEndsAsItPromises) { rows_of_sync().expect_promises_kept(); }
TEST(StoppingOfSync, EachBlockingCallHasARow) { rows_of_sync().expect_complete(); }
TEST(StoppingOfSync, IsDocumented) { rows_of_sync().expect_documented(); }

}  // namespace
