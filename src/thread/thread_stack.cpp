#include "thread/thread_stack.hpp"

#include "rouse/detail/lock.hpp"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <mutex>
#include <new>
#include <utility>

// Whether there is one shows when the program is linked, however rouse was compiled.
extern "C" {
[[gnu::weak]] void __asan_init();
[[gnu::weak]] void __hwasan_init();
[[gnu::weak]] void __msan_init();
[[gnu::weak]] void __tsan_init();
}

namespace rouse::detail {
namespace {

std::size_t page_size() noexcept {
  static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

}  // namespace

/// At the beginning of its own memory: a page for this, then the stacks, each above its guard page.
struct ThreadStack::Slab {
  std::size_t size = 0;    // of a stack
  unsigned count = 0;      // of stacks
  std::uint32_t free = 0;  // a bit for each
  StackShelf* shelf = nullptr;
  Slab* before = nullptr;  // on the shelf, while a stack is free
  Slab* after = nullptr;

  [[nodiscard]] std::uint32_t all() const noexcept { return (1U << count) - 1; }
  [[nodiscard]] std::size_t stride() const noexcept { return page_size() + size; }
  [[nodiscard]] std::size_t length() const noexcept { return page_size() + stride() * count; }
  [[nodiscard]] char* stack(unsigned index) noexcept {
    return reinterpret_cast<char*>(this) + stride() * index + 2 * page_size();
  }

  /// Null if there is no room.
  static Slab* make(StackShelf& shelf, std::size_t size, unsigned count) noexcept {
    const std::size_t length = page_size() + (page_size() + size) * count;
    void* const begin =
        ::mmap(nullptr, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (begin == MAP_FAILED) return nullptr;
    bool made = ::mprotect(begin, page_size(), PROT_READ | PROT_WRITE) == 0;
    auto* const slab =
        made ? new (begin) Slab{.size = size, .count = count, .shelf = &shelf} : nullptr;
    for (unsigned i = 0; made && i < count; ++i) {
      made = ::mprotect(slab->stack(i), size, PROT_READ | PROT_WRITE) == 0;
    }
    if (!made) {
      ::munmap(begin, length);
      return nullptr;
    }
    slab->free = slab->all();
    return slab;
  }
  static void destroy(Slab* slab) noexcept { ::munmap(slab, slab->length()); }
};

/// The slabs of one size that have a free stack.
class StackShelf {
 public:
  using Slab = ThreadStack::Slab;

  static Lock& lock() noexcept { return lock_; }
  /// The sizes that there are.
  static std::size_t rounded(std::size_t size) noexcept {
    static const long least = std::max(::sysconf(_SC_THREAD_STACK_MIN), 16384L);
    size = std::max(size, static_cast<std::size_t>(least));
    return (size + page_size() - 1) / page_size() * page_size();
  }

  static ThreadStack take(std::size_t size) noexcept {
    std::unique_lock guard(lock_);
    StackShelf* const shelf = of(size);
    if (shelf == nullptr) return {};  // threads of a program have few sizes, and the system more
    if (shelf->slabs_ == nullptr) {
      // At most a quarter more than is in use.
      const unsigned count = std::clamp(shelf->taken_ / 4, 1U, most_in_a_slab_);
      guard.unlock();
      Slab* const slab = Slab::make(*shelf, size, count);
      guard.lock();
      if (slab != nullptr) shelf->insert(slab);
      // Somebody else may have made one meanwhile, or given one back.
      if (shelf->slabs_ == nullptr) return {};
    }
    Slab* const slab = shelf->slabs_;
    const auto index = static_cast<unsigned>(std::countr_zero(slab->free));
    slab->free &= slab->free - 1;
    if (slab->free == 0) shelf->remove(slab);
    ++shelf->taken_;
    return {slab, index};
  }

  void give_back(Slab* slab, unsigned index) noexcept {
    if (size_ > kept_) ::madvise(slab->stack(index), size_ - kept_, MADV_DONTNEED);
    {
      const std::lock_guard guard(lock_);
      --taken_;
      if (slab->free == 0) insert(slab);
      slab->free |= 1U << index;
      if (slab->free != slab->all()) return;
      // One that is free as a whole is kept, for who comes and goes.
      if (spare_ == nullptr || spare_ == slab || spare_->free != spare_->all()) {
        spare_ = slab;
        return;
      }
      remove(slab);
    }
    Slab::destroy(slab);
  }

 private:
  static StackShelf* of(std::size_t size) noexcept {
    for (StackShelf& shelf : shelves_) {
      if (shelf.size_ == 0) shelf.size_ = size;
      if (shelf.size_ == size) return &shelf;
    }
    return nullptr;
  }

  void insert(Slab* slab) noexcept {
    slab->before = nullptr;
    slab->after = slabs_;
    if (slabs_ != nullptr) slabs_->before = slab;
    slabs_ = slab;
  }
  void remove(Slab* slab) noexcept {
    (slab->before != nullptr ? slab->before->after : slabs_) = slab->after;
    if (slab->after != nullptr) slab->after->before = slab->before;
    if (spare_ == slab) spare_ = nullptr;
  }

  // One munmap for so many stacks.
  static constexpr unsigned most_in_a_slab_ = 16;
  // What is kept of a stack that is free: threads that come and go find their pages, and deep calls
  // of the past take no memory.
  static constexpr std::size_t kept_ = std::size_t{64} * 1024;

  static constinit Lock lock_;  // of all that follows, and of the slabs
  static StackShelf shelves_[16];

  std::size_t size_ = 0;  // 0: for the next one
  unsigned taken_ = 0;
  Slab* slabs_ = nullptr;
  Slab* spare_ = nullptr;  // free as a whole, or it was
};

constinit Lock StackShelf::lock_;
constinit StackShelf StackShelf::shelves_[16];

namespace {

// When the program, or the shared library, is loaded: a fork in the middle of a take() must not
// leave the child with a lock that nobody holds.
[[gnu::constructor]] void hold_still_at_forks() noexcept {
  ::pthread_atfork([] { StackShelf::lock().lock(); }, [] { StackShelf::lock().unlock(); },
                   [] { StackShelf::lock().reset_after_fork(); });
}

}  // namespace

ThreadStack::~ThreadStack() {
  if (slab_ != nullptr) slab_->shelf->give_back(slab_, index_);
}

bool ThreadStack::suit_threads() noexcept {
  return __asan_init == nullptr && __hwasan_init == nullptr && __msan_init == nullptr &&
         __tsan_init == nullptr;
}

ThreadStack ThreadStack::take(std::size_t size) noexcept {
  return StackShelf::take(StackShelf::rounded(size));
}

void* ThreadStack::lowest() const noexcept { return slab_->stack(index_); }

std::size_t ThreadStack::size() const noexcept { return slab_->size; }

}  // namespace rouse::detail
