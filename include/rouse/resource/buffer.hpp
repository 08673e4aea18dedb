#pragma once
// Buffer: bytes in blocks of a BufferPool, which come back by themselves.
//
/// @code
///   rouse::BufferPool pool({.block_size = rouse::small_block, .blocks = 100});
///   rouse::Buffer answer = pool.allocate(2);  // 8 KiB, in two pieces
///   answer.append("HTTP/1.1 200 OK\r\n");
///   for (std::span<const std::byte> piece : answer.content()) {
///     std::fwrite(piece.data(), 1, piece.size(), stdout);
///   }
/// @endcode
//
// What a buffer holds is the first size() bytes of its blocks, which need not lie side by side.
// content() is a range of them, blocks() one of all bytes: both are sequences of buffers for
// Boost.Asio (ConstBufferSequence, MutableBufferSequence), and their pieces have what readv(2) and
// writev(2) ask for. The buffer itself is none, since Asio copies its sequences.
// Thread safety: distinct objects, any thread; a shared one, const functions only. May be given
// back
//   by another thread than the one that allocated it.
// Ordering: what happened before a block was given back is visible to whoever is given it next.
// Lifetime: may outlive its pool, whose memory stays until the last buffer is gone. Ranges and
//   iterators hold good until the blocks change: resize_blocks(), a move to it, destruction. A
//   range of a moved buffer stays good.

#include "rouse/detail/os.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace rouse {

namespace detail {

// Blocks are known by number; 0 is none.
struct BlockLink {
  Atomic<std::uint32_t> next{0};  // who looks for free blocks may read it while others change it
  std::uint32_t previous = 0;
};

// Blocks that follow each other.
struct BlockChain {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::uint32_t count = 0;
};

/// Where a pool's blocks lie, and in which order they follow each other in buffers.
struct BlockMemory {
  std::byte* address(std::uint32_t block) const noexcept {
    return begin + (block - std::size_t{1}) * block_size;
  }
  std::uint32_t next(std::uint32_t block) const noexcept {
    return links[block].next.load(std::memory_order_relaxed);
  }
  void link(std::uint32_t block, std::uint32_t next_block) noexcept {
    links[block].next.store(next_block, std::memory_order_relaxed);
    links[next_block].previous = block;
  }
  void append(BlockChain& chain, const BlockChain& more) noexcept {
    if (chain.count == 0) {
      chain = more;
      return;
    }
    link(chain.last, more.first);
    chain.last = more.last;
    chain.count += more.count;
  }

  std::byte* begin = nullptr;
  std::size_t block_size = 0;
  BlockLink* links = nullptr;
};

}  // namespace detail

/// Bytes that lie side by side: a span that converts to Asio's const_buffer (if `Byte` is const) or
/// mutable_buffer.
template <class Byte>
class BufferPiece : public std::span<Byte> {
  using Pointer = std::conditional_t<std::is_const_v<Byte>, const void*, void*>;

 public:
  using std::span<Byte>::span;

  template <class AsioBuffer>
  requires(std::constructible_from<AsioBuffer, Pointer, std::size_t>&&
               // To take one that cannot be written for one that can, or the other way round, would
               // be ambiguous.
               std::is_const_v<Byte> ==
           std::constructible_from<AsioBuffer, const void*, std::size_t>)
  operator AsioBuffer() const noexcept(noexcept(AsioBuffer(Pointer(), std::size_t{}))) {
    return AsioBuffer(this->data(), this->size());
  }
};

/// The bytes of a buffer from one position to another, piece by piece.
template <class Byte>
class BufferRange {
 public:
  using value_type = BufferPiece<Byte>;

  class iterator {
   public:
    using value_type = BufferPiece<Byte>;
    using reference = value_type;
    using pointer = void;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::bidirectional_iterator_tag;

    iterator() = default;

    value_type operator*() const noexcept {
      return {memory_->address(block_) + within_, size_here()};
    }
    iterator& operator++() noexcept {
      const std::size_t size = size_here();
      left_ -= size;
      within_ += size;
      if (left_ != 0) {
        block_ = memory_->next(block_);
        within_ = 0;
      }
      return *this;
    }
    iterator& operator--() noexcept {
      // Behind the end `block_` is still the last.
      if (left_ != 0) {
        block_ = memory_->links[block_].previous;
        within_ = memory_->block_size;
      }
      const std::size_t start = block_ == first_ ? first_within_ : 0;
      left_ += within_ - start;
      within_ = start;
      return *this;
    }
    iterator operator++(int) noexcept {
      iterator before = *this;
      ++*this;
      return before;
    }
    iterator operator--(int) noexcept {
      iterator before = *this;
      --*this;
      return before;
    }
    friend bool operator==(const iterator& a, const iterator& b) noexcept {
      return a.left_ == b.left_;
    }

   private:
    friend class BufferRange;

    std::size_t size_here() const noexcept {
      const std::size_t rest = memory_->block_size - within_;
      return rest < left_ ? rest : left_;
    }

    iterator(const BufferRange& range, std::uint32_t block, std::size_t within,
             std::size_t left) noexcept
        : memory_(range.memory_),
          block_(block),
          first_(range.first_),
          first_within_(range.first_within_),
          within_(within),
          left_(left) {}

    const detail::BlockMemory* memory_ = nullptr;
    std::uint32_t block_ = 0;
    std::uint32_t first_ = 0;
    std::size_t first_within_ = 0;
    std::size_t within_ = 0;  // in the block
    std::size_t left_ = 0;    // to the range's end
  };
  using const_iterator = iterator;

  BufferRange() = default;

  iterator begin() const noexcept { return {*this, first_, first_within_, size_}; }
  iterator end() const noexcept { return {*this, last_, last_within_, 0}; }

  bool empty() const noexcept { return size_ == 0; }
  /// How many bytes they are together.
  std::size_t size_bytes() const noexcept { return size_; }

 private:
  friend class Buffer;

  BufferRange(const detail::BlockMemory* memory, std::size_t size, std::uint32_t first,
              std::uint32_t last, std::size_t last_within) noexcept
      : memory_(memory), size_(size), first_(first), last_(last), last_within_(last_within) {}

  const detail::BlockMemory* memory_ = nullptr;
  std::size_t size_ = 0;
  std::uint32_t first_ = 0;
  std::uint32_t last_ = 0;
  std::size_t first_within_ = 0;  // where in the first block it begins
  std::size_t last_within_ = 0;   // and in the last block ends
};

class [[nodiscard, gnu::visibility("default")]] Buffer {
 public:
  /// Has no blocks: its capacity is 0, like that of one that was moved from.
  Buffer() noexcept = default;
  /// For BufferPool.
  Buffer(detail::BlockMemory & memory, const detail::BlockChain& chain) noexcept
      : memory_(&memory), chain_(chain), current_(chain.first) {}
  /// Gives the blocks back. Never blocks.
  ~Buffer() {
    if (memory_ != nullptr) give_back();
  }
  Buffer(Buffer && other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)),
        chain_(std::exchange(other.chain_, {})),
        current_(std::exchange(other.current_, 0)),
        within_(std::exchange(other.within_, 0)),
        size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer(std::move(other)).swap(*this);
    return *this;
  }
  void swap(Buffer & other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(chain_, other.chain_);
    std::swap(current_, other.current_);
    std::swap(within_, other.within_);
    std::swap(size_, other.size_);
  }

  /// How many bytes it holds, and how many it has room for.
  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return chain_.count * block_size(); }
  bool empty() const noexcept { return size_ == 0; }

  std::size_t block_count() const noexcept { return chain_.count; }
  /// In bytes; 0 without blocks.
  std::size_t block_size() const noexcept { return memory_ == nullptr ? 0 : memory_->block_size; }

  /// Makes `bytes` its content, or adds them to it. They may be in this buffer's content. Throws
  /// std::length_error if they do not fit; then nothing has changed.
  void assign(std::span<const std::byte> bytes);
  void assign(std::string_view text) { assign(std::as_bytes(std::span(text))); }
  void append(std::span<const std::byte> bytes);
  void append(std::string_view text) { append(std::as_bytes(std::span(text))); }

  /// Holds nothing; keeps its blocks.
  void clear() noexcept {
    current_ = chain_.first;
    within_ = size_ = 0;
  }

  /// Makes the first `bytes` bytes of its blocks its content, whatever they are: after a read into
  /// blocks(). Throws std::length_error if that is more than its capacity.
  void resize(std::size_t bytes);

  /// Copies its content from position `from` on to `to`, as much as there is and fits. Returns how
  /// many bytes. Throws std::out_of_range if `from` is more than its size.
  std::size_t copy_to(std::span<std::byte> to, std::size_t from = 0) const;

  /// Its content, or that from position `from` on. Throws std::out_of_range if that is more than
  /// its size.
  BufferRange<const std::byte> content() const noexcept {
    return {memory_, size_, chain_.first, current_, within_};
  }
  BufferRange<const std::byte> content(std::size_t from) const;

  /// All bytes of its blocks, or those from position `from` on, to write to: blocks(size()) is the
  /// room that is left. Bytes behind the content are what was there before, of other buffers too,
  /// unless the pool was told `zero_on_release`. Throws std::out_of_range if `from` is more than
  /// its capacity.
  BufferRange<std::byte> blocks() noexcept {
    return {memory_, capacity(), chain_.first, chain_.last, block_size()};
  }
  BufferRange<std::byte> blocks(std::size_t from);

  /// Has `count` blocks from now on: gives back those at the end, with the content that lies in
  /// them, or takes more. Never blocks: returns false, and nothing has changed, if the pool has not
  /// so many now, or is gone. Throws std::invalid_argument for 0 blocks, and std::length_error for
  /// more than the pool can ever have. Precondition: it has blocks.
  [[nodiscard]] bool resize_blocks(std::size_t count);

 private:
  [[gnu::visibility("hidden")]] void add(std::span<const std::byte> bytes) noexcept;
  [[gnu::visibility("hidden")]] std::uint32_t block_at(std::size_t index) const noexcept;
  template <class Byte>
  [[gnu::visibility("hidden")]] BufferRange<Byte> without(BufferRange<Byte> range, std::size_t from)
      const noexcept;
  void give_back() noexcept;

  detail::BlockMemory* memory_ = nullptr;
  detail::BlockChain chain_;
  std::uint32_t current_ = 0;  // the block in which the last byte of the content lies
  std::size_t within_ = 0;     // the content's end in that block
  std::size_t size_ = 0;
};

}  // namespace rouse
