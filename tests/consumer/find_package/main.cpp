#include <rouse/rouse.hpp>

#include <string_view>

static_assert(std::string_view(ROUSE_VERSION_STRING) == EXPECTED_VERSION,
              "the header and the package disagree about the version");

// Needs all that the library needs: the wait core, and Boost under the thread.
int main() {
  rouse::Event began;
  rouse::Event never;
  rouse::WaitStatus ended_by = rouse::WaitStatus::ready;
  rouse::StoppableThread thread([&] {
    began.set();
    ended_by = never.wait();
  });
  thread.start();
  const bool ready = began.wait() == rouse::WaitStatus::ready;
  thread.request_stop();
  thread.join();
  return ready && ended_by == rouse::WaitStatus::stopped ? 0 : 1;
}
