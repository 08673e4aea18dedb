#include "support/stopping/stop_latency.hpp"

#include "support/scale.hpp"
#include "support/stopping/provoked_call.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace rouse::test {
namespace {

// Threads that compute, one for each CPU.
class Busy {
 public:
  Busy() {
    for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i) {
      threads_.emplace_back([](std::stop_token stop) {
        while (!stop.stop_requested()) std::atomic_signal_fence(std::memory_order_seq_cst);
      });
    }
  }

 private:
  std::vector<std::jthread> threads_;
};

std::string in_words(std::chrono::nanoseconds time) {
  const auto ns = static_cast<double>(time.count());
  const bool in_ms = ns >= 1e6;
  char text[32];
  const double value = ns / (in_ms ? 1e6 : 1e3);
  std::snprintf(text, sizeof text, "%.*f %s", value < 10 ? 1 : 0, value, in_ms ? "ms" : "µs");
  return text;
}

}  // namespace

std::string stop_latency(const std::function<Scene()>& prepare, Ends expected, Machine machine) {
  std::optional<Busy> busy;
  if (machine == Machine::busy) busy.emplace();
  // The thread and its CPU have gone to sleep when the stop comes.
  constexpr std::chrono::milliseconds pause{1};
  std::vector<std::chrono::nanoseconds> times(static_cast<std::size_t>(rounds(200)));
  for (std::chrono::nanoseconds& time : times) {
    const Ending ending = provoke(prepare(), EndBy::ambient, expected, pause);
    EXPECT_EQ(ending.how, expected);
    time = ending.took;
  }
  std::ranges::sort(times);
  const auto quantile = [&](double q) {
    return times[static_cast<std::size_t>(std::ceil(q * static_cast<double>(times.size()))) - 1];
  };
  return in_words(quantile(0.5)) + ", " + in_words(quantile(0.99)) + ", " + in_words(times.back());
}

}  // namespace rouse::test
