// RWLock: who gets in, in which order, and what ends a wait for it.

#include "rouse/sync/rw_lock.hpp"

#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/stop_scope.hpp"
#include "rouse/wait/this_thread.hpp"

#include "support/clock/clock.hpp"
#include "support/observed_thread.hpp"
#include "support/readers.hpp"
#include "sync/reader_slots.hpp"
#include "wait/control_block.hpp"
#include "wait/parking_table.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <shared_mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::ReadGuard;
using rouse::RWLock;
using rouse::StopScope;
using rouse::WaitStatus;
using rouse::WriteGuard;
using rouse::detail::ControlBlock;
using rouse::detail::ParkingTable;
using rouse::detail::ReaderSlots;
using rouse::test::let_readers_meet;
using rouse::test::ObservedThread;
using rouse::this_thread::Bind;
using std::chrono::steady_clock;
using std::chrono::system_clock;

static_assert(sizeof(RWLock) <= 16);
constinit RWLock of_static_storage;

// --- support -------------------------------------------------------------------------------------

// What the calling thread can get of a lock at once, whether it has some of it or not.
enum class State { free, shared, closed };

std::ostream& operator<<(std::ostream& out, State state) {
  constexpr const char* names[] = {"free", "shared", "closed"};
  return out << names[static_cast<int>(state)];
}

State state_of(RWLock& lock) {
  if (lock.try_lock()) {
    lock.unlock();
    return State::free;
  }
  if (!lock.try_lock_shared()) return State::closed;
  lock.unlock_shared();
  return State::shared;
}

enum class As { reader, writer };

void release(RWLock& lock, As as) { as == As::reader ? lock.unlock_shared() : lock.unlock(); }

// A thread that gets the lock and has it until leave().
class Holder {
 public:
  Holder(RWLock& lock, As as) {
    thread_.emplace([this, &lock, as] {
      as == As::reader ? lock.lock_shared() : lock.lock();
      in_.set();
      EXPECT_EQ(leave_.wait(), WaitStatus::ready);
      release(lock, as);
    });
  }
  ~Holder() { leave(); }

  void await_blocked() const {
    thread_->await_blocked();
    EXPECT_FALSE(is_in());
  }
  void await_in() { EXPECT_EQ(in_.wait(), WaitStatus::ready); }
  bool is_in() const { return in_.is_set(); }
  void leave() {
    leave_.set();
    thread_.reset();
  }

 private:
  Event in_;
  Event leave_;
  std::optional<ObservedThread> thread_;
};

// Who sleeps by now is served by the next who gives the lock up, before all who still run.
void let_sleepers_become_old() { rouse::test::advance_clock(1ms); }

bool somebody_sleeps(const RWLock& lock) {
  bool found = false;
  ParkingTable::wake(&lock,
                     [&](ParkingTable::Waiters& waiters) { found = waiters.first() != nullptr; });
  return found;
}

std::exception_ptr raised_exception() {
  return std::make_exception_ptr(std::runtime_error("raised"));
}

void raise_at(ObservedThread& thread) { EXPECT_TRUE(thread.block()->raise(raised_exception())); }

// What `call` returns on a thread that blocks in it when `act` comes; nothing if it throws.
template <class Call>
std::optional<WaitStatus> outcome(Call call, const std::function<void(ObservedThread&)>& act) {
  std::optional<WaitStatus> status;
  ObservedThread thread([&] {
    try {
      status = call();
    } catch (const std::runtime_error& e) {
      EXPECT_EQ(std::string(e.what()), "raised");
    }
  });
  thread.await_blocked();
  act(thread);
  thread.join();
  return status;
}

struct StoppableForm {
  const char* name;
  As as;
  WaitStatus (*call)(RWLock& lock, std::stop_token stop);
};

constexpr StoppableForm stoppable_forms[] = {
    {"lock", As::writer, [](RWLock& l, std::stop_token s) { return l.lock(std::move(s)); }},
    {"try_lock_for", As::writer,
     [](RWLock& l, std::stop_token s) { return l.try_lock_for(1h, std::move(s)); }},
    {"try_lock_until", As::writer,
     [](RWLock& l, std::stop_token s) {
       return l.try_lock_until(steady_clock::now() + 1h, std::move(s));
     }},
    {"lock_shared", As::reader,
     [](RWLock& l, std::stop_token s) { return l.lock_shared(std::move(s)); }},
    {"try_lock_shared_for", As::reader,
     [](RWLock& l, std::stop_token s) { return l.try_lock_shared_for(1h, std::move(s)); }},
    {"try_lock_shared_until", As::reader,
     [](RWLock& l, std::stop_token s) {
       return l.try_lock_shared_until(system_clock::now() + 1h, std::move(s));
     }},
};

struct PlainForm {
  const char* name;
  As as;
  bool (*call)(RWLock& lock);
};

constexpr PlainForm plain_forms[] = {
    {"lock", As::writer, [](RWLock& l) { return l.lock(), true; }},
    {"try_lock_for", As::writer, [](RWLock& l) { return l.try_lock_for(1h); }},
    {"try_lock_until", As::writer,
     [](RWLock& l) { return l.try_lock_until(steady_clock::now() + 1h); }},
    {"lock_shared", As::reader, [](RWLock& l) { return l.lock_shared(), true; }},
    {"try_lock_shared_for", As::reader, [](RWLock& l) { return l.try_lock_shared_for(1h); }},
    {"try_lock_shared_until", As::reader,
     [](RWLock& l) { return l.try_lock_shared_until(system_clock::now() + 1h); }},
};

template <class Guard, class... Args>
bool times_out(RWLock& lock, Args... args) {
  try {
    const Guard guard(lock, args...);
  } catch (const std::system_error& e) {
    return e.code() == std::errc::timed_out;
  }
  return false;
}

std::string name_of(const testing::TestParamInfo<bool>& readers) {
  return readers.param ? "InSlots" : "Counted";
}

// Each test with readers that are counted in the lock, and with readers in slots.
class RWLockTest : public testing::TestWithParam<bool> {
 protected:
  RWLockTest() { prepare(lock); }

  static void prepare(RWLock& fresh) {
    if (GetParam()) let_readers_meet(fresh);
  }

  RWLock lock;
};
INSTANTIATE_TEST_SUITE_P(Readers, RWLockTest, testing::Bool(), &name_of);

// --- exclusion -----------------------------------------------------------------------------------

TEST_P(RWLockTest, IsFreeThenExclusiveThenFree) {
  EXPECT_EQ(state_of(lock), State::free);
  lock.lock();
  EXPECT_EQ(state_of(lock), State::closed);
  lock.unlock();
  EXPECT_EQ(state_of(lock), State::free);
  ASSERT_TRUE(lock.try_lock());
  EXPECT_EQ(state_of(lock), State::closed);
  lock.unlock();
  EXPECT_EQ(state_of(lock), State::free);
}

TEST_P(RWLockTest, IsSharedAsOftenAsItIsTaken) {
  lock.lock_shared();
  ASSERT_TRUE(lock.try_lock_shared());
  ASSERT_TRUE(lock.try_lock_shared_for(1h));
  for (int left = 3; left > 0; --left) {
    EXPECT_EQ(state_of(lock), State::shared);
    lock.unlock_shared();
  }
  EXPECT_EQ(state_of(lock), State::free);
}

TEST_P(RWLockTest, ManyWritesThenReadersMeetAgain) {
  for (int i = 0; i < 3; ++i) {
    for (int write = 0; write < 40; ++write) {
      const WriteGuard guard(lock);
      EXPECT_EQ(state_of(lock), State::closed);
    }
    Holder other(lock, As::reader);
    other.await_in();
    const ReadGuard guard(lock);
    EXPECT_EQ(state_of(lock), State::shared);
  }
  EXPECT_EQ(state_of(lock), State::free);
}

TEST(RWLock, OfStaticStorageIsConstantInitialized) {
  const WriteGuard guard(of_static_storage);
  EXPECT_EQ(state_of(of_static_storage), State::closed);
}

TEST_P(RWLockTest, WorksWithTheStandardsGuards) {
  {
    const std::unique_lock guard(lock);
    EXPECT_EQ(state_of(lock), State::closed);
    EXPECT_FALSE(std::unique_lock(lock, std::try_to_lock));
    EXPECT_FALSE(std::unique_lock(lock, 1ms));
    EXPECT_FALSE(std::unique_lock(lock, steady_clock::now() + 1ms));
    EXPECT_FALSE(std::shared_lock(lock, std::try_to_lock));
    EXPECT_FALSE(std::shared_lock(lock, 1ms));
    EXPECT_FALSE(std::shared_lock(lock, system_clock::now() + 1ms));
  }
  {
    const std::shared_lock guard(lock);
    EXPECT_EQ(state_of(lock), State::shared);
    EXPECT_TRUE(std::shared_lock(lock, 1ms));
    EXPECT_FALSE(std::unique_lock(lock, 1ms));
  }
  EXPECT_EQ(state_of(lock), State::free);
}

TEST_P(RWLockTest, ScopedLockTakesTwoInAnyOrder) {
  RWLock other;
  prepare(other);
  int both = 0;
  const auto work = [&](RWLock& first, RWLock& second) {
    for (int i = 0; i < 1000; ++i) {
      const std::scoped_lock guard(first, second);
      ++both;
    }
  };
  {
    std::jthread thread([&] { work(lock, other); });
    work(other, lock);
  }
  EXPECT_EQ(both, 2000);
}

// --- the guards with a wait time -----------------------------------------------------------------

TEST_P(RWLockTest, AWriteKeepsEverybodyOutForTheWaitTime) {
  const WriteGuard guard(lock);
  const auto keeps_out = [&] {
    EXPECT_TRUE(times_out<WriteGuard>(lock, 1ms));
    EXPECT_TRUE(times_out<ReadGuard>(lock, 1ms));
    EXPECT_FALSE(lock.try_lock_for(1ms));
    EXPECT_FALSE(lock.try_lock_shared_for(1ms));
    EXPECT_EQ(lock.try_lock_for(1ms, {}), WaitStatus::timeout);
    EXPECT_EQ(lock.try_lock_shared_for(1ms, {}), WaitStatus::timeout);
  };
  keeps_out();  // also this thread itself
  std::thread(keeps_out).join();
  EXPECT_EQ(state_of(lock), State::closed);
}

TEST_P(RWLockTest, ReadsKeepOnlyWritersOut) {
  {
    const ReadGuard first(lock);
    const ReadGuard second(lock, 1h);
    const ReadGuard third(lock, 1h);
    EXPECT_TRUE(times_out<WriteGuard>(lock, 1ms));
    std::thread([&] {
      EXPECT_TRUE(times_out<WriteGuard>(lock, 1ms));
      const ReadGuard fourth(lock, 1ms);
    }).join();
  }
  const WriteGuard guard(lock, 1ms);
  EXPECT_EQ(state_of(lock), State::closed);
}

TEST_P(RWLockTest, GuardsSayWhatTheyDidNotGet) {
  std::stop_source source;
  source.request_stop();
  const auto message = [](auto make) -> std::string {
    try {
      make();
    } catch (const std::exception& e) {
      return e.what();
    }
    return "nothing";
  };
  const WriteGuard guard(lock);
  const std::stop_token stop = source.get_token();
  EXPECT_THROW((void)ReadGuard(lock, 1h, stop), rouse::Stopped);
  EXPECT_THROW((void)WriteGuard(lock, 1h, stop), rouse::Stopped);
  EXPECT_NE(message([&] { const ReadGuard late(lock, 1ms); }).find("reading"), std::string::npos);
  EXPECT_NE(message([&] { const WriteGuard late(lock, 1ms); }).find("writing"), std::string::npos);
}

TEST_P(RWLockTest, GuardsWithoutAWaitTimeThrowStopped) {
  Holder writer(lock, As::writer);
  writer.await_in();
  std::stop_source source;
  const Bind bind(source.get_token());
  source.request_stop();
  EXPECT_THROW((void)ReadGuard{lock}, rouse::Stopped);
  EXPECT_THROW((void)WriteGuard{lock}, rouse::Stopped);
}

// --- time ----------------------------------------------------------------------------------------

TEST_P(RWLockTest, WaitsForAsLongAsItIsTold) {
  const ReadGuard reader(lock);
  const auto begin = steady_clock::now();
  EXPECT_FALSE(lock.try_lock_for(2ms));
  EXPECT_GE(steady_clock::now() - begin, 2ms);
  const auto until = system_clock::now() + 2ms;
  EXPECT_FALSE(lock.try_lock_until(until));
  EXPECT_GE(system_clock::now(), until);
}

TEST_P(RWLockTest, ATimeThatIsPastStillGetsALockThatIsFree) {
  const auto get = [&](bool got, As as) {
    EXPECT_TRUE(got);
    if (got) release(lock, as);
  };
  get(lock.try_lock_for(-1h), As::writer);
  get(lock.try_lock_for(std::chrono::nanoseconds::min()), As::writer);
  get(lock.try_lock_until(steady_clock::time_point::min()), As::writer);
  get(lock.try_lock_until(system_clock::now() - 1h), As::writer);
  get(lock.try_lock_shared_for(-1.5h), As::reader);
  get(lock.try_lock_shared_until(system_clock::time_point::min()), As::reader);
  const WriteGuard guard(lock);
  EXPECT_FALSE(lock.try_lock_for(-1h));
  EXPECT_FALSE(lock.try_lock_shared_until(system_clock::time_point::min()));
  EXPECT_EQ(lock.try_lock_shared_for(std::chrono::hours::min(), {}), WaitStatus::timeout);
}

TEST_P(RWLockTest, TheLongestTimesDoNotOverflow) {
  const PlainForm forms[] = {
      {"nanoseconds", As::writer,
       [](RWLock& l) { return l.try_lock_for(std::chrono::nanoseconds::max()); }},
      {"hours", As::reader,
       [](RWLock& l) { return l.try_lock_shared_for(std::chrono::hours::max()); }},
      {"steady_clock", As::writer,
       [](RWLock& l) { return l.try_lock_until(steady_clock::time_point::max()); }},
      {"system_clock", As::reader,
       [](RWLock& l) { return l.try_lock_shared_until(system_clock::time_point::max()); }},
  };
  for (const PlainForm& form : forms) {
    SCOPED_TRACE(form.name);
    lock.lock();
    bool got = false;
    ObservedThread thread([&] {
      got = form.call(lock);
      if (got) release(lock, form.as);
    });
    thread.await_blocked();
    lock.unlock();
    thread.join();
    EXPECT_TRUE(got);
  }
}

// --- stops and raised exceptions -----------------------------------------------------------------

// The ways to end a wait, while it is blocked by a writer or, for writers, by a reader.
class RWLockEnds : public RWLockTest {
 protected:
  template <class Body>
  void for_each_form(Body body) {
    for (const StoppableForm& form : stoppable_forms) {
      for (const As by : {As::writer, As::reader}) {
        if (by == As::reader && form.as == As::reader) continue;
        SCOPED_TRACE(std::string(form.name) + (by == As::reader ? " under a reader" : ""));
        {
          Holder holder(lock, by);
          holder.await_in();
          body(form);
          EXPECT_EQ(state_of(lock), by == As::reader ? State::shared : State::closed);
        }
        EXPECT_EQ(state_of(lock), State::free);
      }
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Readers, RWLockEnds, testing::Bool(), &name_of);

TEST_P(RWLockEnds, ByTheTokenGiven) {
  for_each_form([&](const StoppableForm& form) {
    std::stop_source source;
    EXPECT_EQ(outcome([&] { return form.call(lock, source.get_token()); },
                      [&](ObservedThread&) { source.request_stop(); }),
              WaitStatus::stopped);
  });
}

TEST_P(RWLockEnds, ByTheAmbientToken) {
  for_each_form([&](const StoppableForm& form) {
    std::stop_source source;
    std::stop_source other;
    const auto call = [&] {
      const Bind bind(source.get_token());
      return form.call(lock, other.get_token());
    };
    EXPECT_EQ(outcome(call, [&](ObservedThread&) { source.request_stop(); }), WaitStatus::stopped);
  });
}

TEST_P(RWLockEnds, ByTheDeadlineOfABoundScope) {
  for_each_form([&](const StoppableForm& form) {
    StopScope scope = StopScope::with_deadline(1ms);
    const Bind bind(scope);
    EXPECT_EQ(form.call(lock, {}), WaitStatus::stopped);
    EXPECT_EQ(scope.reason().kind, rouse::StopReason::deadline);
  });
}

TEST_P(RWLockEnds, ByARaisedException) {
  for_each_form([&](const StoppableForm& form) {
    EXPECT_EQ(outcome([&] { return form.call(lock, {}); }, &raise_at), std::nullopt);
  });
}

TEST_P(RWLockEnds, AtOnceIfTheStopCameBefore) {
  std::stop_source source;
  source.request_stop();
  for_each_form([&](const StoppableForm& form) {
    EXPECT_EQ(form.call(lock, source.get_token()), WaitStatus::stopped);
  });
}

TEST_P(RWLockTest, FormsWithoutATokenIgnoreStopsAndRaisedExceptions) {
  for (const PlainForm& form : plain_forms) {
    SCOPED_TRACE(form.name);
    lock.lock();
    std::stop_source source;
    source.request_stop();
    bool got = false;
    bool raised_later = false;
    ObservedThread thread([&] {
      const Bind bind(source.get_token());
      ControlBlock::current().raise(raised_exception());
      got = form.call(lock);
      if (got) release(lock, form.as);
      // They were held back, not lost.
      try {
        (void)rouse::sleep_for(1h);
      } catch (const std::runtime_error&) {
        raised_later = true;
      }
      EXPECT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
    });
    // A form that obeyed would not block.
    thread.await_blocked();
    lock.unlock();
    thread.join();
    EXPECT_TRUE(got);
    EXPECT_TRUE(raised_later);
  }
}

TEST_P(RWLockTest, AFreeLockIsReadyWhateverWasRequested) {
  std::stop_source source;
  source.request_stop();
  const Bind bind(source.get_token());
  ControlBlock::current().raise(raised_exception());
  for (const StoppableForm& form : stoppable_forms) {
    SCOPED_TRACE(form.name);
    EXPECT_EQ(form.call(lock, source.get_token()), WaitStatus::ready);
    release(lock, form.as);
  }
  EXPECT_THROW((void)rouse::sleep_for(1h), std::runtime_error);
}

TEST_P(RWLockTest, WhoIsHandedTheLockHasItThoughAStopFollows) {
  for (const StoppableForm& form : stoppable_forms) {
    SCOPED_TRACE(form.name);
    lock.lock();
    std::stop_source source;
    const auto call = [&] {
      const WaitStatus status = form.call(lock, source.get_token());
      EXPECT_EQ(state_of(lock), form.as == As::reader ? State::shared : State::closed);
      release(lock, form.as);
      return status;
    };
    const auto unlock_and_stop = [&](ObservedThread&) {
      lock.unlock();
      source.request_stop();
    };
    EXPECT_EQ(outcome(call, unlock_and_stop), WaitStatus::ready);
    EXPECT_EQ(state_of(lock), State::free);
  }
}

TEST_P(RWLockTest, TellsInWhatItsWaitersAreBlocked) {
  const WriteGuard guard(lock);
  rouse::StoppableThread reader([&] { EXPECT_THROW((void)ReadGuard{lock}, rouse::Stopped); });
  rouse::StoppableThread writer([&] { EXPECT_THROW((void)WriteGuard{lock}, rouse::Stopped); });
  reader.start();
  writer.start();
  rouse::test::await_blocked_in(reader, "RWLock::lock_shared (0x");
  rouse::test::await_blocked_in(writer, "RWLock::lock (0x");
  reader.request_stop();
  writer.request_stop();
  reader.join();
  writer.join();
}

// --- upgrade and downgrade -----------------------------------------------------------------------

TEST_P(RWLockTest, TheOnlyReaderUpgrades) {
  lock.lock_shared();
  ASSERT_TRUE(lock.try_upgrade());
  EXPECT_EQ(state_of(lock), State::closed);
  lock.unlock();
  EXPECT_EQ(state_of(lock), State::free);
}

TEST_P(RWLockTest, AReaderAmongOthersStaysOne) {
  Holder other(lock, As::reader);
  other.await_in();
  lock.lock_shared();
  EXPECT_FALSE(lock.try_upgrade());
  EXPECT_EQ(state_of(lock), State::shared);
  other.leave();
  EXPECT_TRUE(lock.try_upgrade());
  lock.unlock();
  EXPECT_EQ(state_of(lock), State::free);
}

TEST_P(RWLockTest, OfTwoReadersNeitherUpgrades) {
  lock.lock_shared();
  std::thread([&] {
    lock.lock_shared();
    EXPECT_FALSE(lock.try_upgrade());
    lock.unlock_shared();
  }).join();
  EXPECT_TRUE(lock.try_upgrade());
  lock.unlock();
}

TEST_P(RWLockTest, AThreadThatReadsTwiceDoesNotUpgrade) {
  lock.lock_shared();
  ASSERT_TRUE(lock.try_lock_shared());
  EXPECT_FALSE(lock.try_upgrade());
  lock.unlock_shared();
  EXPECT_TRUE(lock.try_upgrade());
  lock.unlock();
  EXPECT_EQ(state_of(lock), State::free);
}

TEST_P(RWLockTest, DoesNotUpgradePastAWriterThatWaitsToBeNext) {
  lock.lock_shared();
  Holder writer(lock, As::writer);
  writer.await_blocked();
  EXPECT_FALSE(lock.try_upgrade());
  EXPECT_FALSE(writer.is_in());
  lock.unlock_shared();
  writer.await_in();
}

TEST_P(RWLockTest, ADowngradeLetsReadersInAndNoWriterBetween) {
  lock.lock();
  Holder writer(lock, As::writer);
  writer.await_blocked();
  Holder reader(lock, As::reader);
  reader.await_blocked();
  let_sleepers_become_old();
  lock.downgrade();
  reader.await_in();
  EXPECT_FALSE(writer.is_in());
  reader.leave();
  EXPECT_FALSE(writer.is_in());
  lock.unlock_shared();
  writer.await_in();
}

TEST_P(RWLockTest, ADowngradedLockIsShared) {
  lock.lock();
  lock.downgrade();
  EXPECT_EQ(state_of(lock), State::shared);
  ASSERT_TRUE(lock.try_upgrade());
  lock.downgrade();
  lock.unlock_shared();
  EXPECT_EQ(state_of(lock), State::free);
}

// --- who comes next ------------------------------------------------------------------------------

TEST_P(RWLockTest, WritersThatSleepComeInTurn) {
  lock.lock();
  std::deque<Holder> writers;
  for (int i = 0; i < 4; ++i) writers.emplace_back(lock, As::writer).await_blocked();
  let_sleepers_become_old();
  lock.unlock();
  for (std::size_t next = 0; next < writers.size(); ++next) {
    writers[next].await_in();
    for (std::size_t later = next + 1; later < writers.size(); ++later) {
      EXPECT_FALSE(writers[later].is_in());
    }
    writers[next].leave();
  }
}

TEST_P(RWLockTest, AllReadersThatSleepComeInAtOnceThoughAWriterSleepsLonger) {
  lock.lock();
  Holder writer(lock, As::writer);
  writer.await_blocked();
  std::deque<Holder> readers;
  for (int i = 0; i < 3; ++i) readers.emplace_back(lock, As::reader).await_blocked();
  let_sleepers_become_old();
  lock.unlock();
  for (Holder& reader : readers) reader.await_in();
  EXPECT_FALSE(writer.is_in());
  readers.clear();
  writer.await_in();
}

// Phases: a reader waits for one writer at most, and each writer for one phase of readers.
TEST_P(RWLockTest, ReadersAndWritersTakeTurns) {
  lock.lock();
  Holder first_writer(lock, As::writer);
  first_writer.await_blocked();
  Holder second_writer(lock, As::writer);
  second_writer.await_blocked();
  Holder first_reader(lock, As::reader);
  first_reader.await_blocked();
  let_sleepers_become_old();
  lock.unlock();

  first_reader.await_in();
  Holder second_reader(lock, As::reader);  // comes too late for this phase
  second_reader.await_blocked();
  EXPECT_FALSE(first_writer.is_in());
  first_reader.leave();

  first_writer.await_in();
  EXPECT_FALSE(second_reader.is_in());
  let_sleepers_become_old();
  first_writer.leave();

  second_reader.await_in();
  EXPECT_FALSE(second_writer.is_in());
  second_reader.leave();
  second_writer.await_in();
}

// Who is woken, and comes too late, is as old as before.
TEST_P(RWLockTest, WhoAlwaysComesTooLateIsServedInTheEnd) {
  lock.lock();
  std::atomic<bool> written{false};
  ObservedThread writer([&] {
    const WriteGuard guard(lock);
    written = true;
  });
  writer.await_blocked();
  const auto unlock_and_lock_again = [&] {
    lock.unlock();
    lock.lock();
  };
  for (int i = 0; i < 10; ++i) {
    unlock_and_lock_again();
    // Asleep again, unless it was the faster one.
    while (!written && !somebody_sleeps(lock)) std::this_thread::yield();
  }
  let_sleepers_become_old();
  unlock_and_lock_again();
  EXPECT_TRUE(written);
  lock.unlock();
}

TEST_P(RWLockTest, AWriterThatWaitsKeepsNewReadersOut) {
  lock.lock_shared();
  Holder writer(lock, As::writer);
  writer.await_blocked();
  EXPECT_EQ(state_of(lock), State::closed);
  EXPECT_FALSE(lock.try_lock_shared_for(1ms));
  Holder late(lock, As::reader);
  late.await_blocked();
  lock.unlock_shared();
  writer.await_in();
  EXPECT_FALSE(late.is_in());
  writer.leave();
  late.await_in();
}

// Readers that overlap for ever, so that the lock is never without one.
TEST_P(RWLockTest, AWriterGetsInUnderReadersThatComeAgainAndAgain) {
  std::atomic<bool> written{false};
  std::atomic<int> reading{0};
  Event under_way;
  std::vector<std::jthread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      while (!written) {
        const ReadGuard guard(lock);
        ++reading;
        under_way.set();
        // Not before the other one is in too, unless a writer keeps it out.
        while (reading < 2 && !written && lock.try_lock_shared()) {
          lock.unlock_shared();
          std::this_thread::yield();
        }
        --reading;
      }
    });
  }
  EXPECT_EQ(under_way.wait(), WaitStatus::ready);
  const WriteGuard guard(lock);
  written = true;
}

TEST_P(RWLockTest, AReaderGetsInUnderWritersThatComeAgainAndAgain) {
  std::atomic<bool> read{false};
  Event under_way;
  std::vector<std::jthread> writers;
  for (int w = 0; w < 2; ++w) {
    writers.emplace_back([&] {
      while (!read) {
        const WriteGuard guard(lock);
        under_way.set();
      }
    });
  }
  EXPECT_EQ(under_way.wait(), WaitStatus::ready);
  const ReadGuard guard(lock);
  read = true;
}

TEST_P(RWLockTest, AWriterThatGivesUpLetsInWhomItHeldBack) {
  for (const bool by_stop : {true, false}) {
    SCOPED_TRACE(by_stop ? "stopped" : "raised at");
    lock.lock_shared();
    std::stop_source source;
    std::optional<WaitStatus> status;
    ObservedThread writer([&] {
      try {
        status = lock.lock(source.get_token());
      } catch (const std::runtime_error&) {
        EXPECT_FALSE(by_stop);
      }
    });
    writer.await_blocked();
    std::deque<Holder> readers;
    for (int i = 0; i < 2; ++i) readers.emplace_back(lock, As::reader).await_blocked();
    by_stop ? (void)source.request_stop() : raise_at(writer);
    for (Holder& reader : readers) reader.await_in();
    writer.join();
    EXPECT_EQ(status, by_stop ? std::optional(WaitStatus::stopped) : std::nullopt);
    lock.unlock_shared();
  }
}

TEST_P(RWLockTest, AWriterThatTimesOutLetsInWhomItHeldBack) {
  const ReadGuard guard(lock);
  ObservedThread writer([&] { EXPECT_FALSE(lock.try_lock_for(20ms)); });
  writer.await_blocked();
  Holder reader(lock, As::reader);
  reader.await_in();
  EXPECT_EQ(state_of(lock), State::shared);
}

TEST_P(RWLockTest, AWriterThatGivesUpLeavesItsPlaceToTheNext) {
  lock.lock_shared();
  std::stop_source source;
  ObservedThread first([&] { EXPECT_EQ(lock.lock(source.get_token()), WaitStatus::stopped); });
  first.await_blocked();
  Holder second(lock, As::writer);
  second.await_blocked();
  let_sleepers_become_old();
  source.request_stop();
  first.join();
  Holder reader(lock, As::reader);
  reader.await_blocked();
  lock.unlock_shared();
  second.await_in();
  second.leave();
  reader.await_in();
}

// Who leaves the queue is passed over.
TEST_P(RWLockTest, WhoWaitsNoLongerIsNotHandedTheLock) {
  lock.lock();
  std::stop_source source;
  std::deque<ObservedThread> stopped;
  for (const StoppableForm& form : stoppable_forms) {
    stopped
        .emplace_back([&] { EXPECT_EQ(form.call(lock, source.get_token()), WaitStatus::stopped); })
        .await_blocked();
  }
  Holder writer(lock, As::writer);
  writer.await_blocked();
  source.request_stop();
  stopped.clear();
  lock.unlock();
  writer.await_in();
  writer.leave();
  EXPECT_EQ(state_of(lock), State::free);
}

// --- ends of things ------------------------------------------------------------------------------

TEST_P(RWLockTest, MayBeDestroyedByWhoHadItLast) {
  auto own = std::make_unique<RWLock>();
  prepare(*own);
  Holder reader(*own, As::reader);
  reader.await_in();
  ObservedThread writer([&] {
    own->lock();
    own->unlock();
    own.reset();
  });
  writer.await_blocked();
  reader.leave();
  writer.join();
  EXPECT_EQ(own, nullptr);
}

// For ever, so these locks are never destroyed.
TEST_P(RWLockTest, AThreadThatEndsKeepsWhatItShares) {
  static std::vector<std::unique_ptr<RWLock>>& kept = *new std::vector<std::unique_ptr<RWLock>>;
  RWLock& shared = *kept.emplace_back(std::make_unique<RWLock>());
  prepare(shared);
  std::thread([&] { shared.lock_shared(); }).join();
  EXPECT_EQ(state_of(shared), State::shared);
  // Neither its row nor its slot goes to another thread.
  std::thread([&] {
    const ReadGuard guard(shared);
    const ReadGuard other(lock);
  }).join();
  EXPECT_EQ(state_of(shared), State::shared);
  EXPECT_EQ(state_of(lock), State::free);
}

TEST_P(RWLockTest, DestructorsOfThreadLocalObjectsLockAndUnlock) {
  static RWLock* held = nullptr;
  held = &lock;
  struct Reader {
    std::optional<ReadGuard> guard;
    ~Reader() {
      guard.reset();
      const ReadGuard again(*held);
    }
  };
  std::thread([] {
    // Made before the thread has read anything, so destroyed behind all else.
    thread_local Reader reader;
    reader.guard.emplace(*held);
  }).join();
  EXPECT_EQ(state_of(lock), State::free);
}

// --- slots ---------------------------------------------------------------------------------------

TEST_P(RWLockTest, AThreadReadsManyLocksAtOnce) {
  std::array<RWLock, 40> many;  // more than a row has slots
  for (RWLock& one : many) prepare(one);
  for (RWLock& one : many) one.lock_shared();
  for (RWLock& one : many) EXPECT_EQ(state_of(one), State::shared);
  // In another order than they were taken in.
  for (std::size_t i = 0; i < many.size(); ++i) {
    RWLock& one = many[i * 7 % many.size()];
    one.unlock_shared();
    EXPECT_EQ(state_of(one), State::free);
  }
}

TEST_P(RWLockTest, MoreThreadsReadThanThereAreRows) {
  constexpr int threads = 256 + 8;
  std::latch in(threads);
  std::latch leave(1);
  std::vector<std::jthread> readers;
  for (int i = 0; i < threads; ++i) {
    readers.emplace_back([&] {
      const ReadGuard guard(lock);
      in.count_down();
      leave.wait();
    });
  }
  in.wait();
  EXPECT_EQ(state_of(lock), State::shared);
  Holder writer(lock, As::writer);
  writer.await_blocked();
  leave.count_down();
  writer.await_in();
  readers.clear();
  writer.leave();
  EXPECT_EQ(state_of(lock), State::free);
}

TEST(RWLock, RowsOfThreadsThatHaveEndedGoToOthers) {
  RWLock lock;
  let_readers_meet(lock);
  for (int i = 0; i < 300; ++i) {  // more than there are rows
    std::thread([&] {
      const ReadGuard guard(lock);
      EXPECT_NE(ReaderSlots::held(&lock), nullptr);
    }).join();
  }
}

// A writer sleeps on each slot in turn.
TEST_P(RWLockTest, AWriterWaitsForEachOfTheReaders) {
  std::deque<Holder> readers;
  for (int i = 0; i < 4; ++i) readers.emplace_back(lock, As::reader).await_in();
  Holder writer(lock, As::writer);
  writer.await_blocked();
  while (readers.size() > 1) {
    (readers.size() % 2 == 0 ? readers.front() : readers.back()).leave();
    EXPECT_FALSE(writer.is_in());
    readers.size() % 2 == 0 ? readers.pop_front() : readers.pop_back();
  }
  readers.clear();
  writer.await_in();
}

}  // namespace
