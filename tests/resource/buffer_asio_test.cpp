// Buffers as what Boost.Asio reads into and writes, over a real socket.

#include "rouse/resource/buffer.hpp"
#include "rouse/resource/buffer_pool.hpp"

#include "support/buffers.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <future>
#include <span>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/buffers_iterator.hpp>
#include <boost/asio/completion_condition.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

namespace {

namespace asio = boost::asio;

using asio::ip::tcp;
using boost::system::error_code;
using rouse::Buffer;
using rouse::BufferPiece;
using rouse::BufferPool;
using rouse::BufferRange;
using rouse::test::content_of;
using rouse::test::joined;
using rouse::test::some_bytes;

using Content = BufferRange<const std::byte>;
using Blocks = BufferRange<std::byte>;

static_assert(asio::is_const_buffer_sequence<Content>::value);
static_assert(!asio::is_mutable_buffer_sequence<Content>::value);
static_assert(asio::is_mutable_buffer_sequence<Blocks>::value);
// It would be copied.
static_assert(!asio::is_const_buffer_sequence<Buffer>::value);

static_assert(std::is_convertible_v<BufferPiece<std::byte>, asio::mutable_buffer>);
static_assert(std::is_convertible_v<BufferPiece<const std::byte>, asio::const_buffer>);
static_assert(!std::is_convertible_v<BufferPiece<const std::byte>, asio::mutable_buffer>);

constexpr std::size_t block = 192;

// Two ends of a connection over the loopback device.
struct Connection {
  Connection() {
    tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    here.connect(acceptor.local_endpoint());
    acceptor.accept(there);
  }

  asio::io_context io;
  tcp::socket here{io};
  tcp::socket there{io};
};

TEST(BufferAsio, KnowsTheSizesOfItsPieces) {
  BufferPool pool({.block_size = block, .blocks = 3});
  Buffer buffer = pool.allocate(3);
  buffer.resize(2 * block + 5);
  EXPECT_EQ(asio::buffer_size(buffer.content()), 2 * block + 5);
  EXPECT_EQ(asio::buffer_size(buffer.content(block + 1)), block + 4);
  EXPECT_EQ(asio::buffer_size(buffer.blocks(buffer.size())), block - 5);
  EXPECT_EQ(asio::buffer_size(buffer.content(buffer.size())), 0U);
  const asio::mutable_buffer piece = *buffer.blocks(5).begin();
  EXPECT_EQ(piece.data(), (*buffer.blocks(5).begin()).data());
  EXPECT_EQ(piece.size(), block - 5);
}

TEST(BufferAsio, IsGoneThroughByteByByte) {
  BufferPool pool({.block_size = block, .blocks = 3});
  Buffer buffer = pool.allocate(3);
  const std::vector<std::byte> bytes = some_bytes(2 * block + 5);
  EXPECT_EQ(asio::buffer_copy(buffer.blocks(), asio::buffer(bytes)), bytes.size());
  buffer.resize(bytes.size());
  const Content content = buffer.content();
  std::vector<std::byte> seen;
  for (auto i = asio::buffers_begin(content); i != asio::buffers_end(content); ++i) {
    seen.push_back(static_cast<std::byte>(*i));
  }
  EXPECT_EQ(seen, bytes);
  std::ranges::reverse(seen);
  std::vector<std::byte> backward;
  for (auto i = asio::buffers_end(content); i != asio::buffers_begin(content);) {
    backward.push_back(static_cast<std::byte>(*--i));
  }
  EXPECT_EQ(backward, seen);
}

TEST(BufferAsio, IsWrittenAndReadWhole) {
  BufferPool pool({.block_size = block, .blocks = 40});
  for (const std::size_t size : {std::size_t{1}, block, 3 * block + 7, 20 * block}) {
    Connection connection;
    Buffer out = pool.allocate(20);
    const std::vector<std::byte> bytes = some_bytes(size);
    out.assign(bytes);
    Buffer in = pool.allocate(20);
    std::future<std::size_t> read =
        asio::async_read(connection.there, in.blocks(), asio::use_future);
    std::future<std::size_t> written =
        asio::async_write(connection.here, out.content(), asio::use_future);
    if (size < in.capacity()) {
      // The end of the stream ends the read.
      connection.io.run_one();
      while (written.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
        connection.io.run_one();
      }
      connection.here.close();
    }
    connection.io.run();
    EXPECT_EQ(written.get(), size);
    if (size == in.capacity()) {
      EXPECT_EQ(read.get(), size);
    } else {
      EXPECT_THROW((void)read.get(), boost::system::system_error);
    }
    in.resize(size);
    EXPECT_EQ(content_of(in), bytes);
  }
}

TEST(BufferAsio, IsReadIntoBehindWhatItHolds) {
  BufferPool pool({.block_size = block, .blocks = 8});
  Connection connection;
  Buffer out = pool.allocate(4);
  const std::vector<std::byte> bytes = some_bytes(3 * block + 50);
  out.assign(bytes);
  EXPECT_EQ(asio::write(connection.here, out.content(10)), bytes.size() - 10);
  Buffer in = pool.allocate(4);
  in.assign(std::span(bytes).first(10));
  std::size_t got = 0;
  asio::async_read(connection.there, in.blocks(in.size()),
                   asio::transfer_exactly(bytes.size() - 10),
                   [&](error_code error, std::size_t count) {
                     EXPECT_FALSE(error);
                     got = count;
                   });
  connection.io.run();
  in.resize(in.size() + got);
  EXPECT_EQ(content_of(in), bytes);
}

// The range that Asio holds is not the buffer's: the buffer may be moved meanwhile.
TEST(BufferAsio, MayBeMovedWhileItIsReadInto) {
  BufferPool pool({.block_size = block, .blocks = 4});
  Connection connection;
  Buffer in = pool.allocate(4);
  const Blocks blocks = in.blocks();
  bool moved = false;
  asio::async_read(connection.there, blocks,
                   [&, held = std::move(in)](error_code error, std::size_t count) mutable {
                     EXPECT_FALSE(error);
                     held.resize(count);
                     EXPECT_EQ(content_of(held), some_bytes(4 * block));
                     moved = true;
                   });
  asio::write(connection.here, asio::buffer(some_bytes(4 * block)));
  connection.io.run();
  EXPECT_TRUE(moved);
  EXPECT_EQ(pool.used_blocks(), 0U);
}

}  // namespace
