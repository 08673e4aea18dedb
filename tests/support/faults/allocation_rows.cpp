#include "support/faults/allocation_rows.hpp"

#include "rouse/wait/sleep.hpp"

#include "support/faults/empty_pool.hpp"
#include "support/faults/faults.hpp"
#include "support/processes.hpp"
#include "support/public_headers.hpp"
#include "support/scale.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <map>
#include <set>
#include <thread>

#include <gtest/gtest.h>

namespace rouse::test {
namespace {

std::set<std::string> names_of_functions(const std::string& header) {
  std::set<std::string> names;
  for (const PublicFunction& function : public_functions(header)) names.insert(function.name);
  return names;
}

}  // namespace

void AllocationRows::run(const Row& row) {
  if (row.promise == Promise::allocates_nothing) {
    const auto call = row.prepare();
    const EmptyPool empty;
    long made = -1;
    std::thread([&] {
      const long before = allocations_made();
      call();
      made = allocations_made() - before;
    }).join();
    EXPECT_EQ(made, 0);
    return;
  }
  // Blocks of tasks go round between threads and are kept, but not under
  // AddressSanitizer.
  const bool counts_exactly =
      under_asan || !std::string_view(row.header).starts_with("rouse/exec/");
  // What is kept for good once it was there: the anchors of pools.
  {
    const auto call = row.prepare();
    const EmptyPool empty;
    std::thread([&] { call(); }).join();
  }
  const std::size_t open_before = count_descriptors();
  long free_before = EmptyPool().count();
  int attempts = 20;
  const auto next = [&row](long n) { return n + 1 + std::max(n - row.one_by_one, 0L) / 2; };
  for (long n = 0;; n = next(n)) {
    SCOPED_TRACE(testing::Message() << "allocation " << n << " fails");
    const long live_before = live_allocations();
    bool failed = false;
    bool was_reached = false;
    {
      const auto call = row.prepare();
      const EmptyPool empty;
      std::thread([&] {
        const Fault fault(Call::allocation, ENOMEM, n);
        try {
          call();
        } catch (const std::bad_alloc&) {
          failed = true;
        }
        was_reached = fault.reached();
      }).join();
    }
    // What is left are the control blocks that the pool keeps.
    const long free_after = EmptyPool().count();
    if (counts_exactly) {
      EXPECT_EQ(live_allocations() - live_before, free_after - free_before);
    }
    free_before = free_after;
    if (!was_reached) {
      EXPECT_FALSE(failed);
      // A wait that what it waits for has forestalled needs no memory.
      if (n == 0 && --attempts != 0) {
        --n;
        continue;
      }
      EXPECT_GT(n, 0) << "it allocates nothing";
      EXPECT_EQ(count_descriptors(), open_before);
      return;
    }
    if (row.promise != Promise::throws_or_survives) {
      EXPECT_EQ(failed, row.promise == Promise::throws);
    }
    if (testing::Test::HasFailure()) return;
  }
}

void AllocationRows::expect_promises_kept() const {
  (void)sleep_for(std::chrono::seconds(0));  // this thread has its control block
  for (const Row& row : rows_) {
    SCOPED_TRACE(testing::Message() << row.header << ": " << row.function);
    run(row);
  }
}

void AllocationRows::expect_complete(const std::string& layer,
                                     std::initializer_list<std::string_view> without) const {
  std::map<std::string, std::set<std::string>> tested;
  for (const Row& row : rows_) tested[row.header].insert(row.function);
  for (const std::string& name : public_headers(layer)) {
    if (std::ranges::count(without, name) != 0) continue;
    EXPECT_TRUE(tested.contains(name)) << name;
    if (layer != "detail") {
      EXPECT_EQ(tested[name], names_of_functions(name)) << name;
    }
  }
}

}  // namespace rouse::test
