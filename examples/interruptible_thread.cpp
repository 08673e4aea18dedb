// An exception that another thread raises: it arrives where the thread waits, or where it asks.

#include <rouse/rouse.hpp>

#include <cstdio>
#include <string>

using namespace std::chrono_literals;

struct Cancelled {
  std::string why;
};

// Imports for ever, rolls back what is half done when it is cancelled, and goes on.
class Importer : public rouse::InterruptibleThread {
 public:
  Importer(rouse::Event& busy, rouse::Event& rolled_back)
      : InterruptibleThread({.name = "importer"}), busy_(busy), rolled_back_(rolled_back) {}

 protected:
  void run(std::stop_token stop) override {
    while (!stop.stop_requested()) {
      try {
        import();
      } catch (const Cancelled& cancelled) {
        std::printf("importer: rolled back, %s\n", cancelled.why.c_str());
        rolled_back_.set();
      }
    }
  }

 private:
  void import() {
    for (int record = 0; record < 1'000; ++record) rouse::interruption_point();
    busy_.set();
    (void)rouse::sleep_for(1h);  // for the next file; a stop ends it too
  }

  rouse::Event& busy_;
  rouse::Event& rolled_back_;
};

int main() {
  {
    rouse::Event busy;
    rouse::Event rolled_back;
    rouse::Running<Importer> importer(busy, rolled_back);
    if (busy.wait_for(5s) != rouse::WaitStatus::ready) return 1;
    if (!importer.raise<Cancelled>("the file was withdrawn")) return 1;
    if (rolled_back.wait_for(5s) != rouse::WaitStatus::ready) return 1;
  }

  // Code that catches everything and goes on: Terminated is raised until it has ended.
  int swallowed = 0;
  rouse::InterruptibleThread stubborn([&] {
    while (swallowed < 2) {
      try {
        (void)rouse::sleep_for(1h);
      } catch (...) {
        ++swallowed;
      }
    }
    (void)rouse::sleep_for(1h);
  });
  stubborn.start();
  if (!stubborn.terminate(5s, 1ms)) return 1;
  stubborn.join();
  std::printf("stubborn: ended, after it had swallowed %d\n", swallowed);
}
