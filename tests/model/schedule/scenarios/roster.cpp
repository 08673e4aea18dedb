// Roster: workers that sleep and are woken, as a pool uses it: no job is left lying while a worker
// may run it, too, and all leave when they are dismissed.

#include "exec/roster.hpp"

#include "rouse/wait/event.hpp"

#include "model/schedule/scenarios/areas.hpp"
#include "model/schedule/scenarios/places.hpp"

#include <array>
#include <cstdint>
#include <utility>

namespace rouse::test::model {
namespace {

using detail::Atomic;
using detail::Roster;
using std::memory_order_relaxed;
using std::memory_order_seq_cst;

struct Options {
  int jobs;  // when they are done all are dismissed
  unsigned limit;
  unsigned stay = 2;
  unsigned most = 2;  // jobs that may run at the same time
  bool meet = false;  // no job ends before all have begun
  std::int64_t idle_ns = INT64_MAX;
};

// The workers of a pool, one of which may be started later, and a count of jobs as its queue.
class Crew {
 public:
  Crew(Model& model, const Options& options) : model_(model), options_(options) {
    roster.set_limits(options.stay, options.limit);
  }

  // --- before the threads run
  // ----------------------------------------------------------------------

  Crew& with_job() {
    jobs_.fetch_add(1, memory_order_relaxed);
    return *this;
  }
  Crew& with_sleeping_worker() {
    const unsigned number = enter();
    roster.lie_down(*sleepers_[number], true);
    model_.thread([this, number] {
      bool searching = false;
      if (sleep(number, searching)) work(number, searching);
    });
    return *this;
  }
  Crew& with_worker() {
    const unsigned number = enter();
    model_.thread([this, number] { work(number, true); });
    return *this;
  }
  Crew& with_spare_worker() {
    const unsigned number = workers_++;
    spare_.store(Spare::waits, memory_order_relaxed);
    model_.thread([this, number] {
      (void)called_->wait();
      if (spare_.load(memory_order_relaxed) == Spare::called) work(number, true);
    });
    return *this;
  }
  template <class Body>
  Crew& with_thread(Body body) {
    model_.thread([this, body] { body(*this); });
    return *this;
  }

  // --- threads
  // -------------------------------------------------------------------------------------

  void accept() { jobs_.fetch_add(1, memory_order_seq_cst); }
  void add(int count = 1) {
    jobs_.fetch_add(count, memory_order_seq_cst);
    tell();
  }
  void look() {
    if (has_work()) tell();
  }

  Roster roster;
  // Of the next job, or start.
  Atomic<bool> adds{false};    // another job
  Atomic<bool> blocks{false};  // until all have begun
  Atomic<bool> exits{false};   // its thread
  Atomic<bool> refused{false};

 private:
  enum class Spare : int { missing, waits, called };

  unsigned enter() {
    roster.add_worker();
    started_.fetch_add(1, memory_order_relaxed);
    return workers_++;
  }

  bool has_work() const { return jobs_.load(memory_order_seq_cst) > 0; }

  bool take() {
    int seen = jobs_.load(memory_order_seq_cst);
    while (seen > 0) {
      if (jobs_.compare_exchange_strong(seen, seen - 1, memory_order_seq_cst)) return true;
    }
    return false;
  }

  void tell() {
    if (!roster.work_added()) return;
    Spare spare = Spare::waits;
    if (refused.exchange(false, memory_order_relaxed) ||
        !spare_.compare_exchange_strong(spare, Spare::called, memory_order_relaxed)) {
      roster.start_failed();
      return;
    }
    started_.fetch_add(1, memory_order_relaxed);
    called_->set();
  }

  void work(unsigned number, bool searching) {
    Roster::Sleeper& sleeper = *sleepers_[number];
    do {
      for (;;) {
        if (!searching && roster.crowded() && roster.lie_down_if_crowded(sleeper)) break;
        if (take()) {
          if (std::exchange(searching, false) && roster.end_searching()) look();
          if (!run()) return;
          continue;
        }
        if (!searching && roster.start_searching(1)) {
          searching = true;
          continue;
        }
        roster.lie_down(sleeper, std::exchange(searching, false));
        if (!has_work() || !roster.get_up(sleeper)) break;
        searching = true;
      }
    } while (sleep(number, searching));
  }

  // False if it has left.
  bool sleep(unsigned number, bool& searching) {
    const Roster::Woken woken = roster.sleep(*sleepers_[number], options_.idle_ns);
    searching = woken == Roster::Woken::for_work;
    if (searching || (woken == Roster::Woken::dismissed && has_work())) return true;
    if (woken == Roster::Woken::dismissed) {
      leave();
    } else {
      check(
          dismissed_.load(memory_order_relaxed) ||
              started_.load(memory_order_relaxed) - idled_.fetch_add(1, memory_order_relaxed) - 1 >=
                  options_.stay,
          "enough stay");
    }
    return false;
  }

  void leave() {
    roster.leave();
    look();
  }

  // False if that was the end of the thread.
  bool run() {
    if (begun_.fetch_add(1, memory_order_relaxed) + 1 == options_.jobs) all_have_begun_->set();
    check(running_.fetch_add(1, memory_order_relaxed) < options_.most, "no more than may be awake");
    if (adds.exchange(false, memory_order_relaxed)) add();
    if (blocks.exchange(false, memory_order_relaxed)) {
      roster.block();
      look();
      (void)all_have_begun_->wait();
      roster.unblock();
    }
    if (options_.meet) (void)all_have_begun_->wait();
    const bool exit = exits.exchange(false, memory_order_relaxed);
    running_.fetch_sub(1, memory_order_relaxed);
    if (done_.fetch_add(1, memory_order_relaxed) + 1 == options_.jobs) end();
    if (exit) leave();
    return !exit;
  }

 public:
  void dismiss() {
    dismissed_.store(true, memory_order_relaxed);
    roster.dismiss();
  }

  void check_end() const {
    const Roster::Counts counts = roster.counts();
    check(counts.threads() == 0 && counts.searching == 0, "the counts are right");
    check(done_.load(memory_order_relaxed) == options_.jobs, "all jobs are done");
  }

 private:
  void end() {
    dismiss();
    Spare spare = Spare::waits;
    spare_.compare_exchange_strong(spare, Spare::missing, memory_order_relaxed);
    called_->set();
  }

  Model& model_;
  const Options options_;
  unsigned workers_ = 0;
  std::array<Place<Roster::Sleeper>, 3> sleepers_{
      Place<Roster::Sleeper>{0, 0}, Place<Roster::Sleeper>{0, 1}, Place<Roster::Sleeper>{0, 2}};
  EventPlace called_{1, 0};
  EventPlace all_have_begun_{1, 1};
  Atomic<Spare> spare_{Spare::missing};
  Atomic<int> jobs_{0};
  Atomic<int> begun_{0};
  Atomic<int> done_{0};
  Atomic<unsigned> running_{0};
  Atomic<unsigned> started_{0};
  Atomic<unsigned> idled_{0};
  Atomic<bool> dismissed_{false};
};

constexpr std::int64_t a_millisecond = 1'000'000;

Crew& crew(Model& model, const Options& options) {
  auto& s = model.make<Crew>(model, options);
  model.at_end([&s] { s.check_end(); });
  return s;
}

void adds_one(Crew& s) { s.add(); }
void adds_one_after_another(Crew& s) {
  s.add();
  s.add();
}
void adds_two(Crew& s) { s.add(2); }

void asleep(Model& model) {
  crew(model, {.jobs = 1, .limit = 1}).with_sleeping_worker().with_thread(adds_one);
}

void going_to_sleep(Model& model) {
  crew(model, {.jobs = 2, .limit = 1}).with_worker().with_thread(adds_one_after_another);
}

void two_producers(Model& model) {
  crew(model, {.jobs = 2, .limit = 1, .most = 1})
      .with_sleeping_worker()
      .with_sleeping_worker()
      .with_thread(adds_one)
      .with_thread(adds_one);
}

void two_workers(Model& model) {
  crew(model, {.jobs = 2, .limit = 2, .meet = true})
      .with_sleeping_worker()
      .with_sleeping_worker()
      .with_thread(adds_one_after_another);
}

// One call: the first worker calls the second.
void burst(Model& model) {
  crew(model, {.jobs = 2, .limit = 2, .meet = true})
      .with_sleeping_worker()
      .with_sleeping_worker()
      .with_thread(adds_two);
}

void grows(Model& model) {
  crew(model, {.jobs = 2, .limit = 2, .meet = true})
      .with_worker()
      .with_spare_worker()
      .with_thread(adds_one_after_another);
}

void blocks(Model& model) {
  Crew& s = crew(model, {.jobs = 3, .limit = 1});
  s.adds.store(true, memory_order_relaxed);
  s.blocks.store(true, memory_order_relaxed);
  s.with_worker().with_sleeping_worker().with_thread(adds_one_after_another);
}

void blocks_and_grows(Model& model) {
  Crew& s = crew(model, {.jobs = 2, .limit = 1});
  s.adds.store(true, memory_order_relaxed);
  s.blocks.store(true, memory_order_relaxed);
  s.with_sleeping_worker().with_spare_worker().with_thread(adds_one);
}

void limit_raised(Model& model) {
  crew(model, {.jobs = 2, .limit = 1, .meet = true})
      .with_job()
      .with_worker()
      .with_sleeping_worker()
      .with_thread(adds_one)
      .with_thread([](Crew& s) {
        s.roster.set_limits(2, 2);
        s.look();
      });
}

void limit_lowered(Model& model) {
  crew(model, {.jobs = 3, .limit = 2})
      .with_job()
      .with_worker()
      .with_sleeping_worker()
      .with_thread([](Crew& s) {
        s.add();
        s.roster.set_limits(2, 1);
        s.add();
      });
}

void idle(Model& model) {
  crew(model, {.jobs = 1, .limit = 2, .stay = 1, .idle_ns = a_millisecond})
      .with_sleeping_worker()
      .with_sleeping_worker()
      .with_thread(adds_one);
}

void all_leave(Model& model) {
  crew(model, {.jobs = 1, .limit = 1, .stay = 0, .idle_ns = a_millisecond})
      .with_sleeping_worker()
      .with_spare_worker()
      .with_thread(adds_one);
}

void exits(Model& model) {
  Crew& s = crew(model, {.jobs = 2, .limit = 1});
  s.exits.store(true, memory_order_relaxed);
  s.with_worker().with_sleeping_worker().with_thread(adds_one_after_another);
}

// The first worker has gone to sleep when the start of a second is refused, and a job has come
// meanwhile.
void refused(Model& model) {
  Crew& s = crew(model, {.jobs = 3, .limit = 2});
  s.refused.store(true, memory_order_relaxed);
  s.with_job().with_worker().with_spare_worker().with_thread(adds_one).with_thread(adds_one);
}

void dismissed_with_work(Model& model) {
  crew(model, {.jobs = 1, .limit = 1}).with_sleeping_worker().with_thread([](Crew& s) {
    s.accept();
    s.dismiss();
  });
}

// A job that runs on needs another worker when one has just found nothing to do.
void dismissed_while_needed(Model& model) {
  Crew& s = crew(model, {.jobs = 2, .limit = 2, .meet = true});
  s.adds.store(true, memory_order_relaxed);
  s.with_job().with_worker().with_sleeping_worker().with_spare_worker().with_thread(
      [](Crew& t) { t.dismiss(); });
}

constexpr Scenario scenarios[] = {
    // First, since one of its mutants takes a long search.
    {"refused", refused},
    {"asleep", asleep},
    {"going_to_sleep", going_to_sleep},
    {"two_producers", two_producers},
    {"two_workers", two_workers},
    {"burst", burst},
    {"grows", grows},
    {"blocks", blocks},
    {"blocks_and_grows", blocks_and_grows},
    {"limit_raised", limit_raised},
    {"limit_lowered", limit_lowered},
    {"idle", idle},
    {"all_leave", all_leave},
    {"exits", exits},
    {"dismissed_with_work", dismissed_with_work},
    {"dismissed_while_needed", dismissed_while_needed},
};

}  // namespace

std::span<const Scenario> roster_scenarios() { return scenarios; }

}  // namespace rouse::test::model
