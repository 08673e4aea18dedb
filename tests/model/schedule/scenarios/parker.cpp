// A thread and those who have news for it: the control block alone, without a table.

#include "rouse/wait/sleep.hpp"

#include "model/schedule/scenarios/areas.hpp"
#include "model/schedule/scenarios/told.hpp"
#include "wait/control_block.hpp"

#include <chrono>
#include <exception>
#include <thread>
#include <utility>

namespace rouse::test::model {
namespace {

using namespace std::chrono_literals;
using detail::Atomic;
using detail::ControlBlock;
using detail::Deadline;
using std::memory_order_relaxed;

constexpr detail::BlockSite site{"parker", 0};

// The owner's block, told to the others when it is known.
struct Parked {
  ToldBlock block;
  Atomic<std::uint32_t> news[2];
  Plain<int> data[2];

  ControlBlock& start() {
    ControlBlock& mine = ControlBlock::current();
    block.tell(mine);
    return mine;
  }
};

void waker(Parked& s, int i) {
  ControlBlock& owner = s.block.await();
  s.data[i].write(1);
  s.news[i].store(1, memory_order_relaxed);
  owner.notify();
}

// News is published by the exchange of `state` alone.
void news_arrives(Model& model) {
  auto& s = model.make<Parked>();
  model.thread([&s] {
    ControlBlock& me = s.start();
    while (s.news[0].load(memory_order_relaxed) == 0) me.park(Deadline::never(), true, site);
  });
  model.thread([&s] { waker(s, 0); });
}

void news_of_two(Model& model) {
  auto& s = model.make<Parked>();
  model.thread([&s] {
    ControlBlock& me = s.start();
    while (s.news[0].load(memory_order_relaxed) == 0 || s.news[1].load(memory_order_relaxed) == 0) {
      me.park(Deadline::never(), true, site);
    }
  });
  model.thread([&s] { waker(s, 0); });
  model.thread([&s] { waker(s, 1); });
}

void news_or_deadline(Model& model) {
  auto& s = model.make<Parked>();
  model.thread([&s] {
    ControlBlock& me = s.start();
    const Deadline deadline = Deadline::after(1ms);
    while (s.news[0].load(memory_order_relaxed) == 0 && !deadline.expired()) {
      me.park(deadline, true, site);
    }
    // A hint that came too late for that wait costs the next a turn, no more.
    while (s.news[0].load(memory_order_relaxed) == 0) me.park(Deadline::never(), true, site);
  });
  model.thread([&s] { waker(s, 0); });
}

void news_between_cpus(Model& model) {
  news_of_two(model);
  model.on_different_cpus();
}

// A block goes on to another thread while the first one's waker is still on its way.
void block_changes_hands(Model& model) {
  struct State : Parked {
    Atomic<std::uint32_t> other_news{0};
    ToldBlock other;
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    ControlBlock* const first = ControlBlock::acquire();
    s.block.tell(*first);
    while (s.news[0].load(memory_order_relaxed) == 0) first->park(Deadline::never(), false, site);
    ControlBlock::release(first);
    ControlBlock* const second = ControlBlock::acquire();
    check(first == second, "a block that was given back is taken again");
    s.other.tell(*second);
    while (s.other_news.load(memory_order_relaxed) == 0) {
      second->park(Deadline::never(), false, site);
    }
    ControlBlock::release(second);
  });
  model.thread([&s] { waker(s, 0); });
  model.thread([&s] {
    ControlBlock& found = s.other.await();
    s.other_news.store(1, memory_order_relaxed);
    found.notify();
  });
}

// Two threads take a block each from the pool: they are two.
void pool_gives_each_its_own(Model& model) {
  struct State {
    Plain<int> inside[2];
    ControlBlock* blocks[2] = {};
  };
  auto& s = model.make<State>();
  for (int i = 0; i < 2; ++i) {
    model.thread([&s, i] {
      for (int n = 0; n < 2; ++n) {
        s.blocks[i] = ControlBlock::acquire();
        check(s.blocks[0] != s.blocks[1], "two threads have two blocks");
        detail::os::cpu_relax();
        ControlBlock::release(std::exchange(s.blocks[i], nullptr));
      }
    });
  }
}

// A raised exception ends a sleep, whole, and only once.
void raise_ends_a_sleep(Model& model) {
  auto& s = model.make<Parked>();
  model.thread([&s] {
    s.start();
    bool thrown = false;
    try {
      (void)sleep_for(forever);
    } catch (const int&) {
      thrown = true;
    }
    check(thrown, "the exception is thrown in the sleep");
    check(sleep_for(0s) == WaitStatus::timeout, "it is thrown once");
  });
  model.thread(
      [&s] { check(s.block.await().raise(std::make_exception_ptr(7)), "nothing was pending"); });
}

// Of two raises the first wins and the second is told, or both are delivered one after the other.
void two_raises(Model& model) {
  struct State : Parked {
    int accepted = 0;
    int thrown = 0;
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    s.start();
    for (int i = 0; i < 2; ++i) {
      try {
        (void)sleep_for(2ms);
      } catch (const int&) {
        ++s.thrown;
      }
    }
  });
  for (int i = 0; i < 2; ++i) {
    model.thread([&s] {
      if (s.block.await().raise(std::make_exception_ptr(7))) ++s.accepted;
    });
  }
  model.at_end([&s] {
    ControlBlock& block = *s.block.get();
    const int pending = block.raised.load(memory_order_relaxed) != 0 ? 1 : 0;
    block.raised_exception = nullptr;
    block.raised.store(0, memory_order_relaxed);
    check(s.accepted == s.thrown + pending, "what was accepted is thrown or still pending");
  });
}

constexpr Scenario scenarios[] = {
    {"news_arrives", news_arrives},
    {"news_of_two", news_of_two},
    {"news_or_deadline", news_or_deadline},
    {"news_between_cpus", news_between_cpus},
    {"block_changes_hands", block_changes_hands},
    {"pool_gives_each_its_own", pool_gives_each_its_own},
    {"raise_ends_a_sleep", raise_ends_a_sleep},
    {"two_raises", two_raises},
};

}  // namespace

std::span<const Scenario> parker_scenarios() { return scenarios; }

}  // namespace rouse::test::model
