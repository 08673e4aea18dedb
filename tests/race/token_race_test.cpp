// Foreign and ambient tokens of one wait: stopped at the same instant, equal, nested, without a
// source, and callbacks that run while they are deregistered.

#include "rouse/wait/event.hpp"
#include "rouse/wait/fd.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/stop_scope.hpp"
#include "rouse/wait/this_thread.hpp"
#include "rouse/wait/wait_any.hpp"

#include "support/on_cpu.hpp"
#include "support/rendezvous.hpp"
#include "support/scale.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::StopScope;
using rouse::WaitStatus;
using rouse::test::delay;
using rouse::test::OnCpu;
using rouse::test::Rendezvous;
using rouse::test::rounds;
using rouse::this_thread::Bind;
using std::chrono::steady_clock;

// The kinds of waits that nothing but a stop ends.
class EndlessWaits {
 public:
  EndlessWaits() = default;
  ~EndlessWaits() { ::close(quiet_); }
  EndlessWaits(const EndlessWaits&) = delete;
  EndlessWaits& operator=(const EndlessWaits&) = delete;

  WaitStatus wait(int kind, const std::stop_token& stop = {}) {
    switch (kind % 4) {
      case 0:
        return never_.wait(stop);
      case 1:
        return rouse::sleep_for(std::chrono::hours::max(), stop);
      case 2:
        return rouse::wait_readable(quiet_, stop);
      default:
        return rouse::wait_any(never_, nor_this_, stop).status;
    }
  }

 private:
  Event never_;
  Event nor_this_;
  const int quiet_ = ::eventfd(0, EFD_CLOEXEC);
};

// Two threads that each do something to what a round has made, at the instant at which it begins.
template <class First, class Second>
class Pair {
 public:
  Pair(int count, First first, Second second)
      : one_([this, count, first] { run(1, count, first); }),
        two_([this, count, second] { run(2, count, second); }) {}

  void begin() noexcept { meet_.arrive(); }
  void end() noexcept { meet_.arrive(); }

 private:
  template <class Act>
  void run(std::size_t cpu, int count, Act act) {
    const OnCpu on_cpu(cpu);
    for (int i = 0; i < count; ++i) {
      meet_.arrive();
      act(i);
      meet_.arrive();
    }
  }

  const OnCpu on_cpu_{0};
  Rendezvous meet_{3};
  std::jthread one_;
  std::jthread two_;
};

TEST(TokenRace, AForeignAndTheAmbientTokenAreStoppedAtTheSameInstant) {
  const int count = rounds(8'000);
  struct Round {
    std::stop_source ambient;
    std::stop_source foreign;
  };
  std::optional<Round> round;
  EndlessWaits waits;
  Pair stoppers(
      count,
      [&](int i) {
        delay(static_cast<unsigned>(i) % 97 * 4);
        round->ambient.request_stop();
      },
      [&](int i) {
        delay(static_cast<unsigned>(i) % 89 * 4);
        round->foreign.request_stop();
      });
  for (int i = 0; i < count; ++i) {
    round.emplace();
    const std::stop_token ambient = round->ambient.get_token();
    const std::stop_token foreign = round->foreign.get_token();
    {
      const Bind bind(ambient);
      stoppers.begin();
      EXPECT_EQ(waits.wait(i, foreign), WaitStatus::stopped);
      EXPECT_TRUE(ambient.stop_requested() || foreign.stop_requested());
    }
    // Each of them still stops what obeys it alone.
    EXPECT_EQ(waits.wait(i + 1, foreign), WaitStatus::stopped);
    {
      const Bind bind(ambient);
      EXPECT_EQ(waits.wait(i + 2), WaitStatus::stopped);
    }
    stoppers.end();
    EXPECT_TRUE(ambient.stop_requested() && foreign.stop_requested());
  }
}

// A token that is given and ambient is registered once, and its stop ends the wait all the same.
TEST(TokenRace, ATokenThatIsGivenIsTheAmbientOne) {
  const int count = rounds(8'000);
  std::optional<StopScope> scope;
  std::optional<Event> event;
  EndlessWaits waits;
  Pair actors(
      count, [&](int) { scope->request_stop(); },
      [&](int i) {
        delay(static_cast<unsigned>(i) % 89 * 4);
        event->set();
      });
  for (int i = 0; i < count; ++i) {
    scope.emplace();
    event.emplace();
    {
      const Bind bind(*scope);
      const std::stop_token token = i % 2 == 0 ? scope->token() : rouse::this_thread::stop_token();
      actors.begin();
      const WaitStatus status = event->wait(token);
      EXPECT_NE(status, WaitStatus::timeout);
      if (status == WaitStatus::ready) {
        EXPECT_TRUE(event->is_set());
      } else {
        EXPECT_TRUE(scope->stop_requested());
      }
      EXPECT_EQ(waits.wait(i, token), WaitStatus::stopped);
    }
    actors.end();
    EXPECT_EQ(event->wait(scope->token()), WaitStatus::ready);
  }
}

// Any of three frames ends a wait in the innermost, whatever they are: tokens, scopes, or one below
// the other.
TEST(TokenRace, NestedBindsAreStoppedFromAllLevels) {
  const int count = rounds(5'000);
  struct Round {
    std::stop_source outer;
    StopScope middle;
    StopScope inner{middle};
    StopScope apart = StopScope::with_deadline(1h);
  };
  std::optional<Round> round;
  EndlessWaits waits;
  Pair stoppers(
      count, [&](int i) { i % 3 == 0 ? (void)round->outer.request_stop() : void(); },
      [&](int i) {
        delay(static_cast<unsigned>(i) % 61 * 4);
        if (i % 3 == 1) round->middle.request_stop();
        if (i % 3 == 2) round->apart.request_stop();
        if (i % 6 == 0) round->inner.request_stop();
      });
  for (int i = 0; i < count; ++i) {
    round.emplace();
    {
      const Bind outer(round->outer.get_token());
      const Bind middle(round->middle);
      const Bind inner(round->inner);
      const Bind apart(round->apart);
      const std::stop_token token = rouse::this_thread::stop_token();
      stoppers.begin();
      EXPECT_EQ(waits.wait(i), WaitStatus::stopped);
      EXPECT_TRUE(token.stop_requested());
      EXPECT_TRUE(round->outer.stop_requested() || round->middle.stop_requested() ||
                  round->inner.stop_requested() || round->apart.stop_requested());
    }
    stoppers.end();
  }
}

// The last source of a token goes while the wait is on: the token can never be requested any more,
// and the wait ends by what else there is.
TEST(TokenRace, TheSourceOfAForeignTokenIsDestroyed) {
  const int count = rounds(5'000);
  std::optional<std::stop_source> foreign;
  std::optional<std::stop_source> ambient;
  EndlessWaits waits;
  Pair actors(
      count,
      [&](int i) {
        if (i % 2 == 0) foreign->request_stop();
        foreign.reset();
      },
      [&](int i) {
        delay(static_cast<unsigned>(i) % 61 * 8);
        ambient->request_stop();
      });
  for (int i = 0; i < count; ++i) {
    foreign.emplace();
    ambient.emplace();
    const std::stop_token token = foreign->get_token();
    {
      const Bind bind(ambient->get_token());
      actors.begin();
      EXPECT_EQ(waits.wait(i, token), WaitStatus::stopped);
      EXPECT_TRUE(token.stop_requested() || ambient->stop_requested());
    }
    actors.end();
    EXPECT_EQ(token.stop_requested(), i % 2 == 0);
  }
}

// The wait ends by its event while the stop runs its callback: neither waits for the other for
// ever, and what the callback leaves behind ends no later wait.
TEST(TokenRace, ACallbackRunsWhileItsWaitLeaves) {
  const int count = rounds(8'000);
  struct Round {
    Event event;
    std::stop_source foreign;
  };
  std::unique_ptr<Round> round;
  Pair actors(
      count,
      [&](int i) {
        delay(static_cast<unsigned>(i) % 53 * 4);
        round->foreign.request_stop();
      },
      [&](int i) {
        delay(static_cast<unsigned>(i) % 59 * 4);
        round->event.set();
      });
  for (int i = 0; i < count; ++i) {
    round = std::make_unique<Round>();
    const std::stop_token token = round->foreign.get_token();
    actors.begin();
    const WaitStatus status = round->event.wait(token);
    EXPECT_TRUE(status == WaitStatus::ready ? round->event.is_set() : token.stop_requested());
    // A hint that came late ends no sleep before its time.
    const auto end = steady_clock::now() + 20us;
    EXPECT_EQ(rouse::sleep_until(end), WaitStatus::timeout);
    EXPECT_GE(steady_clock::now(), end);
    actors.end();
    EXPECT_EQ(round->event.wait(token), WaitStatus::ready);
    EXPECT_EQ(rouse::sleep_for(1h, token), WaitStatus::stopped);
  }
}

// The same from outside: a Bind ends while its token is stopped.
TEST(TokenRace, ABindEndsWhileItsTokenIsStopped) {
  const int count = rounds(8'000);
  std::optional<StopScope> scope;
  Pair stoppers(
      count, [&](int) { scope->request_stop("first"); },
      [&](int i) {
        delay(static_cast<unsigned>(i) % 31);
        scope->request_stop("second");
      });
  for (int i = 0; i < count; ++i) {
    scope.emplace();
    stoppers.begin();
    for (int turn = 0; turn < 3; ++turn) {
      const Bind bind(*scope);
      const Bind again(*scope);
    }
    // Nothing is bound any more.
    EXPECT_FALSE(rouse::this_thread::stop_token().stop_possible());
    EXPECT_EQ(rouse::sleep_for(1us), WaitStatus::timeout);
    stoppers.end();
    EXPECT_EQ(scope->reason().kind, rouse::StopReason::requested);
  }
}

}  // namespace
