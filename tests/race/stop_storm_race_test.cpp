// Many threads in every kind of wait, and stops, signals and deadlines from all sides: everything
// ends, and every status that is told is true.

#include "rouse/thread/stop_all.hpp"
#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/fd.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/stop_scope.hpp"
#include "rouse/wait/this_thread.hpp"
#include "rouse/wait/wait_any.hpp"
#include "rouse/wait/wait_hint.hpp"

#include "support/rendezvous.hpp"
#include "support/scale.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <latch>
#include <random>
#include <stop_token>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::StoppableThread;
using rouse::StopScope;
using rouse::WaitStatus;
using rouse::detail::Deadline;
using rouse::detail::WaitHint;
using rouse::test::delay;
using rouse::test::rounds;
using rouse::this_thread::Bind;
using std::chrono::steady_clock;

// What the threads of one round share: what they wait for, and what stops them.
class Stage {
 public:
  Stage() = default;
  ~Stage() {
    ::close(quiet);
    ::close(loud);
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  // One wait of a random kind, of which it checks what it tells.
  WaitStatus wait(std::minstd_rand& random) {
    const std::stop_token ambient = rouse::this_thread::stop_token();
    const std::stop_token token = random() % 2 == 0 ? foreign.get_token() : std::stop_token{};
    const bool endless = random() % 4 == 0;
    const auto until = endless ? steady_clock::time_point::max()
                               : steady_clock::now() + std::chrono::microseconds(random() % 40);
    WaitStatus status = WaitStatus::timeout;
    bool ready_is_true = false;  // whether `ready` is what may be told
    switch (random() % 9) {
      case 0:
        status = lasting.wait_until(until, token);
        ready_is_true = lasting.is_set();
        break;
      case 1:
        status = passing.wait_until(until, token);
        ready_is_true = true;
        break;
      case 2: {
        const rouse::AnyReady woken = rouse::wait_any(passing, lasting, until, token);
        status = woken.status;
        ready_is_true = woken.index == 0 || lasting.is_set();
        break;
      }
      case 3:
        status = rouse::sleep_until(until, token);
        break;
      case 4:
        status = rouse::wait_readable_until(quiet, until, token);
        break;
      case 5: {
        std::array<::pollfd, 2> fds{{{quiet, POLLIN, 0}, {loud, POLLIN, 0}}};
        status = rouse::wait_fds_until(fds, until, token);
        ready_is_true = fds[0].revents == 0 && fds[1].revents == POLLIN && loud_is_ready;
        break;
      }
      case 6:
        status = joined.wait_until(until, token);
        ready_is_true = !joined.running();
        break;
      case 7: {
        WaitHint hint;
        std::array<::pollfd, 2> fds{{{quiet, POLLIN, 0}, {loud, POLLIN, 0}}};
        status = hint.wait(fds, {"hint", 0}, Deadline::at(until), token);
        ready_is_true = fds[0].revents == 0 && fds[1].revents == POLLIN && loud_is_ready;
        break;
      }
      default: {
        StopScope inner = StopScope::with_deadline(std::chrono::microseconds(random() % 40));
        const Bind bind(inner);
        status = lasting.wait_until(until, token);
        ready_is_true = lasting.is_set();
        if (status == WaitStatus::stopped && inner.stop_requested()) {
          EXPECT_EQ(inner.reason().kind, rouse::StopReason::deadline);
          return WaitStatus::timeout;  // of the inner scope
        }
        break;
      }
    }
    switch (status) {
      case WaitStatus::ready:
        EXPECT_TRUE(ready_is_true);
        break;
      case WaitStatus::stopped:
        EXPECT_TRUE(ambient.stop_requested() || token.stop_requested());
        break;
      case WaitStatus::timeout:
        EXPECT_GE(steady_clock::now(), until);
        break;
    }
    return status;
  }

  void make_loud() {
    const std::uint64_t one = 1;
    loud_is_ready = true;
    EXPECT_EQ(::write(loud, &one, sizeof one), static_cast<ssize_t>(sizeof one));
  }

  Event lasting;  // once set it stays so
  Event passing;
  const int quiet = ::eventfd(0, EFD_CLOEXEC);
  const int loud = ::eventfd(0, EFD_CLOEXEC);
  std::atomic<bool> loud_is_ready{false};
  std::stop_source foreign;
  StoppableThread joined{[] { (void)rouse::sleep_for(1h); }};
  StopScope root;
  StopScope branch{root};
  StopScope timed = StopScope::with_deadline(500us, root);
};

TEST(StopStormRace, EverythingEndsAndEveryStatusIsTrue) {
  const int count = rounds(150);
  constexpr unsigned waiters = 9;
  for (int i = 0; i < count; ++i) {
    Stage stage;
    stage.joined.start();
    std::atomic<int> ended{0};
    std::deque<StoppableThread> threads;
    for (unsigned t = 0; t < waiters; ++t) {
      threads.emplace_back([&, t] {
        std::minstd_rand random(static_cast<unsigned>(i) * waiters + t + 1);
        StopScope& scope = t % 3 == 0 ? stage.root : t % 3 == 1 ? stage.branch : stage.timed;
        const Bind bind(scope);
        while (stage.wait(random) != WaitStatus::stopped ||
               !rouse::this_thread::stop_token().stop_requested()) {
        }
        ++ended;
      });
      threads.back().start();
    }
    std::vector<std::function<void()>> attacks{
        [&] { EXPECT_TRUE(rouse::stop_all(threads, 1min)); },
        [&] { stage.root.request_stop("root"); },
        [&] { stage.branch.request_stop("branch"); },
        [&] { stage.foreign.request_stop(); },
        [&] { stage.lasting.set(); },
        [&] { stage.make_loud(); },
        [&] { stage.joined.request_stop(); },
        [&] {
          for (int turn = 0; turn < 20; ++turn) {
            stage.passing.set();
            stage.passing.clear();
          }
        },
        [&] {
          for (StoppableThread& thread : threads) thread.request_stop();
        },
    };
    // From three sides, in an order of chance; stop_all ends whoever is left.
    std::minstd_rand random(static_cast<unsigned>(i) + 1);
    std::shuffle(attacks.begin(), attacks.end(), random);
    {
      rouse::test::Rendezvous meet(3);
      std::vector<std::jthread> attackers;
      for (std::size_t a = 0; a < 3; ++a) {
        attackers.emplace_back([&, a] {
          meet.arrive();
          for (std::size_t next = a; next < attacks.size(); next += 3) {
            delay(static_cast<unsigned>(i) % 41 * 64);
            attacks[next]();
          }
        });
      }
    }
    EXPECT_EQ(ended, static_cast<int>(waiters));
    stage.joined.join();
  }
}

// Many threads wait with one foreign token that is stopped while they come and go.
TEST(StopStormRace, ThreadsComeAndGoWithATokenThatIsStopped) {
  const int count = rounds(60);
  for (int i = 0; i < count; ++i) {
    std::stop_source shared;
    Event event;
    std::atomic<int> ended{0};
    std::latch start(9);
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&] {
        start.arrive_and_wait();
        while (event.wait_for(2us, shared.get_token()) != WaitStatus::stopped) {
        }
        ++ended;
      });
    }
    start.arrive_and_wait();
    event.set();
    event.clear();
    shared.request_stop();
    threads.clear();
    EXPECT_EQ(ended, 8);
  }
}

}  // namespace
