// Event: hand-over, permits, ends by time and by stop, destruction right after a wait.

#include "rouse/wait/event.hpp"

#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"

#include "model/schedule/scenarios/areas.hpp"
#include "model/schedule/scenarios/places.hpp"
#include "model/schedule/scenarios/told.hpp"
#include "wait/control_block.hpp"

#include <chrono>
#include <stop_token>

namespace rouse::test::model {
namespace {

using namespace std::chrono_literals;
using detail::Atomic;
using detail::ControlBlock;
using std::memory_order_relaxed;

// What is written before set() is seen after wait().
void hand_over(Model& model) {
  struct State {
    EventPlace event{0, 0};
    Plain<int> data;
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    s.data.write(1);
    s.event->set();
  });
  model.thread([&s] {
    check(s.event->wait() == WaitStatus::ready, "ready");
    check(s.data.read() == 1, "the data are there");
  });
}

void hand_over_to_who_looks(Model& model) {
  struct State {
    EventPlace event{0, 0};
    Plain<int> data;
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    s.data.write(1);
    s.event->set();
  });
  model.thread([&s] {
    if (s.event->is_set()) check(s.data.read() == 1, "the data are there");
  });
}

// Three waiters: with batches of one the setter leaves the lock in between.
void releases_all(Model& model) {
  struct State {
    EventPlace event{0, 0};
  };
  auto& s = model.make<State>();
  for (int i = 0; i < 3; ++i) {
    model.thread([&s] { check(s.event->wait() == WaitStatus::ready, "ready"); });
  }
  model.thread([&s] { s.event->set(); });
}

// Waiters that leave by time while a setter works through its list.
void releases_all_while_some_leave(Model& model) {
  struct State {
    EventPlace event{0, 0};
    bool set = false;
  };
  auto& s = model.make<State>();
  for (int i = 0; i < 3; ++i) {
    model.thread([&s] {
      const WaitStatus status = s.event->wait_for(1ms);
      if (status == WaitStatus::ready) {
        check(s.set, "ready only after set");
      } else {
        check(status == WaitStatus::timeout, "timeout");
      }
    });
  }
  model.thread([&s] {
    s.set = true;
    s.event->set();
  });
}

// Two producers, and a consumer that clears before it looks: no work is left lying.
void clear_takes_over(Model& model) {
  struct State {
    EventPlace event{0, 0};
    Atomic<std::uint32_t> work[2];
  };
  auto& s = model.make<State>();
  for (int i = 0; i < 2; ++i) {
    model.thread([&s, i] {
      s.work[i].store(1, memory_order_relaxed);
      s.event->set();
    });
  }
  model.thread([&s] {
    for (int taken = 0; taken < 2;) {
      check(s.event->wait() == WaitStatus::ready, "ready");
      s.event->clear();
      for (auto& work : s.work) taken += static_cast<int>(work.exchange(0, memory_order_relaxed));
    }
  });
}

// The same with plain data, which the consumer may read only if clear() has acquired them.
void clear_acquires(Model& model) {
  struct State {
    EventPlace event{0, 0};
    Plain<int> data[2];
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    s.data[0].write(1);
    s.event->set();
    s.data[1].write(1);
    s.event->set();
  });
  model.thread([&s] {
    check(s.event->wait() == WaitStatus::ready, "ready");
    s.event->clear();
    check(s.data[0].read() == 1, "the first is there");
    if (s.event->is_set()) check(s.data[1].read() == 1, "the second is there");
  });
}

// set() from set publishes too: what the consumer's clear() took back, it sees.
void second_setter_publishes(Model& model) {
  struct State {
    EventPlace event{0, 0};
    Plain<int> data[2];
    Atomic<std::uint32_t> done[2];
  };
  auto& s = model.make<State>();
  for (int i = 0; i < 2; ++i) {
    model.thread([&s, i] {
      s.data[i].write(1);
      s.event->set();
      s.done[i].store(1, memory_order_relaxed);
    });
  }
  model.thread([&s] {
    const bool first = s.done[0].load(memory_order_relaxed) == 1;
    const bool second = s.done[1].load(memory_order_relaxed) == 1;
    check(s.event->wait() == WaitStatus::ready, "ready");
    s.event->clear();
    if (first) check(s.data[0].read() == 1, "the first is there");
    if (second) check(s.data[1].read() == 1, "the second is there");
  });
}

// Who waits at set() is released, though clear() follows at once.
void set_then_clear(Model& model) {
  struct State {
    EventPlace event{0, 0};
    ToldBlock waiter;
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    s.waiter.tell();
    check(s.event->wait() == WaitStatus::ready, "ready");
  });
  model.thread([&s] {
    ControlBlock* const waiter = s.waiter.get();
    const bool waits =
        waiter != nullptr && waiter->blocked_in.load(std::memory_order_acquire) != nullptr;
    s.event->set();
    if (waits) s.event->clear();
  });
}

// The waiter destroys the event as soon as its wait returns, and makes another at its address,
// which nobody has set.
void destroyed_after_the_wait(Model& model) {
  struct State {
    EventPlace event{0, 0};
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    check(s.event->wait() == WaitStatus::ready, "ready");
    s.event.destroy();
    s.event.make();
    check(s.event->wait_for(1ms) == WaitStatus::timeout, "nobody has set the new event");
    s.event.destroy();
  });
  model.thread([&s] { s.event->set(); });
}

// The same by a waiter whose time was over, and which then finds the event set.
void destroyed_after_a_late_look(Model& model) {
  struct State {
    EventPlace event{0, 0};
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    while (s.event->wait_for(1ms) != WaitStatus::ready) detail::os::cpu_relax();
    s.event.destroy();
  });
  model.thread([&s] { s.event->set(); });
}

// A clear() with nothing to take back leaves the waiters known.
void clear_keeps_waiters(Model& model) {
  struct State {
    EventPlace event{0, 0};
  };
  auto& s = model.make<State>();
  model.thread([&s] { check(s.event->wait() == WaitStatus::ready, "ready"); });
  model.thread([&s] {
    s.event->clear();
    s.event->set();
  });
}

// Two waiters, the last of whom destroys it: the setter is in the middle of its list.
void destroyed_by_the_last(Model& model) {
  struct State {
    EventPlace event{0, 0};
    Atomic<std::uint32_t> left{2};
  };
  auto& s = model.make<State>();
  for (int i = 0; i < 2; ++i) {
    model.thread([&s] {
      check(s.event->wait() == WaitStatus::ready, "ready");
      if (s.left.fetch_add(static_cast<std::uint32_t>(-1), std::memory_order_acq_rel) != 1) return;
      s.event.destroy();
      s.event.make();
      check(s.event->wait_for(1ms) == WaitStatus::timeout, "nobody has set the new event");
    });
  }
  model.thread([&s] { s.event->set(); });
}

// Signal against time-out: what is told is true, and what was not told is still there.
void set_or_timeout(Model& model) {
  struct State {
    EventPlace event{0, 0};
    bool set = false;
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    const WaitStatus status = s.event->wait_for(1ms);
    if (status == WaitStatus::ready) {
      check(s.set, "ready only after set");
    } else {
      check(status == WaitStatus::timeout, "timeout");
      check(detail::os::coarse_now_ns() >= 1'001'000'000, "not before the time");
    }
    check(s.event->wait() == WaitStatus::ready, "the signal is still there");
  });
  model.thread([&s] {
    s.set = true;
    s.event->set();
  });
}

// A permit that set() hands to a waiter that is just leaving, by time or by a stop, is not lost.
// The setter knows whom it has woken by the CPU that it leaves in the waiter's block.
void permit_for_who_leaves(Model& model, bool by_stop) {
  struct State {
    EventPlace event{0, 0};
    std::stop_source source;
    ToldBlock waiter;
    bool handed_over = false;
    bool told = false;
  };
  auto& s = model.make<State>();
  model.on_different_cpus();
  model.thread([&s, by_stop] {
    s.waiter.tell();
    const WaitStatus status =
        by_stop ? s.event->wait(s.source.get_token()) : s.event->wait_for(1ms);
    s.told = status == WaitStatus::ready;
  });
  model.thread([&s] {
    s.event->set();
    s.event->clear();
    const ControlBlock* const waiter = s.waiter.get();
    s.handed_over =
        waiter != nullptr && waiter->last_waker_cpu.load(memory_order_relaxed) == detail::os::cpu();
  });
  if (by_stop) model.thread([&s] { s.source.request_stop(); });
  model.at_end([&s] { check(s.told || !s.handed_over, "who waited at set() is told"); });
}

// Stop, signal and time-out on one wait.
void stop_or_set_or_timeout(Model& model) {
  struct State {
    EventPlace event{0, 0};
    std::stop_source source;
    bool set = false;
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    const std::stop_token token = s.source.get_token();
    const WaitStatus status = s.event->wait_for(1ms, token);
    check_truth(status, s.set, token);
    check(sleep_for(forever, token) == WaitStatus::stopped, "the stop is still there");
    check(s.event->wait() == WaitStatus::ready, "so is the signal");
  });
  model.thread([&s] {
    s.set = true;
    s.event->set();
  });
  model.thread([&s] { s.source.request_stop(); });
}

// A stop alone ends a wait without a limit.
void foreign_stop(Model& model) {
  struct State {
    EventPlace event{0, 0};
    std::stop_source source;
  };
  auto& s = model.make<State>();
  model.thread(
      [&s] { check(s.event->wait(s.source.get_token()) == WaitStatus::stopped, "stopped"); });
  model.thread([&s] { s.source.request_stop(); });
}

// The signal ends the wait while the stop's callback runs on another thread: it is waited for, and
// touches nothing that is gone.
void stop_while_leaving(Model& model) {
  struct State {
    EventPlace event{0, 0};
    std::stop_source source;
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    (void)s.event->wait(s.source.get_token());
    check(s.event->wait() == WaitStatus::ready, "ready");
  });
  model.thread([&s] { s.event->set(); });
  model.thread([&s] { s.source.request_stop(); });
}

void ambient_stop(Model& model) {
  struct State {
    EventPlace event{0, 0};
    std::stop_source ambient;
    std::stop_source foreign;
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    const this_thread::Bind bind(s.ambient.get_token());
    const std::stop_token foreign = s.foreign.get_token();
    check(s.event->wait(foreign) == WaitStatus::stopped, "stopped");
    check(this_thread::stop_token().stop_requested() || foreign.stop_requested(),
          "stopped only after a stop");
    check(s.event->wait(s.ambient.get_token()) == WaitStatus::stopped, "the ambient stop comes");
  });
  model.thread([&s] { s.ambient.request_stop(); });
  model.thread([&s] { s.foreign.request_stop(); });
}

// A raise against a set: both arrive, each once.
void raise_or_set(Model& model) {
  struct State {
    EventPlace event{0, 0};
    ToldBlock waiter;
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    s.waiter.tell();
    int ready = 0;
    int thrown = 0;
    while (ready == 0 || thrown == 0) {
      try {
        if (ready == 0) {
          check(s.event->wait() == WaitStatus::ready, "ready");
          ++ready;
        } else {
          (void)sleep_for(forever);
          check(false, "the sleep is ended by the raise");
        }
      } catch (const int&) {
        ++thrown;
      }
    }
    check(thrown == 1, "thrown once");
  });
  model.thread([&s] { s.waiter.await().raise(std::make_exception_ptr(7)); });
  model.thread([&s] { s.event->set(); });
}

// Two events in one bucket: each setter wakes its own.
void neighbours_in_a_bucket(Model& model) {
  struct State {
    EventPlace first{0, 0};
    EventPlace second{0, 1};
    bool set = false;
  };
  auto& s = model.make<State>();
  model.thread([&s] { check(s.first->wait() == WaitStatus::ready, "ready"); });
  model.thread([&s] {
    check(s.second->wait() == WaitStatus::ready, "ready");
    check(s.set, "ready only after set");
  });
  model.thread([&s] {
    s.first->set();
    s.set = true;
    s.second->set();
  });
}

void between_cpus(Model& model) {
  stop_or_set_or_timeout(model);
  model.on_different_cpus();
}

constexpr Scenario scenarios[] = {
    {"hand_over", hand_over},
    {"hand_over_to_who_looks", hand_over_to_who_looks},
    {"releases_all", releases_all},
    {"releases_all_while_some_leave", releases_all_while_some_leave},
    {"clear_takes_over", clear_takes_over},
    {"clear_acquires", clear_acquires},
    {"second_setter_publishes", second_setter_publishes},
    {"set_then_clear", set_then_clear},
    {"destroyed_after_the_wait", destroyed_after_the_wait},
    {"destroyed_after_a_late_look", destroyed_after_a_late_look},
    {"clear_keeps_waiters", clear_keeps_waiters},
    {"destroyed_by_the_last", destroyed_by_the_last},
    {"set_or_timeout", set_or_timeout},
    {"permit_at_the_deadline", [](Model& model) { permit_for_who_leaves(model, false); }},
    {"permit_at_the_stop", [](Model& model) { permit_for_who_leaves(model, true); }},
    {"stop_or_set_or_timeout", stop_or_set_or_timeout},
    {"foreign_stop", foreign_stop},
    {"stop_while_leaving", stop_while_leaving},
    {"ambient_stop", ambient_stop},
    {"raise_or_set", raise_or_set},
    {"neighbours_in_a_bucket", neighbours_in_a_bucket},
    {"between_cpus", between_cpus},
};

}  // namespace

std::span<const Scenario> event_scenarios() { return scenarios; }

}  // namespace rouse::test::model
