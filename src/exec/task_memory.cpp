// Where tasks lie: blocks that go round between the threads that post and those that run.
//
// Each thread keeps two magazines of free blocks of each size. Who has none left gets a full one
// from the depot that all share, and who has two full ones gives one to it: a lock for every 62
// blocks (Bonwick and Adams, USENIX 2001). A free block is not touched: it lies in the cache of
// another CPU. Blocks are carved from slabs and kept for good, so that the memory of all tasks is
// that of the most that ever were at the same time.

#include "rouse/detail/lock.hpp"
#include "rouse/exec/task.hpp"

#include <pthread.h>

#include <array>
#include <cstddef>
#include <new>
#include <utility>

namespace rouse::detail {
namespace {

struct Magazine {
  static constexpr unsigned size = 62;

  Magazine* next = nullptr;  // in the depot
  unsigned count = 0;
  std::array<void*, size> blocks;
};

class Depot {
 public:
  void put(Magazine* magazine) noexcept {
    if (magazine == nullptr) return;
    const LockGuard guard(lock_);
    Magazine*& list = magazine->count != 0 ? filled_ : empty_;
    magazine->next = std::exchange(list, magazine);
  }
  /// One with blocks, or without. Null: there is none.
  Magazine* get_filled() noexcept { return get(filled_); }
  Magazine* get_empty() noexcept { return get(empty_); }

  /// For want of a magazine.
  void put_loose(void* block) noexcept {
    const LockGuard guard(lock_);
    loose_ = ::new (block) Loose{loose_};
  }
  void* get_loose() noexcept {
    const LockGuard guard(lock_);
    return loose_ == nullptr ? nullptr : std::exchange(loose_, loose_->next);
  }

  /// In the child, where other threads may have been in the middle of something: what lies here is
  /// given up.
  void reset_after_fork() noexcept {
    lock_.reset_after_fork();
    filled_ = empty_ = nullptr;
    loose_ = nullptr;
  }

 private:
  struct Loose {
    Loose* next;
  };

  Magazine* get(Magazine*& list) noexcept {
    const LockGuard guard(lock_);
    return list == nullptr ? nullptr : std::exchange(list, list->next);
  }

  Lock lock_;
  Magazine* filled_ = nullptr;
  Magazine* empty_ = nullptr;
  Loose* loose_ = nullptr;
};

struct Kept {
  Magazine* current = nullptr;
  Magazine* spare = nullptr;
};

constexpr std::size_t classes = task_block_sizes.size();

constinit std::array<Depot, classes> depots;

// Without a destructor, since those of other thread_local objects may still post and run.
[[gnu::tls_model("initial-exec")]] constinit thread_local std::array<Kept, classes> kept;
[[gnu::tls_model("initial-exec")]] constinit thread_local bool keeps_nothing = false;

struct AtThreadExit {
  bool armed = false;

  ~AtThreadExit() {
    keeps_nothing = true;
    for (std::size_t i = 0; i < classes; ++i) {
      depots[i].put(std::exchange(kept[i].current, nullptr));
      depots[i].put(std::exchange(kept[i].spare, nullptr));
    }
  }
};
thread_local AtThreadExit at_thread_exit;

[[gnu::constructor]] void reset_depots_in_children() noexcept {
  ::pthread_atfork(nullptr, nullptr, [] {
    for (Depot& depot : depots) depot.reset_after_fork();
  });
}

void carve_slab(Magazine& magazine, std::size_t block_size) {
  // Those that fill lines have lines of their own; for the small ones the gap would be dear.
  constexpr std::size_t line = 64;
  const std::align_val_t align{block_size % line == 0 ? line : alignof(std::max_align_t)};
  auto* const slab = static_cast<std::byte*>(::operator new(block_size* Magazine::size, align));
  // The first to be given out is the first in memory.
  for (unsigned i = 0; i < Magazine::size; ++i) {
    magazine.blocks[i] = slab + (Magazine::size - 1 - i) * block_size;
  }
  magazine.count = Magazine::size;
}

[[gnu::noinline]] void* allocate_slow(unsigned size_class) {
  Depot& depot = depots[size_class];
  Kept& mine = kept[size_class];
  if (mine.spare != nullptr && mine.spare->count != 0) {
    std::swap(mine.current, mine.spare);
  } else if (Magazine* const filled = depot.get_filled()) {
    depot.put(std::exchange(mine.current, filled));
  } else if (void* const loose = depot.get_loose()) {
    return loose;
  } else {
    if (mine.current == nullptr) mine.current = depot.get_empty();
    if (mine.current == nullptr) mine.current = new Magazine;
    carve_slab(*mine.current, task_block_sizes[size_class]);
  }
  void* const block = mine.current->blocks[--mine.current->count];
  if (keeps_nothing) {
    depot.put(std::exchange(mine.current, nullptr));
  } else {
    at_thread_exit.armed = true;
  }
  return block;
}

[[gnu::noinline]] void free_slow(void* block, unsigned size_class) noexcept {
  Depot& depot = depots[size_class];
  Kept& mine = kept[size_class];
  if (keeps_nothing) {
    depot.put_loose(block);
    return;
  }
  at_thread_exit.armed = true;
  // The current one is full, or there is none.
  if (mine.spare == nullptr || mine.spare->count != 0) {
    depot.put(std::exchange(mine.spare, depot.get_empty()));
    if (mine.spare == nullptr) mine.spare = new (std::nothrow) Magazine;
    if (mine.spare == nullptr) {
      depot.put_loose(block);
      return;
    }
  }
  std::swap(mine.current, mine.spare);
  mine.current->blocks[mine.current->count++] = block;
}

constexpr unsigned ahead = 6;

// AddressSanitizer finds no use of a block after its end if the block is used again.
#ifdef __SANITIZE_ADDRESS__
constexpr bool keeps_blocks = false;
#else
constexpr bool keeps_blocks = true;
#endif

}  // namespace

void* allocate_task(unsigned size_class) {
  if (!keeps_blocks) return ::operator new(task_block_sizes[size_class]);
  Magazine* const magazine = kept[size_class].current;
  if (magazine == nullptr || magazine->count == 0) [[unlikely]] {
    return allocate_slow(size_class);
  }
  const unsigned left = --magazine->count;
  // Written to soon, and by now in the cache of the CPU that ran its last task.
  if (left >= ahead) __builtin_prefetch(magazine->blocks[left - ahead], 1);
  return magazine->blocks[left];
}

void free_task(void* block, unsigned size_class) noexcept {
  if (!keeps_blocks) {
    ::operator delete(block);
    return;
  }
  Magazine* const magazine = kept[size_class].current;
  if (magazine == nullptr || magazine->count == Magazine::size) [[unlikely]] {
    free_slow(block, size_class);
    return;
  }
  magazine->blocks[magazine->count++] = block;
}

}  // namespace rouse::detail
