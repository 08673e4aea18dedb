// What timers leave behind: no memory, however many there were, and nobody who wakes up while
// nothing is due.

#include "rouse/exec/delay_executor.hpp"
#include "rouse/wait/event.hpp"

#include "support/gated_pool.hpp"
#include "support/scale.hpp"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();
#endif

namespace rouse {
namespace {

using namespace std::chrono_literals;

// --- memory --------------------------------------------------------------------------------------

/// What is allocated and not freed.
std::size_t heap_bytes() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return __sanitizer_get_current_allocated_bytes();
#else
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
#endif
}

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t all = 0;
  std::size_t resident = 0;
  statm >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// How much more there is than at the beginning.
class Growth {
 public:
  std::int64_t heap() const { return difference(heap_bytes(), heap_); }
  std::int64_t resident() const { return difference(resident_bytes(), resident_); }

 private:
  static std::int64_t difference(std::size_t now, std::size_t before) {
    return static_cast<std::int64_t>(now) - static_cast<std::int64_t>(before);
  }

  const std::size_t heap_ = heap_bytes();
  const std::size_t resident_ = resident_bytes();
};

constexpr std::int64_t kilobyte = 1'000;
constexpr std::int64_t megabyte = 1'000'000;
// A sanitizer keeps what was freed, and what it notes of it: there only the heap tells.
constexpr std::int64_t most_resident = test::under_sanitizer ? INT64_MAX : 16 * megabyte;

/// A callable that holds `bytes`, and counts those of its kind that there are.
template <std::size_t bytes>
class Holder {
 public:
  Holder() { ++alive; }
  Holder(Holder&&) noexcept { ++alive; }
  ~Holder() { --alive; }
  void operator()() const noexcept {}

  static inline std::atomic<std::int64_t> alive{0};

 private:
  [[maybe_unused]] std::array<std::byte, bytes> held_{};
};

/// In which order timers are cancelled, and their handles given up.
enum class Order { as_made, random };

struct MemoryCase {
  std::size_t bytes;
  Order order;
};

class TimerMemoryTest : public ::testing::TestWithParam<MemoryCase> {
 protected:
  // Memory for the handles is there from the beginning.
  explicit TimerMemoryTest() {
    if (GetParam().order == Order::random) {
      for (std::size_t i = 0; i < count; ++i) std::swap(order[i], order[random_() % (i + 1)]);
    }
  }

  template <std::size_t bytes>
  void run() {
    executor.run_after(1h, Holder<bytes>()).cancel();
    const Growth growth;
    for (Timer& each : timers) each = executor.run_after(1h, Holder<bytes>());
    const auto all = static_cast<std::int64_t>(count);
    EXPECT_EQ(Holder<bytes>::alive, all);
    EXPECT_GT(growth.heap() + growth.resident(), all * static_cast<std::int64_t>(bytes));
    std::printf(
        "figure: %.0f bytes for a timer that holds %zu\n",
        static_cast<double>(std::max(growth.heap(), growth.resident())) / static_cast<double>(all),
        bytes);
    for (const std::uint32_t i : order) ASSERT_TRUE(timers[i].cancel());
    EXPECT_EQ(Holder<bytes>::alive, 0);  // though their handles are there
    for (const std::uint32_t i : order) timers[i] = Timer();
    std::printf("figure: %lld bytes of heap and %lld kB of memory are left of %zu\n",
                static_cast<long long>(growth.heap()),
                static_cast<long long>(growth.resident() / kilobyte), count);
    EXPECT_LT(growth.heap(), 64 * kilobyte);
    EXPECT_LT(growth.resident(), most_resident);
    EXPECT_EQ(executor.stats().pending, 0U);
  }

  const std::size_t count = static_cast<std::size_t>(test::rounds(1'000'000));
  std::vector<Timer> timers{count};
  std::vector<std::uint32_t> order = [this] {
    std::vector<std::uint32_t> all(count);
    for (std::size_t i = 0; i < count; ++i) all[i] = static_cast<std::uint32_t>(i);
    return all;
  }();
  DelayExecutor executor;

 private:
  std::mt19937_64 random_;
};

std::string name_of_case(const ::testing::TestParamInfo<MemoryCase>& info) {
  return std::to_string(info.param.bytes) +
         (info.param.order == Order::random ? "Random" : "AsMade");
}

INSTANTIATE_TEST_SUITE_P(Sizes, TimerMemoryTest,
                         ::testing::Values(MemoryCase{16, Order::as_made},
                                           MemoryCase{16, Order::random},
                                           MemoryCase{100, Order::as_made},
                                           MemoryCase{100, Order::random}),
                         name_of_case);

TEST_P(TimerMemoryTest, OfCancelledTimersIsGivenBack) {
  if (GetParam().bytes == 16) {
    run<16>();
  } else {
    run<100>();
  }
}

TEST(TimerMemory, OfTimersThatHaveRunIsUsedAgain) {
  const int count = test::rounds(100'000);
  constexpr int times = 8;
  ManualClock clock;
  DelayExecutor executor({.pool_options = {.min_threads = 1, .max_threads = 1}, .clock = &clock});
  const auto fill = [&] {
    for (int i = 0; i < count; ++i) {
      executor.run_after(std::chrono::microseconds(i % 1'000), Holder<24>());
    }
    clock.advance(1s);
  };
  {
    const test::Gate gate(executor.pool());
    fill();
  }  // the queue is never as long again
  EXPECT_EQ(executor.pool().wait_idle(), WaitStatus::ready);
  const Growth growth;
  for (int i = 1; i < times; ++i) {
    fill();
    EXPECT_EQ(executor.pool().wait_idle(), WaitStatus::ready);
    EXPECT_EQ(Holder<24>::alive, 0);
  }
  EXPECT_LT(growth.heap(), 64 * kilobyte);
  EXPECT_LT(growth.resident(), test::under_sanitizer ? INT64_MAX : 4 * megabyte);
  EXPECT_EQ(executor.stats().fired, static_cast<std::uint64_t>(count) * times);
}

// --- sleep ---------------------------------------------------------------------------------------

/// How often a thread whose name begins so has gone to sleep, by its id; and whether all do.
struct Sleepers {
  explicit Sleepers(const std::string& name) {
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::ifstream status(task.path() / "status");
      std::map<std::string, std::string> fields;
      for (std::string line; std::getline(status, line);) {
        const std::size_t colon = line.find(":\t");
        if (colon != std::string::npos) fields[line.substr(0, colon)] = line.substr(colon + 2);
      }
      if (!fields["Name"].starts_with(name)) continue;
      times[task.path().filename()] = std::stoull(fields["voluntary_ctxt_switches"]);
      all_sleep = all_sleep && fields["State"].starts_with('S');
    }
  }

  std::map<std::string, std::uint64_t> times;
  bool all_sleep = true;
};

void go_to_and_fro(int count) {
  Event to;
  Event fro;
  std::jthread other([&] {
    for (int i = 0; i < count; ++i) {
      (void)to.wait();
      to.clear();
      fro.set();
    }
  });
  for (int i = 0; i < count; ++i) {
    to.set();
    (void)fro.wait();
    fro.clear();
  }
}

TEST(TimerSleep, NobodyWakesUpWhileNothingIsDue) {
  DelayExecutor executor({.pool_options = {.min_threads = 2, .max_threads = 2, .name = "idler"}});
  executor.run_after(1h, [] {});
  executor.run_every(1h, [] {});
  executor.run_at(std::chrono::system_clock::now() + 1h, [] {});
  const auto sleepers = [] { return Sleepers("idler-"); };
  while (!sleepers().all_sleep) std::this_thread::yield();
  go_to_and_fro(1'000);
  const auto before = sleepers().times;
  EXPECT_EQ(before.size(), 3U);  // and the one that watches the calendar
  go_to_and_fro(test::rounds(20'000));
  EXPECT_EQ(sleepers().times, before);
  // A look finds it if one did.
  Event called;
  executor.run_after(1ms, [&] { called.set(); });
  EXPECT_EQ(called.wait(), WaitStatus::ready);
  while (!sleepers().all_sleep) std::this_thread::yield();
  EXPECT_NE(sleepers().times, before);
}

}  // namespace
}  // namespace rouse
