#pragma once
// Roster: how many workers of a pool are awake, search for work, sleep or are blocked, and whom new
// work wakes.
//
//   awake      runs a job or looks for one. At most `limit`, but for jobs that return from a wait.
//   searching  of those: looks for work and has none. While somebody does, nobody is woken.
//   asleep     listed as a sleeper
//   blocked    in a job that waits for another job: another worker may be awake instead
//
// Two rules make it work. Whoever makes work visible calls work_added() afterwards; whoever lies
// down does so before it looks for work the last time. One of them sees the other. And whoever is
// the last to end its search, having found something, calls work_added() for what else is there.
//
// Thread safety: any thread. Design: docs/design/thread_pool.md.

#include "rouse/detail/deadline.hpp"
#include "rouse/detail/lock.hpp"
#include "rouse/detail/os.hpp"
#include "rouse/wait/event.hpp"

#include <cstdint>

namespace rouse::detail {

/// Who adds work. A worker between two tasks looks for work itself: it calls another only if it
/// finds some and there is more.
enum class Caller { anybody, looks_next };

class Roster {
 public:
  /// A worker's place in the list of those who sleep.
  class Sleeper {
    friend class Roster;

    Event hint_;  // look at `listed_` again
    bool listed_ = false;
    Sleeper* above_ = nullptr;
    Sleeper* below_ = nullptr;
  };

  struct Counts {
    unsigned awake;
    unsigned searching;
    unsigned asleep;
    unsigned blocked;

    unsigned threads() const noexcept { return awake + asleep + blocked; }
  };

  Roster() noexcept = default;
  Roster(const Roster&) = delete;
  Roster& operator=(const Roster&) = delete;

  /// How many may be awake, and how many stay however long there is no work. Wakes those who sleep,
  /// to see whether they may leave now. If the limit rises, call work_added().
  void set_limits(unsigned stay, unsigned limit) noexcept;

  // --- whoever has made work visible -------------------------------------------------------------

  /// Wakes a worker if one more may be awake and nobody searches. True: nobody sleeps, so the
  /// caller is to start a worker, which counts as awake and searching already.
  [[nodiscard]] bool work_added() noexcept {
    return one_more(word_.load(std::memory_order_seq_cst)) && call_worker();
  }
  /// It could not be started. Who came while it counted as searching has woken nobody: whoever has
  /// lain down since searches in its place.
  void start_failed() noexcept;
  /// A worker that is started though there is no work; it counts as awake and searching.
  void add_worker() noexcept;

  // --- the worker --------------------------------------------------------------------------------

  /// Before it searches. False if `most` do already.
  bool start_searching(unsigned most) noexcept;
  /// It has found something. True if it was the last who searched: then, if there is still more,
  /// call work_added().
  [[nodiscard]] bool end_searching() noexcept;

  /// Whether more are awake than may be.
  bool crowded() const noexcept { return crowded_.load(std::memory_order_relaxed); }
  /// If they are: the caller, which does not search, is asleep from here on; call sleep().
  bool lie_down_if_crowded(Sleeper& sleeper) noexcept;

  /// The caller is asleep from here on. Then it looks for work: if there is some it calls get_up(),
  /// otherwise sleep().
  void lie_down(Sleeper& sleeper, bool was_searching) noexcept;
  /// False if it must not, since enough others are awake: then call sleep(). True: it is awake, and
  /// searches.
  bool get_up(Sleeper& sleeper) noexcept;

  enum class Woken {
    for_work,   // it is awake, and searches
    dismissed,  // it is awake; if there is no work it leaves
    surplus,    // it has left the roster: it has slept for `idle_ns`, and enough others stay
    alarm,      // it is asleep, and `alarm` has passed: call get_up(), or sleep() again
  };
  /// Blocks until one of these.
  Woken sleep(Sleeper& sleeper, std::int64_t idle_ns, Deadline alarm = Deadline::never()) noexcept;

  /// It ends without having lain down, while awake. Then, if there is work, call work_added(): the
  /// others may have relied on it.
  void leave() noexcept;

  /// A job of it waits for another. Then, if there is work, call work_added().
  void block() noexcept;
  void unblock() noexcept;

  // --- the pool ----------------------------------------------------------------------------------

  /// Those who sleep, and who will, are to leave when there is no work.
  void dismiss() noexcept;
  /// Takes dismiss() back.
  void recall() noexcept;

  unsigned limit() const noexcept { return limit_.load(std::memory_order_relaxed); }
  Counts counts() const noexcept { return unpack(word_.load(std::memory_order_seq_cst)); }

 private:
  // Four counts in one word.
  static constexpr std::uint64_t awake_ = 1;
  static constexpr std::uint64_t searching_ = std::uint64_t{1} << 16;
  static constexpr std::uint64_t asleep_ = std::uint64_t{1} << 32;
  static constexpr std::uint64_t blocked_ = std::uint64_t{1} << 48;

  static Counts unpack(std::uint64_t word) noexcept {
    constexpr std::uint64_t mask = searching_ - 1;
    return {static_cast<unsigned>(word & mask), static_cast<unsigned>(word / searching_ & mask),
            static_cast<unsigned>(word / asleep_ & mask), static_cast<unsigned>(word / blocked_)};
  }

  bool one_more(std::uint64_t word) const noexcept {
    const Counts counts = unpack(word);
    return counts.searching == 0 && counts.awake < limit_.load(std::memory_order_relaxed);
  }

  bool call_worker() noexcept;
  void list(Sleeper& sleeper) noexcept;
  void unlist(Sleeper& sleeper) noexcept;
  void change(std::uint64_t difference) noexcept;
  void hint_all() noexcept;

  // Changed under the lock, but for the count of those who search.
  Atomic<std::uint64_t> word_{0};
  Atomic<std::uint32_t> limit_{0};
  Atomic<bool> crowded_{false};

  // Of the next members and of every Sleeper's.
  Lock lock_;
  unsigned stay_ = 0;
  bool dismissed_ = false;
  Sleeper* top_ = nullptr;  // who lay down last: the others may get to leave
};

}  // namespace rouse::detail
