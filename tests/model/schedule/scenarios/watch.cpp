// Watch: workers that sleep until a deadline, as a pool uses it with its Roster: what is due is
// called, however long other calls last, and nobody is woken for what somebody guards.

#include "exec/watch.hpp"

#include "rouse/detail/deadline.hpp"
#include "rouse/detail/lock.hpp"
#include "rouse/wait/event.hpp"

#include "exec/roster.hpp"
#include "model/schedule/scenarios/areas.hpp"
#include "model/schedule/scenarios/places.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <utility>

namespace rouse::test::model {
namespace {

using detail::Atomic;
using detail::Deadline;
using detail::LockGuard;
using detail::Roster;
using detail::Watch;
using std::memory_order_relaxed;
using std::memory_order_seq_cst;

constexpr std::int64_t ms = 1'000'000;
constexpr std::int64_t begin_ns = 1'000 * ms;  // when a schedule begins

struct Rules {
  int calls;                         // when they have ended all are dismissed
  unsigned limit = 2;                // of workers that are awake
  unsigned stay = 2;                 // of workers, however long there is nothing to do
  std::int64_t idle_ns = INT64_MAX;  // after which others leave
  std::int64_t uncalled_ms = 0;      // so long from the begin nobody is called
};

struct Timer {
  std::int64_t at_ms = 0;  // from the begin of the schedule; of no meaning for a job
  bool lasts = false;      // until all calls have begun
};

// The timers of a thread that makes some, as TimerShard has them: few, and never two at one time.
class Shard {
 public:
  /// Whether the deadline is to be told.
  bool put_in(unsigned timer, std::int64_t at) {
    const LockGuard guard(lock_);
    deadlines_[timer] = at;
    if (at >= next_.load(memory_order_relaxed)) return false;
    next_.store(at, memory_order_seq_cst);
    return true;
  }
  void remove(unsigned timer) {
    const LockGuard guard(lock_);
    deadlines_[timer] = Watch::never;
  }
  std::int64_t next() const { return next_.load(memory_order_relaxed); }

  /// Bits of the timers.
  unsigned take_due(std::int64_t now) {
    if (next_.load(memory_order_seq_cst) > now) return 0;
    const LockGuard guard(lock_);
    unsigned due = 0;
    for (unsigned i = 0; i < deadlines_.size(); ++i) {
      if (deadlines_[i] > now) continue;
      check(now - deadlines_[i] <= 10 * ms, "somebody has woken up for it");
      deadlines_[i] = Watch::never;
      due |= 1U << i;
    }
    next_.store(earliest(), memory_order_seq_cst);
    return due;
  }
  /// What was told, though that timer may be gone.
  std::int64_t next_told() {
    const LockGuard guard(lock_);
    return mutant("time_of_a_removed_is_skipped") ? earliest() : next();
  }

 private:
  std::int64_t earliest() const { return *std::min_element(deadlines_.begin(), deadlines_.end()); }

  detail::Lock lock_;
  std::array<std::int64_t, 4> deadlines_{Watch::never, Watch::never, Watch::never, Watch::never};
  Atomic<std::int64_t> next_{Watch::never};
};

// The workers of a pool, and what they call: timers 0 to 3. Their lines are those of Worker.
class Sentries {
 public:
  Sentries(Model& model, const Rules& rules, std::array<Timer, 4> timers)
      : model_(model), rules_(rules), timers_(timers) {
    roster.set_limits(rules.stay, rules.limit);
    watch.set_open(true);
  }

  // --- before the threads run --------------------------------------------------------------------

  /// The timer is told, and nobody guards it.
  Sentries& with_timer(unsigned timer, unsigned shard = 0) {
    (void)put_in(timer, shard);
    return *this;
  }
  Sentries& with_job(unsigned timer) {
    queued_.fetch_or(1U << timer, memory_order_relaxed);
    return *this;
  }
  /// It guards what is to be guarded.
  Sentries& with_sleeping_worker() {
    const unsigned number = enter();
    roster.lie_down(*sleepers_[number], true);
    const std::int64_t alarm = watch.guard(number);
    model_.thread([this, number, alarm] {
      bool searching = false;
      if (sleep(number, alarm, searching)) work(number, searching);
    });
    return *this;
  }
  Sentries& with_worker() {
    const unsigned number = enter();
    model_.thread([this, number] { work(number, true); });
    return *this;
  }
  /// It has found nothing, and lies down.
  Sentries& with_worker_that_has_looked() {
    const unsigned number = enter();
    model_.thread([this, number] { work(number, true, true); });
    return *this;
  }
  /// It has just ended a job.
  Sentries& with_busy_worker() {
    const unsigned number = enter();
    (void)roster.end_searching();
    model_.thread([this, number] { work(number, false); });
    return *this;
  }
  template <class Body>
  Sentries& with_thread(Body body) {
    model_.thread([this, body] { body(*this); });
    return *this;
  }

  // --- threads -----------------------------------------------------------------------------------

  void add(unsigned timer, unsigned shard = 0) {
    if (put_in(timer, shard)) call_worker();
  }
  void post(unsigned timer) {
    queued_.fetch_or(1U << timer, memory_order_seq_cst);
    call_worker();
  }
  void remove(unsigned timer, unsigned shard = 0) { shards_[shard].remove(timer); }
  void await_calls() { (void)all_have_begun_->wait(); }

  Roster roster;
  Watch watch;
  // The end of its call puts it in.
  Atomic<int> adds_at_its_end{-1};

  void check_end() const {
    check(ended_.load(memory_order_relaxed) == rules_.calls, "all were called");
    const Roster::Counts counts = roster.counts();
    check(counts.threads() == 0 && counts.searching == 0, "the counts are right");
  }

 private:
  static constexpr unsigned nothing = UINT32_MAX;

  unsigned enter() {
    roster.add_worker();
    return workers_++;
  }

  // Whether it is unguarded.
  bool put_in(unsigned timer, unsigned shard) {
    Shard& its = shards_[shard];
    return its.put_in(timer, begin_ns + timers_[timer].at_ms * ms) && watch.lower(its.next());
  }

  // Nobody sleeps: then there is nobody to start either.
  void call_worker() {
    if (roster.work_added()) roster.start_failed();
  }

  bool has_calls() const { return queued_.load(memory_order_seq_cst) != 0; }
  bool has_work() const {
    if (mutant("looks_at_the_deadlines_first")) return watch.unguarded() || has_calls();
    return has_calls() || watch.unguarded();
  }

  void ring() {
    const std::int64_t next = watch.next();
    if (next == Watch::never || next > detail::os::now_ns()) return;
    unsigned due = 0;
    if (rings_.exchange(true, std::memory_order_acquire)) return;
    watch.begin_ring();
    const std::int64_t now = detail::os::now_ns();
    for (Shard& each : shards_) due |= each.take_due(now);
    watch.refresh([this] { return std::min(shards_[0].next_told(), shards_[1].next_told()); });
    rings_.store(false, std::memory_order_release);
    for (unsigned i = 0; i < timers_.size(); ++i) {
      if ((due & 1U << i) != 0) post(i);
    }
  }

  // The first that is queued.
  unsigned find() {
    ring();
    unsigned seen = queued_.load(memory_order_seq_cst);
    while (seen != 0) {
      if (queued_.compare_exchange_strong(seen, seen & (seen - 1), memory_order_seq_cst)) {
        return static_cast<unsigned>(std::countr_zero(seen));
      }
    }
    return nothing;
  }

  void work(unsigned number, bool searching, bool has_looked = false) {
    Roster::Sleeper& sleeper = *sleepers_[number];
    bool owes_look = false;
    for (;;) {
      std::int64_t alarm = Watch::never;
      if (searching || !roster.crowded() || !roster.lie_down_if_crowded(sleeper)) {
        unsigned call = std::exchange(has_looked, false) ? nothing : find();
        if (call == nothing && !searching && roster.start_searching(1)) {
          searching = true;
          call = find();
        }
        if (call != nothing) {
          if (std::exchange(searching, false) && roster.end_searching() &&
              (mutant("search_ends_without_a_look") ? has_calls() : has_work())) {
            call_worker();
          }
          if (std::exchange(owes_look, false) && has_work()) call_worker();
          run(call, owes_look);
          continue;
        }
        roster.lie_down(sleeper, std::exchange(searching, false));
        owes_look = false;
        alarm = watch.guard(number);
        if ((mutant("sleeps_without_a_look") ? has_calls() : has_work()) &&
            roster.get_up(sleeper)) {
          if (alarm != Watch::never && !mutant("guards_though_up")) watch.leave(number);
          searching = true;
          continue;
        }
      }
      if (!sleep(number, alarm, searching)) return;
    }
  }

  // False if it has left.
  bool sleep(unsigned number, std::int64_t alarm, bool& searching) {
    const Roster::Woken woken = sleep_until(number, alarm);
    if (woken == Roster::Woken::surplus) return false;
    searching = woken == Roster::Woken::for_work;
    if (!searching && !has_calls()) {
      roster.leave();
      return false;
    }
    return true;
  }

  Roster::Woken sleep_until(unsigned number, std::int64_t alarm) {
    Roster::Sleeper& sleeper = *sleepers_[number];
    if (alarm == Watch::never) return called(roster.sleep(sleeper, rules_.idle_ns));
    Roster::Woken woken = called(roster.sleep(sleeper, rules_.idle_ns, Deadline::at_ns(alarm)));
    if (woken != Roster::Woken::alarm || !mutant("guards_after_its_alarm")) watch.leave(number);
    if (woken == Roster::Woken::alarm) {
      woken = roster.get_up(sleeper) ? Roster::Woken::for_work
                                     : called(roster.sleep(sleeper, rules_.idle_ns));
    }
    if (woken == Roster::Woken::surplus && watch.unguarded() && !mutant("guard_leaves_silently")) {
      call_worker();
    }
    return woken;
  }

  Roster::Woken called(Roster::Woken woken) {
    if (woken == Roster::Woken::for_work && rules_.uncalled_ms != 0) {
      check(detail::os::now_ns() >= begin_ns + rules_.uncalled_ms * ms,
            "nobody is called for what is guarded");
    }
    return woken;
  }

  void run(unsigned call, bool& owes_look) {
    if (begun_.fetch_add(1, memory_order_relaxed) + 1 == rules_.calls) all_have_begun_->set();
    if (timers_[call].lasts) await_calls();
    const int next = adds_at_its_end.exchange(-1, memory_order_relaxed);
    if (next >= 0 && put_in(static_cast<unsigned>(next), 0)) {
      owes_look = !mutant("look_is_not_made_later");
    }
    if (ended_.fetch_add(1, memory_order_relaxed) + 1 == rules_.calls) {
      watch.set_open(false);
      roster.dismiss();
    }
  }

  Model& model_;
  const Rules rules_;
  const std::array<Timer, 4> timers_;
  unsigned workers_ = 0;
  std::array<Place<Roster::Sleeper>, 3> sleepers_{
      Place<Roster::Sleeper>{0, 0}, Place<Roster::Sleeper>{0, 1}, Place<Roster::Sleeper>{0, 2}};
  EventPlace all_have_begun_{1, 0};
  std::array<Shard, 2> shards_;
  Atomic<bool> rings_{false};
  Atomic<unsigned> queued_{0};
  Atomic<int> begun_{0};
  Atomic<int> ended_{0};
};

Sentries& sentries(Model& model, const Rules& rules, std::array<Timer, 4> timers) {
  auto& s = model.make<Sentries>(model, rules, timers);
  model.at_end([&s] { s.check_end(); });
  return s;
}

// The time passes by itself only by some milliseconds, unless nobody can go on.
constexpr std::int64_t now = 0;
constexpr std::int64_t soon = 1;
constexpr std::int64_t later = 100;
constexpr std::int64_t much_later = 200;

void going_to_sleep(Model& model) {
  sentries(model, {.calls = 2, .limit = 1}, {{{later}, {soon}}})
      .with_worker()
      .with_thread([](Sentries& s) {
        s.add(0);
        s.add(1);
      });
}

void later_than_the_guard(Model& model) {
  Sentries& s = sentries(model, {.calls = 2, .uncalled_ms = later}, {{{soon}, {later}}});
  s.with_timer(0).with_sleeping_worker();
  s.add(1, 1);
}

// The second guard takes over while the first makes the call. Nobody calls it before.
void call_that_lasts(Model& model) {
  sentries(model, {.calls = 2, .uncalled_ms = soon + Watch::grace_ns / ms},
           {{{soon, true}, {later}}})
      .with_timer(0)
      .with_timer(1, 1)
      .with_sleeping_worker()
      .with_sleeping_worker();
}

// Who makes the call has looked for more before, or whoever brings the deadline sees that it does
// not search any more.
void comes_when_a_search_ends(Model& model) {
  sentries(model, {.calls = 2}, {{{later}, {.lasts = true}}})
      .with_sleeping_worker()
      .with_job(1)
      .with_worker()
      .with_thread([](Sentries& s) { s.add(0); });
}

// Who wakes up has to sleep on, for the other may not be awake too.
void one_awake(Model& model) {
  sentries(model, {.calls = 2, .limit = 1}, {{{soon}, {}}})
      .with_job(1)
      .with_timer(0)
      .with_sleeping_worker()
      .with_worker();
}

// A worker that does not search looks at the deadlines, for a timer that is gone, and then takes a
// job, which the other did not find before it lies down.
void rung_before_a_job(Model& model) {
  Sentries& s = sentries(model, {.calls = 2}, {{{now}, {later}, {.lasts = true}}});
  s.with_timer(1).with_timer(0);
  s.remove(0);
  s.with_job(2).with_busy_worker().with_worker_that_has_looked();
}

// The shard of a timer that is gone is not looked into when another's is due.
void other_shard(Model& model) {
  Sentries& s = sentries(model, {.calls = 2, .limit = 1}, {{{later}, {soon}, {much_later}}});
  s.with_timer(0, 0).with_timer(1, 1).with_sleeping_worker();
  s.remove(0);
  s.with_thread([](Sentries& t) { t.add(2); });
}

void earlier_than_the_guard(Model& model) {
  sentries(model, {.calls = 3, .limit = 1}, {{{much_later}, {later}, {soon}}})
      .with_timer(0)
      .with_timer(1)
      .with_sleeping_worker()
      .with_sleeping_worker()
      .with_thread([](Sentries& s) { s.add(2); });
}

// The end of a call puts a timer in, and the next job lasts.
void put_in_at_the_end_of_a_call(Model& model) {
  Sentries& s = sentries(model, {.calls = 3}, {{{}, {.lasts = true}, {soon}}});
  s.adds_at_its_end.store(2, memory_order_relaxed);
  s.with_job(0).with_job(1).with_sleeping_worker().with_busy_worker();
}

// Both guards may leave, and only the third stays.
void guards_leave(Model& model) {
  sentries(model, {.calls = 1, .stay = 1, .idle_ns = 2 * ms}, {{{later}}})
      .with_timer(0)
      .with_sleeping_worker()
      .with_sleeping_worker()
      .with_sleeping_worker();
}

// A worker sleeps since there was nothing to guard; the other finds a job in its last look.
void guard_gets_up(Model& model) {
  sentries(model, {.calls = 2}, {{{later}, {.lasts = true}}})
      .with_sleeping_worker()
      .with_timer(0)
      .with_worker()
      .with_thread([](Sentries& s) { s.post(1); });
}

void comes_while_somebody_rings(Model& model) {
  sentries(model, {.calls = 2, .limit = 1}, {{{now}, {later}}})
      .with_timer(0)
      .with_sleeping_worker()
      .with_thread([](Sentries& s) { s.add(1); });
}

constexpr Scenario scenarios[] = {
    {"going_to_sleep", going_to_sleep},
    {"later_than_the_guard", later_than_the_guard},
    {"call_that_lasts", call_that_lasts},
    {"comes_when_a_search_ends", comes_when_a_search_ends},
    {"one_awake", one_awake},
    {"rung_before_a_job", rung_before_a_job},
    {"other_shard", other_shard},
    {"earlier_than_the_guard", earlier_than_the_guard},
    {"put_in_at_the_end_of_a_call", put_in_at_the_end_of_a_call},
    {"guards_leave", guards_leave},
    {"guard_gets_up", guard_gets_up},
    {"comes_while_somebody_rings", comes_while_somebody_rings},
};

}  // namespace

std::span<const Scenario> watch_scenarios() { return scenarios; }

}  // namespace rouse::test::model
