// A thread that sleeps for an hour ends as soon as it is asked to.

#include <rouse/rouse.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

int main() {
  using Clock = std::chrono::steady_clock;

  rouse::Event about_to_sleep;
  rouse::StoppableThread sleeper([&] {
    int naps = 0;
    // Work, then rest: `timeout` means that it slept to the end, so it goes on.
    while (rouse::sleep_for(10ms) == rouse::WaitStatus::timeout && ++naps < 3) {
      std::printf("nap %d is over\n", naps);
    }
    about_to_sleep.set();
    const rouse::WaitStatus status = rouse::sleep_for(1h);
    std::printf("the hour ended: %s\n", rouse::to_string(status));
  });
  sleeper.start();
  if (about_to_sleep.wait_for(5s) != rouse::WaitStatus::ready) return 1;

  const auto begin = Clock::now();
  sleeper.request_stop();  // also right if it does not sleep yet: then the sleep returns at once
  sleeper.join();
  const auto took = std::chrono::duration<double, std::micro>(Clock::now() - begin);
  std::printf("request_stop and join took %.0f us\n", took.count());
}
