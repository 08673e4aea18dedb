#include "rouse/wait/stop_scope.hpp"

#include "rouse/wait/event.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"

#include "support/observed_thread.hpp"
#include "support/scale.hpp"

#include <atomic>
#include <chrono>
#include <latch>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::StopReason;
using rouse::StopScope;
using rouse::WaitStatus;
using rouse::test::ObservedThread;
using rouse::this_thread::Bind;
using std::chrono::steady_clock;

TEST(StopScope, IsStoppedByItsRequest) {
  StopScope scope;
  EXPECT_FALSE(scope.stop_requested());
  EXPECT_EQ(scope.reason().kind, StopReason::none);
  EXPECT_TRUE(scope.request_stop());
  EXPECT_TRUE(scope.stop_requested());
  EXPECT_TRUE(scope.token().stop_requested());
  EXPECT_EQ(scope.reason().kind, StopReason::requested);
}

TEST(StopScope, KeepsTheFirstReason) {
  StopScope scope;
  EXPECT_TRUE(scope.request_stop({StopReason::signal, 15}));
  EXPECT_FALSE(scope.request_stop("too late"));
  EXPECT_EQ(scope.reason().kind, StopReason::signal);
  EXPECT_EQ(scope.reason().code, 15);
}

TEST(StopScope, KeepsTextAndNegativeCodes) {
  StopScope scope;
  scope.request_stop({StopReason::requested, -7, "disk full"});
  EXPECT_EQ(scope.reason().code, -7);
  EXPECT_EQ(std::string(scope.reason().text), "disk full");
}

TEST(StopScope, IsStoppedByNoReasonToo) {
  StopScope scope;
  EXPECT_TRUE(scope.request_stop(StopReason::none));
  EXPECT_FALSE(scope.request_stop());
  EXPECT_EQ(scope.reason().kind, StopReason::requested);
}

TEST(StopScope, StopsItsDescendantsForTheSameReason) {
  StopScope root;
  StopScope child(root);
  StopScope grandchild(child);
  root.request_stop({StopReason::signal, 2, "SIGINT"});
  EXPECT_TRUE(grandchild.stop_requested());
  EXPECT_EQ(grandchild.reason().kind, StopReason::signal);
  EXPECT_EQ(grandchild.reason().code, 2);
  EXPECT_EQ(std::string(grandchild.reason().text), "SIGINT");
}

TEST(StopScope, DoesNotStopItsParentOrSiblings) {
  StopScope root;
  StopScope child(root);
  StopScope sibling(root);
  child.request_stop();
  EXPECT_FALSE(root.stop_requested());
  EXPECT_FALSE(sibling.stop_requested());
}

TEST(StopScope, IsBornStoppedUnderAStoppedParent) {
  StopScope root;
  root.request_stop("gone");
  const StopScope child(root);
  EXPECT_TRUE(child.stop_requested());
  EXPECT_EQ(std::string(child.reason().text), "gone");
}

TEST(StopScope, FollowsABareToken) {
  std::stop_source source;
  StopScope scope(source.get_token());
  EXPECT_FALSE(scope.stop_requested());
  source.request_stop();
  EXPECT_TRUE(scope.stop_requested());
  EXPECT_EQ(scope.reason().kind, StopReason::requested);
}

TEST(StopScope, IsARootUnderAnEmptyToken) {
  StopScope scope(std::stop_token{});
  EXPECT_FALSE(scope.stop_requested());
  EXPECT_TRUE(scope.request_stop());
}

TEST(StopScope, TokensOutliveIt) {
  std::stop_token token;
  {
    StopScope scope;
    token = scope.token();
    scope.request_stop();
  }
  EXPECT_TRUE(token.stop_requested());
}

TEST(StopScope, DestroyingItRequestsNothing) {
  std::optional<StopScope> scope(std::in_place);
  const std::stop_token token = scope->token();
  scope.reset();
  EXPECT_FALSE(token.stop_requested());
}

TEST(StopScope, HasTheEarliestDeadlineUpTheTree) {
  StopScope root;
  EXPECT_EQ(root.deadline(), steady_clock::time_point::max());
  const auto soon = steady_clock::now() + 1h;
  StopScope near = StopScope::with_deadline(soon, root);
  StopScope far = StopScope::with_deadline(soon + 1h, near);
  const StopScope nearer = StopScope::with_deadline(soon - 1min, far);
  EXPECT_EQ(near.deadline(), soon);
  EXPECT_EQ(far.deadline(), soon);
  EXPECT_EQ(nearer.deadline(), soon - 1min);
  EXPECT_EQ(StopScope::with_deadline(std::chrono::hours::max()).deadline(),
            steady_clock::time_point::max());
}

TEST(StopScope, EndsTheWaitsThatAreBoundToItAtItsDeadline) {
  StopScope scope = StopScope::with_deadline(10ms);
  const auto begin = steady_clock::now();
  const Bind bind(scope);
  rouse::Event event;
  EXPECT_EQ(event.wait(), WaitStatus::stopped);
  EXPECT_GE(steady_clock::now() - begin, 10ms);
  EXPECT_TRUE(scope.stop_requested());
  EXPECT_EQ(scope.reason().kind, StopReason::deadline);
  EXPECT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
}

TEST(StopScope, LetsAnEarlierTimeOutOfTheWaitBe) {
  StopScope scope = StopScope::with_deadline(1h);
  const Bind bind(scope);
  EXPECT_EQ(rouse::sleep_for(1ms), WaitStatus::timeout);
  EXPECT_FALSE(scope.stop_requested());
}

TEST(StopScope, WhoseDeadlineIsPastStopsTheFirstWait) {
  StopScope scope = StopScope::with_deadline(-1s);
  const Bind bind(scope);
  EXPECT_FALSE(scope.stop_requested());  // nobody watches the clock but waits
  EXPECT_EQ(rouse::sleep_for(0s), WaitStatus::stopped);
  EXPECT_EQ(scope.reason().kind, StopReason::deadline);
}

TEST(StopScope, DeadlineStopsTheScopeItBelongsToWithAllBelow) {
  StopScope root;
  StopScope request = StopScope::with_deadline(5ms, root);
  StopScope step(request);
  StopScope other_step(request);
  const Bind bind(step);
  EXPECT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
  EXPECT_EQ(request.reason().kind, StopReason::deadline);
  EXPECT_EQ(step.reason().kind, StopReason::deadline);
  EXPECT_TRUE(other_step.stop_requested());
  EXPECT_FALSE(root.stop_requested());
}

TEST(StopScope, DeadlineWakesOtherThreadsThatOnlyHaveTheToken) {
  StopScope scope = StopScope::with_deadline(5ms);
  std::optional<WaitStatus> status;
  ObservedThread other([&] { status = rouse::sleep_for(1h, scope.token()); });
  other.await_blocked();
  {
    const Bind bind(scope);
    EXPECT_EQ(rouse::sleep_for(1h), WaitStatus::stopped);
  }
  other.join();
  EXPECT_EQ(status, WaitStatus::stopped);
}

TEST(StopScope, TakesATokenAsTheParentOfADeadline) {
  std::stop_source source;
  StopScope scope = StopScope::with_deadline(1h, source.get_token());
  source.request_stop();
  EXPECT_EQ(scope.reason().kind, StopReason::requested);
}

TEST(StopScope, OfManyRequestersExactlyOneDecides) {
  for (int round = 0; round < rouse::test::rounds(500); ++round) {
    StopScope root;
    StopScope child(root);
    std::atomic<int> decided{0};
    std::latch start(3);
    const auto request = [&](int code) {
      start.arrive_and_wait();
      const bool first = child.request_stop({StopReason::requested, code});
      // Whoever lost finds it stopped all the same, with a reason.
      EXPECT_TRUE(child.stop_requested());
      EXPECT_EQ(child.reason().kind, StopReason::requested);
      if (first) {
        ++decided;
        EXPECT_EQ(child.reason().code, code);
      }
    };
    {
      std::jthread a(request, 1);
      std::jthread b(request, 2);
      start.arrive_and_wait();
      root.request_stop({StopReason::requested, 3});
    }
    EXPECT_EQ(decided + (child.reason().code == 3 ? 1 : 0), 1);
  }
}

}  // namespace
