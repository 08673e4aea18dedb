// Reading from a descriptor, in waits that a deadline and a stop end too.

#include <rouse/rouse.hpp>

#include <unistd.h>

#include <cstdio>

using namespace std::chrono_literals;

namespace {

void read_all(int fd, rouse::Event& got_some) {
  // What is ready wins over a stop, so a loop over a descriptor asks for the stop as well: the
  // writer may be one that never pauses.
  while (!rouse::this_thread::stop_token().stop_requested()) {
    const rouse::WaitStatus status = rouse::wait_readable_for(fd, 10ms);
    if (status == rouse::WaitStatus::stopped) break;
    if (status == rouse::WaitStatus::timeout) {
      std::puts("10 ms of silence");
      continue;
    }
    char bytes[64];
    const ssize_t count = ::read(fd, bytes, sizeof bytes);
    if (count <= 0) return;  // the end, which is "ready" as well
    std::printf("read '%.*s'\n", static_cast<int>(count), bytes);
    got_some.set();
  }
  std::puts("stopped, with the other end still open");
}

}  // namespace

int main() {
  int ends[2];
  if (::pipe(ends) != 0) return 1;

  rouse::Event got_some;
  rouse::StoppableThread reader([&] { read_all(ends[0], got_some); });
  reader.start();
  if (reader.wait_for(25ms) != rouse::WaitStatus::timeout) return 1;
  if (::write(ends[1], "hello", 5) != 5) return 1;
  if (got_some.wait_for(5s) != rouse::WaitStatus::ready) return 1;

  reader.request_stop();
  reader.join();  // before the descriptor is closed: nobody may still wait for it
  ::close(ends[0]);
  ::close(ends[1]);
}
