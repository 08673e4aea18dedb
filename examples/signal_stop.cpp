// SIGINT and SIGTERM end every wait of the program, and say which of them it was.

#include <rouse/rouse.hpp>

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>

using namespace std::chrono_literals;

int main() {
  // Before all other threads. A second signal ends the process at once with 128 + its number (the
  // default): the user's way out of a shutdown that hangs.
  rouse::SignalStop signals({SIGINT, SIGTERM}, {.second = rouse::SecondSignal::exit});

  rouse::StoppableThread worker([&] {
    const rouse::this_thread::Bind bind(signals);  // stops with the thread, and with the signals
    const rouse::WaitStatus status = rouse::sleep_for(1h);
    std::printf("worker: %s\n", rouse::to_string(status));
  });
  worker.start();

  std::puts("somebody presses Ctrl-C");
  if (::kill(::getpid(), SIGINT) != 0) return 1;

  if (rouse::sleep_for(5s, signals.token()) != rouse::WaitStatus::stopped) return 1;
  const rouse::StopReason reason = signals.reason();
  std::printf("main: stopped by %s\n",
              reason.kind == rouse::StopReason::signal ? ::strsignal(reason.code) : "?");
  worker.join();
}
