// Clean-up that has to wait, in a thread that is being stopped: a Shield makes its waits waits
// again.

#include <rouse/rouse.hpp>

#include <cstdio>

using namespace std::chrono_literals;

// Somebody else writes the log to the disk, and tells when it is there.
class Session {
 public:
  explicit Session(rouse::Event& flush, rouse::Event& flushed) : flush_(flush), flushed_(flushed) {}

  ~Session() {
    flush_.set();
    // The thread's stop is pending: without the shield this wait would return `stopped` at once.
    const rouse::Shield shield;
    const bool done = flushed_.wait_for(5s) == rouse::WaitStatus::ready;
    std::puts(done ? "session: flushed" : "session: gave up");
  }

  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

 private:
  rouse::Event& flush_;
  rouse::Event& flushed_;
};

int main() {
  rouse::Event flush;
  rouse::Event flushed;
  rouse::StoppableThread worker([&] {
    const Session session(flush, flushed);
    const rouse::WaitStatus status = rouse::sleep_for(1h);
    std::printf("worker: %s\n", rouse::to_string(status));
  });
  worker.start();

  worker.request_stop();
  if (flush.wait_for(5s) != rouse::WaitStatus::ready) return 1;
  if (worker.wait_for(20ms) != rouse::WaitStatus::timeout) return 1;  // it waits for the flush
  flushed.set();
  worker.join();
}
