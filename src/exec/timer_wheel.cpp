#include "exec/timer_wheel.hpp"

#include <algorithm>
#include <utility>

namespace rouse::detail {

namespace {

// A slot of more entries than that is spread ahead of its first deadline, by what it takes.
constexpr std::size_t many_entries = 1'000;
constexpr std::int64_t spread_ns = 60;  // an entry

}  // namespace

TimerWheel::TimerWheel(std::int64_t now) noexcept
    : elapsed_(std::min(now, never - 1)), free_until_(never - 1) {}

// Precondition: a level has entries.
unsigned TimerWheel::first_slot() const noexcept {
  const auto level = static_cast<unsigned>(std::countr_zero(levels_));
  const auto place = static_cast<unsigned>(std::countr_zero(occupied_[level]));
  return level * slots_per_level_ + place;
}

// Precondition: the slot is of a level, and not empty.
std::int64_t TimerWheel::begin_of(unsigned slot) const noexcept {
  const unsigned shift = shift_of(slot);
  return slots_[slot].bound >> shift << shift;
}

// Not before the slot begins: elapsed_ must be in it for its entries to go to lower levels.
std::int64_t TimerWheel::wake_for(unsigned slot) const noexcept {
  const Slot& first = slots_[slot];
  if (first.count <= many_entries || first.bound == never) return first.bound;
  const std::int64_t earlier = static_cast<std::int64_t>(first.count) * spread_ns;
  return first.bound - std::min(earlier, first.bound - begin_of(slot));
}

void TimerWheel::unmark(unsigned slot) noexcept {
  const unsigned level = slot / slots_per_level_;
  occupied_[level] &= ~(1ULL << slot % slots_per_level_);
  if (occupied_[level] == 0) levels_ &= ~(1U << level);
}

void TimerWheel::emptied(unsigned slot) noexcept {
  const std::int64_t bound = std::exchange(slots_[slot].bound, never);
  const bool was_open = slot == open_;
  if (was_open) {
    open_ = due_;
  } else if (slot != due_) {
    unmark(slot);
  }
  if (was_open || bound == next_) look_for_next();
}

void TimerWheel::look_for_next() noexcept {
  next_ = std::min(slots_[due_].bound, slots_[open_].bound);
  free_until_ = never - 1;
  if (levels_ != 0) {
    const unsigned first = first_slot();
    next_ = std::min(next_, slots_[first].bound);
    // Before the first slot begins, the same six bits are the highest to differ in each entry.
    free_until_ = begin_of(first) - 1;
  }
  // What is left of an open slot has no other place, and what is due must not come behind others.
  if (slots_[due_].count != 0 || open_ != due_) free_until_ = elapsed_;
}

// Nothing is left of the open slot. If it is time for the first one: goes into it. The slots before
// it are empty, so elapsed_ may pass them, and it does not leave this one.
bool TimerWheel::open_first(std::int64_t now) noexcept {
  open_ = due_;
  if (levels_ == 0) return false;
  const unsigned first = first_slot();
  if (wake_for(first) > now) return false;
  const std::int64_t last = begin_of(first) | ((std::int64_t{1} << shift_of(first)) - 1);
  elapsed_ = std::min(now, last);
  unmark(first);
  open_ = first;
  return true;
}

// True if nothing is left in the slot.
bool TimerWheel::drain(unsigned slot, std::int64_t now, std::size_t& budget,
                       TimerEntry*& due) noexcept {
  Slot& from = slots_[slot];
  auto count = static_cast<std::uint32_t>(std::min<std::size_t>(from.count, budget));
  budget -= count;
  from.count -= count;
  for (const TimerEntry* chain : from.chains) __builtin_prefetch(chain, 1);
  while (count != 0) {
    for (TimerEntry*& chain : from.chains) {
      if (chain == nullptr) continue;
      TimerEntry& entry = *std::exchange(chain, chain->next);
      __builtin_prefetch(chain, 1);
      if (entry.deadline <= now) {
        entry.link = nullptr;
        entry.next = std::exchange(due, &entry);
        --size_;
      } else {
        put(entry);
      }
      if (--count == 0) break;
    }
  }
  if (from.count == 0) {
    from.bound = never;
    return true;
  }
  for (TimerEntry*& chain : from.chains) {
    if (chain != nullptr) chain->link = &chain;
  }
  return false;
}

TimerWheel::Advanced TimerWheel::advance(std::int64_t now, std::size_t budget) noexcept {
  now = std::min(std::max(now, elapsed_), never - 1);
  Advanced result{nullptr, false};
  bool empty = drain(due_, now, budget, result.due);
  while (empty && !result.through) {
    empty = drain(open_, now, budget, result.due);
    result.through = empty && !open_first(now);
  }
  look_for_next();
  elapsed_ = std::max(elapsed_, std::min(now, free_until_));
  return result;
}

TimerEntry* TimerWheel::take_any() noexcept {
  if (size_ == 0) return nullptr;
  unsigned slot = due_;
  if (slots_[slot].count == 0) slot = open_;
  if (slots_[slot].count == 0) slot = first_slot();
  const auto& chains = slots_[slot].chains;
  TimerEntry* const entry =
      *std::find_if(chains.begin(), chains.end(), [](auto* chain) { return chain != nullptr; });
  remove(*entry);
  return entry;
}

std::int64_t TimerWheel::wake_at() const noexcept {
  if (slots_[due_].count != 0 || open_ != due_) return std::min(next_, elapsed_);
  return levels_ == 0 ? never : wake_for(first_slot());
}

}  // namespace rouse::detail
