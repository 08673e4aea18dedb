// RWLock: exclusion, hand-over to who sleeps, ends by time, stop and raise, destruction right after
// an unlock, upgrade and downgrade, two locks in one slot.

#include "rouse/sync/rw_lock.hpp"

#include "rouse/wait/sleep.hpp"

#include "model/schedule/scenarios/areas.hpp"
#include "model/schedule/scenarios/places.hpp"
#include "model/schedule/scenarios/told.hpp"
#include "sync/reader_slots.hpp"
#include "wait/control_block.hpp"

#include <chrono>
#include <exception>
#include <functional>
#include <stop_token>
#include <utility>

namespace rouse::test::model {
namespace {

using namespace std::chrono_literals;
using detail::Atomic;
using std::memory_order_relaxed;

// How readers are in: counted in the word, or in slots since some have met.
enum class Readers : bool { counted, in_slots };

// A lock and what it guards.
struct Guarded {
  explicit Guarded(Readers readers, unsigned n = 0) : lock(0, n) {
    if (readers == Readers::counted) return;
    lock->lock_shared();
    lock->lock_shared();
    lock->unlock_shared();
    lock->unlock_shared();
  }

  void write() {
    lock->lock();
    change();
    lock->unlock();
  }
  void write_in_time() {
    if (!lock->try_lock_for(1ms)) return;
    change();
    lock->unlock();
  }
  void read() {
    lock->lock_shared();
    (void)look();
    lock->unlock_shared();
  }

  // With the lock.
  void change() { value.write(value.read() + 1); }
  int look() const { return value.read(); }

  Place<RWLock> lock;
  Plain<int> value;
};

// A thread that gives its row back at its end.
void thread(Model& model, std::function<void()> body) {
  model.thread([body = std::move(body)] {
    body();
    detail::ReaderSlots::give_back();
  });
}

// Nobody is in and nobody is expected.
void free_at_end(Model& model, Guarded& s) {
  model.at_end([&s] {
    check(s.lock->try_lock(), "it is free");
    s.lock->unlock();
  });
}

template <Readers How>
Guarded& guarded(Model& model) {
  auto& s = model.make<Guarded>(How);
  free_at_end(model, s);
  return s;
}

template <Readers How>
void reader_and_writer(Model& model) {
  auto& s = guarded<How>(model);
  thread(model, [&s] { s.read(); });
  thread(model, [&s] { s.write(); });
}

template <Readers How>
void readers_and_writer(Model& model) {
  auto& s = guarded<How>(model);
  for (int i = 0; i < 2; ++i) thread(model, [&s] { s.read(); });
  thread(model, [&s] { s.write(); });
}

template <Readers How>
void reader_and_writers(Model& model) {
  auto& s = guarded<How>(model);
  for (int i = 0; i < 2; ++i) thread(model, [&s] { s.write(); });
  thread(model, [&s] { s.read(); });
  model.at_end([&s] { check(s.look() == 2, "both have written"); });
}

// Two sleep while one writes: the first of them wakes the second.
void writers(Model& model) {
  auto& s = guarded<Readers::counted>(model);
  for (int i = 0; i < 3; ++i) thread(model, [&s] { s.write(); });
  model.at_end([&s] { check(s.look() == 3, "all have written"); });
}

// Three readers, two rows.
void reader_without_row(Model& model) {
  auto& s = guarded<Readers::in_slots>(model);
  for (int i = 0; i < 3; ++i) thread(model, [&s] { s.read(); });
  thread(model, [&s] { s.write(); });
}

// Readers meet, so that `spread` comes, and writers take it off again.
void spread_comes_and_goes(Model& model) {
  auto& s = guarded<Readers::counted>(model);
  for (int i = 0; i < 2; ++i) {
    thread(model, [&s] {
      s.read();
      s.read();
    });
  }
  thread(model, [&s] {
    s.write();
    s.write();
  });
}

// The same thread twice: in its slot and counted, or counted twice.
template <Readers How>
void read_by_one_twice(Model& model) {
  auto& s = guarded<How>(model);
  thread(model, [&s] {
    s.lock->lock_shared();
    const bool again = s.lock->try_lock_shared();
    (void)s.look();
    if (again) s.lock->unlock_shared();
    (void)s.look();
    s.lock->unlock_shared();
  });
  thread(model, [&s] { s.write(); });
}

// What never blocks is in or is not, and holds nobody back.
template <Readers How>
void tried(Model& model) {
  auto& s = guarded<How>(model);
  thread(model, [&s] {
    if (!s.lock->try_lock()) return;
    s.change();
    s.lock->unlock();
  });
  thread(model, [&s] {
    if (!s.lock->try_lock_shared()) return;
    (void)s.look();
    s.lock->unlock_shared();
  });
  thread(model, [&s] { s.read(); });
}

// A reader that stays until another is in.
template <Readers How>
Guarded& overlapping_readers(Model& model) {
  struct State : Guarded {
    State() : Guarded(How) {}
    EventPlace in{1, 0};
  };
  auto& s = model.make<State>();
  free_at_end(model, s);
  thread(model, [&s] {
    s.lock->lock_shared();
    check(s.in->wait() == WaitStatus::ready, "ready");
    s.lock->unlock_shared();
  });
  thread(model, [&s] {
    s.lock->lock_shared();
    (void)s.look();
    s.in->set();
    s.lock->unlock_shared();
  });
  return s;
}

// A writer that gives up between the two lets the second one in.
template <Readers How>
void writer_gives_up(Model& model) {
  auto& s = overlapping_readers<How>(model);
  thread(model, [&s] { s.write_in_time(); });
}

// Time-outs against hand-overs: who was handed the lock has it.
template <Readers How>
void hand_over_or_timeout(Model& model) {
  auto& s = guarded<How>(model);
  thread(model, [&s] { s.write(); });
  thread(model, [&s] { s.write_in_time(); });
  thread(model, [&s] {
    if (!s.lock->try_lock_shared_for(1ms)) return;
    (void)s.look();
    s.lock->unlock_shared();
  });
}

// A stop, a time-out and a hand-over to a writer, and to a reader.
template <Readers How, bool Exclusive>
void hand_over_or_stop(Model& model) {
  struct State : Guarded {
    State() : Guarded(How) {}
    std::stop_source source;
  };
  auto& s = model.make<State>();
  free_at_end(model, s);
  thread(model, [&s] { s.write(); });
  thread(model, [&s] {
    const std::stop_token stop = s.source.get_token();
    const WaitStatus status =
        Exclusive ? s.lock->try_lock_for(1ms, stop) : s.lock->try_lock_shared_for(1ms, stop);
    check_truth(status, true, stop);
    if (status != WaitStatus::ready) return;
    if (Exclusive) {
      s.change();
      s.lock->unlock();
    } else {
      (void)s.look();
      s.lock->unlock_shared();
    }
  });
  thread(model, [&s] { s.source.request_stop(); });
}

// A writer that is stopped while it waits for a reader, with another writer behind it.
template <Readers How>
void stopped_while_draining(Model& model) {
  struct State : Guarded {
    State() : Guarded(How) {}
    std::stop_source source;
  };
  auto& s = model.make<State>();
  free_at_end(model, s);
  thread(model, [&s] { s.read(); });
  thread(model, [&s] {
    if (s.lock->lock(s.source.get_token()) != WaitStatus::ready) return;
    s.change();
    s.lock->unlock();
  });
  thread(model, [&s] { s.write(); });
  thread(model, [&s] { s.source.request_stop(); });
}

// What is raised at a thread that waits for the lock is thrown, or the thread has the lock and it
// is thrown later; forms without a token do not throw.
template <Readers How, bool Exclusive>
void hand_over_or_raise(Model& model) {
  struct State : Guarded {
    State() : Guarded(How) {}
    ToldBlock waiter;
  };
  auto& s = model.make<State>();
  free_at_end(model, s);
  thread(model, [&s] { s.write(); });
  thread(model, [&s] {
    s.waiter.tell();
    int thrown = 0;
    try {
      if (Exclusive) {
        const WriteGuard guard(*s.lock);
        s.change();
      } else {
        const ReadGuard guard(*s.lock);
        (void)s.look();
      }
    } catch (const int&) {
      ++thrown;
    }
    s.read();
    try {
      if (thrown == 0) (void)sleep_for(forever);
    } catch (const int&) {
      ++thrown;
    }
    check(thrown == 1, "thrown once");
  });
  thread(model, [&s] {
    check(s.waiter.await().raise(std::make_exception_ptr(7)), "nothing was pending");
  });
}

// Whoever is in second knows that the other has left, and destroys the lock behind its own unlock.
template <Readers How, bool FirstExclusive>
void destroyed_by_the_last(Model& model) {
  struct State : Guarded {
    State() : Guarded(How) {}
    Atomic<std::uint32_t> came{0};
  };
  auto& s = model.make<State>();
  const auto in_turn = [&s](bool exclusive) {
    exclusive ? s.lock->lock() : s.lock->lock_shared();
    const bool last = s.came.fetch_add(1, memory_order_relaxed) == 1;
    if (exclusive) {
      s.change();
      s.lock->unlock();
    } else {
      (void)s.look();
      s.lock->unlock_shared();
    }
    if (last) s.lock.destroy();
  };
  thread(model, [in_turn] { in_turn(FirstExclusive); });
  thread(model, [in_turn] { in_turn(true); });
}

// Of two readers that upgrade one may; the others see all of it or nothing.
template <Readers How>
void upgraded(Model& model) {
  auto& s = guarded<How>(model);
  for (int i = 0; i < 2; ++i) {
    thread(model, [&s] {
      s.lock->lock_shared();
      const int before = s.look();
      if (s.lock->try_upgrade()) {
        check(s.look() == before, "nobody has written in between");
        s.change();
        s.lock->unlock();
      } else {
        check(s.look() == before, "still shared");
        s.lock->unlock_shared();
      }
    });
  }
  thread(model, [&s] { s.write(); });
}

// An upgrade that fails lets in who has queued meanwhile.
template <Readers How>
void upgrade_beside_a_reader(Model& model) {
  auto& s = overlapping_readers<How>(model);
  thread(model, [&s] {
    s.lock->lock_shared();
    if (s.lock->try_upgrade()) {
      s.change();
      s.lock->unlock();
    } else {
      s.lock->unlock_shared();
    }
  });
}

// From exclusive to shared without a moment in which another could write.
template <Readers How>
void downgraded(Model& model) {
  auto& s = guarded<How>(model);
  thread(model, [&s] {
    s.lock->lock();
    s.change();
    const int mine = s.look();
    s.lock->downgrade();
    check(s.look() == mine, "nobody has written in between");
    s.lock->unlock_shared();
  });
  thread(model, [&s] { s.write(); });
  thread(model, [&s] { s.read(); });
}

// One slot for two locks: the thread is in one of them, and counted in the other.
void two_locks_in_a_slot(Model& model) {
  struct State {
    Guarded first{Readers::in_slots};
    Guarded second{Readers::in_slots, 1};
  };
  auto& s = model.make<State>();
  free_at_end(model, s.first);
  free_at_end(model, s.second);
  thread(model, [&s] {
    s.first.lock->lock_shared();
    s.second.lock->lock_shared();
    (void)s.first.look();
    s.first.lock->unlock_shared();
    (void)s.second.look();
    s.second.lock->unlock_shared();
  });
  thread(model, [&s] { s.first.write(); });
  thread(model, [&s] { s.second.write(); });
}

constexpr auto counted = Readers::counted;
constexpr auto in_slots = Readers::in_slots;

constexpr Scenario scenarios[] = {
    {"reader_and_writer", reader_and_writer<counted>},
    {"slot_and_writer", reader_and_writer<in_slots>},
    {"readers_and_writer", readers_and_writer<counted>},
    {"slots_and_writer", readers_and_writer<in_slots>},
    {"reader_and_writers", reader_and_writers<counted>},
    {"slot_and_writers", reader_and_writers<in_slots>},
    {"writers", writers},
    {"reader_without_row", reader_without_row},
    {"spread_comes_and_goes", spread_comes_and_goes},
    {"counted_twice", read_by_one_twice<counted>},
    {"in_a_slot_and_counted", read_by_one_twice<in_slots>},
    {"tried", tried<counted>},
    {"tried_with_slots", tried<in_slots>},
    {"writer_gives_up", writer_gives_up<counted>},
    {"writer_gives_up_on_slots", writer_gives_up<in_slots>},
    {"hand_over_or_timeout", hand_over_or_timeout<counted>},
    {"hand_over_or_timeout_with_slots", hand_over_or_timeout<in_slots>},
    {"writer_or_stop", hand_over_or_stop<counted, true>},
    {"reader_or_stop", hand_over_or_stop<counted, false>},
    {"reader_in_a_slot_or_stop", hand_over_or_stop<in_slots, false>},
    {"stopped_while_draining", stopped_while_draining<counted>},
    {"stopped_while_draining_slots", stopped_while_draining<in_slots>},
    {"writer_or_raise", hand_over_or_raise<in_slots, true>},
    {"reader_or_raise", hand_over_or_raise<counted, false>},
    {"destroyed_by_a_writer", destroyed_by_the_last<counted, true>},
    {"destroyed_beside_a_reader", destroyed_by_the_last<counted, false>},
    {"destroyed_beside_a_slot", destroyed_by_the_last<in_slots, false>},
    {"upgraded", upgraded<counted>},
    {"upgraded_from_slots", upgraded<in_slots>},
    {"upgrade_beside_a_reader", upgrade_beside_a_reader<counted>},
    {"upgrade_beside_a_slot", upgrade_beside_a_reader<in_slots>},
    {"downgraded", downgraded<counted>},
    {"downgraded_with_slots", downgraded<in_slots>},
    {"two_locks_in_a_slot", two_locks_in_a_slot},
};

}  // namespace

std::span<const Scenario> rw_lock_scenarios() { return scenarios; }

}  // namespace rouse::test::model
