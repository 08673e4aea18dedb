// How the blocking calls of resource/ end.

#include "rouse/resource/buffer_pool.hpp"

#include "support/stopping/blocking_rows.hpp"

#include <optional>

#include <gtest/gtest.h>

namespace {

using rouse::test::asks_for_a_value;
using rouse::test::BlockingRows;
using rouse::test::Ends;
using rouse::test::Given;
using rouse::test::on;
using rouse::test::Promises;

// A pool whose only block the test has.
struct EmptyBufferPool {
  rouse::BufferPool pool{{.block_size = rouse::small_block, .blocks = 1}};
  std::optional<rouse::Buffer> block = pool.allocate();
};

BlockingRows rows_of_resource() {
  BlockingRows row("resource");
  row.header = "rouse/resource/buffer_pool.hpp";
  const auto allocates = [&row](const char* signature, const Promises& promises, auto call) {
    row(signature, promises,
        on<EmptyBufferPool>(call, [](EmptyBufferPool& empty) { empty.block.reset(); }));
  };
  const Promises for_a_time = with_deadline(asks_for_a_value, Ends::empty);
  allocates(
      "BufferPool::allocate(n, stop)", asks_for_a_value,
      [](EmptyBufferPool& empty, const Given& given) { (void)empty.pool.allocate(1, given.stop); });
  allocates("BufferPool::allocate_for(n, d, stop)", for_a_time,
            [](EmptyBufferPool& empty, const Given& given) {
              return empty.pool.allocate_for(1, given.time, given.stop);
            });
  allocates("BufferPool::allocate_until(n, t, stop)", for_a_time,
            [](EmptyBufferPool& empty, const Given& given) {
              return empty.pool.allocate_until(1, given.until(), given.stop);
            });
  row.does_not_block("BufferPool::~BufferPool()", "nobody waits; buffers may outlive it");
  row.header = "rouse/resource/cycle_id.hpp";
  row.does_not_block("CycleIdGenerator::~CycleIdGenerator()", "closes a file");
  row.header = "rouse/resource/random_id.hpp";
  row.does_not_block("uuid4()", "but in the first moments of a system, as the page says");
  return row;
}

TEST(StoppingOfResource, EachCallEndsAsItPromises) { rows_of_resource().expect_promises_kept(); }
TEST(StoppingOfResource, EachBlockingCallHasARow) { rows_of_resource().expect_complete(); }
TEST(StoppingOfResource, IsDocumented) { rows_of_resource().expect_documented(); }

}  // namespace
