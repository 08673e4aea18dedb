// Exceptions that are raised at a thread: against signals, stops, shields, and its end.

#include "rouse/thread/interruptible_thread.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/sleep.hpp"

#include "model/schedule/scenarios/areas.hpp"
#include "model/schedule/scenarios/places.hpp"
#include "model/schedule/scenarios/told.hpp"
#include "wait/control_block.hpp"

#include <chrono>
#include <exception>
#include <optional>
#include <stop_token>

namespace rouse::test::model {
namespace {

using namespace std::chrono_literals;
using detail::Atomic;
using detail::ControlBlock;
using detail::Deadline;

// In Boost's place: keeps the flag that an interruption of its own would have.
class Flag final : public detail::Addressee {
 public:
  void raised() noexcept override { requested_.write(true); }
  void taken() noexcept override { requested_.write(false); }
  void shielded(bool on) noexcept override { held_back_ = on; }

  bool requested() const { return requested_.read(); }
  bool held_back() const { return held_back_; }

 private:
  Plain<bool> requested_{false, "the other library's flag"};
  bool held_back_ = false;
};

// A thread that can be raised at, and has told its block.
struct Raised {
  ToldBlock block;
  Flag flag;
  int thrown = 0;

  void start() {
    ControlBlock& mine = ControlBlock::current();
    mine.accept_raises(flag);
    block.tell(mine);
  }
  bool raise() { return block.await().raise(std::make_exception_ptr(7), &flag); }

  template <class Wait>
  std::optional<WaitStatus> wait(Wait wait) {
    try {
      return wait();
    } catch (const int&) {
      ++thrown;
      return std::nullopt;
    }
  }
};

// What was signalled is ready; what is raised behind it stays for the next wait.
void signal_first(Model& model) {
  struct State : Raised {
    EventPlace event{0, 0};
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    s.start();
    check(s.wait([&s] { return s.event->wait(); }) == WaitStatus::ready, "the signal is not lost");
    check(!s.wait([] { return sleep_for(forever); }), "what was raised ends the next wait");
    (void)ControlBlock::current().refuse_raises();
  });
  model.thread([&s] {
    const ControlBlock& owner = s.block.await();
    while (owner.state.load(std::memory_order_relaxed) != ControlBlock::parked) {
      detail::os::cpu_relax();
    }
    s.event->set();
    s.event->clear();
    check(s.raise(), "nothing was pending");
  });
}

// A signal, a stop and a raise at the same wait: each is told, now or in a later wait.
void signal_stop_raise(Model& model) {
  struct State : Raised {
    EventPlace event{0, 0};
    std::stop_source source;
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    s.start();
    const std::stop_token stop = s.source.get_token();
    bool ready = false;
    while (s.thrown == 0 || !ready) {
      const auto status = s.wait([&] { return ready ? sleep_for(forever) : s.event->wait(stop); });
      if (status == WaitStatus::ready) ready = true;
      if (status == WaitStatus::stopped) {
        check(stop.stop_requested(), "stopped only after a stop");
        if (s.wait([&s] { return s.event->wait(); }) == WaitStatus::ready) ready = true;
      }
    }
    check(s.thrown == 1, "it is thrown once");
    check(!s.flag.requested(), "and taken back from the other library");
    (void)ControlBlock::current().refuse_raises();
  });
  model.thread([&s] {
    s.source.request_stop();
    s.event->set();
  });
  model.thread([&s] { check(s.raise(), "nothing was pending"); });
}

// Of two raises each is thrown or refused, and the other library's flag is up as long as one is
// pending.
void two_raisers(Model& model) {
  struct State : Raised {
    int accepted = 0;
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    s.start();
    for (int i = 0; i < 2; ++i) (void)s.wait([] { return sleep_for(2ms); });
    ControlBlock& mine = ControlBlock::current();
    {
      const detail::LockGuard guard(mine.raise_lock);
      check(s.flag.requested() == (mine.raised_exception != nullptr), "the flags are in step");
    }
    if (mine.refuse_raises() != nullptr) ++s.thrown;
    check(!s.flag.requested(), "what is dropped is taken back");
  });
  for (int i = 0; i < 2; ++i) {
    model.thread([&s] {
      if (s.raise()) ++s.accepted;
    });
  }
  model.at_end([&s] { check(s.accepted == s.thrown, "what was accepted was thrown or dropped"); });
}

// The block goes on to another run while the raiser of the first is on its way.
void block_goes_on(Model& model) {
  struct State : Raised {
    Flag next;
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    ControlBlock* const first = ControlBlock::acquire();
    first->accept_raises(s.flag);
    s.block.tell(*first);
    first->park(Deadline::after(1ms), false, {"first", 0});
    (void)first->refuse_raises();
    ControlBlock::release(first);

    ControlBlock* const second = ControlBlock::acquire();
    check(first == second, "a block that was given back is taken again");
    second->accept_raises(s.next);
    second->park(Deadline::after(1ms), false, {"second", 0});
    check(!second->raise_due() && !s.next.requested(), "nothing was raised at the second");
    check(second->refuse_raises() == nullptr, "nor left over by the first");
    ControlBlock::release(second);

    // One at which nothing may be raised at all.
    ControlBlock* const third = ControlBlock::acquire();
    third->park(Deadline::after(1ms), false, {"third", 0});
    check(!third->raise_due(), "nothing was raised at the third");
    ControlBlock::release(third);
  });
  model.thread([&s] {
    (void)s.raise();
    (void)s.raise();
  });
}

// Under a shield, and one in it, the thread waits its time; the first wait behind it throws.
void held_back_by_a_shield(Model& model) {
  auto& s = model.make<Raised>();
  model.thread([&s] {
    s.start();
    {
      const Shield outer;
      { const Shield inner; }
      check(s.flag.held_back(), "the other library's interruption is held back too");
      check(s.wait([] { return sleep_for(1ms); }) == WaitStatus::timeout, "nothing is thrown");
    }
    check(!s.flag.held_back(), "not any more");
    check(!s.wait([] { return sleep_for(forever); }), "thrown behind the shield");
    (void)ControlBlock::current().refuse_raises();
  });
  model.thread([&s] { check(s.raise(), "nothing was pending"); });
}

const ThreadOptions named{.name = "modelled"};

// From start() on what is raised is accepted, and thrown in `run`, not on the way there.
void raised_as_it_starts(Model& model) {
  model.thread([] {
    InterruptibleThread thread([] { (void)sleep_for(forever); }, named);
    check(!thread.raise<int>(7), "not before it is started");
    thread.start();
    check(thread.raise<int>(7), "as soon as it is started");
    bool thrown = false;
    try {
      thread.join();
    } catch (const int&) {
      thrown = true;
    }
    check(thrown, "it ends the thread");
    check(!thread.raise<int>(7), "not when it has ended");
  });
}

// A raise against the end of the thread, its join and a second thread, which has its block.
void raised_as_it_ends(Model& model) {
  struct State {
    InterruptibleThread first{[] {}, named};
    EventPlace started{0, 0};
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    s.first.start();
    s.started->set();
    s.first.join();
    InterruptibleThread second(
        [] { check(sleep_for(1ms) == WaitStatus::timeout, "not raised at"); }, named);
    second.start();
    second.join();
  });
  model.thread([&s] {
    (void)s.started->wait();
    (void)s.first.raise<int>(7);
    (void)s.first.raise<int>(7);
  });
}

// A handler for everything swallows the first; the second ends it.
void terminated_twice(Model& model) {
  model.thread([] {
    InterruptibleThread thread(
        [] {
          try {
            (void)sleep_for(forever);
          } catch (...) {
          }
          (void)sleep_for(forever);
        },
        named);
    thread.start();
    check(thread.terminate(forever, 1ms), "it has ended");
    thread.join();
  });
}

constexpr Scenario scenarios[] = {
    {"signal_first", signal_first},
    {"signal_stop_raise", signal_stop_raise},
    {"two_raisers", two_raisers},
    {"block_goes_on", block_goes_on},
    {"held_back_by_a_shield", held_back_by_a_shield},
    {"raised_as_it_starts", raised_as_it_starts},
    {"raised_as_it_ends", raised_as_it_ends},
    {"terminated_twice", terminated_twice},
};

}  // namespace

std::span<const Scenario> raise_scenarios() { return scenarios; }

}  // namespace rouse::test::model
