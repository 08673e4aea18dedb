// Where timers lie: blocks that come from regions of 2 MiB, and regions that are given back.
//
// There may be a million timers for a while, so unlike the blocks of tasks these are not kept: of
// the regions all of whose blocks are free at most a quarter as many stay as are in use, and one;
// the others go back to the system. In regions that have huge pages a walk through a million timers
// in no order misses no translation of an address, which is half of what it costs. Each thread
// keeps a magazine of free blocks of each size, so that the depot's lock is taken once for some
// thirty of them.

#include "rouse/detail/lock.hpp"
#include "rouse/exec/timer_state.hpp"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

namespace rouse::detail {
namespace {

constexpr std::size_t region_size = std::size_t{1} << 21;
constexpr std::size_t timer_classes = TimerBlocks::sizes.size();

struct FreeBlock {
  FreeBlock* next;
};

// The beginning of 2 MiB that are aligned to their size.
struct alignas(64) Region {
  explicit Region(unsigned block_class) noexcept
      : size_class(block_class), never_used(capacity(block_class)), unused(never_used) {}

  static std::uint32_t capacity(unsigned block_class) noexcept {
    return static_cast<std::uint32_t>((region_size - sizeof(Region)) /
                                      TimerBlocks::sizes[block_class]);
  }
  static Region& of(void* block) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(block);
    return *reinterpret_cast<Region*>(address & ~(region_size - 1));
  }
  /// Null if the system has no memory.
  static Region* map(unsigned block_class, bool huge) noexcept;
  void unmap() noexcept { ::munmap(this, region_size); }

  bool is_full() const noexcept { return unused == 0; }
  bool is_empty() const noexcept { return unused == capacity(size_class); }
  void* take() noexcept;
  void put(void* block) noexcept {
    first = ::new (block) FreeBlock{first};
    ++unused;
  }

  const unsigned size_class;
  std::uint32_t never_used;  // the blocks at the end
  std::uint32_t unused;      // those, and the free ones
  FreeBlock* first = nullptr;
  // In the list of those that are not full.
  Region* next = nullptr;
  Region* previous = nullptr;
};

Region* Region::map(unsigned block_class, bool huge) noexcept {
  // Of twice the size some part is aligned.
  void* const mapped = ::mmap(nullptr, 2 * region_size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  const auto begin = reinterpret_cast<std::uintptr_t>(mapped);
  const std::uintptr_t aligned = (begin + region_size - 1) & ~(region_size - 1);
  if (aligned != begin) ::munmap(mapped, aligned - begin);
  const std::uintptr_t end = aligned + region_size;
  if (end != begin + 2 * region_size) {
    ::munmap(reinterpret_cast<void*>(end), begin + 2 * region_size - end);
  }
  auto* const memory = reinterpret_cast<void*>(aligned);
  if (huge) ::madvise(memory, region_size, MADV_HUGEPAGE);
  return ::new (memory) Region(block_class);
}

void* Region::take() noexcept {
  --unused;
  if (first != nullptr) return std::exchange(first, first->next);
  const std::size_t index = capacity(size_class) - never_used--;
  return reinterpret_cast<std::byte*>(this) + sizeof(Region) +
         index * TimerBlocks::sizes[size_class];
}

class RegionDepot {
 public:
  /// Fewer than asked for, perhaps none, only if the system has no memory.
  std::size_t take(void** blocks, std::size_t count, unsigned size_class) noexcept;
  /// True if few blocks keep many regions: then a thread had better keep hardly any.
  bool put(void* const* blocks, std::size_t count, unsigned size_class) noexcept;

  /// In the child, where other threads may have been in the middle of something: what lies here is
  /// given up.
  void reset_after_fork() noexcept {
    lock_.reset_after_fork();
    first_ = last_ = empty_ = nullptr;
    used_ = kept_ = blocks_ = 0;
  }

 private:
  void list(Region& region) noexcept {
    region.next = nullptr;
    region.previous = last_;
    (last_ == nullptr ? first_ : last_->next) = &region;
    last_ = &region;
  }
  void unlist(Region& region) noexcept {
    (region.previous == nullptr ? first_ : region.previous->next) = region.next;
    (region.next == nullptr ? last_ : region.next->previous) = region.previous;
  }

  Lock lock_;
  // Those that are neither full nor empty. New blocks come from the first, so that others become
  // empty.
  Region* first_ = nullptr;
  Region* last_ = nullptr;
  std::size_t used_ = 0;  // and those that are full
  // The empty ones that are kept, linked by `next`.
  Region* empty_ = nullptr;
  std::size_t kept_ = 0;
  std::size_t blocks_ = 0;  // that were taken
};

std::size_t RegionDepot::take(void** blocks, std::size_t count, unsigned size_class) noexcept {
  std::size_t taken = 0;
  for (;;) {
    bool huge = false;
    {
      const LockGuard guard(lock_);
      while (taken < count && (first_ != nullptr || empty_ != nullptr)) {
        if (first_ == nullptr) {
          Region& region = *std::exchange(empty_, empty_->next);
          --kept_;
          ++used_;
          list(region);
        }
        blocks[taken++] = first_->take();
        if (first_->is_full()) unlist(*first_);
      }
      blocks_ += taken;
      // The first timers of a program are not worth a huge page.
      huge = used_ != 0;
    }
    if (taken != 0) return taken;
    Region* const region = Region::map(size_class, huge);
    if (region == nullptr) return 0;
    const LockGuard guard(lock_);
    region->next = std::exchange(empty_, region);
    ++kept_;
  }
}

bool RegionDepot::put(void* const* blocks, std::size_t count, unsigned size_class) noexcept {
  Region* surplus = nullptr;
  bool sparse = false;
  {
    const LockGuard guard(lock_);
    for (std::size_t i = 0; i < count; ++i) {
      Region& region = Region::of(blocks[i]);
      if (region.is_full()) list(region);
      region.put(blocks[i]);
      if (region.is_empty()) {
        unlist(region);
        --used_;
        region.next = std::exchange(empty_, &region);
        ++kept_;
      }
    }
    for (; kept_ > used_ / 4 + 1; --kept_) {
      Region* const region = std::exchange(empty_, empty_->next);
      region->next = std::exchange(surplus, region);
    }
    blocks_ -= count;
    sparse = used_ > 1 + 4 * blocks_ / Region::capacity(size_class);
  }
  while (surplus != nullptr) std::exchange(surplus, surplus->next)->unmap();
  return sparse;
}

constinit std::array<RegionDepot, timer_classes> region_depots;

struct TimerMagazine {
  static constexpr std::size_t size = 62;
  static constexpr std::size_t few = 4;

  std::size_t count = 0;
  std::size_t limit = size;
  std::array<void*, size> blocks{};
};

// Of a thread, from its first timer on. Not in thread-local storage itself, of which a plug-in that
// is loaded later has little.
using TimerMagazines = std::array<TimerMagazine, timer_classes>;
[[gnu::tls_model("initial-exec")]] constinit thread_local TimerMagazines* timer_magazines = nullptr;
[[gnu::tls_model("initial-exec")]] constinit thread_local bool keeps_no_timers = false;

struct TimersAtThreadExit {
  // Destructors of other thread_local objects may still use timers.
  ~TimersAtThreadExit() {
    keeps_no_timers = true;
    const std::unique_ptr<TimerMagazines> mine(std::exchange(timer_magazines, nullptr));
    if (mine == nullptr) return;
    for (unsigned i = 0; i < timer_classes; ++i) {
      (void)region_depots[i].put((*mine)[i].blocks.data(), (*mine)[i].count, i);
    }
  }

  bool armed = false;
};
thread_local TimersAtThreadExit timers_at_thread_exit;

// Null if the thread is ending, or there is no memory.
TimerMagazine* make_magazines(unsigned size_class) noexcept {
  if (keeps_no_timers) return nullptr;
  if (timer_magazines == nullptr) {
    timers_at_thread_exit.armed = true;
    timer_magazines = new (std::nothrow) TimerMagazines{};
    if (timer_magazines == nullptr) return nullptr;
  }
  return &(*timer_magazines)[size_class];
}

[[gnu::constructor]] void reset_region_depots_in_children() noexcept {
  ::pthread_atfork(nullptr, nullptr, [] {
    for (RegionDepot& depot : region_depots) depot.reset_after_fork();
  });
}

[[gnu::noinline]] void* allocate_timer_slow(unsigned size_class) {
  RegionDepot& depot = region_depots[size_class];
  TimerMagazine* const mine = make_magazines(size_class);
  if (mine == nullptr) {
    void* block = nullptr;
    if (depot.take(&block, 1, size_class) == 0) throw std::bad_alloc();
    return block;
  }
  mine->count = depot.take(mine->blocks.data(), TimerMagazine::size / 2, size_class);
  if (mine->count == 0) throw std::bad_alloc();
  // The first to be given out is the first in memory.
  std::reverse(mine->blocks.begin(),
               mine->blocks.begin() + static_cast<std::ptrdiff_t>(mine->count));
  return mine->blocks[--mine->count];
}

[[gnu::noinline]] void free_timer_slow(void* block, unsigned size_class) noexcept {
  RegionDepot& depot = region_depots[size_class];
  TimerMagazine* const mine = make_magazines(size_class);
  if (mine == nullptr) {
    (void)depot.put(&block, 1, size_class);
    return;
  }
  if (mine->count >= mine->limit) {
    // The older half goes.
    const std::size_t half = mine->count / 2;
    const bool sparse = depot.put(mine->blocks.data(), half, size_class);
    mine->count -= half;
    for (std::size_t i = 0; i < mine->count; ++i) mine->blocks[i] = mine->blocks[i + half];
    mine->limit = sparse ? TimerMagazine::few : TimerMagazine::size;
  }
  mine->blocks[mine->count++] = block;
}

// AddressSanitizer finds no use of a block after its end if the block is used again.
#ifdef __SANITIZE_ADDRESS__
constexpr bool keeps_timer_blocks = false;
#else
constexpr bool keeps_timer_blocks = true;
#endif

}  // namespace

void* TimerBlocks::allocate(unsigned size_class) {
  if (!keeps_timer_blocks) return ::operator new(sizes[size_class]);
  TimerMagazines* const mine = timer_magazines;
  if (mine == nullptr || (*mine)[size_class].count == 0) [[unlikely]] {
    return allocate_timer_slow(size_class);
  }
  return (*mine)[size_class].blocks[--(*mine)[size_class].count];
}

void TimerBlocks::free(void* block, unsigned size_class) noexcept {
  if (!keeps_timer_blocks) {
    ::operator delete(block);
    return;
  }
  TimerMagazines* const mine = timer_magazines;
  if (mine == nullptr || (*mine)[size_class].count >= (*mine)[size_class].limit) [[unlikely]] {
    free_timer_slow(block, size_class);
    return;
  }
  (*mine)[size_class].blocks[(*mine)[size_class].count++] = block;
}

}  // namespace rouse::detail
