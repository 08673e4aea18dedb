#pragma once
// TimerWheel: what waits for its time, up to millions of entries, exact to the nanosecond and
// without a tick.
//
// A radix heap: 11 levels of 64 slots, six bits of the deadline to a level. An entry is in the
// level of the highest six bits in which its deadline differs from elapsed(), the time up to which
// the wheel has gone, and there in the slot which these bits number. So all entries of a level come
// before those of the next, and those of a slot before those of the next: the first entry is in the
// first slot of the lowest level that has one. Only that slot is ever looked into: when its time
// comes elapsed() goes into it, and its entries spread over the lower levels.
//
// Insert and remove take constant time and touch the entry, its neighbours and its slot. On its way
// to its deadline an entry changes its slot ten times at most, mostly two or three times.
//
// Times are nanoseconds of one clock. INT64_MAX stands for never: such an entry is never due.
//
// Thread safety: one thread at a time.
// Lifetime: the entries' memory is the caller's, as long as they are in the wheel.
// Design: docs/design/timers.md.

#include "rouse/exec/timer_state.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace rouse::detail {

class TimerWheel {
 public:
  static constexpr std::int64_t never = INT64_MAX;

  explicit TimerWheel(std::int64_t now) noexcept;
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  /// `now` is a time that has come, however long ago. One that the caller has just read saves work:
  /// the wheel goes on to it where that moves no entry.
  /// Precondition: `entry` is in no wheel.
  void insert(TimerEntry& entry, std::int64_t deadline, std::int64_t now) noexcept {
    if (now > elapsed_) elapsed_ = now < free_until_ ? now : free_until_;
    entry.deadline = deadline;
    put(entry);
    ++size_;
    if (deadline < next_) look_for_next();
  }

  /// Precondition: `entry` is in this wheel.
  void remove(TimerEntry& entry) noexcept {
    *entry.link = entry.next;
    if (entry.next != nullptr) entry.next->link = entry.link;
    entry.link = nullptr;
    --size_;
    if (--slots_[entry.slot].count == 0) emptied(entry.slot);
  }

  struct Advanced {
    TimerEntry* due;  // linked by `next`, in no order
    bool through;     // false: the budget is used up, and there may be more
  };
  /// Takes out the entries whose deadline is not after `now`. Touches `budget` entries at most, so
  /// that the caller's lock is not held for long: others are moved too. A `now` before elapsed()
  /// counts as elapsed().
  Advanced advance(std::int64_t now, std::size_t budget) noexcept;

  /// Takes out an entry, whatever its deadline. Null: there is none.
  TimerEntry* take_any() noexcept;

  /// No entry is due before; `never` if none will be. Not later than the first deadline, but
  /// earlier if the entry that had it was removed.
  std::int64_t next() const noexcept { return next_; }

  /// When to call advance() so that it is through at next(): earlier than that where many entries
  /// are to be moved before.
  std::int64_t wake_at() const noexcept;

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  /// All that was due before has been taken out, or is kept for the next advance().
  std::int64_t elapsed() const noexcept { return elapsed_; }

 private:
  static constexpr unsigned bits_ = 6;
  static constexpr unsigned slots_per_level_ = 1U << bits_;
  static constexpr unsigned levels_count_ = 11;
  // Behind the slots of the levels: what was due when it was put in.
  static constexpr unsigned due_ = levels_count_ * slots_per_level_;

  // The list of a slot is several chains: spread in turn, so that the CPU fetches from several at a
  // time. As many as make a slot a line of the cache.
  static constexpr std::uint32_t chains_ = 6;

  struct alignas(64) Slot {
    std::array<TimerEntry*, chains_> chains{};
    std::int64_t bound = never;  // no entry is due before; in the slot's time unless it is empty
    std::uint32_t count = 0;
    std::uint32_t turn = 0;  // which chain gets the next entry
  };

  static unsigned shift_of(unsigned slot) noexcept { return slot / slots_per_level_ * bits_; }

  void put(TimerEntry& entry) noexcept {
    unsigned index = due_;
    if (entry.deadline > elapsed_) {
      const auto differ = static_cast<std::uint64_t>(entry.deadline ^ elapsed_);
      const unsigned level = (63U - static_cast<unsigned>(std::countl_zero(differ))) / bits_;
      // Times before 0 come first.
      const std::uint64_t ordered = static_cast<std::uint64_t>(entry.deadline) ^ (1ULL << 63);
      const unsigned place = (ordered >> (level * bits_)) % slots_per_level_;
      index = level * slots_per_level_ + place;
      occupied_[level] |= 1ULL << place;
      levels_ |= 1U << level;
    }
    Slot& slot = slots_[index];
    entry.slot = static_cast<std::uint16_t>(index);
    TimerEntry*& chain = slot.chains[slot.turn];
    slot.turn = slot.turn + 1 == chains_ ? 0 : slot.turn + 1;
    entry.next = chain;
    entry.link = &chain;
    if (chain != nullptr) chain->link = &entry.next;
    chain = &entry;
    ++slot.count;
    if (entry.deadline < slot.bound) slot.bound = entry.deadline;
  }

  unsigned first_slot() const noexcept;
  std::int64_t begin_of(unsigned slot) const noexcept;
  std::int64_t wake_for(unsigned slot) const noexcept;
  void unmark(unsigned slot) noexcept;
  void emptied(unsigned slot) noexcept;
  bool open_first(std::int64_t now) noexcept;
  bool drain(unsigned slot, std::int64_t now, std::size_t& budget, TimerEntry*& due) noexcept;
  void look_for_next() noexcept;

  std::int64_t elapsed_;
  std::int64_t free_until_;    // elapsed_ may go so far, and every entry is still in its place
  std::int64_t next_ = never;  // the least `bound`
  std::size_t size_ = 0;
  unsigned open_ = due_;      // the slot that is being spread, which is not marked; due_: none
  std::uint32_t levels_ = 0;  // those that have entries
  std::array<std::uint64_t, levels_count_> occupied_{};  // of each level: slots that have entries
  std::array<Slot, due_ + 1> slots_;
};

}  // namespace rouse::detail
