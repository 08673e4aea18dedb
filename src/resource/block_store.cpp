#include "resource/block_store.hpp"

#include "rouse/detail/lock.hpp"

#include "detail/complain.hpp"
#include "resource/block_checks.hpp"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace rouse::detail {
namespace {

constexpr std::size_t huge_page = std::size_t{1} << 21;
// Between a shelf and the list at a time.
constexpr std::uint32_t batch = 16;
// With fewer free ones a batch on its way to a shelf would be missed by others.
constexpr std::uint32_t plenty = 4 * batch;
// From the list in one attempt, which fails if others take or give meanwhile.
constexpr std::uint32_t longest_pop = 64;

// Address space without memory as yet.
std::byte* reserve(std::size_t bytes, const char* what) {
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    throw std::system_error(
        errno, std::generic_category(),
        "BufferPool: cannot reserve " + std::to_string(bytes) + " bytes for " + what);
  }
  return static_cast<std::byte*>(memory);
}

class [[nodiscard]] Closed {
 public:
  explicit Closed(Shelves& shelves) noexcept : shelves_(shelves) { shelves_.close(); }
  ~Closed() { shelves_.open(); }
  Closed(const Closed&) = delete;
  Closed& operator=(const Closed&) = delete;

 private:
  Shelves& shelves_;
};

}  // namespace

// Those that no pool has. Not freed, for who has just given the last block of one back.
class BlockStores {
 public:
  static BlockStore& get() {
    {
      const LockGuard guard(lock_);
      if (BlockStore* const store = first_) {
        first_ = std::exchange(store->next_, nullptr);
        return *store;
      }
    }
    return *new BlockStore;
  }

  static void put(BlockStore& store) noexcept {
    const LockGuard guard(lock_);
    store.next_ = std::exchange(first_, &store);
  }

 private:
  // In the child, where another thread may have been in the middle: they are given up.
  [[gnu::constructor]] static void forget_in_children() noexcept {
    ::pthread_atfork(nullptr, nullptr, [] {
      lock_.reset_after_fork();
      first_ = nullptr;
    });
  }

  static constinit Lock lock_;
  static constinit BlockStore* first_;
};

constinit Lock BlockStores::lock_;
constinit BlockStore* BlockStores::first_ = nullptr;

void BlockStore::refuse_count(const char* call, std::size_t n) const {
  const std::string asked = std::string(call) + ": " + std::to_string(n) + " blocks";
  if (n == 0) throw std::invalid_argument(asked);
  throw std::length_error(asked + ", the pool has " + std::to_string(max_blocks_) + " at most");
}

BlockStore& BlockStore::open(const BufferPoolOptions& options) {
  const std::size_t most = std::max(options.blocks, options.max_blocks);
  // For the beginning to be where a huge page does begin.
  const std::size_t extra = options.huge_pages ? huge_page : 0;
  BlockStore& store = BlockStores::get();
  const std::size_t size = most * options.block_size + extra;
  const std::size_t links_size = (most + 1) * sizeof(BlockLink);
  std::byte* memory = nullptr;
  try {
    memory = reserve(size, "the blocks");
    store.links = reinterpret_cast<BlockLink*>(reserve(links_size, "the blocks' links"));
  } catch (...) {
    if (memory != nullptr) ::munmap(memory, size);
    BlockStores::put(store);
    throw;
  }
  store.mapped_ = memory;
  store.mapped_size_ = size;
  store.links_size_ = links_size;
  if (options.huge_pages) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory);
    memory += (huge_page - address % huge_page) % huge_page;
    ::madvise(memory, most * options.block_size, MADV_HUGEPAGE);
  }
  store.begin = memory;
  store.block_size = options.block_size;
  store.zero_on_release_ = options.zero_on_release;
  store.quick_ = store.shelves_.quick() && !options.zero_on_release && !checks_blocks;
  store.max_blocks_ = static_cast<std::uint32_t>(most);
  store.capacity_.store(static_cast<std::uint32_t>(options.blocks), std::memory_order_relaxed);
  store.ever_out_.store(0, std::memory_order_relaxed);
  store.list_.reset(store.links);
  std::construct_at(&store.permits_, static_cast<std::uint32_t>(options.blocks));
  store.shelves_.open();
  return store;
}

void BlockStore::abandon() noexcept {
  // Buffers cannot take more from here on.
  permits_.close();
  const std::uint32_t before = capacity_.exchange(max_blocks_, std::memory_order_relaxed);
  shelves_.close();
  clear_shelves();
  // Those that the pool was not extended to, and its own.
  release_permits(max_blocks_ - before + 1);
}

// Who adds the last permit closes the store. The others do not touch it any more.
void BlockStore::release_permits(std::uint32_t n) noexcept {
  const std::uint32_t all = max_blocks_ + 1;
  if (permits_.release(n) == all) close();
}

void BlockStore::close() noexcept {
  // To acquire them is to see all that was done before they were released.
  permits_.reopen();
  (void)permits_.try_acquire(max_blocks_ + 1);
  unpoison(begin, ever_out_.load(std::memory_order_relaxed) * block_size);
  ::munmap(mapped_, mapped_size_);
  ::munmap(links, links_size_);
  BlockStores::put(*this);
}

BlockChain BlockStore::try_take(std::uint32_t n) noexcept {
  if (n == 1) {
    if (const std::uint32_t block = shelves_.take()) return prepared({block, block, 1});
    const BlockChain chain = take_and_restock();
    if (chain.count != 0) return prepared(chain);
  } else if (permits_.try_acquire(n)) {
    return prepared(pop(n));
  }
  collect_shelved();
  // In a forked child: those who waited in the parent are not here.
  if (permits_.available() >= n) release_permits(0);
  do {
    if (permits_.try_acquire(n)) return prepared(pop(n));
  } while (extend(n));
  return {};
}

// A block, and for the shelf some of those that have been out before.
BlockChain BlockStore::take_and_restock() noexcept {
  const bool restocks = !shelves_.closed() && permits_.available() >= plenty;
  const std::uint32_t permits = restocks ? batch : 1;
  if (!permits_.try_acquire(permits)) return {};
  BlockChain popped = list_.pop(permits);
  if (popped.count == 0) popped = pop(1);
  if (popped.count != permits) release_permits(permits - popped.count);
  std::uint32_t block = popped.first;
  for (std::uint32_t left = popped.count; left > 1; --left) {
    const std::uint32_t further = next(block);
    if (!shelves_.put(block)) release({block, block, 1});
    block = further;
  }
  return {block, block, 1};
}

// For whoever has `n` permits: so many are in the list or were never out.
BlockChain BlockStore::pop(std::uint32_t n) noexcept {
  BlockChain chain;
  while (chain.count < n) {
    const std::uint32_t missing = n - chain.count;
    BlockChain more = list_.pop(std::min(missing, longest_pop));
    if (more.count == 0) more = pop_unused(missing);
    if (more.count == 0) continue;  // others took them, and gave back what was meant for them
    std::uint32_t block = more.first;
    for (std::uint32_t i = 1; i < more.count; ++i) {
      const std::uint32_t before = std::exchange(block, next(block));
      links[block].previous = before;
    }
    append(chain, more);
  }
  return chain;
}

BlockChain BlockStore::pop_unused(std::uint32_t most) noexcept {
  std::uint32_t out = ever_out_.load(std::memory_order_relaxed);
  std::uint32_t count = 0;
  do {
    // It may be seen as it was before those came who have taken what it was extended by.
    const std::uint32_t limit = capacity();
    count = out < limit ? std::min(most, limit - out) : 0;
    if (count == 0) return {};
  } while (!ever_out_.compare_exchange_weak(out, out + count, std::memory_order_relaxed));
  for (std::uint32_t block = out + 1; block < out + count; ++block) link(block, block + 1);
  return {out + 1, out + count, count};
}

// By what is missing for `wanted` blocks. False if there are as many as there can be.
bool BlockStore::extend(std::uint32_t wanted) noexcept {
  std::uint32_t seen = capacity();
  std::uint32_t by = 0;
  do {
    const std::uint32_t missing = wanted - std::min(permits_.available(), wanted - 1);
    by = std::min(missing, max_blocks_ - seen);
    if (by == 0) return false;
  } while (!capacity_.compare_exchange_weak(seen, seen + by, std::memory_order_relaxed));
  release_permits(by);
  return true;
}

Acquired BlockStore::take(std::uint32_t n, Deadline deadline, const std::stop_token& stop,
                          BlockSite site, BlockChain& chain) {
  const Closed closed(shelves_);
  clear_shelves();
  const Acquired acquired = permits_.acquire(deadline, stop, site, n);
  if (acquired == Acquired::yes) chain = prepared(pop(n));
  return acquired;
}

void BlockStore::give(BlockChain chain) noexcept {
  if (zero_on_release_ || checks_blocks) wipe(chain);
  if (chain.count == 1) {
    if (shelves_.put(chain.first)) return;
    // The shelf may be full; if it is closed it gives nothing.
    while (chain.count < batch) {
      const std::uint32_t block = shelves_.take();
      if (block == 0) break;
      link(block, chain.first);
      chain.first = block;
      ++chain.count;
    }
  }
  release(chain);
}

// Precondition: they are closed.
void BlockStore::clear_shelves() noexcept {
  BlockChain chain;
  shelves_.clear([&](std::uint32_t block) { append(chain, {block, block, 1}); });
  if (chain.count != 0) release(chain);
}

void BlockStore::collect_shelved() noexcept {
  if (shelves_.count() == 0) return;
  const Closed closed(shelves_);
  clear_shelves();
}

void BlockStore::release(const BlockChain& chain) noexcept {
  list_.push(chain);
  release_permits(chain.count);
}

std::size_t BlockStore::trim() {
  collect_shelved();
  std::vector<std::uint32_t> blocks;
  blocks.reserve(std::min(permits_.available(), ever_out_.load(std::memory_order_relaxed)));
  while (blocks.size() < blocks.capacity()) {
    const auto room = static_cast<std::uint32_t>(blocks.capacity() - blocks.size());
    const std::uint32_t permits = std::min({permits_.available(), room, longest_pop});
    if (permits == 0 || !permits_.try_acquire(permits)) break;
    const BlockChain chain = list_.pop(permits);
    std::uint32_t block = chain.first;
    for (std::uint32_t i = 0; i < chain.count; ++i, block = next(block)) blocks.push_back(block);
    if (chain.count == permits) continue;
    // The others have never been out.
    release_permits(permits - chain.count);
    break;
  }
  std::ranges::sort(blocks);
  std::size_t given_back = 0;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (std::size_t i = 0; i < blocks.size();) {
    // Those that lie side by side, and of them the whole pages.
    BlockChain run{blocks[i], blocks[i], 1};
    while (++i < blocks.size() && blocks[i] == run.last + 1) append(run, {blocks[i], blocks[i], 1});
    const auto from = reinterpret_cast<std::uintptr_t>(address(run.first));
    const auto first_page = (from + page - 1) / page * page;
    const auto last_page = (from + run.count * block_size) / page * page;
    if (first_page < last_page && ::madvise(reinterpret_cast<void*>(first_page),
                                            last_page - first_page, MADV_DONTNEED) == 0) {
      given_back += last_page - first_page;
    }
    release(run);
  }
  return given_back;
}

BufferPoolStats BlockStore::stats() const noexcept {
  BufferPoolStats stats;
  stats.block_size = block_size;
  stats.capacity_blocks = capacity();
  stats.max_blocks = max_blocks_;
  stats.cached_blocks = shelves_.count();
  stats.free_blocks = std::min(permits_.available() + stats.cached_blocks, stats.capacity_blocks);
  stats.used_blocks = stats.capacity_blocks - stats.free_blocks;
  // The pool may have been extended meanwhile.
  stats.high_water_blocks =
      std::min<std::size_t>(ever_out_.load(std::memory_order_relaxed), stats.capacity_blocks);
  stats.waiters = shelves_.closers();
  return stats;
}

void BlockStore::check(const BlockChain& chain) noexcept {
  const std::byte filling = zero_on_release_ ? std::byte{0} : block_filling;
  std::uint32_t block = chain.first;
  for (std::uint32_t i = 0; i < chain.count; ++i, block = next(block)) {
    unpoison(address(block), block_size);
    if (is_untouched(address(block), block_size, filling)) continue;
    complain({"BufferPool: a block was written to after it was given back"});
    std::terminate();
  }
}

void BlockStore::wipe(const BlockChain& chain) noexcept {
  const std::byte filling = zero_on_release_ ? std::byte{0} : block_filling;
  std::uint32_t block = chain.first;
  for (std::uint32_t i = 0; i < chain.count; ++i, block = next(block)) {
    std::memset(address(block), std::to_integer<int>(filling), block_size);
    poison(address(block), block_size);
  }
}

}  // namespace rouse::detail
