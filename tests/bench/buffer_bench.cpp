// What a block of memory costs: taken and given back by one thread, or by two.

#include "rouse/resource/buffer_pool.hpp"

#include "bench/harness.hpp"

#include <dlfcn.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/lockfree/stack.hpp>
#include <oneapi/tbb/scalable_allocator.h>

namespace {

using namespace rouse::bench;

constexpr std::size_t page = 4096;

// --- where blocks come from ----------------------------------------------------------------------
// Each has allocate(), which returns a Block that gives itself back, and begin_of() for the Block.

// Enough for all that are under way between two threads, and for what each keeps at hand.
constexpr std::size_t pool_blocks = 128;

class Rouse {
 public:
  using Block = rouse::Buffer;

  explicit Rouse(std::size_t size) : pool_({.block_size = size, .blocks = pool_blocks}) {}
  Block allocate() { return pool_.allocate(); }
  static std::byte* begin_of(Block& block) { return (*block.blocks().begin()).data(); }

 protected:
  rouse::BufferPool pool_;
};

class RouseTry : public Rouse {
 public:
  using Block = std::optional<rouse::Buffer>;

  using Rouse::Rouse;
  Block allocate() { return pool_.try_allocate(); }
  static std::byte* begin_of(Block& block) { return Rouse::begin_of(*block); }
};

// A function that only one library has, which is preloaded. Null: none.
using Mark = const char*;
constexpr char no_mark[] = "";
constexpr char jemalloc_mark[] = "mallctl";
constexpr char mimalloc_mark[] = "mi_malloc";

// The malloc of the process, whichever that is. jemalloc and mimalloc come with LD_PRELOAD into
// processes of their own: so all three are called by the same code, through the same names, and
// none disturbs the others. jemalloc cannot be loaded later in any case, for its thread-local
// memory.
template <const char* mark>
class Malloc {
  struct Free {
    void operator()(std::byte* block) const { std::free(block); }
  };

 public:
  using Block = std::unique_ptr<std::byte, Free>;

  explicit Malloc(std::size_t size) : size_(size) {
    for (const char* const other : {jemalloc_mark, mimalloc_mark}) {
      const bool is_here = ::dlsym(RTLD_DEFAULT, other) != nullptr;
      if (is_here != (std::string(other) == mark)) {
        throw std::runtime_error(std::string(is_here ? "preloaded: " : "not preloaded: ") + other);
      }
    }
  }
  Block allocate() { return Block(static_cast<std::byte*>(std::malloc(size_))); }
  static std::byte* begin_of(const Block& block) { return block.get(); }

 private:
  const std::size_t size_;
};

class Tbb {
  struct Free {
    void operator()(std::byte* block) const { ::scalable_free(block); }
  };

 public:
  using Block = std::unique_ptr<std::byte, Free>;

  explicit Tbb(std::size_t size) : size_(size) {}
  Block allocate() { return Block(static_cast<std::byte*>(::scalable_malloc(size_))); }
  static std::byte* begin_of(const Block& block) { return block.get(); }

 private:
  const std::size_t size_;
};

// What programs have that keep their blocks: a list of free ones.
template <class List>
class FreeList {
  struct GiveBack {
    List* list;
    void operator()(std::byte* block) const { list->push(block); }
  };

 public:
  using Block = std::unique_ptr<std::byte, GiveBack>;

  explicit FreeList(std::size_t size)
      : memory_(static_cast<std::byte*>(std::aligned_alloc(page, pool_blocks * size))) {
    if (memory_ == nullptr) throw std::bad_alloc();
    for (std::size_t i = 0; i < pool_blocks; ++i) list_.push(memory_.get() + i * size);
  }
  Block allocate() {
    std::byte* const block = list_.pop();
    if (block == nullptr) throw std::bad_alloc();
    return {block, GiveBack{&list_}};
  }
  static std::byte* begin_of(const Block& block) { return block.get(); }

 private:
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  const std::unique_ptr<std::byte, Free> memory_;
  List list_;
};

class LockedList {
 public:
  LockedList() { free_.reserve(pool_blocks); }
  void push(std::byte* block) {
    const std::lock_guard lock(mutex_);
    free_.push_back(block);
  }
  std::byte* pop() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return nullptr;
    std::byte* const block = free_.back();
    free_.pop_back();
    return block;
  }

 private:
  std::mutex mutex_;
  std::vector<std::byte*> free_;
};

class BoostStack {
 public:
  void push(std::byte* block) { stack_.push(block); }
  std::byte* pop() {
    std::byte* block = nullptr;
    stack_.pop(block);
    return block;
  }

 private:
  boost::lockfree::stack<std::byte*, boost::lockfree::capacity<pool_blocks>> stack_;
};

// --- what is done with them ----------------------------------------------------------------------

// As whoever fills a block does, without the time it takes to fill it.
template <std::size_t Size>
void touch_each_page(std::byte* block) {
  volatile std::byte* const bytes = block;
  for (std::size_t at = 0; at < Size; at += page) bytes[at] = std::byte{1};
}

// A thread as most have it: neither the main thread nor the only one, for which malloc knows
// shorter ways.
template <class Function>
std::jthread thread_on_cpu(std::size_t index, Function&& function) {
  return std::jthread([index, function = std::forward<Function>(function)] {
    pin_to(index);
    function();
  });
}

template <class Allocator, std::size_t Size>
double alone(std::size_t operations) {
  Allocator allocator(Size);
  double figure = 0;
  thread_on_cpu(0, [&] {
    const auto take_and_give_back = [&] {
      auto block = allocator.allocate();
      touch_each_page<Size>(allocator.begin_of(block));
    };
    time_per_operation(operations / 8, take_and_give_back);
    figure = time_per_operation(operations, take_and_give_back);
  }).join();
  return figure;
}

// From one thread to one other. Who finds it full, or empty, lets others run for a moment, so that
// it finds more the next time.
template <class T>
class Ring {
 public:
  void push(T value) {
    const std::size_t at = pushed_.count.load(std::memory_order_relaxed);
    while (at == pushed_.limit) {
      pushed_.limit = popped_.count.load(std::memory_order_acquire) + places;
      if (at == pushed_.limit) std::this_thread::yield();
    }
    std::construct_at(&slots_[at % places].value, std::move(value));
    pushed_.count.store(at + 1, std::memory_order_release);
  }
  T pop() {
    const std::size_t at = popped_.count.load(std::memory_order_relaxed);
    while (at == popped_.limit) {
      popped_.limit = pushed_.count.load(std::memory_order_acquire);
      if (at == popped_.limit) std::this_thread::yield();
    }
    T& slot = slots_[at % places].value;
    T value = std::move(slot);
    std::destroy_at(&slot);
    popped_.count.store(at + 1, std::memory_order_release);
    return value;
  }

 private:
  static constexpr std::size_t places = pool_blocks / 2;

  union Slot {
    Slot() {}
    ~Slot() {}
    T value;
  };
  // Written by one of the two.
  struct alignas(64) Side {
    std::atomic<std::size_t> count{0};
    std::size_t limit = 0;  // the other one has been seen to have come so far
  };

  Side pushed_;
  Side popped_;
  std::array<Slot, places> slots_;
};

// Whoever gives the blocks back does not look into them.
template <class Allocator, std::size_t Size>
double across_threads(std::size_t operations) {
  const std::size_t warm_up = operations / 8;
  Allocator allocator(Size);
  Ring<typename Allocator::Block> ring;
  double figure = 0;
  {
    const std::jthread allocating = thread_on_cpu(0, [&] {
      for (std::size_t i = 0; i < warm_up + operations; ++i) {
        auto block = allocator.allocate();
        touch_each_page<Size>(allocator.begin_of(block));
        ring.push(std::move(block));
      }
    });
    const std::jthread giving_back = thread_on_cpu(1, [&] {
      const auto give_back = [&] { (void)ring.pop(); };
      time_per_operation(warm_up, give_back);
      figure = time_per_operation(operations, give_back);
    });
  }
  return figure;
}

// --- rows ----------------------------------------------------------------------------------------

enum class By { one_thread, two_threads };

template <class Allocator, By by, std::size_t Size>
constexpr auto measured =
    by == By::one_thread ? &alone<Allocator, Size> : &across_threads<Allocator, Size>;

template <By by, std::size_t Size>
Row row(const Target& target, std::size_t operations) {
  return {.targets = {target},
          .contestants = {{"rouse", measured<Rouse, by, Size>},
                          {"rouse_try", measured<RouseTry, by, Size>},
                          {"glibc", measured<Malloc<no_mark>, by, Size>},
                          {"jemalloc", measured<Malloc<jemalloc_mark>, by, Size>, "libjemalloc.so"},
                          {"mimalloc", measured<Malloc<mimalloc_mark>, by, Size>, "libmimalloc.so"},
                          {"tbb", measured<Tbb, by, Size>},
                          {"locked_list", measured<FreeList<LockedList>, by, Size>},
                          {"boost_lockfree", measured<FreeList<BoostStack>, by, Size>}},
          .operations = operations,
          .cpus = by == By::one_thread ? 1U : 2U,
          .own_process = true};
}

}  // namespace

rouse::bench::Area rouse::bench::area() {
  constexpr std::size_t small = rouse::small_block;
  constexpr std::size_t medium = rouse::medium_block;
  constexpr std::size_t large = rouse::large_block;
  return {"buffer",
          {
              row<By::one_thread, small>({"4k", "jemalloc", 0.60}, 1'000'000),
              row<By::two_threads, small>({"4k_across_threads", "mimalloc", 0.30}, 100'000),
              row<By::one_thread, medium>({"132k", "glibc", 0.60}, 100'000),
              row<By::two_threads, medium>({"132k_across_threads", "mimalloc", 0.50}, 30'000),
              row<By::one_thread, large>({"1m", "locked_list", 1.05}, 20'000),
          }};
}
