// Raised exceptions in the core: delivered once, at a wait that blocks, unless withheld.

#include "rouse/wait/event.hpp"
#include "rouse/wait/fd.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"

#include "support/observed_thread.hpp"
#include "wait/control_block.hpp"

#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::WaitStatus;
using rouse::detail::ControlBlock;
using rouse::test::ObservedThread;

std::exception_ptr error(const char* text) {
  return std::make_exception_ptr(std::runtime_error(text));
}

template <class Wait>
std::string what_is_thrown_in(Wait wait) {
  std::string thrown;
  ObservedThread thread([&] {
    try {
      wait();
    } catch (const std::runtime_error& e) {
      thrown = e.what();
    }
  });
  thread.await_blocked();
  EXPECT_TRUE(thread.block()->raise(error("now")));
  thread.join();
  return thrown;
}

TEST(Raise, EndsAWaitForAnEvent) {
  rouse::Event event;
  EXPECT_EQ(what_is_thrown_in([&] { (void)event.wait(); }), "now");
  event.set();  // the wait left no node behind
}

TEST(Raise, EndsASleep) {
  EXPECT_EQ(what_is_thrown_in([] { (void)rouse::sleep_for(1h); }), "now");
}

TEST(Raise, EndsAWaitForADescriptorOfAThreadThatCanBeStopped) {
  std::stop_source source;
  EXPECT_EQ(what_is_thrown_in([&] {
              const rouse::this_thread::Bind bind(source.get_token());
              (void)rouse::wait_fds({});
            }),
            "now");
}

TEST(Raise, IsDeliveredOnceAndTheFirstWins) {
  ControlBlock& self = ControlBlock::current();
  EXPECT_TRUE(self.raise(error("first")));
  EXPECT_FALSE(self.raise(error("second")));
  try {
    (void)rouse::sleep_for(1h);
    ADD_FAILURE();
  } catch (const std::runtime_error& e) {
    EXPECT_EQ(std::string(e.what()), "first");
  }
  EXPECT_EQ(rouse::sleep_for(1ms), WaitStatus::timeout);
}

// Told to whoever keeps another library's interruption in step.
struct Log final : rouse::detail::Addressee {
  void raised() noexcept override { calls += 'r'; }
  void taken() noexcept override { calls += 't'; }
  void shielded(bool on) noexcept override { calls += on ? '(' : ')'; }
  std::string calls;
};

TEST(Raise, IsForOneAddresseeWhoHearsOfIt) {
  ControlBlock& self = ControlBlock::current();
  Log log;
  Log another;
  EXPECT_FALSE(self.raise(error("too early"), &log));
  self.accept_raises(log);
  EXPECT_FALSE(self.raise(error("meant for another"), &another));
  EXPECT_FALSE(self.raise(error("meant for nobody")));
  EXPECT_TRUE(self.raise(error("first"), &log));
  EXPECT_FALSE(self.raise(error("second"), &log));
  EXPECT_THROW((void)rouse::sleep_for(1h), std::runtime_error);
  {
    const rouse::Shield outer;
    const rouse::Shield inner;
    EXPECT_TRUE(self.raise(error("left over"), &log));
  }
  EXPECT_NE(self.refuse_raises(), nullptr);
  EXPECT_FALSE(self.raise(error("too late"), &log));
  EXPECT_EQ(self.refuse_raises(), nullptr);
  EXPECT_EQ(log.calls, "rrt(r)t");
  EXPECT_EQ(another.calls, "");
}

TEST(Raise, DoesNotReachAWaitThatNeedNotBlock) {
  ControlBlock& self = ControlBlock::current();
  self.raise(error("later"));
  rouse::Event event(true);
  EXPECT_EQ(event.wait(), WaitStatus::ready);
  EXPECT_THROW((void)rouse::sleep_for(0s), std::runtime_error);
}

TEST(Raise, ComesBeforeAStop) {
  std::stop_source source;
  source.request_stop();
  ControlBlock::current().raise(error("first"));
  EXPECT_THROW((void)rouse::sleep_for(1h, source.get_token()), std::runtime_error);
  EXPECT_EQ(rouse::sleep_for(1h, source.get_token()), WaitStatus::stopped);
}

TEST(Raise, IsWithheldUnderAShield) {
  ControlBlock::current().raise(error("later"));
  {
    const rouse::Shield shield;
    EXPECT_EQ(rouse::sleep_for(1ms), WaitStatus::timeout);
  }
  EXPECT_THROW((void)rouse::sleep_for(1h), std::runtime_error);
}

// Calls `body` in a destructor, while an exception unwinds.
template <class Body>
void while_unwinding(Body body) {
  struct Calls {
    Body& body;
    ~Calls() { body(); }
  };
  try {
    const Calls calls{body};
    throw std::logic_error("unwinding");
  } catch (const std::logic_error&) {
  }
}

// As who waits for a job runs it.
template <class Job>
void run_here(Job job) {
  ControlBlock& self = ControlBlock::current();
  const int outer = std::exchange(self.unwinding, std::uncaught_exceptions());
  job();
  self.unwinding = outer;
}

TEST(Raise, IsWithheldWhileAnExceptionUnwinds) {
  std::optional<WaitStatus> status;
  ControlBlock::current().raise(error("later"));
  while_unwinding([&] { status = rouse::sleep_for(1ms); });
  EXPECT_EQ(status, WaitStatus::timeout);
  EXPECT_THROW((void)rouse::sleep_for(1h), std::runtime_error);
}

TEST(Raise, IsThrownInAJobThatADestructorRunsWhileAnExceptionUnwinds) {
  ControlBlock::current().raise(error("now"));
  while_unwinding(
      [] { run_here([] { EXPECT_THROW((void)rouse::sleep_for(1h), std::runtime_error); }); });
  EXPECT_EQ(rouse::sleep_for(1ms), WaitStatus::timeout);
}

TEST(Raise, IsWithheldWhileAnExceptionOfSuchAJobUnwinds) {
  std::optional<WaitStatus> status;
  ControlBlock::current().raise(error("later"));
  while_unwinding(
      [&] { run_here([&] { while_unwinding([&] { status = rouse::sleep_for(1ms); }); }); });
  EXPECT_EQ(status, WaitStatus::timeout);
  EXPECT_THROW((void)rouse::sleep_for(1h), std::runtime_error);
}

TEST(Raise, IsNotThrownByWhatTheBlocksLastOwnerWasIn) {
  ControlBlock* const first = ControlBlock::acquire();
  first->unwinding = 1;
  ControlBlock::release(first);
  ControlBlock* const second = ControlBlock::acquire();
  EXPECT_EQ(second, first);
  EXPECT_EQ(second->unwinding, 0);
  ControlBlock::release(second);
}

TEST(Raise, LosesToASignalAndStaysPending) {
  rouse::Event event;
  std::optional<WaitStatus> first;
  bool thrown = false;
  ObservedThread thread([&] {
    first = event.wait();
    try {
      (void)rouse::sleep_for(1h);
    } catch (const std::runtime_error&) {
      thrown = true;
    }
  });
  thread.await_blocked();
  event.set();
  thread.block()->raise(error("after"));
  thread.join();
  EXPECT_EQ(first, WaitStatus::ready);
  EXPECT_TRUE(thrown);
}

}  // namespace
