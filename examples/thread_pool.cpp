// A thread pool: calls with results, a callback, a change of size while it works, and two ways to
// stop.

#include <rouse/rouse.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

// A job gives what its call returned, or throws what it threw.
bool jobs() {
  rouse::ThreadPool pool;
  std::vector<rouse::Job<int>> squares;
  for (const int n : {1, 2, 3, 4}) {
    squares.push_back(pool.submit([](int a) { return a * a; }, n));
  }
  int sum = 0;
  for (rouse::Job<int>& square : squares) sum += square.get();
  std::printf("jobs: the squares of 1 to 4 add up to %d\n", sum);

  auto text = pool.submit([] { return 6 * 7; }).then([](int n) { return std::to_string(n); });
  std::printf("jobs: one after the other: %s\n", text.get().c_str());
  try {
    pool.submit([] { throw std::runtime_error("no such file"); }).get();
  } catch (const std::runtime_error& error) {
    std::printf("jobs: a call threw: %s\n", error.what());
    return sum == 30;
  }
  return false;
}

// A callback hears how the call ended, on the thread that made it.
bool callback() {
  rouse::ThreadPool pool;
  std::atomic<int> told{0};
  const auto tell = [&told](rouse::Outcome<int> outcome) {
    try {
      std::printf("callback: %d\n", outcome.get());
    } catch (const std::exception& error) {
      std::printf("callback: not a number (%s)\n", error.what());
    }
    ++told;
  };
  for (const char* const text : {"12", "twelve"}) {
    pool.submit_with_callback(
        tell, [](const std::string& digits) { return std::stoi(digits); }, text);
    (void)pool.wait_idle();
  }
  return told == 2;
}

// The size changes while jobs run. Here one waits for another, which has no thread yet.
bool resize() {
  rouse::ThreadPool pool({.max_threads = 1});
  rouse::Event handed_over;
  auto taker = pool.submit([&] { return handed_over.wait(); });
  auto giver = pool.submit([&] { handed_over.set(); });
  const bool waits = giver.wait_for(20ms) == rouse::WaitStatus::timeout;
  std::printf("resize: with one thread the second job %s\n", waits ? "waits" : "has run");

  pool.resize(2, 2);
  const bool taken = taker.get() == rouse::WaitStatus::ready;
  std::printf("resize: with two threads both have %s\n", taken ? "ended" : "failed");
  return waits && taken;
}

// stop() has all run that is queued; stop_for() drops it, and stops the waits of what runs.
bool stops() {
  rouse::ThreadPool pool({.max_threads = 1});
  int runs = 0;
  for (int i = 0; i < 100; ++i) pool.post([&runs] { ++runs; });
  pool.stop();
  std::printf("stop: %d of 100 jobs have run\n", runs);

  pool.start();
  rouse::Event begun;
  auto sleeper = pool.submit([&] {
    begun.set();
    return rouse::sleep_for(1h);
  });
  auto queued = pool.submit([] { std::puts("never"); });
  (void)begun.wait();
  const rouse::StopReport report = pool.stop_for(5s);
  const bool stopped = sleeper.get() == rouse::WaitStatus::stopped;
  const bool dropped = queued.status() == rouse::JobStatus::dropped;
  std::printf("stop_for: the sleeper was %s, the queued job %s\n",
              stopped ? "stopped" : "forgotten", dropped ? "dropped" : "left");
  return report && runs == 100 && stopped && dropped;
}

}  // namespace

int main() {
  const bool all_well = jobs() && callback() && resize() && stops();
  return all_well ? 0 : 1;
}
