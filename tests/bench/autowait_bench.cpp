// How late autowait tells, against a program that does no more than it must; and how it ends.

#include "rouse/service/autowait.hpp"
#include "rouse/thread/stop_all.hpp"
#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/event.hpp"

#include "bench/harness.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace rouse::bench;
using namespace std::chrono_literals;
using rouse::WaitStatus;

constexpr rouse::WaitTime for_ever = std::chrono::hours::max();

// In memory: to create a file on a disk takes longer than to tell of it.
class Folder {
 public:
  Folder() {
    std::string name = "/dev/shm/rouse_bench_XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp " + name);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// One thread waits, on a CPU of its own; the other does, when that one has been quiet for a while,
// what it waits for. `wait(i)` blocks until the i-th is done, which `act(i)` does. Returns the
// median of how late the waiter was.
template <class Wait, class Act>
double lateness(std::size_t operations, Wait&& wait, Act&& act) {
  std::atomic<Clock::time_point> done{};
  std::atomic<std::size_t> about_to_wait{0};
  std::vector<double> latenesses(operations);
  std::jthread waiter([&] {
    pin_to(1);
    for (std::size_t i = 0; i < operations; ++i) {
      about_to_wait.store(i + 1);
      wait(i);
      latenesses[i] = nanoseconds(Clock::now() - done.load());
    }
  });
  pin_to(0);
  for (std::size_t i = 0; i < operations; ++i) {
    while (about_to_wait.load() != i + 1) std::this_thread::yield();
    for (const Clock::time_point quiet = Clock::now() + 2ms; Clock::now() < quiet;) {
    }
    done.store(Clock::now());
    act(i);
  }
  waiter.join();
  return median(std::move(latenesses));
}

// --- a file appears ------------------------------------------------------------------------------

// `make_wait(folder)` is called before anything is measured.
template <class MakeWait>
double file_appears(std::size_t operations, MakeWait&& make_wait) {
  const Folder folder;
  const auto name = [](std::size_t i) { return "file" + std::to_string(i); };
  const auto wait = make_wait(folder.path());
  return lateness(
      operations, [&](std::size_t i) { wait(name(i)); },
      [&](std::size_t i) {
        const std::string path = folder.path() + "/" + name(i);
        const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0) throw std::runtime_error("cannot create " + path);
        ::close(fd);
      });
}

double rouse_file(std::size_t operations) {
  return file_appears(operations, [](const std::string& folder) {
    return [&folder](const std::string& name) {
      if (rouse::wait_until_file_exists(folder, name, {.timeout = for_ever}) != WaitStatus::ready) {
        std::abort();
      }
    };
  });
}

// The least that can be done: one watch, made once, and a read that blocks.
double inotify_file(std::size_t operations) {
  const int fd = ::inotify_init1(IN_CLOEXEC);
  const double result = file_appears(operations, [fd](const std::string& folder) {
    if (fd < 0 || ::inotify_add_watch(fd, folder.c_str(), IN_CREATE) < 0) std::abort();
    return [fd](const std::string& name) {
      alignas(::inotify_event) std::array<char, 4096> buffer;
      for (bool found = false; !found;) {
        const ::ssize_t got = ::read(fd, buffer.data(), buffer.size());
        if (got <= 0) std::abort();
        for (::ssize_t at = 0; at < got;) {
          const auto& event = *reinterpret_cast<const ::inotify_event*>(buffer.data() + at);
          found = found || name == event.name;
          at += static_cast<::ssize_t>(sizeof event + event.len);
        }
      }
    };
  });
  ::close(fd);
  return result;
}

// What scripts do. A few times are enough: each takes half the interval.
double polled_file(std::size_t operations) {
  return file_appears(std::min<std::size_t>(operations, 3), [](const std::string& folder) {
    return [&folder](const std::string& name) {
      while (::access((folder + "/" + name).c_str(), F_OK) != 0) std::this_thread::sleep_for(500ms);
    };
  });
}

// --- a process ends ------------------------------------------------------------------------------

// Children that end when they are told to.
class Child {
 public:
  Child() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork");
    if (pid_ == 0) {
      ::close(ends[1]);
      char byte = 0;
      ::_exit(::read(ends[0], &byte, 1) < 0 ? 1 : 0);
    }
    ::close(ends[0]);
    end_ = ends[1];
  }
  ~Child() {
    finish();
    ::close(end_);
    ::waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  ::pid_t pid() const { return pid_; }
  // A byte: the end of the pipe is open in the later children too.
  void finish() {
    if (!std::exchange(finished_, true) && ::write(end_, "", 1) != 1) std::abort();
  }

 private:
  ::pid_t pid_ = -1;
  int end_ = -1;
  bool finished_ = false;
};

template <class Wait>
double process_ends(std::size_t operations, Wait&& wait) {
  pin_to(0);  // the children too
  std::deque<Child> children(operations);
  return lateness(
      operations, [&](std::size_t i) { wait(children[i].pid()); },
      [&](std::size_t i) { children[i].finish(); });
}

double rouse_process(std::size_t operations) {
  return process_ends(operations, [](::pid_t pid) {
    if (rouse::wait_until_process_gone(pid, {.timeout = for_ever}) != WaitStatus::ready) {
      std::abort();
    }
  });
}

double pidfd_process(std::size_t operations) {
  return process_ends(operations, [](::pid_t pid) {
    ::pollfd polled{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)), POLLIN, 0};
    if (polled.fd < 0 || ::poll(&polled, 1, -1) != 1) std::abort();
    ::close(polled.fd);
  });
}

double polled_process(std::size_t operations) {
  return process_ends(std::min<std::size_t>(operations, 3), [](::pid_t pid) {
    ::siginfo_t info{};
    while (::waitid(P_PID, static_cast<::id_t>(pid), &info, WEXITED | WNOWAIT | WNOHANG) == 0 &&
           info.si_pid == 0) {
      std::this_thread::sleep_for(500ms);
    }
  });
}

// --- a stop --------------------------------------------------------------------------------------

// From the stop of so many threads until all are joined.
template <class Wait>
double stop_all_of(std::size_t threads, Wait&& wait) {
  std::atomic<std::size_t> waiting{0};
  std::deque<rouse::StoppableThread> all;
  for (std::size_t i = 0; i < threads; ++i) {
    all.emplace_back([&, i] {
      waiting.fetch_add(1);
      wait(i);
    });
    all.back().start();
  }
  while (waiting.load() != threads) std::this_thread::yield();
  settle();
  const Clock::time_point begin = Clock::now();
  if (!rouse::stop_all(all, 10s)) throw std::runtime_error("not stopped");
  return nanoseconds(Clock::now() - begin);
}

double stop_files(std::size_t threads) {
  const Folder folder;
  return stop_all_of(threads, [&](std::size_t i) {
    const auto name = "file" + std::to_string(i);
    if (rouse::wait_until_file_exists(folder.path(), name, {.timeout = for_ever}) !=
        WaitStatus::stopped) {
      std::abort();
    }
  });
}

double stop_events(std::size_t threads) {
  std::deque<rouse::Event> events(threads);
  return stop_all_of(threads, [&](std::size_t i) {
    if (events[i].wait() != WaitStatus::stopped) std::abort();
  });
}

}  // namespace

rouse::bench::Area rouse::bench::area() {
  return {"autowait",
          {{.targets = {{"file_appears", "inotify", 1.20}},
            .contestants = {{"rouse", &rouse_file},
                            {"inotify", &inotify_file},
                            {"poll_500ms", &polled_file}},
            .operations = 100,
            .cpus = 2,
            .repetitions = 7},
           {.targets = {{"process_ends", "pidfd", 1.20}},
            .contestants = {{"rouse", &rouse_process},
                            {"pidfd", &pidfd_process},
                            {"poll_500ms", &polled_process}},
            .operations = 100,
            .cpus = 2,
            .repetitions = 7},
           {.targets = {{"stop_1000_file_waits", "event", 1.25}},
            .contestants = {{"rouse", &stop_files}, {"event", &stop_events}},
            .operations = 1000,
            .repetitions = 7,
            .own_process = true}}};
}
