// A plug-in that waits, in a thread of the host's and in one of its own.

#include <rouse/rouse.hpp>

extern "C" [[gnu::visibility("default")]] bool plugin_use() {
  rouse::Event began;
  rouse::StoppableThread thread([&] {
    began.set();
    (void)rouse::sleep_for(std::chrono::hours(1));
  });
  thread.start();
  const bool ready = began.wait() == rouse::WaitStatus::ready;
  thread.request_stop();
  thread.join();
  return ready;
}
