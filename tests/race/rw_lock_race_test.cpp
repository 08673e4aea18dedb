// Readers, writers, upgrades and downgrades of one lock, with waits that end by time, stop and
// raised exceptions; locks that are destroyed right after their last unlock; threads that end. What
// a lock guards is plain data, so that ThreadSanitizer sees two who have it at once.

#include "rouse/sync/rw_lock.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/this_thread.hpp"
#include "rouse/wait/wait_any.hpp"

#include "support/at_once.hpp"
#include "support/clock/clock.hpp"
#include "support/on_cpu.hpp"
#include "support/readers.hpp"
#include "support/rendezvous.hpp"
#include "support/scale.hpp"
#include "support/stops.hpp"
#include "wait/control_block.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <latch>
#include <memory>
#include <new>
#include <random>
#include <shared_mutex>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::ReadGuard;
using rouse::RWLock;
using rouse::WaitStatus;
using rouse::WriteGuard;
using rouse::detail::ControlBlock;
using rouse::test::advance_clock;
using rouse::test::at_once;
using rouse::test::delay;
using rouse::test::let_others_run;
using rouse::test::let_readers_meet;
using rouse::test::OnCpu;
using rouse::test::rounds;
using rouse::test::Stops;
using rouse::this_thread::Bind;

// What a writer changes in two steps.
struct Guarded {
  RWLock lock;
  long first = 0;
  long second = 0;

  void write() {
    ++first;
    delay(8);
    ++second;
  }
  void read() const { EXPECT_EQ(first, second); }
};

// One of the threads that use two locks in all forms, while another stops it and raises at it.
class User {
 public:
  User(std::array<Guarded, 2>& all, Event& disturb, unsigned number)
      : all_(all), disturb_(disturb), random_(number + 1) {}

  void run(int count) {
    block = &ControlBlock::current();
    for (int i = 0; i < count;) {
      const Bind bound(ambient.token());
      // Until the ambient stop comes, at the latest.
      for (bool stopped = false; !stopped && i < count; ++i) {
        if (i % 64 == 0) disturb_.set();
        try {
          stopped = use(all_[random_() % all_.size()]) == WaitStatus::stopped;
        } catch (const std::runtime_error&) {
          ++raised;
        }
      }
    }
  }

  Stops ambient;
  Stops foreign;
  std::atomic<ControlBlock*> block{nullptr};
  std::array<long, 2> writes{};
  long raised = 0;

 private:
  WaitStatus use(Guarded& guarded) {
    RWLock& lock = guarded.lock;
    const auto wait =
        std::chrono::nanoseconds(random_() % (random_() % 64 == 0 ? 2'000'000 : 9'000));
    switch (random_() % 12) {
      case 0:
        lock.lock();
        return write(guarded);
      case 1:
        lock.lock_shared();
        return read(guarded);
      case 2:
        return lock.try_lock() ? write(guarded) : WaitStatus::timeout;
      case 3:
        return lock.try_lock_shared() ? read(guarded) : WaitStatus::timeout;
      case 4:
        return lock.try_lock_for(wait) ? write(guarded) : WaitStatus::timeout;
      case 5:
        return lock.try_lock_shared_for(wait) ? read(guarded) : WaitStatus::timeout;
      case 6:
        return then(lock.lock(foreign.token()), &User::write, guarded);
      case 7:
        return then(lock.lock_shared(foreign.token()), &User::read, guarded);
      case 8:
        return then(lock.try_lock_for(wait, foreign.token()), &User::write, guarded);
      default:
        return then(lock.try_lock_shared_for(wait, {}), &User::read, guarded);
    }
  }

  WaitStatus then(WaitStatus status, WaitStatus (User::*body)(Guarded&), Guarded& guarded) {
    return status == WaitStatus::ready ? (this->*body)(guarded) : status;
  }

  WaitStatus write(Guarded& guarded) {
    guarded.write();
    if (random_() % 512 == 0) {
      let_others_run();
      // Who sleeps is served next, though the time of some is over.
      advance_clock(1ms);
    }
    ++writes[static_cast<std::size_t>(&guarded - all_.data())];
    if (random_() % 4 != 0) {
      guarded.lock.unlock();
      return WaitStatus::ready;
    }
    guarded.lock.downgrade();
    return read(guarded);
  }

  WaitStatus read(Guarded& guarded) {
    guarded.read();
    if (random_() % 4 == 0 && guarded.lock.try_upgrade()) return write(guarded);
    guarded.lock.unlock_shared();
    return WaitStatus::ready;
  }

  std::array<Guarded, 2>& all_;
  Event& disturb_;
  std::minstd_rand random_;
};

TEST(RWLockRace, ExcludesInAllFormsWhileWaitsAreStoppedRaisedAtAndTimeOut) {
  const int count = rounds(300'000);
  std::array<Guarded, 2> all;
  Event disturb;
  std::array<User, 4> users{User(all, disturb, 0), User(all, disturb, 1), User(all, disturb, 2),
                            User(all, disturb, 3)};
  std::atomic<bool> finished{false};
  std::jthread disturber([&] {
    const std::exception_ptr error = std::make_exception_ptr(std::runtime_error("raised"));
    for (std::minstd_rand random(99); !finished;) {
      EXPECT_EQ(disturb.wait(), WaitStatus::ready);
      disturb.clear();
      User& user = users[random() % users.size()];
      switch (random() % 3) {
        case 0:
          user.ambient.request();
          break;
        case 1:
          user.foreign.request();
          break;
        default:
          if (ControlBlock* const block = user.block) block->raise(error);
      }
    }
  });
  // A raise may not come when the thread has ended and its block is another's.
  std::latch done(static_cast<std::ptrdiff_t>(users.size()));
  std::latch disturbed(1);
  {
    std::vector<std::jthread> threads;
    for (std::size_t u = 0; u < users.size(); ++u) {
      threads.emplace_back([&, u] {
        const OnCpu on_cpu(u);
        users[u].run(count);
        done.count_down();
        disturbed.wait();
      });
    }
    done.wait();
    finished = true;
    disturb.set();
    disturber.join();
    disturbed.count_down();
  }
  for (std::size_t g = 0; g < all.size(); ++g) {
    long writes = 0;
    for (const User& user : users) writes += user.writes[g];
    ASSERT_TRUE(all[g].lock.try_lock());
    EXPECT_EQ(all[g].first, writes);
    EXPECT_EQ(all[g].second, writes);
    all[g].lock.unlock();
  }
}

// --- who comes again and again -------------------------------------------------------------------

// The other side, which is under way before, never leaves the lock alone; the watchdog judges.
void compete(const std::function<void()>& others, const std::function<void()>& mine, int count) {
  constexpr std::size_t other_threads = 3;
  std::atomic<bool> finished{false};
  std::latch under_way(other_threads);
  std::vector<std::jthread> threads;
  for (std::size_t t = 0; t < other_threads; ++t) {
    threads.emplace_back([&, t] {
      const OnCpu on_cpu(t);
      others();
      under_way.count_down();
      while (!finished) others();
    });
  }
  under_way.wait();
  for (int i = 0; i < count; ++i) mine();
  finished = true;
}

TEST(RWLockRace, AWriterGetsInUnderReaders) {
  Guarded guarded;
  const auto read = [&] {
    const ReadGuard guard(guarded.lock);
    guarded.read();
    delay(500);
  };
  const auto write = [&] {
    const WriteGuard guard(guarded.lock);
    guarded.write();
  };
  const int count = rounds(20'000);
  compete(read, write, count);
  EXPECT_EQ(guarded.first, count);
}

TEST(RWLockRace, AReaderGetsInUnderWriters) {
  Guarded guarded;
  const auto write = [&] {
    const WriteGuard guard(guarded.lock);
    guarded.write();
    delay(500);
  };
  long seen = 0;
  const auto read = [&] {
    const ReadGuard guard(guarded.lock);
    guarded.read();
    EXPECT_LE(seen, guarded.first);
    seen = guarded.first;
  };
  compete(write, read, rounds(20'000));
  EXPECT_GT(guarded.first, 0);
}

TEST(RWLockRace, AWriterGetsInUnderWritersThatTimeOut) {
  Guarded guarded;
  long tried = 0;  // successfully; of what the lock guards
  const auto try_write = [&] {
    if (!guarded.lock.try_lock_for(3us)) return;
    guarded.write();
    ++tried;
    guarded.lock.unlock();
  };
  const auto write = [&] {
    const WriteGuard guard(guarded.lock);
    guarded.write();
  };
  const int count = rounds(20'000);
  compete(try_write, write, count);
  EXPECT_EQ(guarded.first, tried + count);
}

// A lock that is only written gives slots up, maybe while a reader is on its way into one.
TEST(RWLockRace, SlotsAreGivenUpWhileAReaderComes) {
  const int count = rounds(1'000'000);
  Guarded guarded;
  std::atomic<bool> finished{false};
  long writes = 0;
  const OnCpu here(0);
  std::thread writer([&] {
    const OnCpu on_cpu(1);
    for (; !finished; ++writes) {
      const WriteGuard guard(guarded.lock);
      guarded.write();
    }
  });
  for (int i = 0; i < count; ++i) {
    const ReadGuard guard(guarded.lock);
    // A reader that meets itself: from here slots are used.
    if (i % 8 == 0 && guarded.lock.try_lock_shared()) guarded.lock.unlock_shared();
    guarded.read();
  }
  finished = true;
  writer.join();
  EXPECT_EQ(guarded.first, writes);
}

// --- ends of locks -------------------------------------------------------------------------------

struct Shared {
  RWLock lock;
  std::atomic<int> done{0};  // by those who have had it, or have it
};

// The writer that comes after all readers frees the lock, while their unlocks are on the way out.
TEST(RWLockRace, MayBeDestroyedByTheWriterThatHadItLast) {
  Shared* shared = nullptr;
  int freed = 0;
  const auto read = [&](int i) {
    Shared& mine = *shared;
    delay(static_cast<unsigned>(i) % 13 * 8);
    mine.lock.lock_shared();
    ++mine.done;
    mine.lock.unlock_shared();
  };
  const auto write = [&](int i) {
    for (bool last = false; !last;) {
      // With a time limit it may get in without being woken, and be gone before it is.
      if (i % 2 == 0) {
        shared->lock.lock();
      } else if (!shared->lock.try_lock_for(10us)) {
        continue;
      }
      last = shared->done == 2;
      shared->lock.unlock();
    }
    delete shared;
    ++freed;
  };
  int round = 0;
  const auto prepare = [&] {
    shared = new Shared;
    if (++round % 4 < 2) let_readers_meet(shared->lock);
  };
  at_once(rounds(20'000), {read, write, read}, prepare, [](int) {});
  EXPECT_EQ(freed, round);
}

// The reader that comes after the writer frees it.
TEST(RWLockRace, MayBeDestroyedByTheReaderThatHadItLast) {
  Shared* shared = nullptr;
  int freed = 0;
  const auto write = [&](int i) {
    Shared& mine = *shared;
    delay(static_cast<unsigned>(i) % 13 * 8);
    mine.lock.lock();
    ++mine.done;
    mine.lock.unlock();
  };
  const auto read = [&](int) {
    for (bool last = false; !last;) {
      shared->lock.lock_shared();
      last = shared->done == 2;
      shared->lock.unlock_shared();
    }
    delete shared;
    ++freed;
  };
  int round = 0;
  const auto prepare = [&] {
    shared = new Shared;
    if (++round % 4 < 2) let_readers_meet(shared->lock);
  };
  at_once(rounds(20'000), {write, read, write}, prepare, [](int) {});
  EXPECT_EQ(freed, round);
}

// The unlock looks for sleepers who have left by time, while the reader that it let in frees the
// lock.
TEST(RWLockRace, MayBeDestroyedWhileAnUnlockLooksForSleepers) {
  std::unique_ptr<RWLock> lock;
  Event ready;
  const auto write = [&](int i) {
    RWLock& mine = *lock;
    mine.lock();
    EXPECT_FALSE(mine.try_lock_shared_for(110us));  // sleeps at the end, so it was in the queue
    ready.set();
    delay(static_cast<unsigned>(i) % 101 * 8);
    mine.unlock();
  };
  const auto read = [&](int) {
    EXPECT_EQ(ready.wait(), WaitStatus::ready);
    lock->lock_shared();
    lock->unlock_shared();
    lock.reset();
  };
  const auto prepare = [&] {
    ready.clear();
    lock = std::make_unique<RWLock>();
  };
  at_once(rounds(3'000), {write, read}, prepare, [](int) {});
}

// What is left of an unlock wakes nobody who waits for another object in the same place.
TEST(RWLockRace, AnotherObjectInItsPlaceIsNotWoken) {
  alignas(RWLock) unsigned char storage[sizeof(RWLock)];
  RWLock* lock = nullptr;
  Event reading;
  int woken = 0;
  const auto read = [&](int i) {
    lock->lock_shared();
    reading.set();
    delay(static_cast<unsigned>(i) % 97 * 4000);
    lock->unlock_shared();
  };
  const auto replace = [&](int) {
    EXPECT_EQ(reading.wait(), WaitStatus::ready);
    // Long enough to sleep until the reader leaves, or nearly.
    while (!lock->try_lock_for(120us)) {
    }
    lock->unlock();
    lock->~RWLock();
    Event* const events[] = {::new (storage) Event, ::new (storage + sizeof(Event)) Event};
    if (rouse::wait_any_for(events, 3us).status != WaitStatus::timeout) ++woken;
  };
  const auto prepare = [&] {
    reading.clear();
    lock = ::new (storage) RWLock;
  };
  at_once(rounds(3'000), {read, replace}, prepare, [](int) {});
  EXPECT_EQ(woken, 0);
}

// --- ends of threads -----------------------------------------------------------------------------

// Each thread takes over a row of one that has ended.
TEST(RWLockRace, ThreadsThatComeAndGoReuseTheirRows) {
  const int count = rounds(1'500);
  std::array<Guarded, 2> all;
  for (Guarded& guarded : all) let_readers_meet(guarded.lock);
  std::atomic<bool> finished{false};
  std::atomic<int> reads{0};
  std::jthread writer([&] {
    for (std::size_t i = 0; !finished; ++i) {
      Guarded& guarded = all[i % 2];
      const WriteGuard guard(guarded.lock);
      guarded.write();
    }
  });
  for (int i = 0; i < count; ++i) {
    std::vector<std::jthread> readers;
    for (int r = 0; r < 3; ++r) {
      readers.emplace_back([&] {
        const ReadGuard first(all[0].lock);
        const std::shared_lock second(all[1].lock, 100us);
        all[0].read();
        if (second) all[1].read();
        ++reads;
      });
    }
  }
  finished = true;
  EXPECT_EQ(reads, 3 * count);
}

}  // namespace
