#include "resource/shelves.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>

namespace rouse::detail {

#ifdef ROUSE_RESTARTABLE
namespace {

bool membarrier(int command) noexcept { return ::syscall(SYS_membarrier, command, 0, 0) == 0; }

}  // namespace

bool Restartable::available() noexcept {
  static const bool available =
      __rseq_size != 0 && membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ);
  return available;
}

void Restartable::restart_all() noexcept {
  // A kernel may lack a moment's memory for it. It fails for nobody else that has registered.
  while (!membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ) && errno == ENOMEM) {
  }
}
#endif

Shelves::Shelves()
    : mask_(std::bit_ceil(static_cast<std::uint32_t>(
                std::clamp(::sysconf(_SC_NPROCESSORS_CONF), 1L, 4096L))) -
            1),
      shelves_(std::make_unique<Restartable::Stack[]>(mask_ + std::size_t{1})) {}

std::uint32_t Shelves::take_alone() noexcept {
  if (closed()) return 0;
  Restartable::Stack& shelf = mine();
  // `count` is where to look first: those below are filled, those above are not, or nearly so if
  // threads meet.
  for (std::uint32_t at = shelf.count.load(std::memory_order_relaxed); at-- > 0;) {
    if (const std::uint32_t block = take_from(shelf.numbers[at])) {
      shelf.count.store(at, std::memory_order_relaxed);
      return block;
    }
  }
  shelf.count.store(0, std::memory_order_relaxed);
  return 0;
}

bool Shelves::put_alone(std::uint32_t block) noexcept {
  if (closed()) return false;
  Restartable::Stack& shelf = mine();
  for (std::uint32_t at = shelf.count.load(std::memory_order_relaxed); at < places; ++at) {
    std::uint32_t nothing = 0;
    if (shelf.numbers[at].load(std::memory_order_relaxed) != 0 ||
        !shelf.numbers[at].compare_exchange_strong(nothing, block, std::memory_order_seq_cst,
                                                   std::memory_order_relaxed)) {
      continue;
    }
    shelf.count.store(at + 1, std::memory_order_relaxed);
    if (closers_.load(std::memory_order_seq_cst) == 0) return true;
    // Who has closed them may have been here before the block. If it is gone it was seen.
    return !shelf.numbers[at].compare_exchange_strong(block, 0, std::memory_order_acquire,
                                                      std::memory_order_relaxed);
  }
  return false;
}

std::size_t Shelves::count() const noexcept {
  std::size_t all = 0;
  for (std::uint32_t cpu = 0; cpu <= mask_; ++cpu) {
    const Restartable::Stack& shelf = shelves_[cpu];
    if (restartable_) {
      all += shelf.count.load(std::memory_order_relaxed);
    } else {
      all += static_cast<std::size_t>(std::ranges::count_if(shelf.numbers, [](const auto& place) {
        return place.load(std::memory_order_relaxed) != 0;
      }));
    }
  }
  return all;
}

}  // namespace rouse::detail
