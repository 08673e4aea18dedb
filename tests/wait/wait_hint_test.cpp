// A hint ends a wait, with descriptors or without, and stays until it is taken.

#include "rouse/wait/wait_hint.hpp"

#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/this_thread.hpp"

#include "support/in_child.hpp"
#include "support/observed_thread.hpp"
#include "support/pipe.hpp"
#include "wait/control_block.hpp"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::StoppableThread;
using rouse::WaitStatus;
using rouse::detail::BlockSite;
using rouse::detail::ControlBlock;
using rouse::detail::Deadline;
using rouse::detail::WaitHint;
using rouse::test::ObservedThread;
using rouse::test::Pipe;
using rouse::this_thread::Bind;
using std::chrono::steady_clock;

constexpr BlockSite hint_site{"wait_hint_test", 7};

// A thread with a hint of its own, in which it blocks.
class HintedThread {
 public:
  template <class Body>
  explicit HintedThread(Body body)
      : thread_([this, body] {
          WaitHint hint;
          hint_ = &hint;
          body(hint);
        }) {
    thread_.await_blocked();
  }

  WaitHint& hint() { return *hint_; }
  ControlBlock& block() { return *thread_.block(); }
  void await_blocked() const { thread_.await_blocked(); }
  void join() { thread_.join(); }

 private:
  WaitHint* hint_ = nullptr;
  ObservedThread thread_;
};

WaitStatus wait_for_one(WaitHint& hint, ::pollfd& polled, Deadline deadline = Deadline::never(),
                        const std::stop_token& stop = {}) {
  return hint.wait({&polled, 1}, hint_site, deadline, stop);
}

enum class Form { without_descriptors, with_a_descriptor };

class WaitHintOf : public testing::TestWithParam<Form> {
 protected:
  WaitStatus wait(WaitHint& hint, Deadline deadline = Deadline::never(),
                  const std::stop_token& stop = {}) const {
    ::pollfd quiet{pipe_.read_end(), POLLIN, 0};
    const std::span<::pollfd> all(&quiet, 1);
    const WaitStatus status = hint.wait(GetParam() == Form::with_a_descriptor ? all : all.first(0),
                                        hint_site, deadline, stop);
    EXPECT_EQ(quiet.revents, 0);
    return status;
  }

 private:
  const Pipe pipe_;
};

INSTANTIATE_TEST_SUITE_P(Wait, WaitHintOf,
                         testing::Values(Form::without_descriptors, Form::with_a_descriptor),
                         [](const auto& test) {
                           return test.param == Form::with_a_descriptor ? "WithADescriptor"
                                                                        : "WithoutDescriptors";
                         });

TEST_P(WaitHintOf, EndsAWaitThatBeginsAfterIt) {
  WaitHint hint;
  EXPECT_FALSE(hint.take());
  hint.give();
  EXPECT_EQ(wait(hint), WaitStatus::ready);
  EXPECT_TRUE(hint.take());
  EXPECT_FALSE(hint.take());
}

TEST_P(WaitHintOf, EndsAWaitThatIsOn) {
  HintedThread waiter([&](WaitHint& hint) {
    EXPECT_EQ(wait(hint), WaitStatus::ready);
    EXPECT_TRUE(hint.take());
    EXPECT_FALSE(hint.take());
  });
  waiter.hint().give();
}

TEST_P(WaitHintOf, StaysUntilItIsTaken) {
  WaitHint hint;
  hint.give();
  EXPECT_EQ(wait(hint), WaitStatus::ready);
  EXPECT_EQ(wait(hint), WaitStatus::ready);
  EXPECT_TRUE(hint.take());
  EXPECT_EQ(wait(hint, Deadline::after(1ms)), WaitStatus::timeout);
}

TEST_P(WaitHintOf, IsOneIfSeveralThreadsGiveIt) {
  std::latch given(8);
  HintedThread waiter([&](WaitHint& hint) {
    EXPECT_EQ(wait(hint), WaitStatus::ready);
    given.wait();
    EXPECT_TRUE(hint.take());
    EXPECT_FALSE(hint.take());
    EXPECT_EQ(wait(hint, Deadline::after(1ms)), WaitStatus::timeout);
  });
  std::vector<std::jthread> givers;
  for (int i = 0; i < 8; ++i) {
    givers.emplace_back([&] {
      waiter.hint().give();
      given.count_down();
    });
  }
  waiter.join();
}

TEST_P(WaitHintOf, ConcernsNoOtherHintOfTheThread) {
  WaitHint mine;
  WaitHint other;
  other.give();
  EXPECT_EQ(wait(mine, Deadline::after(1ms)), WaitStatus::timeout);
  EXPECT_FALSE(mine.take());
  EXPECT_EQ(wait(other), WaitStatus::ready);
}

TEST_P(WaitHintOf, LeavesTheTimeToAWaitThatIsNotGivenIt) {
  WaitHint hint;
  const auto begin = steady_clock::now();
  EXPECT_EQ(wait(hint, Deadline::after(10ms)), WaitStatus::timeout);
  EXPECT_GE(steady_clock::now() - begin, 10ms);
  EXPECT_EQ(wait(hint, Deadline::past()), WaitStatus::timeout);
}

TEST_P(WaitHintOf, LeavesAForeignStopToTheWait) {
  std::stop_source source;
  HintedThread waiter([&](WaitHint& hint) {
    EXPECT_EQ(wait(hint, Deadline::never(), source.get_token()), WaitStatus::stopped);
    EXPECT_FALSE(hint.take());
    EXPECT_EQ(wait(hint, Deadline::after(1ms)), WaitStatus::timeout);
  });
  source.request_stop();
}

TEST_P(WaitHintOf, LeavesTheAmbientStopToTheWait) {
  std::stop_source source;
  HintedThread waiter([&](WaitHint& hint) {
    const Bind bind(source.get_token());
    EXPECT_EQ(wait(hint), WaitStatus::stopped);
    EXPECT_FALSE(hint.take());
  });
  source.request_stop();
}

TEST_P(WaitHintOf, LeavesARaisedExceptionToTheWait) {
  HintedThread waiter([&](WaitHint& hint) {
    EXPECT_THROW((void)wait(hint), std::runtime_error);
    EXPECT_FALSE(hint.take());
    EXPECT_EQ(wait(hint, Deadline::after(1ms)), WaitStatus::timeout);
  });
  EXPECT_TRUE(waiter.block().raise(std::make_exception_ptr(std::runtime_error("now"))));
}

TEST_P(WaitHintOf, ComesBeforeWhatElseEndsAWait) {
  std::stop_source source;
  source.request_stop();
  WaitHint hint;
  hint.give();
  EXPECT_EQ(wait(hint, Deadline::past(), source.get_token()), WaitStatus::ready);
  {
    const Bind bind(source.get_token());
    EXPECT_EQ(wait(hint), WaitStatus::ready);
  }
  EXPECT_TRUE(ControlBlock::current().raise(std::make_exception_ptr(std::runtime_error("now"))));
  EXPECT_EQ(wait(hint), WaitStatus::ready);
  // They are all still there.
  EXPECT_TRUE(hint.take());
  EXPECT_THROW((void)wait(hint, Deadline::past(), source.get_token()), std::runtime_error);
  EXPECT_EQ(wait(hint, Deadline::past(), source.get_token()), WaitStatus::stopped);
  EXPECT_EQ(wait(hint, Deadline::past()), WaitStatus::timeout);
}

TEST_P(WaitHintOf, EndsAWaitWhenItIsMarkedAndTheThreadWoken) {
  std::atomic<bool> marked{false};
  HintedThread waiter([&](WaitHint& hint) {
    EXPECT_EQ(wait(hint), WaitStatus::ready);
    EXPECT_TRUE(marked);
    EXPECT_TRUE(hint.take());
  });
  marked = true;
  const WaitHint::Wake wake = waiter.hint().mark();
  wake();
  waiter.join();
  wake();  // which is due no more
}

extern "C" void handle_hint_signal(int) {}

TEST_P(WaitHintOf, OutlivesInterruptionsBySignals) {
  struct sigaction action {};
  action.sa_handler = &handle_hint_signal;  // without SA_RESTART
  struct sigaction before {};
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  std::atomic<bool> given{false};
  {
    HintedThread waiter([&](WaitHint& hint) {
      EXPECT_EQ(wait(hint), WaitStatus::ready);
      EXPECT_TRUE(given);
      EXPECT_TRUE(hint.take());
    });
    for (int i = 0; i < 10; ++i) {
      EXPECT_EQ(::tgkill(::getpid(), waiter.block().native_id, SIGUSR1), 0);
      waiter.await_blocked();
    }
    given = true;
    waiter.hint().give();
  }
  EXPECT_EQ(::sigaction(SIGUSR1, &before, nullptr), 0);
}

TEST_P(WaitHintOf, GoesOnInAForkedChild) {
  WaitHint hint;
  // Before the fork the thread has an eventfd, which the child must not share.
  EXPECT_EQ(wait(hint, Deadline::after(1us)), WaitStatus::timeout);
  hint.give();
  EXPECT_EQ(rouse::test::in_child([&] {
              if (wait(hint) != WaitStatus::ready || !hint.take()) return 1;
              if (wait(hint, Deadline::after(1ms)) != WaitStatus::timeout) return 2;
              hint.give();
              return wait(hint) == WaitStatus::ready && hint.take() ? 0 : 3;
            }),
            0);
  EXPECT_TRUE(hint.take());
  EXPECT_EQ(wait(hint, Deadline::after(1ms)), WaitStatus::timeout);
}

TEST_P(WaitHintOf, IsShownByTheNameOfItsSite) {
  StoppableThread thread([&] {
    WaitHint hint;
    EXPECT_EQ(wait(hint), WaitStatus::stopped);
  });
  thread.start();
  rouse::test::await_blocked_in(thread, "wait_hint_test");
  EXPECT_EQ(thread.activity().blocked_in, "wait_hint_test (0x7)");
  thread.request_stop();
  thread.join();
}

// The thread is awake, takes what it sees, and ends; then the call that was left is made.
TEST(WaitHint, MayBeDestroyedBetweenMarkAndWake) {
  std::atomic<WaitHint*> told{nullptr};
  std::jthread owner([&] {
    auto hint = std::make_unique<WaitHint>();
    told = hint.get();
    while (!hint->take()) std::this_thread::yield();
  });
  while (told == nullptr) std::this_thread::yield();
  const WaitHint::Wake wake = told.load()->mark();
  owner.join();
  wake();
  WaitHint mine;
  EXPECT_EQ(mine.wait({}, hint_site, Deadline::after(1ms), {}), WaitStatus::timeout);
}

TEST(WaitHint, HidesNoDescriptorAndIsHiddenByNone) {
  const Pipe pipe;
  ::pollfd polled{pipe.read_end(), POLLIN, 0};
  WaitHint hint;
  pipe.put();
  EXPECT_EQ(wait_for_one(hint, polled), WaitStatus::ready);
  EXPECT_EQ(polled.revents, POLLIN);
  EXPECT_FALSE(hint.take());
  hint.give();
  EXPECT_EQ(wait_for_one(hint, polled), WaitStatus::ready);
  EXPECT_EQ(polled.revents, POLLIN);
  EXPECT_TRUE(hint.take());
}

TEST(WaitHint, LeavesTheDescriptorsToTheWait) {
  const Pipe pipe;
  ::pollfd polled{pipe.read_end(), POLLIN, 0};
  HintedThread waiter([&](WaitHint& hint) {
    EXPECT_EQ(wait_for_one(hint, polled), WaitStatus::ready);
    EXPECT_EQ(polled.revents, POLLIN);
    EXPECT_FALSE(hint.take());
  });
  pipe.put();
}

TEST(WaitHint, LeavesNothingOfAnEarlierWaitInTheDescriptors) {
  const Pipe pipe;
  WaitHint hint;
  for (const bool given : {false, true}) {
    ::pollfd polled{pipe.read_end(), POLLIN, POLLIN};
    if (given) hint.give();
    EXPECT_EQ(wait_for_one(hint, polled, Deadline::past()),
              given ? WaitStatus::ready : WaitStatus::timeout);
    EXPECT_EQ(polled.revents, 0);
  }
}

TEST(WaitHint, EndsAWaitForManyDescriptors) {
  const Pipe quiet;
  const Pipe loud;
  // One less than fit on the stack, as many, and one more.
  for (const std::size_t count : {63U, 64U, 65U}) {
    SCOPED_TRACE(count);
    std::vector<::pollfd> polled(count, {quiet.read_end(), POLLIN, 0});
    HintedThread waiter([&](WaitHint& hint) {
      EXPECT_EQ(hint.wait(polled, hint_site, Deadline::never(), {}), WaitStatus::ready);
      EXPECT_TRUE(hint.take());
    });
    waiter.hint().give();
    waiter.join();
    EXPECT_EQ(polled.back().revents, 0);

    polled.back().fd = loud.read_end();
    HintedThread reader([&](WaitHint& hint) {
      EXPECT_EQ(hint.wait(polled, hint_site, Deadline::never(), {}), WaitStatus::ready);
      EXPECT_FALSE(hint.take());
    });
    loud.put();
    reader.join();
    EXPECT_EQ(polled.back().revents, POLLIN);
    char byte = 0;
    EXPECT_EQ(::read(loud.read_end(), &byte, 1), 1);
  }
}

TEST(WaitHint, EndsAWaitForDescriptorsThatAreLeftOut) {
  ::pollfd none{-1, POLLIN, 0};
  HintedThread waiter([&](WaitHint& hint) {
    EXPECT_EQ(wait_for_one(hint, none), WaitStatus::ready);
    EXPECT_TRUE(hint.take());
  });
  waiter.hint().give();
}

TEST(WaitHint, RefusesADescriptorThatIsNotOpen) {
  const int closed = ::dup(STDIN_FILENO);
  ::close(closed);
  ::pollfd polled{closed, POLLIN, 0};
  WaitHint hint;
  for (const bool given : {false, true}) {
    if (given) hint.give();
    try {
      (void)wait_for_one(hint, polled);
      ADD_FAILURE() << "no exception";
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code(), std::errc::bad_file_descriptor);
      EXPECT_NE(std::string(e.what()).find(std::to_string(closed)), std::string::npos) << e.what();
    }
  }
  EXPECT_TRUE(hint.take());
}

}  // namespace
