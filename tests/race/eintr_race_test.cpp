// A signal every 100 us at each thread, with a handler that interrupts system calls: waits end
// neither early nor late, and nothing is lost.

#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/fd.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/wait_any.hpp"
#include "rouse/wait/wait_hint.hpp"

#include "support/scale.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <stop_token>
#include <system_error>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::Event;
using rouse::StoppableThread;
using rouse::WaitStatus;
using rouse::detail::Deadline;
using rouse::detail::WaitHint;
using rouse::test::rounds;
using std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr auto interval = 100us;

std::atomic<long> signals_handled{0};

extern "C" void count_signal(int) { signals_handled.fetch_add(1, std::memory_order_relaxed); }

// While it lives, the thread that made it gets the signal every `interval`.
class SignalStorm {
 public:
  SignalStorm() {
    struct sigaction action {};
    action.sa_handler = &count_signal;  // without SA_RESTART
    ::sigaction(SIGUSR1, &action, nullptr);
    ::sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGUSR1;
    event._sigev_un._tid = ::gettid();
    if (::timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0) {
      throw std::system_error(errno, std::generic_category(), "timer_create");
    }
    const auto ns = std::chrono::nanoseconds(interval).count();
    const ::itimerspec spec{.it_interval = {0, ns}, .it_value = {0, ns}};
    ::timer_settime(timer_, 0, &spec, nullptr);
  }
  ~SignalStorm() { ::timer_delete(timer_); }
  SignalStorm(const SignalStorm&) = delete;
  SignalStorm& operator=(const SignalStorm&) = delete;

 private:
  ::timer_t timer_{};
};

Seconds cpu_time_of_this_thread() {
  ::rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  const auto seconds = [](const ::timeval& t) {
    return Seconds(static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class EintrRace : public testing::Test {
 protected:
  void TearDown() override { ::close(quiet_); }

  const int quiet_ = ::eventfd(0, EFD_CLOEXEC);
  Event never_;
  Event nor_this_;
  std::stop_source source_;
};

TEST_F(EintrRace, TimedWaitsEndNeitherEarlyNorLate) {
  struct Kind {
    const char* name;
    std::function<WaitStatus(steady_clock::time_point)> wait;
  };
  const std::stop_token stop = source_.get_token();
  StoppableThread endless([] { (void)rouse::sleep_for(1h); });
  endless.start();
  const Kind kinds[] = {
      {"Event::wait_until", [&](auto t) { return never_.wait_until(t, stop); }},
      {"sleep_until", [&](auto t) { return rouse::sleep_until(t, stop); }},
      {"wait_any", [&](auto t) { return rouse::wait_any(never_, nor_this_, t, stop).status; }},
      {"wait_readable_until", [&](auto t) { return rouse::wait_readable_until(quiet_, t, stop); }},
      {"wait_readable_until without a stop",
       [&](auto t) { return rouse::wait_readable_until(quiet_, t); }},
      {"wait_fds_until",
       [&](auto t) {
         std::array<::pollfd, 1> fds{{{quiet_, POLLIN, 0}}};
         return rouse::wait_fds_until(fds, t, stop);
       }},
      {"WaitHint::wait",
       [&](auto t) {
         return WaitHint().wait({}, {"hint", 0}, Deadline::at(t), stop);
       }},
      {"WaitHint::wait for a descriptor",
       [&](auto t) {
         std::array<::pollfd, 1> fds{{{quiet_, POLLIN, 0}}};
         return WaitHint().wait(fds, {"hint", 0}, Deadline::at(t), stop);
       }},
      {"StoppableThread::wait_until", [&](auto t) { return endless.wait_until(t, stop); }},
  };
  for (const Kind& kind : kinds) {
    SCOPED_TRACE(kind.name);
    std::jthread([&] {
      (void)rouse::sleep_for(1us);
      const SignalStorm storm;
      const Seconds cpu_before = cpu_time_of_this_thread();
      const auto begin = steady_clock::now();
      steady_clock::duration latest{};
      double rate = 0;  // the best of all waits: a thread that gets no CPU gets no signals
      for (int i = 0; i < 4; ++i) {
        const long handled_before = signals_handled;
        const auto start = steady_clock::now();
        const auto end = start + 23ms;
        EXPECT_EQ(kind.wait(end), WaitStatus::timeout);
        EXPECT_GE(steady_clock::now(), end);
        latest = std::max(latest, steady_clock::now() - end);
        rate = std::max(rate, static_cast<double>(signals_handled - handled_before) /
                                  Seconds(steady_clock::now() - start).count());
      }
      const Seconds elapsed = steady_clock::now() - begin;
      const Seconds cpu = cpu_time_of_this_thread() - cpu_before;
      std::printf("figure: eintr %s: %.1f kHz, %.1f %% of a CPU, at most %.2f ms late\n", kind.name,
                  rate * 1e-3, 100 * cpu / elapsed, Seconds(latest).count() * 1e3);
      // A time-out that began again at each signal would never end.
      EXPECT_LT(latest, 2s);
      // Near 10 kHz; a machine that is busy runs one handler for several signals. ThreadSanitizer
      // puts signals off, and blocks them meanwhile, until the thread makes a call that it knows.
      if (!rouse::test::under_tsan) {
        EXPECT_GT(rate, 3'000.0);
      }
      // A wait that spun would take all of it.
      EXPECT_LT(cpu / elapsed, rouse::test::under_sanitizer ? 0.95 : 0.7);
    }).join();
  }
  endless.request_stop();
  endless.join();
}

// Setters, waiters and the locks between them are interrupted: what is set is got.
TEST_F(EintrRace, ConservesPermitsWhileSettersAndWaitersAreInterrupted) {
  const int permits = rounds(20'000);
  Event work;
  std::atomic<int> offered{0};
  std::atomic<int> taken{0};
  {
    std::vector<std::jthread> threads;
    for (int c = 0; c < 2; ++c) {
      threads.emplace_back([&, c] {
        const SignalStorm storm;
        while (taken < 2 * permits) {
          const WaitStatus status = c == 0 ? work.wait() : work.wait_for(50us);
          if (status != WaitStatus::ready) continue;
          work.clear();
          taken += offered.exchange(0);
        }
        work.set();  // the other consumer may have seen the last permit go
      });
    }
    for (int p = 0; p < 2; ++p) {
      threads.emplace_back([&] {
        const SignalStorm storm;
        for (int i = 0; i < permits; ++i) {
          offered.fetch_add(1);
          work.set();
          if (i % 64 == 0) std::this_thread::yield();
        }
      });
    }
  }
  EXPECT_EQ(taken, 2 * permits);
}

TEST_F(EintrRace, OneSetReleasesMoreWaitersThanOneBatch) {
  constexpr int waiters = 40;
  const int count = rounds(10);
  for (int i = 0; i < count; ++i) {
    Event event;
    std::atomic<int> began{0};
    std::atomic<int> released{0};
    {
      std::vector<std::jthread> threads;
      for (int w = 0; w < waiters; ++w) {
        threads.emplace_back([&] {
          const SignalStorm storm;
          ++began;
          if (event.wait() == WaitStatus::ready) ++released;
        });
      }
      const SignalStorm storm;
      while (began < waiters) std::this_thread::yield();
      event.set();
    }
    EXPECT_EQ(released, waiters);
  }
}

TEST_F(EintrRace, StopsArriveInWaitsThatAreInterrupted) {
  const int count = rounds(400);
  for (int i = 0; i < count; ++i) {
    std::atomic<bool> began{false};
    WaitStatus status = WaitStatus::timeout;
    StoppableThread thread([&] {
      const SignalStorm storm;
      began = true;
      switch (i % 5) {
        case 0:
          status = never_.wait();
          break;
        case 1:
          status = rouse::sleep_for(1h);
          break;
        case 2:
          status = rouse::wait_readable(quiet_);
          break;
        case 3: {
          std::array<::pollfd, 1> fds{{{quiet_, POLLIN, 0}}};
          status = WaitHint().wait(fds, {"hint", 0}, Deadline::never(), {});
          break;
        }
        default:
          status = rouse::wait_any(never_, nor_this_).status;
          break;
      }
    });
    thread.start();
    while (!began) std::this_thread::yield();
    const long handled = signals_handled;
    // Under ThreadSanitizer the signal may be put off until the wait ends.
    while (!rouse::test::under_tsan && i % 2 == 0 && signals_handled == handled) {
      std::this_thread::yield();
    }
    const SignalStorm storm;
    thread.request_stop();
    thread.join();
    ASSERT_EQ(status, WaitStatus::stopped);
  }
}

}  // namespace
