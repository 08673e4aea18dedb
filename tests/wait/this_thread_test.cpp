#include "rouse/wait/this_thread.hpp"

#include "rouse/wait/event.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/sleep.hpp"

#include "support/observed_thread.hpp"

#include <chrono>
#include <optional>
#include <stop_token>
#include <thread>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::StopReason;
using rouse::StopScope;
using rouse::WaitStatus;
using rouse::test::ObservedThread;
using rouse::this_thread::Bind;
using rouse::this_thread::stop_token;

TEST(ThisThread, HasNoStopTokenUnlessOneIsBound) {
  std::jthread([] { EXPECT_FALSE(stop_token().stop_possible()); }).join();
  EXPECT_FALSE(stop_token().stop_possible());
  EXPECT_EQ(rouse::sleep_for(1ms), WaitStatus::timeout);
}

TEST(Bind, MakesATokenTheAmbientStop) {
  std::stop_source source;
  {
    const Bind bind(source.get_token());
    EXPECT_EQ(stop_token(), source.get_token());
    source.request_stop();
    EXPECT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
  }
  EXPECT_FALSE(stop_token().stop_possible());
  EXPECT_EQ(rouse::sleep_for(1ms), WaitStatus::timeout);
}

TEST(Bind, AdoptsTheStopOfAJthread) {
  std::optional<WaitStatus> status;
  {
    const std::jthread thread([&](std::stop_token stop) {
      const Bind bind(stop);
      status = rouse::sleep_for(1h);
    });
  }
  EXPECT_EQ(status, WaitStatus::stopped);
}

TEST(Bind, OfAnInnerTokenKeepsTheOuterInForce) {
  for (const bool stop_outer : {true, false}) {
    std::stop_source outer;
    std::stop_source inner;
    std::optional<WaitStatus> status;
    bool token_tells = false;
    ObservedThread thread([&] {
      const Bind bind_outer(outer.get_token());
      const Bind bind_inner(inner.get_token());
      status = rouse::sleep_for(1h);
      token_tells = stop_token().stop_requested();
    });
    thread.await_blocked();
    (stop_outer ? outer : inner).request_stop();
    thread.join();
    EXPECT_EQ(status, WaitStatus::stopped) << stop_outer;
    EXPECT_TRUE(token_tells) << stop_outer;
  }
}

TEST(Bind, OfAChildScopeNeedsNoLink) {
  StopScope outer;
  StopScope child(outer);
  const Bind bind_outer(outer);
  const Bind bind_child(child);
  EXPECT_EQ(stop_token(), child.token());
}

TEST(Bind, OfAnUnrelatedScopeObeysBothDeadlinesAndStops) {
  StopScope outer = StopScope::with_deadline(5ms);
  StopScope inner = StopScope::with_deadline(1h);
  const Bind bind_outer(outer);
  const Bind bind_inner(inner);
  EXPECT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
  EXPECT_EQ(outer.reason().kind, StopReason::deadline);
  EXPECT_FALSE(inner.stop_requested());
}

TEST(Bind, KeepsTheOuterDeadlineWhereTheInnerScopeHangsOnTheOuterToken) {
  StopScope outer = StopScope::with_deadline(5ms);
  const Bind bind_outer(outer);
  {
    StopScope inner(stop_token());
    const Bind bind_inner(inner);
    EXPECT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
    EXPECT_EQ(outer.reason().kind, StopReason::deadline);
  }
}

TEST(Bind, KeepsTheEarlierOfTwoDeadlinesWhicheverScopeHasIt) {
  StopScope outer = StopScope::with_deadline(1h);
  const Bind bind_outer(outer);
  StopScope inner = StopScope::with_deadline(5ms, stop_token());
  const Bind bind_inner(inner);
  EXPECT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
  EXPECT_EQ(inner.reason().kind, StopReason::deadline);
  EXPECT_FALSE(outer.stop_requested());
}

TEST(Bind, OfAScopeWhoseTokenIsBoundAddsItsDeadline) {
  StopScope scope = StopScope::with_deadline(5ms);
  const Bind bind_token(scope.token());
  const Bind bind_scope(scope);
  EXPECT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
  EXPECT_EQ(scope.reason().kind, StopReason::deadline);
}

TEST(Bind, EndsInTheStateThatWasBefore) {
  std::stop_source outer;
  std::stop_source inner;
  const Bind bind_outer(outer.get_token());
  {
    const Bind bind_inner(inner.get_token());
    inner.request_stop();
    EXPECT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
  }
  EXPECT_EQ(stop_token(), outer.get_token());
  EXPECT_EQ(rouse::sleep_for(1ms), WaitStatus::timeout);
}

TEST(Bind, OfAnEmptyTokenChangesNothing) {
  const Bind nothing{std::stop_token{}};
  EXPECT_EQ(rouse::sleep_for(1ms), WaitStatus::timeout);
  std::stop_source outer;
  const Bind bind(outer.get_token());
  const Bind inner{std::stop_token{}};
  outer.request_stop();
  EXPECT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
}

TEST(Bind, OfTheSameTokenTwiceIsHarmless) {
  std::stop_source source;
  const Bind first(source.get_token());
  const Bind second(source.get_token());
  EXPECT_EQ(stop_token(), source.get_token());
  source.request_stop();
  EXPECT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
}

TEST(Shield, HoldsTheAmbientStopBack) {
  std::stop_source source;
  const Bind bind(source.get_token());
  source.request_stop();
  {
    const rouse::Shield outer;
    const rouse::Shield nested;
    EXPECT_FALSE(stop_token().stop_possible());
    EXPECT_EQ(rouse::sleep_for(1ms), WaitStatus::timeout);
    rouse::Event event;
    EXPECT_EQ(event.wait_for(1ms), WaitStatus::timeout);
  }
  EXPECT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
}

TEST(Shield, HoldsADeadlineOfABoundScopeBack) {
  StopScope scope = StopScope::with_deadline(-1s);
  const Bind bind(scope);
  {
    const rouse::Shield shield;
    EXPECT_EQ(rouse::sleep_for(1ms), WaitStatus::timeout);
    EXPECT_FALSE(scope.stop_requested());
  }
  EXPECT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
}

TEST(Shield, DoesNotHoldBackATokenThatIsGivenByName) {
  std::stop_source source;
  const Bind bind(source.get_token());
  std::optional<WaitStatus> status;
  ObservedThread thread([&] {
    const rouse::Shield shield;
    status = rouse::sleep_for(1h, source.get_token());
  });
  thread.await_blocked();
  source.request_stop();
  thread.join();
  EXPECT_EQ(status, WaitStatus::stopped);
}

TEST(Shield, LosesNoStopThatCameDuringAShieldedWait) {
  std::stop_source source;
  rouse::Event event;
  std::optional<WaitStatus> shielded;
  std::optional<WaitStatus> after;
  ObservedThread thread([&] {
    const Bind bind(source.get_token());
    {
      const rouse::Shield shield;
      shielded = event.wait();
    }
    after = rouse::sleep_for(1h);
  });
  thread.await_blocked();
  source.request_stop();
  event.set();
  thread.join();
  EXPECT_EQ(shielded, WaitStatus::ready);
  EXPECT_EQ(after, WaitStatus::stopped);
}

}  // namespace
