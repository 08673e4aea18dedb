// Shutdown with a culprit: stop_all ends the threads together and names the one that hangs.

#include <rouse/rouse.hpp>

#include <unistd.h>

#include <cstdio>
#include <deque>

using namespace std::chrono_literals;

int main() {
  int ends[2];
  if (::pipe(ends) != 0) return 1;

  std::deque<rouse::StoppableThread> threads;
  for (const char* const name : {"sleeper-1", "sleeper-2"}) {
    threads.emplace_back(
        [] {
          while (rouse::sleep_for(1h) == rouse::WaitStatus::timeout) continue;
        },
        rouse::ThreadOptions{.name = name});
  }
  threads.emplace_back(
      [fd = ends[0]] {
        char byte = 0;
        if (::read(fd, &byte, 1) < 0) std::perror("read");  // a plain read: no stop reaches it
      },
      rouse::ThreadOptions{.name = "reader"});
  for (rouse::StoppableThread& thread : threads) thread.start();

  const rouse::StopReport report = rouse::stop_all(threads, 50ms);
  std::fputs(report.to_string().c_str(), stdout);

  // Here we know how to end it; a real program has its report in the log, and somebody to blame.
  if (::write(ends[1], "x", 1) != 1) return 1;
  const rouse::StopReport again = rouse::stop_all(threads, 5s);
  std::fputs(again.to_string().c_str(), stdout);
  return !report && again ? 0 : 1;
}
