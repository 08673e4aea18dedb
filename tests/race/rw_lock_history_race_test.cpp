// Random histories of an RWLock: is there an order of the calls, one after the other, that explains
// what each returned?
//
// A history is what a few threads did at the same time: the calls, when each began and ended, and
// what it returned. It is explained if every call can be given one moment between its begin and its
// end, all moments different, so that the calls in the order of their moments are those of a lock
// that is used by one thread at a time. Which is:
//   - lock, and try_lock or try_lock_for that returned true: nobody has the lock; now the caller
//     has it exclusively.
//   - lock_shared, and try_lock_shared or try_lock_shared_for that returned true: nobody has it
//     exclusively; the caller shares it once more.
//   - unlock, unlock_shared, downgrade: the caller has it so. They cannot fail.
//   - try_upgrade that returned true: the caller shares it once, and nobody else does.
//   - false: the same does not hold at that moment. Or, whatever holds, a call of another thread
//     that may be in the way overlaps: for try_lock, try_lock_for and try_upgrade one that takes
//     the lock or tries to; for try_lock_shared and try_lock_shared_for one that wants it
//     exclusively, try_upgrade among them.
// The last clause is as narrow as the lock allows: a call that nobody disturbs must succeed.
//
// The search is Wing and Gong's (1993) with Lowe's memory of what has been tried (2017). Since each
// call's result is known, the state of the lock follows from which calls have been placed.

#include "rouse/sync/rw_lock.hpp"

#include "support/clock/clock.hpp"
#include "support/on_cpu.hpp"
#include "support/rendezvous.hpp"
#include "support/scale.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::RWLock;
using rouse::test::OnCpu;
using rouse::test::Rendezvous;
using rouse::test::rounds;
using std::chrono::steady_clock;

// --- histories -----------------------------------------------------------------------------------

constexpr std::size_t most_threads = 4;
constexpr std::size_t most_calls = 16;

enum class Kind : std::uint8_t { lock, share, unlock, unshare, upgrade, downgrade };

struct Call {
  const char* name;
  Kind kind;
  std::uint8_t thread;
  bool ok;
  std::uint32_t begin;
  std::uint32_t end;
};
using History = std::vector<Call>;

std::string to_string(const History& history) {
  std::ostringstream out;
  for (const Call& call : history) {
    out << "thread " << int{call.thread} << "  " << call.begin << " to " << call.end << "  "
        << call.name << (call.ok ? "\n" : ": false\n");
  }
  return out.str();
}

// --- the checker ---------------------------------------------------------------------------------

class Checker {
 public:
  explicit Checker(const History& history) : history_(history), tried_(1U << history.size()) {
    for (std::size_t c = 0; c < history_.size(); ++c) disturbed_[c] = is_disturbed(history_[c]);
  }

  bool explains() { return place_rest(0); }

 private:
  // Who has what, after the calls that have been placed.
  struct State {
    std::array<std::uint8_t, most_threads> shares{};
    int shared = 0;
    int writer = -1;
  };

  bool place_rest(std::uint32_t placed) {
    if (placed + 1 == tried_.size()) return true;
    if (tried_[placed]) return false;
    tried_[placed] = true;
    // The next one has begun before any that is left ends.
    std::uint32_t first_end = UINT32_MAX;
    for_each_left(placed, [&](std::size_t c) { first_end = std::min(first_end, history_[c].end); });
    bool found = false;
    for_each_left(placed, [&](std::size_t c) {
      found = found || (history_[c].begin < first_end && fits(c) && place(placed, c));
    });
    return found;
  }

  bool place(std::uint32_t placed, std::size_t c) {
    const State before = state_;
    apply(history_[c]);
    const bool found = place_rest(placed | 1U << c);
    state_ = before;
    return found;
  }

  template <class Body>
  void for_each_left(std::uint32_t placed, Body body) const {
    for (std::size_t c = 0; c < history_.size(); ++c) {
      if ((placed >> c & 1) == 0) body(c);
    }
  }

  bool fits(std::size_t c) const {
    const Call& call = history_[c];
    return call.ok ? may_succeed(call) : disturbed_[c] || !may_succeed(call);
  }

  bool may_succeed(const Call& call) const {
    const int shares = state_.shares[call.thread];
    switch (call.kind) {
      case Kind::lock:
        return state_.writer == -1 && state_.shared == 0;
      case Kind::share:
        return state_.writer == -1;
      case Kind::unlock:
      case Kind::downgrade:
        return state_.writer == call.thread;
      case Kind::unshare:
        return shares > 0;
      case Kind::upgrade:
        return shares == 1 && state_.shared == 1;
    }
    return false;
  }

  void apply(const Call& call) {
    if (!call.ok) return;
    const auto share = [&](int change) {
      state_.shared += change;
      state_.shares[call.thread] = static_cast<std::uint8_t>(state_.shares[call.thread] + change);
    };
    switch (call.kind) {
      case Kind::lock:
        state_.writer = call.thread;
        break;
      case Kind::share:
        share(+1);
        break;
      case Kind::unlock:
        state_.writer = -1;
        break;
      case Kind::unshare:
        share(-1);
        break;
      case Kind::upgrade:
        share(-1);
        state_.writer = call.thread;
        break;
      case Kind::downgrade:
        state_.writer = -1;
        share(+1);
        break;
    }
  }

  // Whether it may fail for no reason.
  bool is_disturbed(const Call& call) const {
    return std::ranges::any_of(history_, [&](const Call& other) {
      const bool overlaps = other.begin < call.end && call.begin < other.end;
      const bool exclusive = other.kind == Kind::lock || other.kind == Kind::upgrade;
      return other.thread != call.thread && overlaps &&
             (exclusive || (other.kind == Kind::share && call.kind != Kind::share));
    });
  }

  const History& history_;
  std::array<bool, most_calls> disturbed_{};
  std::vector<bool> tried_;  // by the set of calls that have been placed
  State state_;
};

// --- the checker's own tests ---------------------------------------------------------------------

Call call(int thread, Kind kind, std::uint32_t begin, std::uint32_t end, bool ok = true) {
  return {"", kind, static_cast<std::uint8_t>(thread), ok, begin, end};
}

bool is_explained(const History& history) { return Checker(history).explains(); }

TEST(RWLockChecker, ExplainsWhatALockDoes) {
  using enum Kind;
  EXPECT_TRUE(is_explained({}));
  EXPECT_TRUE(is_explained({call(0, lock, 0, 1), call(0, unlock, 2, 3), call(1, lock, 4, 5)}));
  EXPECT_TRUE(is_explained({call(0, share, 0, 1), call(1, share, 2, 3), call(0, unshare, 4, 5)}));
  // Calls that overlap, in either order.
  EXPECT_TRUE(is_explained({call(0, lock, 0, 3), call(0, unlock, 4, 9), call(1, lock, 1, 6)}));
  EXPECT_TRUE(is_explained({call(1, lock, 1, 6), call(0, lock, 0, 9), call(1, unlock, 7, 8)}));
  EXPECT_TRUE(is_explained({call(0, lock, 0, 1), call(0, downgrade, 2, 5), call(1, share, 3, 4),
                            call(0, upgrade, 6, 7, false), call(1, unshare, 8, 9),
                            call(0, upgrade, 10, 11), call(1, share, 12, 13, false)}));
}

TEST(RWLockChecker, FindsTwoAtOnce) {
  using enum Kind;
  EXPECT_FALSE(is_explained({call(0, lock, 0, 1), call(1, lock, 2, 3)}));
  EXPECT_FALSE(is_explained({call(0, lock, 0, 3), call(1, lock, 1, 2)}));
  EXPECT_FALSE(is_explained({call(0, lock, 0, 1), call(1, share, 2, 3), call(0, unlock, 4, 5)}));
  EXPECT_FALSE(is_explained({call(0, share, 0, 1), call(1, lock, 2, 3), call(0, unshare, 4, 5)}));
  // The unlock ends before the second begins to wait, but the third had it.
  EXPECT_FALSE(is_explained(
      {call(0, lock, 0, 1), call(0, unlock, 2, 3), call(1, lock, 4, 9), call(2, lock, 5, 8)}));
}

TEST(RWLockChecker, FindsUpgradesAndDowngradesThatAreWrong) {
  using enum Kind;
  EXPECT_FALSE(is_explained({call(0, share, 0, 1), call(1, share, 2, 3), call(0, upgrade, 4, 5)}));
  EXPECT_FALSE(is_explained({call(0, share, 0, 1), call(0, share, 2, 3), call(0, upgrade, 4, 5)}));
  EXPECT_FALSE(is_explained({call(0, lock, 0, 1), call(0, downgrade, 2, 3), call(1, lock, 4, 5)}));
  EXPECT_FALSE(is_explained({call(0, lock, 0, 1), call(1, lock, 2, 9), call(0, downgrade, 3, 4),
                             call(0, unshare, 10, 11)}));
}

TEST(RWLockChecker, FindsFailuresWithoutAReason) {
  using enum Kind;
  EXPECT_FALSE(is_explained({call(0, lock, 0, 1, false)}));
  EXPECT_FALSE(is_explained({call(0, share, 0, 1, false)}));
  EXPECT_FALSE(is_explained({call(0, share, 0, 1), call(0, upgrade, 2, 3, false)}));
  EXPECT_FALSE(is_explained({call(0, share, 0, 1), call(1, share, 2, 3, false)}));
  EXPECT_FALSE(
      is_explained({call(0, lock, 0, 1), call(0, unlock, 2, 3), call(1, share, 4, 5, false)}));
  // Readers are not in the way of readers, nor is who leaves.
  EXPECT_FALSE(is_explained({call(0, share, 0, 3), call(1, share, 1, 2, false)}));
  EXPECT_FALSE(
      is_explained({call(0, share, 0, 1), call(1, share, 3, 4, false), call(0, unshare, 2, 5)}));
  // Disturbed ones may fail.
  EXPECT_TRUE(is_explained({call(0, lock, 0, 3, false), call(1, share, 1, 2)}));
  EXPECT_TRUE(is_explained({call(0, share, 0, 3, false), call(1, lock, 1, 2, false)}));
}

// --- histories of a lock -------------------------------------------------------------------------

// One thread's part: calls that a correct program may make, at random.
template <class Lock>
class Actor {
 public:
  Actor(Lock& lock, int thread, std::atomic<std::uint32_t>& clock)
      : lock_(lock),
        clock_(clock),
        thread_(static_cast<std::uint8_t>(thread)),
        random_(static_cast<unsigned>(thread) + 1) {}

  const History& calls() const { return calls_; }

  void act(int calls) {
    calls_.clear();
    rouse::test::delay(static_cast<unsigned>(random_() % 64));
    for (int i = 0; i < calls; ++i) {
      if (random_() % 128 == 0) rouse::test::let_others_run();
      // Who sleeps is served next.
      if (random_() % 1024 == 0) rouse::test::advance_clock(1ms);
      if (exclusive_) {
        act_as_writer();
      } else if (shares_ > 0) {
        act_as_reader();
      } else {
        act_from_outside();
      }
    }
    if (exclusive_) unlock();
    while (shares_ > 0) unshare();
  }

 private:
  void act_from_outside() {
    switch (random_() % 6) {
      case 0:
        lock("lock", [&] { return lock_.lock(), true; });
        break;
      case 1:
        share("lock_shared", [&] { return lock_.lock_shared(), true; });
        break;
      case 2:
        lock("try_lock", [&] { return lock_.try_lock(); });
        break;
      case 3:
        share("try_lock_shared", [&] { return lock_.try_lock_shared(); });
        break;
      case 4:
        lock("try_lock_for", [&] { return lock_.try_lock_for(wait_time()); });
        break;
      default:
        share("try_lock_shared_for", [&] { return lock_.try_lock_shared_for(wait_time()); });
    }
  }

  void act_as_reader() {
    switch (random_() % 5) {
      case 0:
        if (shares_ == 1) {
          share("try_lock_shared_for", [&] { return lock_.try_lock_shared_for(wait_time()); });
          break;
        }
        [[fallthrough]];
      case 1:
        unshare();
        break;
      case 2:
        lock("try_lock_for", [&] { return lock_.try_lock_for(wait_time()); });
        break;
      default:
        if (record("try_upgrade", Kind::upgrade, [&] { return lock_.try_upgrade(); })) {
          --shares_;
          exclusive_ = true;
        }
    }
  }

  void act_as_writer() {
    switch (random_() % 4) {
      case 0:
        record("downgrade", Kind::downgrade, [&] { return lock_.downgrade(), true; });
        exclusive_ = false;
        ++shares_;
        break;
      case 1:
        share("try_lock_shared", [&] { return lock_.try_lock_shared(); });
        break;
      default:
        unlock();
    }
  }

  template <class Body>
  void lock(const char* name, Body body) {
    if (record(name, Kind::lock, body)) exclusive_ = true;
  }
  template <class Body>
  void share(const char* name, Body body) {
    if (record(name, Kind::share, body)) ++shares_;
  }
  void unlock() {
    record("unlock", Kind::unlock, [&] { return lock_.unlock(), true; });
    exclusive_ = false;
  }
  void unshare() {
    record("unlock_shared", Kind::unshare, [&] { return lock_.unlock_shared(), true; });
    --shares_;
  }

  template <class Body>
  bool record(const char* name, Kind kind, Body body) {
    const std::uint32_t begin = clock_.fetch_add(1);
    const bool ok = body();
    calls_.push_back({name, kind, thread_, ok, begin, clock_.fetch_add(1)});
    return ok;
  }

  // Some sleep, if for long enough.
  std::chrono::nanoseconds wait_time() {
    return std::chrono::nanoseconds(random_() % (random_() % 64 == 0 ? 300'000 : 8'000));
  }

  Lock& lock_;
  std::atomic<std::uint32_t>& clock_;
  const std::uint8_t thread_;
  std::minstd_rand random_;
  History calls_;
  bool exclusive_ = false;
  int shares_ = 0;
};

// The first of `count` histories of one lock that nothing explains.
template <class Lock>
std::optional<History> find_unexplained(int threads, int calls_each, int count) {
  Lock lock;
  std::atomic<std::uint32_t> clock{0};
  std::vector<Actor<Lock>> actors;
  for (int t = 0; t < threads; ++t) actors.emplace_back(lock, t, clock);
  std::atomic<bool> enough{false};
  Rendezvous meet(threads);
  std::vector<std::jthread> others;
  for (int t = 1; t < threads; ++t) {
    others.emplace_back([&, t] {
      const auto index = static_cast<std::size_t>(t);
      const OnCpu on_cpu(index);
      for (meet.arrive(); !enough; meet.arrive()) {
        actors[index].act(calls_each);
        meet.arrive();
      }
    });
  }
  const OnCpu here(0);
  std::optional<History> unexplained;
  for (int i = 0; i < count && !unexplained; ++i) {
    clock = 0;
    meet.arrive();
    actors[0].act(calls_each);
    meet.arrive();
    History history;
    for (const Actor<Lock>& actor : actors) {
      history.insert(history.end(), actor.calls().begin(), actor.calls().end());
    }
    if (!is_explained(history)) unexplained = history;
  }
  enough = true;
  meet.arrive();
  return unexplained;
}

TEST(RWLockHistory, OfTwoThreadsIsExplained) {
  const auto history = find_unexplained<RWLock>(2, 5, rounds(40'000));
  EXPECT_FALSE(history) << to_string(*history);
}

TEST(RWLockHistory, OfThreeThreadsIsExplained) {
  const auto history = find_unexplained<RWLock>(3, 3, rounds(40'000));
  EXPECT_FALSE(history) << to_string(*history);
}

TEST(RWLockHistory, OfFourThreadsIsExplained) {
  const auto history = find_unexplained<RWLock>(4, 2, rounds(30'000));
  EXPECT_FALSE(history) << to_string(*history);
}

// --- locks that are wrong ------------------------------------------------------------------------

enum class Mistake {
  none,
  upgrade_ignores_readers,
  looks_then_locks,
  unlock_shared_ends_all,
  downgrade_frees,
  try_lock_fails_at_times,
  try_lock_shared_fails_at_times,
};

// The smallest lock, with a mistake. 0 is free, -1 a writer, more are readers.
template <Mistake mistake>
class SmallLock {
 public:
  bool try_lock() {
    if (mistake == Mistake::try_lock_fails_at_times && ++calls_ % 64 == 0) return false;
    if (mistake == Mistake::looks_then_locks) {
      if (word_ != 0) return false;
      std::this_thread::yield();
      word_ = -1;
      return true;
    }
    int free = 0;
    return word_.compare_exchange_strong(free, -1);
  }
  bool try_lock_shared() {
    if (mistake == Mistake::try_lock_shared_fails_at_times && ++calls_ % 64 == 0) return false;
    for (int seen = word_; seen >= 0;) {
      if (word_.compare_exchange_weak(seen, seen + 1)) return true;
    }
    return false;
  }
  void unlock() { word_ = 0; }
  void unlock_shared() {
    // A mistake may have let a writer in, who has left already: this may end no other's lock.
    for (int seen = word_; seen > 0;) {
      const int left = mistake == Mistake::unlock_shared_ends_all ? 0 : seen - 1;
      if (word_.compare_exchange_weak(seen, left)) return;
    }
  }
  bool try_upgrade() {
    if (mistake == Mistake::upgrade_ignores_readers) {
      // Others that did so before may have left 0: an upgrade that fails leaves no writer behind.
      int seen = word_;
      return seen > 0 && word_.compare_exchange_strong(seen, -1);
    }
    int alone = 1;
    return word_.compare_exchange_strong(alone, -1);
  }
  void downgrade() { word_ = mistake == Mistake::downgrade_frees ? 0 : 1; }

  void lock() {
    while (!try_lock()) std::this_thread::yield();
  }
  void lock_shared() {
    while (!try_lock_shared()) std::this_thread::yield();
  }
  bool try_lock_for(std::chrono::nanoseconds) { return try_lock(); }
  bool try_lock_shared_for(std::chrono::nanoseconds) { return try_lock_shared(); }

 private:
  std::atomic<int> word_{0};
  std::atomic<int> calls_{0};
};

TEST(RWLockHistory, OfASmallLockIsExplained) {
  const auto history = find_unexplained<SmallLock<Mistake::none>>(3, 3, rounds(5'000));
  EXPECT_FALSE(history) << to_string(*history);
}

template <Mistake mistake>
bool is_found() {
  return find_unexplained<SmallLock<mistake>>(3, 3, 20'000).has_value();
}

TEST(RWLockHistory, ShowsMistakes) {
  EXPECT_TRUE(is_found<Mistake::upgrade_ignores_readers>());
  EXPECT_TRUE(is_found<Mistake::looks_then_locks>());
  EXPECT_TRUE(is_found<Mistake::unlock_shared_ends_all>());
  EXPECT_TRUE(is_found<Mistake::downgrade_frees>());
  EXPECT_TRUE(is_found<Mistake::try_lock_fails_at_times>());
  EXPECT_TRUE(is_found<Mistake::try_lock_shared_fails_at_times>());
}

}  // namespace
