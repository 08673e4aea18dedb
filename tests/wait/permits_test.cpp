#include "wait/permits.hpp"

#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"

#include "support/acquire.hpp"
#include "support/in_child.hpp"
#include "support/observed_thread.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::WaitStatus;
using rouse::detail::Acquired;
using rouse::detail::Deadline;
using rouse::detail::Permits;
using rouse::test::acquire;
using rouse::test::in_child;
using rouse::test::ObservedThread;
using rouse::test::permits_site;

Acquired acquire_for(Permits& permits, std::chrono::milliseconds d, std::uint32_t n = 1) {
  return permits.acquire(Deadline::after(d), {}, permits_site, n);
}

// A thread that acquires `n`, and what came of it.
class Acquirer {
 public:
  Acquirer(Permits& permits, std::uint32_t n, std::stop_token stop = {},
           Deadline deadline = Deadline::never())
      : thread_([this, &permits, n, stop = std::move(stop), deadline] {
          outcome_ = permits.acquire(deadline, stop, permits_site, n);
        }) {}

  /// Returns when it waits, in the kernel.
  void await_blocked() const { thread_.await_blocked(); }
  Acquired outcome() {
    thread_.join();
    return outcome_.value();
  }

 private:
  std::optional<Acquired> outcome_;
  ObservedThread thread_;
};

TEST(Permits, AreTakenAndGivenBack) {
  Permits permits(2);
  EXPECT_TRUE(permits.try_acquire());
  EXPECT_EQ(acquire(permits), Acquired::yes);
  EXPECT_EQ(permits.available(), 0U);
  EXPECT_FALSE(permits.try_acquire());
  permits.release();
  EXPECT_EQ(permits.available(), 1U);
  EXPECT_TRUE(permits.try_acquire());
}

TEST(Permits, AreTakenSeveralAtOnce) {
  Permits permits(5);
  EXPECT_TRUE(permits.try_acquire(3));
  EXPECT_FALSE(permits.try_acquire(3));
  EXPECT_EQ(acquire(permits, 2), Acquired::yes);
  permits.release(5);
  EXPECT_EQ(permits.available(), 5U);
}

TEST(Permits, TakeFourBytes) { EXPECT_EQ(sizeof(Permits), 4U); }

TEST(Permits, AreAsManyAsMax) {
  Permits permits(Permits::max);
  EXPECT_EQ(permits.available(), Permits::max);
  EXPECT_TRUE(permits.try_acquire(Permits::max));
  EXPECT_FALSE(permits.try_acquire());
  permits.release(Permits::max);
  EXPECT_EQ(permits.available(), Permits::max);
}

TEST(Permits, GoToWhoWaits) {
  Permits permits(0);
  Acquirer waiter(permits, 1);
  waiter.await_blocked();
  permits.release();
  EXPECT_EQ(waiter.outcome(), Acquired::yes);
  EXPECT_EQ(permits.available(), 0U);
}

TEST(Permits, AreCountedAgainWhenNobodyWaitsAnyMore) {
  Permits permits(0);
  Acquirer waiter(permits, 2);
  waiter.await_blocked();
  permits.release(5);
  EXPECT_EQ(waiter.outcome(), Acquired::yes);
  EXPECT_EQ(permits.available(), 3U);
  EXPECT_TRUE(permits.try_acquire(3));
}

TEST(Permits, AreCollectedForWhoWaitsForSeveral) {
  Permits permits(1);
  Acquirer waiter(permits, 3);
  waiter.await_blocked();
  permits.release();
  EXPECT_EQ(permits.available(), 2U);
  EXPECT_FALSE(permits.try_acquire());  // it would pass the one who waits
  permits.release();
  EXPECT_EQ(waiter.outcome(), Acquired::yes);
  EXPECT_EQ(permits.available(), 0U);
}

TEST(Permits, GoToThoseWhoWaitInTheirOrder) {
  Permits permits(0);
  std::mutex mutex;
  std::vector<int> order;
  std::deque<ObservedThread> threads;
  for (int i = 0; i < 5; ++i) {
    threads
        .emplace_back([&, i] {
          EXPECT_EQ(acquire(permits), Acquired::yes);
          {
            const std::lock_guard guard(mutex);
            order.push_back(i);
          }
          permits.release();
        })
        .await_blocked();
  }
  permits.release();
  for (ObservedThread& thread : threads) thread.join();
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4}));
  EXPECT_EQ(permits.available(), 1U);
}

TEST(Permits, AreNotTakenByWhoComesLaterAndAsksForLess) {
  Permits permits(1);
  Acquirer many(permits, 2);
  many.await_blocked();
  Acquirer few(permits, 1);
  few.await_blocked();
  EXPECT_EQ(acquire_for(permits, 0ms), Acquired::timeout);
  permits.release();
  EXPECT_EQ(many.outcome(), Acquired::yes);
  EXPECT_EQ(permits.available(), 0U);
  permits.release();
  EXPECT_EQ(few.outcome(), Acquired::yes);
}

TEST(Permits, ServeSeveralByOneRelease) {
  Permits permits(0);
  Acquirer first(permits, 2);
  first.await_blocked();
  Acquirer second(permits, 1);
  second.await_blocked();
  Acquirer third(permits, 2);
  third.await_blocked();
  permits.release(4);
  EXPECT_EQ(first.outcome(), Acquired::yes);
  EXPECT_EQ(second.outcome(), Acquired::yes);
  EXPECT_EQ(permits.available(), 1U);
  permits.release();
  EXPECT_EQ(third.outcome(), Acquired::yes);
  EXPECT_EQ(permits.available(), 0U);
}

TEST(Permits, AreNotTakenByAWaitThatTimesOut) {
  Permits permits(1);
  EXPECT_EQ(acquire_for(permits, 1ms, 2), Acquired::timeout);
  EXPECT_EQ(acquire_for(permits, -1ms, 2), Acquired::timeout);
  EXPECT_EQ(permits.available(), 1U);
  EXPECT_TRUE(permits.try_acquire());  // nobody waits any more
}

TEST(Permits, AreGivenEvenThoughTheDeadlineHasPassedAndAStopWasRequested) {
  Permits permits(1);
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(permits.acquire(Deadline::past(), source.get_token(), permits_site), Acquired::yes);
  EXPECT_EQ(permits.acquire(Deadline::past(), source.get_token(), permits_site), Acquired::stopped);
}

TEST(Permits, AreNotTakenByAWaitThatIsStopped) {
  Permits permits(0);
  std::stop_source source;
  Acquirer waiter(permits, 1, source.get_token());
  waiter.await_blocked();
  source.request_stop();
  EXPECT_EQ(waiter.outcome(), Acquired::stopped);
  permits.release();
  EXPECT_EQ(permits.available(), 1U);
}

TEST(Permits, AreNotTakenByAWaitThatIsStoppedByTheAmbientStop) {
  Permits permits(0);
  std::stop_source source;
  std::optional<Acquired> outcome;
  ObservedThread waiter([&] {
    const rouse::this_thread::Bind bind(source.get_token());
    outcome = acquire(permits);
  });
  waiter.await_blocked();
  source.request_stop();
  waiter.join();
  EXPECT_EQ(outcome, Acquired::stopped);
  permits.release();
  EXPECT_EQ(permits.available(), 1U);
}

TEST(Permits, AreNotTakenByAWaitThatThrows) {
  Permits permits(0);
  bool thrown = false;
  ObservedThread waiter([&] {
    try {
      (void)acquire(permits);
    } catch (const std::runtime_error&) {
      thrown = true;
    }
  });
  waiter.await_blocked();
  waiter.block()->raise(std::make_exception_ptr(std::runtime_error("now")));
  waiter.join();
  EXPECT_TRUE(thrown);
  permits.release();
  EXPECT_EQ(permits.available(), 1U);
}

TEST(Permits, AreKeptByWhoIsStoppedOnceTheyWereHandedOver) {
  Permits permits(0);
  std::stop_source source;
  std::optional<Acquired> outcome;
  std::optional<WaitStatus> next;
  ObservedThread waiter([&] {
    outcome = acquire(permits, 1, source.get_token());
    next = rouse::sleep_for(1h, source.get_token());
  });
  waiter.await_blocked();
  permits.release();
  source.request_stop();
  waiter.join();
  EXPECT_EQ(outcome, Acquired::yes);
  EXPECT_EQ(next, WaitStatus::stopped);
}

TEST(Permits, GoOnToTheNextWhenOneWhoWantedManyIsStopped) {
  Permits permits(1);
  std::stop_source source;
  Acquirer many(permits, 3, source.get_token());
  many.await_blocked();
  Acquirer few(permits, 1);
  few.await_blocked();
  source.request_stop();
  EXPECT_EQ(many.outcome(), Acquired::stopped);
  EXPECT_EQ(few.outcome(), Acquired::yes);
  EXPECT_EQ(permits.available(), 0U);
}

TEST(Permits, GoOnToTheNextWhenOneWhoWantedManyTimesOut) {
  Permits permits(2);
  Acquirer many(permits, 3, {}, Deadline::after(20ms));
  many.await_blocked();
  EXPECT_EQ(acquire(permits), Acquired::yes);  // which waits if it comes in time
  EXPECT_EQ(many.outcome(), Acquired::timeout);
  EXPECT_EQ(permits.available(), 1U);
  EXPECT_TRUE(permits.try_acquire());
}

TEST(Permits, StayWithTheFirstWhenOneBehindItIsStopped) {
  Permits permits(1);
  Acquirer first(permits, 2);
  first.await_blocked();
  std::stop_source source;
  Acquirer second(permits, 1, source.get_token());
  second.await_blocked();
  source.request_stop();
  EXPECT_EQ(second.outcome(), Acquired::stopped);
  EXPECT_EQ(permits.available(), 1U);
  EXPECT_FALSE(permits.try_acquire());
  permits.release();
  EXPECT_EQ(first.outcome(), Acquired::yes);
}

TEST(Permits, AreRefusedToAllWhenClosed) {
  Permits permits(1);
  Acquirer first(permits, 2);
  first.await_blocked();
  Acquirer second(permits, 1);
  second.await_blocked();
  permits.close();
  EXPECT_EQ(first.outcome(), Acquired::closed);
  EXPECT_EQ(second.outcome(), Acquired::closed);
  EXPECT_FALSE(permits.try_acquire());
  EXPECT_EQ(acquire(permits), Acquired::closed);
  EXPECT_EQ(permits.available(), 1U);
}

TEST(Permits, AreRefusedThoughAStopWasRequested) {
  Permits permits(0);
  permits.close();
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(acquire(permits, 1, source.get_token()), Acquired::closed);
}

TEST(Permits, AreGivenBackWhileClosedAndGivenAgainWhenReopened) {
  Permits permits(1);
  ASSERT_TRUE(permits.try_acquire());
  permits.close();
  permits.close();
  permits.release();
  EXPECT_EQ(permits.available(), 1U);
  EXPECT_FALSE(permits.try_acquire());
  permits.reopen();
  EXPECT_TRUE(permits.try_acquire());
  Acquirer waiter(permits, 1);
  waiter.await_blocked();
  permits.release();
  EXPECT_EQ(waiter.outcome(), Acquired::yes);
}

TEST(Permits, MayBeDestroyedByTheLastHolder) {
  auto permits = std::make_unique<Permits>(0);
  Permits& shared = *permits;
  ObservedThread waiter([&] {
    EXPECT_EQ(acquire(*permits), Acquired::yes);
    permits.reset();
  });
  waiter.await_blocked();
  shared.release();
  waiter.join();
  EXPECT_EQ(permits, nullptr);
}

TEST(Permits, AreFreeInAForkedChildWhoeverHasWaitedForMore) {
  Permits permits(1);
  Acquirer waiter(permits, 2);
  waiter.await_blocked();
  EXPECT_EQ(in_child([&] {
              if (acquire(permits) != Acquired::yes) return 1;
              permits.release();
              return permits.try_acquire() ? 0 : 2;
            }),
            0);
  permits.release();
  EXPECT_EQ(waiter.outcome(), Acquired::yes);
}

}  // namespace
