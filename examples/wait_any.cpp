// One thread waits for several things at once: work, a reload, a deadline, a stop.

#include <rouse/rouse.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

int main() {
  rouse::Event work;
  rouse::Event reload;
  rouse::Event handled;

  rouse::StoppableThread server([&] {
    for (;;) {
      const auto deadline = std::chrono::steady_clock::now() + 20ms;
      const rouse::AnyReady woken = rouse::wait_any(reload, work, deadline);  // the first wins
      if (woken.status == rouse::WaitStatus::stopped) break;
      if (woken.status == rouse::WaitStatus::timeout) {
        std::puts("nothing for 20 ms");
        continue;
      }
      rouse::Event& event = woken.index == 0 ? reload : work;
      event.clear();  // before the work: a set() that comes meanwhile is not lost
      std::puts(woken.index == 0 ? "reload" : "work");
      handled.set();
    }
    std::puts("stopped");
  });
  server.start();

  for (rouse::Event* const event : {&work, &reload}) {
    event->set();
    if (handled.wait_for(5s) != rouse::WaitStatus::ready) return 1;
    handled.clear();
  }
  if (server.wait_for(50ms) != rouse::WaitStatus::timeout) return 1;
  server.request_stop();
  server.join();
}
