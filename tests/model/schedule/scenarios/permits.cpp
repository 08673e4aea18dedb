// Permits: exclusion, order, hand-over to who is leaving, leavers that let others go, close,
// destruction by the last holder.

#include "wait/permits.hpp"

#include "rouse/wait/sleep.hpp"

#include "model/schedule/scenarios/areas.hpp"
#include "model/schedule/scenarios/places.hpp"
#include "model/schedule/scenarios/told.hpp"
#include "wait/control_block.hpp"

#include <chrono>
#include <cstdint>
#include <exception>
#include <stop_token>

namespace rouse::test::model {
namespace {

using namespace std::chrono_literals;
using detail::Acquired;
using detail::Atomic;
using detail::Deadline;
using detail::Permits;
using std::memory_order_relaxed;

// Permits, what one of them guards, and how many there are.
struct Guarded {
  Guarded(std::uint32_t all, std::uint32_t free) : permits(0, 0, free), count(all) {}

  Acquired acquire(std::uint32_t n = 1, Deadline deadline = Deadline::never(),
                   const std::stop_token& stop = {}) {
    return permits->acquire(deadline, stop, {"Permits", 0}, n);
  }
  Acquired acquire_in_time(std::uint32_t n = 1) { return acquire(n, Deadline::after(1ms)); }

  // With all permits, or the only one.
  void change() { value.write(value.read() + 1); }

  Place<Permits> permits;
  const std::uint32_t count;
  Plain<int> value;
};

// All are free again and nobody is expected.
void free_at_end(Model& model, Guarded& s) {
  model.at_end([&s] {
    check(s.permits->available() == s.count, "as many as there were");
    check(s.permits->try_acquire(s.count), "nobody waits");
  });
}

Guarded& guarded(Model& model, std::uint32_t all, std::uint32_t free) {
  auto& s = model.make<Guarded>(all, free);
  free_at_end(model, s);
  return s;
}

// Two give one back each. For one of them somebody waits when it looks, and may have left, and give
// back without the lock, when it has the lock.
void released_while_one_leaves(Model& model) {
  auto& s = guarded(model, 2, 0);
  model.thread([&s] {
    if (s.acquire_in_time() == Acquired::yes) s.permits->release();
    s.permits->release();
  });
  model.thread([&s] { s.permits->release(); });
}

// Who waits, and who comes, is refused, and sees what was done before.
void refused(Model& model) {
  auto& s = model.make<Guarded>(0U, 0U);
  model.thread([&s] {
    check(s.acquire() == Acquired::closed, "closed");
    check(s.value.read() == 1, "the data are there");
  });
  model.thread([&s] {
    s.change();
    s.permits->close();
  });
}

// One permit excludes.
void one(Model& model) {
  auto& s = guarded(model, 1, 1);
  for (int i = 0; i < 3; ++i) {
    model.thread([&s] {
      check(s.acquire() == Acquired::yes, "acquired");
      s.change();
      s.permits->release();
    });
  }
  model.at_end([&s] { check(s.value.read() == 3, "each was in"); });
}

// One thread takes both of two permits, others one each.
void both_or_one(Model& model) {
  auto& s = guarded(model, 2, 2);
  model.thread([&s] {
    check(s.acquire(2) == Acquired::yes, "acquired");
    s.change();
    s.permits->release(2);
  });
  for (int i = 0; i < 2; ++i) {
    model.thread([&s] {
      check(s.acquire() == Acquired::yes, "acquired");
      (void)s.value.read();
      s.permits->release();
    });
  }
}

// Given back one by one: whoever takes both sees what either holder has done.
void given_back_by_two(Model& model) {
  struct State : Guarded {
    State() : Guarded(2, 0) {}
    Plain<int> of_each[2];
  };
  auto& s = model.make<State>();
  free_at_end(model, s);
  for (auto& mine : s.of_each) {
    model.thread([&s, &mine] {
      mine.write(1);
      s.permits->release();
    });
  }
  model.thread([&s] {
    check(s.acquire(2) == Acquired::yes, "acquired");
    for (auto& each : s.of_each) check(each.read() == 1, "the data are there");
    s.permits->release(2);
  });
}

// More is given back than one waits for: another takes the rest without waiting.
void rest_is_tried(Model& model) {
  auto& s = guarded(model, 2, 0);
  model.thread([&s] {
    s.change();
    s.permits->release(2);
  });
  model.thread([&s] {
    check(s.acquire() == Acquired::yes, "acquired");
    (void)s.value.read();
    s.permits->release();
  });
  model.thread([&s] {
    if (!s.permits->try_acquire()) return;
    (void)s.value.read();
    s.permits->release();
  });
}

// Tried against a wait and a release.
void tried(Model& model) {
  auto& s = guarded(model, 1, 1);
  for (int i = 0; i < 2; ++i) {
    model.thread([&s] {
      check(s.acquire() == Acquired::yes, "acquired");
      s.change();
      s.permits->release();
    });
  }
  model.thread([&s] {
    if (!s.permits->try_acquire()) return;
    s.change();
    s.permits->release();
  });
}

// A permit for a thread whose time is over, while others take and give permits without waiting.
void permit_or_timeout(Model& model) {
  auto& s = guarded(model, 2, 1);
  model.thread([&s] {
    const Acquired outcome = s.acquire_in_time(2);
    check(outcome == Acquired::yes || outcome == Acquired::timeout, "acquired, or timeout");
    if (outcome == Acquired::yes) s.permits->release(2);
  });
  model.thread([&s] { s.permits->release(); });
  model.thread([&s] {
    if (s.permits->try_acquire()) s.permits->release();
  });
}

void permit_or_stop(Model& model) {
  struct State : Guarded {
    State() : Guarded(1, 0) {}
    std::stop_source source;
  };
  auto& s = model.make<State>();
  free_at_end(model, s);
  model.thread([&s] {
    const std::stop_token token = s.source.get_token();
    const Acquired outcome = s.acquire(1, Deadline::never(), token);
    check(outcome == Acquired::yes || token.stop_requested(), "stopped only after a stop");
    if (outcome == Acquired::yes) s.permits->release();
    check(sleep_for(forever, token) == WaitStatus::stopped, "the stop is still there");
  });
  model.thread([&s] { s.permits->release(); });
  model.thread([&s] { s.source.request_stop(); });
}

// What is raised is thrown in the wait, and nothing is taken; or later.
void permit_or_raise(Model& model) {
  struct State : Guarded {
    State() : Guarded(1, 0) {}
    ToldBlock waiter;
  };
  auto& s = model.make<State>();
  free_at_end(model, s);
  model.thread([&s] {
    s.waiter.tell();
    int thrown = 0;
    try {
      check(s.acquire() == Acquired::yes, "acquired");
      s.permits->release();
      (void)sleep_for(forever);
    } catch (const int&) {
      ++thrown;
    }
    check(thrown == 1, "thrown");
  });
  model.thread([&s] { s.waiter.await().raise(std::make_exception_ptr(7)); });
  model.thread([&s] { s.permits->release(); });
}

// Who comes later, by any way, does not pass one who waits for more.
void nobody_passes(Model& model) {
  struct State : Guarded {
    State() : Guarded(3, 1) {}
    ToldBlock first;
  };
  auto& s = model.make<State>();
  free_at_end(model, s);
  model.thread([&s] {
    s.first.tell();
    check(s.acquire(3) == Acquired::yes, "acquired");
    s.permits->release(3);
  });
  model.thread([&s] {
    s.first.await_blocked();
    check(!s.permits->try_acquire(), "not tried with success");
    check(s.acquire_in_time() == Acquired::timeout, "not acquired");
    s.permits->release();
  });
  model.thread([&s] {
    s.first.await_blocked();
    s.permits->release();
  });
}

// One who waits for more than there ever is holds up another, until it leaves by time or by a stop.
void leaver_lets_others_go(Model& model, bool by_stop) {
  struct State : Guarded {
    State() : Guarded(1, 1) {}
    std::stop_source source;
  };
  auto& s = model.make<State>();
  free_at_end(model, s);
  model.thread([&s, by_stop] {
    const Acquired outcome =
        by_stop ? s.acquire(2, Deadline::never(), s.source.get_token()) : s.acquire_in_time(2);
    check(outcome == (by_stop ? Acquired::stopped : Acquired::timeout), "ended");
  });
  model.thread([&s] {
    check(s.acquire() == Acquired::yes, "acquired");
    s.permits->release();
  });
  if (by_stop) model.thread([&s] { s.source.request_stop(); });
}

// A permit against a close.
void permit_or_closed(Model& model) {
  auto& s = model.make<Guarded>(1U, 0U);
  for (int i = 0; i < 2; ++i) {
    model.thread([&s] {
      if (s.acquire() == Acquired::yes) {
        s.permits->release();
      } else {
        check(s.acquire() == Acquired::closed, "still closed");
      }
    });
  }
  model.thread([&s] {
    s.permits->release();
    s.permits->close();
    check(!s.permits->try_acquire(), "closed");
  });
  model.at_end([&s] {
    s.permits->reopen();
    check(s.permits->try_acquire(s.count), "as many as there were");
  });
}

// Closed and destroyed, while one who waited is refused, or leaves by time.
void closed_and_destroyed(Model& model) {
  struct State : Guarded {
    State() : Guarded(1, 0) {}
    ToldBlock waiter;
    Atomic<std::uint32_t> ended{0};
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    s.waiter.tell();
    const Acquired outcome = s.acquire_in_time();
    check(outcome == Acquired::timeout || outcome == Acquired::closed, "timeout, or closed");
    s.ended.store(1, memory_order_relaxed);
  });
  model.thread([&s] {
    const detail::ControlBlock& waiter = s.waiter.await();
    while (waiter.blocked_in.load(std::memory_order_acquire) == nullptr &&
           s.ended.load(memory_order_relaxed) == 0) {
      detail::os::cpu_relax();
    }
    s.permits->close();
    s.permits.destroy();
  });
}

// Who has all of them destroys them, while the release that it got them from is on its way out.
void destroyed_by_the_last(Model& model) {
  struct State : Guarded {
    State() : Guarded(2, 0) {}
  };
  auto& s = model.make<State>();
  model.thread([&s] {
    check(s.acquire(2) == Acquired::yes, "acquired");
    s.permits.destroy();
    s.permits.make(0U);
    check(s.acquire_in_time() == Acquired::timeout, "none of the new ones is free");
    check(s.permits->available() == 0, "none was given back");
  });
  for (int i = 0; i < 2; ++i) model.thread([&s] { s.permits->release(); });
}

constexpr Scenario scenarios[] = {
    {"released_while_one_leaves", released_while_one_leaves},
    {"refused", refused},
    {"one", one},
    {"both_or_one", both_or_one},
    {"given_back_by_two", given_back_by_two},
    {"rest_is_tried", rest_is_tried},
    {"tried", tried},
    {"permit_or_timeout", permit_or_timeout},
    {"permit_or_stop", permit_or_stop},
    {"permit_or_raise", permit_or_raise},
    {"nobody_passes", nobody_passes},
    {"leaver_at_the_deadline", [](Model& model) { leaver_lets_others_go(model, false); }},
    {"leaver_at_the_stop", [](Model& model) { leaver_lets_others_go(model, true); }},
    {"permit_or_closed", permit_or_closed},
    {"closed_and_destroyed", closed_and_destroyed},
    {"destroyed_by_the_last", destroyed_by_the_last},
};

}  // namespace

std::span<const Scenario> permits_scenarios() { return scenarios; }

}  // namespace rouse::test::model
