#include "rouse/resource/buffer_pool.hpp"

#include "resource/block_store.hpp"

#include <limits>
#include <stdexcept>
#include <string>

namespace rouse {

using detail::Acquired;
using detail::BlockChain;
using detail::BlockStore;
using detail::Deadline;

namespace {

const BufferPoolOptions& checked(const BufferPoolOptions& options) {
  const auto refuse = [](const char* name, std::size_t value, const char* why) {
    throw std::invalid_argument(std::string("BufferPool: ") + name + " is " +
                                std::to_string(value) + ", " + why);
  };
  if (options.block_size == 0 || options.block_size % 64 != 0) {
    refuse("block_size", options.block_size, "not a multiple of 64");
  }
  if (options.blocks == 0) refuse("blocks", 0, "a pool has at least one");
  if (options.max_blocks != 0 && options.max_blocks < options.blocks) {
    refuse("max_blocks", options.max_blocks, "fewer than blocks");
  }
  const std::size_t most = std::max(options.blocks, options.max_blocks);
  // Half of all addresses are not a program's.
  constexpr auto addresses = static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max());
  if (most > BlockStore::most_blocks || most > addresses / options.block_size) {
    throw std::length_error("BufferPool: " + std::to_string(most) + " blocks of " +
                            std::to_string(options.block_size) + " bytes are too many");
  }
  return options;
}

}  // namespace

BufferPool::BufferPool(const BufferPoolOptions& options)
    : store_(BlockStore::open(checked(options))) {}

BufferPool::~BufferPool() { store_.abandon(); }

std::optional<Buffer> BufferPool::try_allocate(std::size_t n) {
  if (n == 1) {
    if (const std::uint32_t block = store_.take_quickly()) [[likely]] {
      return std::optional<Buffer>(std::in_place, store_, BlockChain{block, block, 1});
    }
  }
  return try_allocate_further(n);
}

std::optional<Buffer> BufferPool::try_allocate_further(std::size_t n) {
  store_.check_count("BufferPool::allocate", n);
  std::optional<Buffer> buffer;
  const BlockChain chain = store_.try_take(static_cast<std::uint32_t>(n));
  if (chain.count != 0) buffer.emplace(store_, chain);
  return buffer;
}

Buffer BufferPool::allocate(std::size_t n, const std::stop_token& stop) {
  if (n == 1) {
    if (const std::uint32_t block = store_.take_quickly()) [[likely]] {
      return Buffer(store_, BlockChain{block, block, 1});
    }
  }
  return allocate_further(n, stop);
}

Buffer BufferPool::allocate_further(std::size_t n, const std::stop_token& stop) {
  std::optional<Buffer> buffer = try_allocate_further(n);
  if (!buffer) (void)wait_for_blocks(buffer, n, Deadline::never(), stop);
  return *std::move(buffer);
}

WaitStatus BufferPool::wait_for_blocks(std::optional<Buffer>& buffer, std::size_t n,
                                       Deadline deadline, const std::stop_token& stop) {
  BlockChain chain;
  const detail::BlockSite site{"BufferPool::allocate", reinterpret_cast<std::uintptr_t>(this)};
  switch (store_.take(static_cast<std::uint32_t>(n), deadline, stop, site, chain)) {
    case Acquired::yes:
      buffer.emplace(store_, chain);
      return WaitStatus::ready;
    case Acquired::timeout:
      return WaitStatus::timeout;
    case Acquired::stopped:
    case Acquired::closed:
      break;
  }
  throw Stopped("rouse: stopped while it waited for " + std::to_string(n) +
                " blocks of a BufferPool");
}

std::size_t BufferPool::block_size() const noexcept { return store_.block_size; }
std::size_t BufferPool::capacity_blocks() const noexcept { return store_.capacity(); }
std::size_t BufferPool::max_blocks() const noexcept { return store_.max_blocks(); }
BufferPoolStats BufferPool::stats() const noexcept { return store_.stats(); }
std::size_t BufferPool::trim() { return store_.trim(); }

}  // namespace rouse
