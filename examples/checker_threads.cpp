// Nine threads, each of which checks something every 10, 20 ... 90 seconds. A line `stop`, Ctrl-C
// or SIGTERM ends all nine at once, however much of their interval is left.

#include <rouse/rouse.hpp>

#include <strings.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <deque>
#include <optional>
#include <string>

using namespace std::chrono_literals;

class CheckerThread : public rouse::StoppableThread {
 public:
  explicit CheckerThread(int interval)
      : StoppableThread({.name = "checker-" + std::to_string(interval)}), interval_(interval) {}

 protected:
  void run(std::stop_token) override {
    do {
      std::printf("Thread running interval: %d\n", interval_);  // the real work goes here
    } while (rouse::sleep_for(interval_ * 1s) == rouse::WaitStatus::timeout);
    std::printf("Thread stopping interval: %d\n", interval_);
  }

 private:
  const int interval_;  // in seconds
};

// The next line of standard input without the space around it; `ahead` keeps what was read beyond
// it. Nothing at the end of input, or after a stop: that is asked at each turn, as input may come
// without a pause. (std::getline would block where no stop reaches it.)
std::optional<std::string> next_line(std::string& ahead) {
  while (!rouse::this_thread::stop_token().stop_requested()) {
    if (const std::size_t end = ahead.find('\n'); end != std::string::npos) {
      std::string line = ahead.substr(0, end);
      ahead.erase(0, end + 1);
      line.erase(line.find_last_not_of(" \t\r") + 1);
      return line.erase(0, line.find_first_not_of(" \t\r"));
    }
    if (rouse::wait_readable(STDIN_FILENO) != rouse::WaitStatus::ready) break;
    char bytes[512];
    const ssize_t count = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (count <= 0 && ahead.empty()) break;
    // The last line may lack its line feed.
    ahead += count > 0 ? std::string(bytes, static_cast<std::size_t>(count)) : "\n";
  }
  return std::nullopt;
}

int main() {
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // whole lines, at once, also into a pipe
  rouse::SignalStop stop({SIGINT, SIGTERM});      // before all other threads
  rouse::this_thread::Bind bind(stop);            // from here every wait of main obeys it

  std::deque<rouse::Running<CheckerThread>> threads;
  for (int interval = 10; interval <= 90; interval += 10) threads.emplace_back(interval);

  std::string ahead;
  while (const std::optional<std::string> line = next_line(ahead)) {
    if (::strcasecmp(line->c_str(), "stop") == 0) {
      stop.request_stop("typed");
    } else {
      std::puts("Invalid command");
    }
  }
  // The end of input is no command (a daemon's is /dev/null): after it, a signal stops the program.
  while (rouse::sleep_for(24h) == rouse::WaitStatus::timeout) continue;

  const rouse::StopReport report = rouse::stop_all(threads, 5s);
  if (!report) std::fputs(report.to_string().c_str(), stderr);  // who hangs, and in what
  return report ? 0 : 1;
}
