// What the health-checker takes for ten thousand checks, and how long it takes to end.
//
// The real program, with a server on this machine for its checks to connect to. The peer of most
// rows is what they may take: there is no other program that does the same.

#include "bench/harness.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

extern char** environ;

namespace {

using namespace rouse::bench;
using namespace std::chrono_literals;

// A run with fewer checks only shows that the rows work.
constexpr std::size_t all_checks = 10'000;
constexpr std::size_t all_threads = 1'000;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// Accepts every connection, and closes it.
class Acceptor {
 public:
  Acceptor() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, any, size) != 0 || ::listen(listener_, SOMAXCONN) != 0 ||
        ::getsockname(listener_, any, &size) != 0) {
      throw std::runtime_error("no port to listen on");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      for (int fd = 0; (fd = ::accept(listener_, nullptr, nullptr)) >= 0;) ::close(fd);
    });
  }
  ~Acceptor() {
    ::shutdown(listener_, SHUT_RDWR);  // ends accept()
    thread_.join();
    ::close(listener_);
  }
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

 private:
  const int listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

// The program at work.
class Checker {
 public:
  Checker(const std::string& head, std::size_t checks) {
    char name[] = "/tmp/rouse_bench_XXXXXX";
    if (::mkdtemp(name) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = name;
    std::ofstream config(folder_ + "/health.toml");
    config << head << "[server]\nlisten = \"127.0.0.1:0\"\n";
    for (std::size_t i = 0; i < checks; ++i) {
      config << "[[check]]\nname = \"tcp-" << i << "\"\ntype = \"tcp\"\nhost = \"127.0.0.1\"\n"
             << "port = " << acceptor_.port() << "\n";
    }
    config.close();
    start();
  }
  ~Checker() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    std::filesystem::remove_all(folder_);
  }
  Checker(const Checker&) = delete;
  Checker& operator=(const Checker&) = delete;

  /// CPU time so far, in seconds.
  [[nodiscard]] double cpu_seconds() const {
    clockid_t clock{};
    timespec time{};
    if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &time) != 0) {
      throw std::runtime_error("the CPU time of the program cannot be read");
    }
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }

  /// The most that it has had so far, in bytes.
  [[nodiscard]] double peak_memory() const {
    const std::string status = text_of("/proc/" + std::to_string(pid_) + "/status");
    return 1024 * std::stod(status.substr(status.find("VmHWM:") + 6));
  }

  /// In nanoseconds, as the program tells it: an upper bound.
  [[nodiscard]] double lag_p99() const {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(server_port());
    const std::string request =
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    std::string answer;
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
        ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
      char buffer[65536];
      for (ssize_t got = 0; (got = ::recv(fd, buffer, sizeof buffer, 0)) > 0;) {
        answer.append(buffer, static_cast<std::size_t>(got));
      }
    }
    ::close(fd);
    const std::string name = "\nhealth_engine_lag_p99_seconds ";
    const std::size_t at = answer.find(name);
    if (at == std::string::npos) throw std::runtime_error("no lag in /metrics");
    return 1e9 * std::stod(answer.substr(at + name.size()));
  }

  /// From the signal to the end of the process, in nanoseconds.
  double stop() {
    const Clock::time_point begin = Clock::now();
    ::kill(pid_, SIGTERM);
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    const double took = nanoseconds(Clock::now() - begin);
    if (status != 0) throw std::runtime_error("the program did not end well: " + log());
    return took;
  }

 private:
  static std::string text_of(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  [[nodiscard]] std::string log() const { return text_of(folder_ + "/log"); }

  void start() {
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addopen(&files, 2, (folder_ + "/log").c_str(),
                                       O_WRONLY | O_CREAT | O_APPEND, 0600);
    std::string program = ROUSE_HEALTH_CHECKER;
    std::string option = "--config";
    std::string config = folder_ + "/health.toml";
    char* arguments[] = {program.data(), option.data(), config.data(), nullptr};
    const int error = ::posix_spawn(&pid_, program.c_str(), &files, nullptr, arguments, environ);
    ::posix_spawn_file_actions_destroy(&files);
    if (error != 0) throw std::runtime_error("cannot run " + program);
    for (int tries = 0; log().find("; commands:") == std::string::npos; ++tries) {
      if (tries == 2000) throw std::runtime_error("the program does not start: " + log());
      std::this_thread::sleep_for(10ms);
    }
  }

  [[nodiscard]] std::uint16_t server_port() const {
    const std::string text = log();
    const std::string before = "serving http://127.0.0.1:";
    return static_cast<std::uint16_t>(std::stoi(text.substr(text.find(before) + before.size())));
  }

  Acceptor acceptor_;
  std::string folder_;
  pid_t pid_ = 0;
};

struct Figures {
  double cpu = 0;  // nanoseconds of a CPU for each second
  double memory = 0;
  double lag = 0;
  double stop = 0;
};

// TCP checks every ten seconds. The first runs are spread over as long.
Figures measure(std::size_t checks) {
  const bool in_full = checks >= all_checks;
  const std::string period = in_full ? "10s" : "1s";
  Checker checker("most_at_once = 256\n[defaults]\nperiod = \"" + period + "\"\n", checks);
  std::this_thread::sleep_for(in_full ? 10s : 1s);
  const double cpu_before = checker.cpu_seconds();
  const Clock::time_point begin = Clock::now();
  std::this_thread::sleep_for(in_full ? 10s : 1s);
  const std::chrono::duration<double> time = Clock::now() - begin;
  Figures figures;
  figures.cpu = 1e9 * (checker.cpu_seconds() - cpu_before) / time.count();
  figures.memory = checker.peak_memory();
  figures.lag = checker.lag_p99();
  figures.stop = checker.stop();
  return figures;
}

// Each repetition is one run of the program, whose figures are those of several rows.
class Repetitions {
 public:
  explicit Repetitions(double Figures::*figure) : figure_(figure) {}

  double operator()(std::size_t checks) {
    static std::vector<Figures> all;
    if (next_ == all.size()) all.push_back(measure(checks));
    return all[next_++].*figure_;
  }

 private:
  double Figures::*const figure_;
  std::size_t next_ = 0;
};

Row row_of(const char* slug, Unit unit, double Figures::*figure, double limit) {
  return {.targets = {{slug, "limit", 1.0}},
          .contestants = {{"rouse", Repetitions(figure)},
                          {"limit", [limit](std::size_t) { return limit; }}},
          .operations = all_checks,
          .unit = unit,
          .repetitions = 7};
}

double stop_threads_of_checks(std::size_t checks) {
  const bool in_full = checks >= all_threads;
  Checker checker("engine = \"threads\"\n[defaults]\nperiod = \"1h\"\n", checks);
  std::this_thread::sleep_for(in_full ? 11s : 1s);  // all of them have run, and sleep
  return checker.stop();
}

double stop_futex_sleepers(std::size_t count) {
  std::atomic<std::uint32_t> stopped{0};
  std::atomic<std::size_t> asleep{0};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < count; ++i) {
    threads.emplace_back([&] {
      ++asleep;
      while (stopped.load() == 0) {
        ::syscall(SYS_futex, &stopped, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
      }
    });
  }
  while (asleep.load() != count) std::this_thread::yield();
  settle();
  const Clock::time_point begin = Clock::now();
  stopped.store(1);
  ::syscall(SYS_futex, &stopped, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
  for (std::thread& thread : threads) thread.join();
  return nanoseconds(Clock::now() - begin);
}

}  // namespace

rouse::bench::Area rouse::bench::area() {
  constexpr double mebibyte = 1024 * 1024;
  return {"checker",
          {row_of("cpu_10000", Unit::nanoseconds, &Figures::cpu, 0.30e9),
           row_of("memory_10000", Unit::bytes, &Figures::memory, 64 * mebibyte),
           row_of("lag_p99_10000", Unit::nanoseconds, &Figures::lag, 20e6),
           row_of("stop_10000", Unit::nanoseconds, &Figures::stop, 100e6),
           {.targets = {{"stop_1000_threads", "futex", 2.0}},
            .contestants = {{"rouse", &stop_threads_of_checks}, {"futex", &stop_futex_sleepers}},
            .operations = all_threads,
            .repetitions = 7}}};
}
