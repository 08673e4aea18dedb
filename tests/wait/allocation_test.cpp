// Waits allocate nothing: operator new counts.

#include "rouse/wait/event.hpp"
#include "rouse/wait/fd.hpp"
#include "rouse/wait/shield.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"
#include "rouse/wait/wait_any.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <new>
#include <stop_token>
#include <thread>

#include <gtest/gtest.h>

namespace {

std::atomic<long> allocations{0};
std::atomic<bool> out_of_memory{false};

void* allocate(std::size_t size, std::size_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (out_of_memory.load(std::memory_order_relaxed)) throw std::bad_alloc();
  void* memory = nullptr;
  if (::posix_memalign(&memory, alignment < sizeof(void*) ? sizeof(void*) : alignment, size) != 0) {
    throw std::bad_alloc();
  }
  return memory;
}

}  // namespace

// Not inlined: gcc 12 would take the pairs of new and free that it then sees for a mistake.
[[gnu::noinline]] void* operator new(std::size_t size) {
  return allocate(size, alignof(std::max_align_t));
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace {

using namespace std::chrono_literals;
using rouse::WaitStatus;

TEST(Allocation, IsNotDoneByAnyWait) {
  int pipe[2] = {-1, -1};
  ASSERT_EQ(::pipe(pipe), 0);
  std::stop_source ambient;
  std::stop_source foreign;
  const rouse::this_thread::Bind bind(ambient.get_token());
  rouse::Event a;
  rouse::Event b;
  std::array<pollfd, 1> fds{{{pipe[0], POLLIN, 0}}};
  const std::stop_token token = foreign.get_token();
  std::array<WaitStatus, 6> statuses{};

  const long before = allocations.load();
  statuses[0] = a.wait_for(1us, token);
  statuses[1] = rouse::sleep_for(1us, token);
  statuses[2] = rouse::wait_readable_for(pipe[0], 1us, token);
  statuses[3] = rouse::wait_fds_for(fds, 1us, token);
  statuses[4] = rouse::wait_any(a, b, std::chrono::steady_clock::now() + 1us, token).status;
  {
    const rouse::Shield shield;
    statuses[5] = rouse::sleep_for(1us);
  }
  EXPECT_EQ(allocations.load(), before);

  for (const WaitStatus status : statuses) EXPECT_EQ(status, WaitStatus::timeout);
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST(Allocation, ThatFailsInAThreadsFirstWaitLeavesEverythingAsItWas) {
  rouse::Event event;
  bool thrown = false;
  WaitStatus next = WaitStatus::ready;
  std::thread thread([&] {
    out_of_memory = true;
    try {
      (void)event.wait_for(1ms);
    } catch (const std::bad_alloc&) {
      thrown = true;
    }
    out_of_memory = false;
    next = event.wait_for(1ms);
  });
  thread.join();
  EXPECT_TRUE(thrown);
  EXPECT_EQ(next, WaitStatus::timeout);
}

}  // namespace
