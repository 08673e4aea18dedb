// No memory, at each allocation of each function of this layer: std::bad_alloc,
// nothing leaked, and what was there before is as it was. What must not throw does without.

#include "rouse/rouse.hpp"

#include "support/faults/allocation_rows.hpp"
#include "support/temporary_directory.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <utility>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rouse::test::AllocationRows;
using rouse::test::long_name;
using rouse::test::Promise;
using rouse::test::stopped_token;
using rouse::test::strongly;
using std::chrono::steady_clock;
using std::chrono::system_clock;

AllocationRows rows() {
  using enum Promise;
  AllocationRows row;

  row.header = "rouse/resource/buffer.hpp";
  using rouse::Buffer;
  using rouse::BufferPool;
  const rouse::BufferPoolOptions few_blocks{.block_size = 64, .blocks = 4};
  struct PoolAndBuffer {
    explicit PoolAndBuffer(const rouse::BufferPoolOptions& options) : pool(options) {
      buffer = pool.allocate(2);
      buffer.assign("something");
    }
    BufferPool pool;
    Buffer buffer;
  };
  const auto on_buffer = [few_blocks](auto body) {
    return [few_blocks, body] {
      auto state = std::make_shared<PoolAndBuffer>(few_blocks);
      return [state, body] { body(state->buffer); };
    };
  };
  row("operator AsioBuffer", allocates_nothing, on_buffer([](Buffer& buffer) {
        const std::pair<const void*, std::size_t> piece = *buffer.content().begin();
        EXPECT_EQ(piece.second, buffer.size());
      }));
  row("begin", allocates_nothing,
      on_buffer([](Buffer& b) { EXPECT_EQ((*b.content().begin()).size(), b.size()); }));
  row("end", allocates_nothing,
      on_buffer([](Buffer& b) { EXPECT_EQ(++b.content().begin(), b.content().end()); }));
  row("size_bytes", allocates_nothing,
      on_buffer([](Buffer& b) { EXPECT_EQ(b.content().size_bytes(), b.size()); }));
  row("Buffer", allocates_nothing,
      on_buffer([](Buffer& b) { EXPECT_EQ(Buffer(std::move(b)).size(), 9U); }));
  row("~Buffer", allocates_nothing, on_buffer([](Buffer& b) { const Buffer end(std::move(b)); }));
  row("swap", allocates_nothing, on_buffer([](Buffer& b) {
        Buffer other;
        other.swap(b);
        EXPECT_EQ(other.size(), 9U);
      }));
  row("size", allocates_nothing, on_buffer([](Buffer& b) { EXPECT_EQ(b.size(), 9U); }));
  row("capacity", allocates_nothing, on_buffer([](Buffer& b) { EXPECT_EQ(b.capacity(), 128U); }));
  row("empty", allocates_nothing, on_buffer([](Buffer& b) { EXPECT_FALSE(b.empty()); }));
  row("block_count", allocates_nothing,
      on_buffer([](Buffer& b) { EXPECT_EQ(b.block_count(), 2U); }));
  row("block_size", allocates_nothing,
      on_buffer([](Buffer& b) { EXPECT_EQ(b.block_size(), 64U); }));
  row("assign", allocates_nothing, on_buffer([](Buffer& b) { b.assign("anything"); }));
  row("append", allocates_nothing, on_buffer([](Buffer& b) { b.append("anything"); }));
  row("clear", allocates_nothing, on_buffer([](Buffer& b) { b.clear(); }));
  row("resize", allocates_nothing, on_buffer([](Buffer& b) { b.resize(128); }));
  row("copy_to", allocates_nothing, on_buffer([](Buffer& b) {
        std::array<std::byte, 9> copy{};
        EXPECT_EQ(b.copy_to(copy), 9U);
      }));
  row("content", allocates_nothing,
      on_buffer([](Buffer& b) { EXPECT_FALSE(b.content().empty()); }));
  row("blocks", allocates_nothing, on_buffer([](Buffer& b) { EXPECT_FALSE(b.blocks().empty()); }));
  row("resize_blocks", allocates_nothing, on_buffer([](Buffer& b) {
        EXPECT_TRUE(b.resize_blocks(4));
        EXPECT_TRUE(b.resize_blocks(1));
      }));

  row.header = "rouse/resource/buffer_pool.hpp";
  const auto on_buffer_pool = [few_blocks](auto body) {
    return [few_blocks, body] {
      auto state = std::make_shared<PoolAndBuffer>(few_blocks);
      return [state, body] { body(state->pool); };
    };
  };
  // With an object that an earlier one has left; resource/buffer_pool_failure_test has the others.
  row("BufferPool", allocates_nothing, [few_blocks] {
    { const BufferPool earlier(few_blocks); }
    return [few_blocks] { EXPECT_EQ(BufferPool(few_blocks).free_blocks(), 4U); };
  });
  row("~BufferPool", allocates_nothing, [few_blocks] {
    auto pool = std::make_shared<std::optional<BufferPool>>(std::in_place, few_blocks);
    return [pool] { pool->reset(); };
  });
  row("try_allocate", allocates_nothing,
      on_buffer_pool([](BufferPool& pool) { EXPECT_TRUE(pool.try_allocate(2)); }));
  row("allocate", allocates_nothing,
      on_buffer_pool([](BufferPool& pool) { EXPECT_EQ(pool.allocate(2).block_count(), 2U); }));
  row("allocate_for", allocates_nothing,
      on_buffer_pool([](BufferPool& pool) { EXPECT_TRUE(pool.allocate_for(2, 1h)); }));
  row("allocate_until", allocates_nothing, on_buffer_pool([](BufferPool& pool) {
        EXPECT_TRUE(pool.allocate_until(2, steady_clock::now()));
      }));
  // When it blocks, and for the Stopped that ends it.
  const auto on_exhausted_pool = [&](auto wait) {
    return on_buffer_pool([wait](BufferPool& pool) {
      const std::stop_token stop = stopped_token();
      strongly(
          [&] {
            try {
              (void)wait(pool, stop);
              ADD_FAILURE() << "it was not stopped";
            } catch (const rouse::Stopped&) {
            }
          },
          [&] { EXPECT_EQ(pool.free_blocks(), 2U); });
    });
  };
  row("allocate", throws, on_exhausted_pool([](BufferPool& pool, const std::stop_token& stop) {
        return pool.allocate(3, stop);
      }));
  row("allocate_for", throws, on_exhausted_pool([](BufferPool& pool, const std::stop_token& stop) {
        return pool.allocate_for(3, 1h, stop);
      }));
  row("allocate_until", throws,
      on_exhausted_pool([](BufferPool& pool, const std::stop_token& stop) {
        return pool.allocate_until(3, system_clock::now() + 1h, stop);
      }));
  row("block_size", allocates_nothing,
      on_buffer_pool([](BufferPool& pool) { EXPECT_EQ(pool.block_size(), 64U); }));
  row("capacity_blocks", allocates_nothing,
      on_buffer_pool([](BufferPool& pool) { EXPECT_EQ(pool.capacity_blocks(), 4U); }));
  row("max_blocks", allocates_nothing,
      on_buffer_pool([](BufferPool& pool) { EXPECT_EQ(pool.max_blocks(), 4U); }));
  row("used_blocks", allocates_nothing,
      on_buffer_pool([](BufferPool& pool) { EXPECT_EQ(pool.used_blocks(), 2U); }));
  row("free_blocks", allocates_nothing,
      on_buffer_pool([](BufferPool& pool) { EXPECT_EQ(pool.free_blocks(), 2U); }));
  row("stats", allocates_nothing,
      on_buffer_pool([](BufferPool& pool) { EXPECT_EQ(pool.stats().waiters, 0U); }));
  row("trim", throws, on_buffer_pool([](BufferPool& pool) {
        { const Buffer used = pool.allocate(2); }
        strongly([&] { EXPECT_EQ(pool.trim(), 0U); },  // less than a page
                 [&] { EXPECT_EQ(pool.free_blocks(), 2U); });
      }));

  row.header = "rouse/resource/id128.hpp";
  constexpr rouse::Id128 id{1, 2};
  row("to_hex", throws,
      [id] { return [id] { EXPECT_EQ(rouse::Id128::from_hex(id.to_hex()), id); }; });
  row("to_uuid", throws,
      [id] { return [id] { EXPECT_EQ(rouse::Id128::from_uuid(id.to_uuid()), id); }; });
  const auto on_id = [id](auto body) { return [id, body] { return [id, body] { body(id); }; }; };
  row("to_hex", allocates_nothing, on_id([](rouse::Id128 of) {
        std::array<char, 32> text;
        of.to_hex(text);
        EXPECT_EQ(text.back(), '2');
      }));
  row("to_uuid", allocates_nothing, on_id([](rouse::Id128 of) {
        std::array<char, 36> text;
        of.to_uuid(text);
        EXPECT_EQ(text.back(), '2');
      }));
  row("from_hex", allocates_nothing, on_id([](rouse::Id128 of) {
        EXPECT_EQ(rouse::Id128::from_hex("00000000000000010000000000000002"), of);
      }));
  row("from_hex", throws, on_id([](rouse::Id128) {
        try {
          EXPECT_EQ(rouse::Id128::from_hex("1"), rouse::Id128());
          ADD_FAILURE() << "accepted";
        } catch (const std::invalid_argument&) {
        }
      }));
  row("from_uuid", allocates_nothing, on_id([](rouse::Id128 of) {
        EXPECT_EQ(rouse::Id128::from_uuid("00000000-0000-0001-0000-000000000002"), of);
      }));
  row("bytes", allocates_nothing,
      on_id([](rouse::Id128 of) { EXPECT_EQ(of.bytes()[15], std::byte{2}); }));
  row("from_bytes", allocates_nothing,
      on_id([](rouse::Id128 of) { EXPECT_EQ(rouse::Id128::from_bytes(of.bytes()), of); }));
  row("operator()", allocates_nothing,
      on_id([](rouse::Id128 of) { EXPECT_NE(std::hash<rouse::Id128>()(of), 0U); }));

  row.header = "rouse/resource/number_generator.hpp";
  row("NumberGenerator", allocates_nothing,
      [] { return [] { EXPECT_EQ(rouse::NumberGenerator(7).next(), 7); }; });
  row("next", allocates_nothing,
      [] { return [] { EXPECT_GE(rouse::process_numbers().next(), 0); }; });
  row("process_numbers", allocates_nothing,
      [] { return [] { EXPECT_EQ(&rouse::process_numbers(), &rouse::process_numbers()); }; });
  row("reset", allocates_nothing, [] {
    auto numbers = std::make_shared<rouse::NumberGenerator>();
    return [numbers] {
      numbers->reset(5);
      EXPECT_EQ(numbers->next(), 5);
    };
  });
  row("LeasedNumberGenerator", allocates_nothing,
      [] { return [] { const rouse::LeasedNumberGenerator numbers; }; });
  row("next", survives, [] {
    auto numbers = std::make_shared<rouse::LeasedNumberGenerator>();
    return [numbers] {
      for (std::int64_t i = 0; i < 10; ++i) EXPECT_EQ(numbers->next(), i);
    };
  });

  row.header = "rouse/resource/cycle_id.hpp";
  constexpr rouse::CycleId parts(0xC0000207, 80, 1, 2);
  const auto on_parts = [parts](auto body) {
    return [parts, body] { return [parts, body] { body(parts); }; };
  };
  row("CycleId", allocates_nothing,
      on_parts([](const rouse::CycleId& of) { EXPECT_EQ(rouse::CycleId(of.id()), of); }));
  row("id", allocates_nothing,
      on_parts([](const rouse::CycleId& of) { EXPECT_EQ(of.id().low, 2U); }));
  row("address", allocates_nothing,
      on_parts([](const rouse::CycleId& of) { EXPECT_EQ(of.address(), 0xC0000207); }));
  row("address_text", allocates_nothing,  // as short as it is
      on_parts([](const rouse::CycleId& of) { EXPECT_EQ(of.address_text(), "192.0.2.7"); }));
  row("port", allocates_nothing,
      on_parts([](const rouse::CycleId& of) { EXPECT_EQ(of.port(), 80); }));
  row("boot", allocates_nothing,
      on_parts([](const rouse::CycleId& of) { EXPECT_EQ(of.boot(), 1); }));
  row("counter", allocates_nothing,
      on_parts([](const rouse::CycleId& of) { EXPECT_EQ(of.counter(), 2U); }));
  row("CycleIdGenerator", throws, [] {
    const auto directory = std::make_shared<rouse::test::TemporaryDirectory>();
    const rouse::CycleIdOptions options{.boot_file = *directory / "boot"};
    return [directory, options] {
      const char* const ip = "2001:db8:1234:5678:1234:5678:1234:5678";
      EXPECT_EQ(rouse::CycleIdGenerator(ip, 80, options).boot(), 1);
    };
  });
  row("~CycleIdGenerator", allocates_nothing, [] {
    auto ids = std::make_shared<std::optional<rouse::CycleIdGenerator>>();
    ids->emplace("192.0.2.7", 80);
    return [ids] { ids->reset(); };
  });
  const auto on_cycle_ids = [](auto body) {
    return [body] {
      auto ids = std::make_shared<rouse::CycleIdGenerator>("192.0.2.7", 80);
      return [ids, body] { body(*ids); };
    };
  };
  row("next", allocates_nothing, on_cycle_ids([](rouse::CycleIdGenerator& ids) {
        EXPECT_EQ(rouse::CycleId(ids.next()).port(), 80);
      }));
  row("reset_next", allocates_nothing, on_cycle_ids([](rouse::CycleIdGenerator& ids) {
        ids.reset_next(5);
        EXPECT_EQ(ids.next().low, 5U);
      }));

  row.header = "rouse/resource/name_generator.hpp";
  row("NameGenerator", throws, [] {
    return [] { EXPECT_EQ(rouse::NameGenerator("a prefix of 20 bytes").prefix().size(), 28U); };
  });
  const auto on_names = [](auto body) {
    return [body] {
      auto names = std::make_shared<rouse::NameGenerator>(long_name);
      return [names, body] { body(*names); };
    };
  };
  row("next", throws,
      on_names([](auto& names) { EXPECT_TRUE(names.next().starts_with(names.prefix())); }));
  row("next", allocates_nothing, on_names([](auto& names) {
        rouse::NameGenerator::Buffer buffer;
        EXPECT_TRUE(names.next(buffer).starts_with(names.prefix()));
      }));
  row("prefix", allocates_nothing,
      on_names([](auto& names) { EXPECT_TRUE(names.prefix().starts_with("a%20name")); }));
  row("process_names", allocates_nothing, [] {
    const auto* const names = &rouse::process_names();  // there from now on
    return [names] { EXPECT_EQ(&rouse::process_names(), names); };
  });

  row.header = "rouse/resource/random_id.hpp";
  row("uuid4", allocates_nothing, [] { return [] { EXPECT_NE(rouse::uuid4(), rouse::Id128()); }; });
  row("uuid7", allocates_nothing, [] { return [] { EXPECT_NE(rouse::uuid7(), rouse::Id128()); }; });
  row("random_string", throws,
      [] { return [] { EXPECT_EQ(rouse::random_string(100).size(), 100U); }; });
  row("random_string", throws, [] {
    return [] {
      try {
        (void)rouse::random_string(1, "aa");
        ADD_FAILURE() << "accepted";
      } catch (const std::invalid_argument&) {
      }
    };
  });
  row("random_bytes", allocates_nothing, [] {
    return [] {
      std::array<std::byte, 32> bytes{};
      rouse::random_bytes(bytes);
      EXPECT_NE(bytes, (std::array<std::byte, 32>{}));
    };
  });
  return row;
}

TEST(AllocationFailure, AtEachAllocationOfEachFunctionKeepsItsPromise) {
  rows().expect_promises_kept();
}

TEST(AllocationFailure, IsTestedForEachFunctionOfEachHeader) {
  rows().expect_complete("resource", {"rouse/resource/ids.hpp"});
}

}  // namespace
