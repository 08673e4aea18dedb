// A thread with an owner, a name and an end: as a class, and from a callable.

#include <rouse/rouse.hpp>

#include <cstdio>
#include <exception>
#include <stdexcept>

using namespace std::chrono_literals;

class Ticker : public rouse::StoppableThread {
 public:
  explicit Ticker(rouse::Event& third_tick)
      : StoppableThread({.name = "ticker"}), third_tick_(third_tick) {}

 protected:
  void run(std::stop_token) override {
    for (int tick = 1; rouse::sleep_for(5ms) == rouse::WaitStatus::timeout; ++tick) {
      if (tick == 3) third_tick_.set();
    }
    std::printf("%s: stopped\n", name().c_str());
  }

 private:
  rouse::Event& third_tick_;
};

int main() {
  {
    rouse::Event third_tick;
    // Running<T> starts T when it is complete, and stops and joins it before it goes.
    const rouse::Running<Ticker> ticker(third_tick);
    if (third_tick.wait_for(5s) != rouse::WaitStatus::ready) return 1;
  }

  rouse::StoppableThread failing([] { throw std::runtime_error("the disk is full"); },
                                 {.name = "failing", .stack_size = 64 * 1024});
  failing.start();
  try {
    failing.join();
  } catch (const std::exception& e) {
    std::printf("%s: %s\n", failing.name().c_str(), e.what());
  }

  // Or a handler takes what escapes, in the thread that ended with it.
  rouse::StoppableThread reporting([] { throw std::runtime_error("the network is down"); },
                                   {.name = "reporting", .on_error = [](std::exception_ptr) {
                                      std::puts("reporting: on_error was called");
                                    }});
  reporting.start();
  reporting.join();
}
