#include "rouse/resource/buffer.hpp"

#include "resource/block_store.hpp"

#include <cstring>
#include <stdexcept>
#include <string>

namespace rouse {

using detail::BlockChain;
using detail::BlockStore;

namespace {

std::string bytes_of(const char* call, std::size_t bytes) {
  return std::string("Buffer::") + call + ": " + std::to_string(bytes) + " bytes";
}

void check_room(const char* call, std::size_t bytes, std::size_t room) {
  if (bytes > room) {
    throw std::length_error(bytes_of(call, bytes) + ", there is room for " + std::to_string(room));
  }
}

void check_position(const char* call, std::size_t from, std::size_t end) {
  if (from > end) {
    throw std::out_of_range(std::string("Buffer::") + call + ": position " + std::to_string(from) +
                            " is behind the end, " + std::to_string(end));
  }
}

}  // namespace

void Buffer::give_back() noexcept {
  auto& store = static_cast<BlockStore&>(*memory_);
  if (chain_.count == 1 && store.give_quickly(chain_.first)) [[likely]] {
    return;
  }
  store.give(chain_);
}

std::uint32_t Buffer::block_at(std::size_t index) const noexcept {
  std::uint32_t block = chain_.first;
  for (; index != 0; --index) block = memory_->next(block);
  return block;
}

// But for its first `from` bytes.
template <class Byte>
BufferRange<Byte> Buffer::without(BufferRange<Byte> range, std::size_t from) const noexcept {
  if (from == range.size_) return {};
  range.size_ -= from;
  range.first_ = block_at(from / block_size());
  range.first_within_ = from % block_size();
  return range;
}

void Buffer::assign(std::span<const std::byte> bytes) {
  check_room("assign", bytes.size(), capacity());
  clear();
  add(bytes);
}

void Buffer::append(std::span<const std::byte> bytes) {
  check_room("append", bytes.size(), capacity() - size_);
  add(bytes);
}

// Precondition: they fit.
void Buffer::add(std::span<const std::byte> bytes) noexcept {
  while (!bytes.empty()) {
    if (within_ == block_size()) {
      current_ = memory_->next(current_);
      within_ = 0;
    }
    const std::size_t part = std::min(bytes.size(), block_size() - within_);
    // They may be this block's own.
    std::memmove(memory_->address(current_) + within_, bytes.data(), part);
    within_ += part;
    size_ += part;
    bytes = bytes.subspan(part);
  }
}

void Buffer::resize(std::size_t bytes) {
  check_room("resize", bytes, capacity());
  if (bytes == 0) return clear();
  const std::size_t index = (bytes - 1) / block_size();
  current_ = block_at(index);
  within_ = bytes - index * block_size();
  size_ = bytes;
}

std::size_t Buffer::copy_to(std::span<std::byte> to, std::size_t from) const {
  check_position("copy_to", from, size_);
  std::size_t copied = 0;
  for (const std::span<const std::byte> piece : content(from)) {
    const std::size_t part = std::min(piece.size(), to.size() - copied);
    if (part == 0) break;
    std::memcpy(to.data() + copied, piece.data(), part);
    copied += part;
  }
  return copied;
}

BufferRange<const std::byte> Buffer::content(std::size_t from) const {
  check_position("content", from, size_);
  return without(content(), from);
}

BufferRange<std::byte> Buffer::blocks(std::size_t from) {
  check_position("blocks", from, capacity());
  return without(blocks(), from);
}

bool Buffer::resize_blocks(std::size_t count) {
  auto& store = static_cast<BlockStore&>(*memory_);
  store.check_count("Buffer::resize_blocks", count);
  if (count > chain_.count) {
    const BlockChain more = store.try_take(static_cast<std::uint32_t>(count) - chain_.count);
    if (more.count == 0) return false;
    store.append(chain_, more);
  } else if (count < chain_.count) {
    const std::uint32_t last = block_at(count - 1);
    const BlockChain surplus{memory_->next(last), chain_.last,
                             chain_.count - static_cast<std::uint32_t>(count)};
    if (size_ > count * block_size()) {
      current_ = last;
      within_ = block_size();
      size_ = count * block_size();
    }
    chain_.last = last;
    chain_.count = static_cast<std::uint32_t>(count);
    store.give(surplus);
  }
  return true;
}

}  // namespace rouse
