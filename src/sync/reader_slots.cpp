#include "sync/reader_slots.hpp"

#include "wait/parking_table.hpp"

#include <algorithm>
#include <utility>

namespace rouse::detail {

// In destructors of thread_local objects that come after it reads are counted. One of them may give
// up a lock that is in the row: then the thread keeps it.
struct ReaderSlots::AtThreadExit {
  ~AtThreadExit() {
    ended_ = true;
    if (row_ != nullptr) give_back();
  }
  void arm() noexcept {}  // to be used is what registers the destructor
};

constinit Atomic<std::uint64_t> ReaderSlots::claimed_[row_words_];
constinit ReaderSlots::Row ReaderSlots::rows_[row_words_ * 64];
constinit thread_local ReaderSlots::Row* ReaderSlots::row_ = nullptr;
constinit thread_local bool ReaderSlots::ended_ = false;
thread_local ReaderSlots::AtThreadExit ReaderSlots::at_thread_exit_;

ReaderSlots::Row* ReaderSlots::claim() noexcept {
  if (ended_) return nullptr;
  for (std::size_t word = 0; word < row_words_; ++word) {
    std::uint64_t claimed = claimed_[word].load(std::memory_order_relaxed);
    while (~claimed != 0) {
      const auto bit = static_cast<std::size_t>(__builtin_ctzll(~claimed));
      // Sequentially consistent: a writer that does not see the claim is seen by who claims.
      claimed = claimed_[word].fetch_or(std::uint64_t{1} << bit, std::memory_order_seq_cst);
      if ((claimed >> bit & 1) == 0) {
        at_thread_exit_.arm();
        return row_ = &rows_[word * 64 + bit];
      }
    }
  }
  return nullptr;
}

void ReaderSlots::give_back() noexcept {
  const auto in_use = [](const Slot& slot) { return slot.load(std::memory_order_relaxed) != 0; };
  if (std::ranges::any_of(row_->slots, in_use)) return;
  const auto index = static_cast<std::size_t>(std::exchange(row_, nullptr) - rows_);
  claimed_[index / 64].fetch_and(~(std::uint64_t{1} << index % 64), std::memory_order_release);
}

void ReaderSlots::wake_writer(const Slot& slot) noexcept {
  ParkingTable::wake_all(&slot, [] {});
}

}  // namespace rouse::detail
