#pragma once
// ReaderSlots: where threads that read say which lock they have, each on a cache line of its own.
//
// One table for all locks. A thread owns a row from its first mine() to its end; the lock's address
// chooses the column. Design: docs/design/rw_lock.md.
// Thread safety: mine(), held() and put() concern the calling thread's row; only its owner puts an
// address into a slot or takes it back, and a writer tags what it finds there.

#include "rouse/detail/os.hpp"

#include <cstddef>
#include <cstdint>

namespace rouse::detail {

class ReaderSlots {
 public:
  /// 0, or the address of a lock, tagged if its writer sleeps until the reader has left.
  using Slot = Atomic<std::uintptr_t>;
  static constexpr std::uintptr_t tag = 1;

  static std::uintptr_t address(const void* lock) noexcept {
    return reinterpret_cast<std::uintptr_t>(lock);
  }

  /// The calling thread's slot for `lock`, which is empty; null if it has none that is. Claims a
  /// row if it has none.
  static Slot* mine(const void* lock) noexcept {
    Row* const row = row_ != nullptr ? row_ : claim();
    if (row == nullptr) return nullptr;
    Slot& slot = row->slots[column_of(lock)];
    return slot.load(std::memory_order_relaxed) == 0 ? &slot : nullptr;
  }

  /// The slot in which the calling thread has put `lock`; null if it has not.
  static Slot* held(const void* lock) noexcept {
    if (row_ == nullptr) return nullptr;
    Slot& slot = row_->slots[column_of(lock)];
    return (slot.load(std::memory_order_relaxed) & ~tag) == address(lock) ? &slot : nullptr;
  }

  /// Empties a slot, and wakes the writer that sleeps on it: by the slot's address, since the lock
  /// may be gone by now.
  static void leave(Slot& slot) noexcept {
    if ((slot.exchange(0, std::memory_order_release) & tag) != 0) wake_writer(slot);
  }

  /// Calls `visit` with the slots of `lock`'s column in all claimed rows, until it returns false;
  /// returns the last answer.
  template <class Visit>
  static bool all_of(const void* lock, Visit&& visit) {
    const std::size_t column = column_of(lock);
    for (std::size_t word = 0; word < row_words_; ++word) {
      // Sequentially consistent: a row that is claimed after this look belongs to a reader that
      // will find the writer.
      std::uint64_t rows = claimed_[word].load(std::memory_order_seq_cst);
      for (; rows != 0; rows &= rows - 1) {
        const auto bit = static_cast<std::size_t>(__builtin_ctzll(rows));
        if (!visit(rows_[word * 64 + bit].slots[column])) return false;
      }
    }
    return true;
  }

 private:
  static constexpr std::size_t columns_ = 8;
  static constexpr std::size_t row_words_ = 4;

  struct alignas(64) Row {
    Slot slots[columns_];
  };

  // Locks that lie side by side get different columns.
  static std::size_t column_of(const void* lock) noexcept {
    return (address(lock) * std::uint64_t{0x9E3779B97F4A7C15}) >> 61;
  }
  struct AtThreadExit;

  static Row* claim() noexcept;
  static void give_back() noexcept;
  static void wake_writer(const Slot& slot) noexcept;

  static Atomic<std::uint64_t> claimed_[row_words_];
  static Row rows_[row_words_ * 64];
  // The calling thread's.
  [[gnu::tls_model("initial-exec")]] static constinit thread_local Row* row_;
  static constinit thread_local bool ended_;
  static thread_local AtThreadExit at_thread_exit_;
};

}  // namespace rouse::detail
