#pragma once
// Shelves: some free blocks within reach of each CPU, on cache lines of its own.
//
// Where there are restartable sequences a shelf is a stack that they work on. Elsewhere each place
// holds a block or nothing, and who takes a block exchanges it for nothing, so that two never take
// the same and nobody is in anybody's way who is put aside in the middle.
// Thread safety: all functions, any thread; clear() with the shelves closed only.
// Ordering: what happened before put() is visible to who takes the block.

#include "rouse/detail/os.hpp"

#include "resource/restartable.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace rouse::detail {

class Shelves {
 public:
  static constexpr std::uint32_t places = Restartable::Stack::places;

  /// One for each CPU, closed. Throws std::bad_alloc.
  Shelves();

  /// Whether there are restartable sequences: take_quickly() and put_quickly() are for those only.
  bool quick() const noexcept { return restartable_; }

  /// A block of this CPU's shelf, or 0. From closed shelves it takes none.
  std::uint32_t take() noexcept { return restartable_ ? take_quickly() : take_alone(); }
  std::uint32_t take_quickly() noexcept {
    return Restartable::pop(shelves_.get(), mask_, closers_);
  }

  /// False if this CPU's shelf is full, or the shelves are closed. Precondition: the block is the
  /// caller's. If true, it may be another's by now.
  bool put(std::uint32_t block) noexcept {
    return restartable_ ? put_quickly(block) : put_alone(block);
  }
  bool put_quickly(std::uint32_t block) noexcept {
    return Restartable::push(block, shelves_.get(), mask_, closers_);
  }

  /// Until as many open() calls nothing is put on any shelf any more.
  void close() noexcept {
    // Sequentially consistent: who puts looks here afterwards, who has closed looks at the shelves.
    closers_.fetch_add(1, std::memory_order_seq_cst);
    if (restartable_) Restartable::restart_all();
  }
  void open() noexcept { closers_.fetch_sub(1, std::memory_order_release); }
  bool closed() const noexcept { return closers() != 0; }
  /// How many have closed them.
  std::uint32_t closers() const noexcept { return closers_.load(std::memory_order_relaxed); }

  /// Takes all blocks, and calls `visit` with each.
  template <class Visit>
  void clear(Visit&& visit) noexcept {
    for (std::uint32_t cpu = 0; cpu <= mask_; ++cpu) {
      Restartable::Stack& shelf = shelves_[cpu];
      const std::uint32_t count = shelf.count.exchange(0, std::memory_order_acquire);
      for (std::uint32_t at = 0; at < (restartable_ ? count : places); ++at) {
        if (const std::uint32_t block = take_from(shelf.numbers[at])) visit(block);
      }
    }
  }

  /// How many blocks there are. A block that moves at this moment counts or does not.
  std::size_t count() const noexcept;

 private:
  std::uint32_t take_alone() noexcept;
  bool put_alone(std::uint32_t block) noexcept;
  static std::uint32_t take_from(Atomic<std::uint32_t>& place) noexcept {
    // Sequentially consistent: see close().
    if (place.load(std::memory_order_seq_cst) == 0) return 0;
    return place.exchange(0, std::memory_order_acquire);
  }
  Restartable::Stack& mine() noexcept {
    return shelves_[static_cast<std::uint32_t>(os::cpu()) & mask_];
  }

  Atomic<std::uint32_t> closers_{1};
  bool restartable_ = Restartable::available();
  std::uint32_t mask_;  // how many there are, a power of two, less one
  std::unique_ptr<Restartable::Stack[]> shelves_;
};

}  // namespace rouse::detail
