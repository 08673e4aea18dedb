// How the blocking calls of thread/ end.

#include "rouse/thread/interruptible_thread.hpp"
#include "rouse/thread/stop_all.hpp"
#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/shield.hpp"

#include "support/stopping/blocking_rows.hpp"

#include <array>
#include <memory>

#include <gtest/gtest.h>

namespace {

using rouse::Event;
using rouse::InterruptibleThread;
using rouse::StoppableThread;
using rouse::test::BlockingRows;
using rouse::test::Ends;
using rouse::test::Given;
using rouse::test::nothing_ends;
using rouse::test::on;
using rouse::test::only_time_ends;
using rouse::test::Promises;
using rouse::test::waits;
using rouse::test::waits_for_a_time;

// A thread that ends when the test says so, whoever asks it to stop.
template <class Thread>
struct Stubborn {
  Event may_end;
  std::unique_ptr<Thread> thread;

  Stubborn() {
    auto body = [this] {
      const rouse::Shield shield;
      (void)may_end.wait();
    };
    if constexpr (std::is_constructible_v<Thread, decltype(body)>) {
      thread = std::make_unique<Thread>(body);
    }
    if (!thread->running()) thread->start();
  }
  void release() { may_end.set(); }
};

BlockingRows rows_of_thread() {
  BlockingRows row("thread");
  const auto joins = [&row](const char* signature, const Promises& promises, auto call) {
    using Target = Stubborn<StoppableThread>;
    row(signature, promises, on<Target>(call, [](Target& target) { target.release(); }));
  };
  const char* const owner =
      "the thread must not outlive its owner, and is asked to stop; `stop_all()` before it waits "
      "no "
      "longer than it is told, and says who is late";
  const char* const join = "as those of `std::thread`; `StoppableThread::wait()` obeys";
  const char* const its_time =
      "a clean-up, which the caller's own stop must not cut short; its time ends it";

  row.header = "rouse/thread/stoppable_thread.hpp";
  joins("StoppableThread::~StoppableThread()", nothing_ends(owner),
        [](auto& target, const Given&) { target.thread.reset(); });
  joins("StoppableThread::join()", nothing_ends(join),
        [](auto& target, const Given&) { target.thread->join(); });
  joins("StoppableThread::try_join_for(d)", only_time_ends(Ends::false_, join),
        [](auto& target, const Given& given) { return target.thread->try_join_for(given.time); });
  joins("StoppableThread::wait(stop)", waits,
        [](auto& target, const Given& given) { return target.thread->wait(given.stop); });
  joins("StoppableThread::wait_for(d, stop)", waits_for_a_time,
        [](auto& target, const Given& given) {
          return target.thread->wait_for(given.time, given.stop);
        });
  joins("StoppableThread::wait_until(t, stop)", waits_for_a_time,
        [](auto& target, const Given& given) {
          return target.thread->wait_until(given.until(), given.stop);
        });
  using Running = Stubborn<rouse::Running<StoppableThread>>;
  row("Running::~Running()", nothing_ends(owner),
      on<Running>([](Running& target, const Given&) { target.thread.reset(); },
                  [](Running& target) { target.release(); }));
  row.does_not_block("StoppableThread::native_id()",
                     "waits for a start() that another thread has begun, no longer");

  row.header = "rouse/thread/interruptible_thread.hpp";
  using Interruptible = Stubborn<InterruptibleThread>;
  const auto release = [](Interruptible& target) { target.release(); };
  row("InterruptibleThread::~InterruptibleThread()", nothing_ends(owner),
      on<Interruptible>([](Interruptible& target, const Given&) { target.thread.reset(); },
                        release));
  row("InterruptibleThread::terminate(total, every)", only_time_ends(Ends::false_, its_time),
      on<Interruptible>([](Interruptible& target,
                           const Given& given) { return target.thread->terminate(given.time); },
                        release));

  row.header = "rouse/thread/stop_all.hpp";
  joins("stop_all(threads, when)", only_time_ends(Ends::stragglers, its_time),
        [](auto& target, const Given& given) {
          return rouse::stop_all(std::array{target.thread.get()}, given.time);
        });

  row.header = "rouse/thread/signal_stop.hpp";
  row.does_not_block("SignalStop::~SignalStop()", "its thread only reads signals");
  return row;
}

TEST(StoppingOfThread, EachCallEndsAsItPromises) { rows_of_thread().expect_promises_kept(); }
TEST(StoppingOfThread, EachBlockingCallHasARow) { rows_of_thread().expect_complete(); }
TEST(StoppingOfThread, IsDocumented) { rows_of_thread().expect_documented(); }

}  // namespace
