// What a wait costs: round trips, wake-ups, the paths that do not block, stopping and keeping many.

#include "rouse/thread/stop_all.hpp"
#include "rouse/thread/stoppable_thread.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/sleep.hpp"
#include "rouse/wait/this_thread.hpp"

#include "bench/harness.hpp"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <boost/thread/condition_variable.hpp>
#include <boost/thread/mutex.hpp>
#include <boost/thread/thread.hpp>

namespace {

using namespace rouse::bench;
using namespace std::chrono_literals;

// --- batons: given by one thread, taken by another -----------------------------------------------

class Futex {
 public:
  void set() {
    word_.store(1, std::memory_order_release);
    ::syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
  void wait() {
    while (!is_set()) {
      ::syscall(SYS_futex, &word_, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
    }
  }
  void clear() { word_.store(0, std::memory_order_relaxed); }
  bool is_set() const { return word_.load(std::memory_order_acquire) != 0; }

 private:
  std::atomic<std::uint32_t> word_{0};
};

// What a thread that takes batons makes first. Most have no ambient stop.
struct NoStop {
  explicit NoStop(const std::stop_token&) {}
};

struct RouseBaton {
  using Stop = rouse::this_thread::Bind;
  void give() { event.set(); }
  void take(const std::stop_token&) {
    (void)event.wait();
    event.clear();
  }
  rouse::Event event;
};

struct FutexBaton {
  using Stop = NoStop;
  void give() { futex.set(); }
  void take(const std::stop_token&) {
    futex.wait();
    futex.clear();
  }
  Futex futex;
};

// The least that can be: both threads do nothing but look.
struct SpinBaton {
  using Stop = NoStop;
  void give() { word.store(1, std::memory_order_release); }
  void take(const std::stop_token&) {
    while (word.load(std::memory_order_acquire) == 0) rouse::detail::os::cpu_relax();
    word.store(0, std::memory_order_relaxed);
  }
  std::atomic<std::uint32_t> word{0};
};

struct CvAnyBaton {
  using Stop = NoStop;
  void give() {
    {
      const std::lock_guard lock(mutex);
      given = true;
    }
    cv.notify_one();
  }
  void take(const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    (void)cv.wait(lock, stop, [this] { return given; });
    given = false;
  }
  std::mutex mutex;
  std::condition_variable_any cv;
  bool given = false;
};

struct BoostBaton {
  // Boost looks for interruptions only in threads that it knows.
  struct Stop {
    explicit Stop(const std::stop_token&) { keep(boost::this_thread::get_id()); }
  };
  void give() {
    {
      const boost::lock_guard<boost::mutex> lock(mutex);
      given = true;
    }
    cv.notify_one();
  }
  void take(const std::stop_token&) {
    boost::unique_lock<boost::mutex> lock(mutex);
    cv.wait(lock, [this] { return given; });
    given = false;
  }
  boost::mutex mutex;
  boost::condition_variable cv;
  bool given = false;
};

struct AbslBaton {
  using Stop = NoStop;
  void give() {
    const absl::MutexLock lock(&mutex);
    given = true;
  }
  void take(const std::stop_token&) {
    const absl::MutexLock lock(&mutex, absl::Condition(&given));
    given = false;
  }
  absl::Mutex mutex;
  bool given = false;
};

// One way, in nanoseconds.
template <class Baton, std::size_t There>
double round_trip(std::size_t operations) {
  const std::size_t warm_up = operations / 20 + 1;
  Baton ping;
  Baton pong;
  std::jthread partner([&](const std::stop_token& stop) {
    pin_to(There);
    const typename Baton::Stop obey(stop);
    for (std::size_t i = 0; i < warm_up + operations; ++i) {
      ping.take(stop);
      pong.give();
    }
  });
  pin_to(0);
  const std::stop_source source;
  const typename Baton::Stop obey(source.get_token());
  const auto there_and_back = [&] {
    ping.give();
    pong.take(source.get_token());
  };
  time_per_operation(warm_up, there_and_back);
  return time_per_operation(operations, there_and_back) / 2;
}

// From give() on one CPU to the return of take() on another, which has had nothing to do for long
// enough to fall idle. The median of all `operations`.
template <class Baton>
double wake_of_long_sleeper(std::size_t operations) {
  Baton baton;
  std::atomic<Clock::time_point> given{};
  std::atomic<std::size_t> taken{0};
  std::vector<double> latencies(operations);
  std::jthread sleeper([&](const std::stop_token& stop) {
    pin_to(1);
    const typename Baton::Stop obey(stop);
    for (std::size_t i = 0; i < operations; ++i) {
      baton.take(stop);
      latencies[i] = nanoseconds(Clock::now() - given.load());
      taken.store(i + 1);
    }
  });
  pin_to(0);
  for (std::size_t i = 0; i < operations; ++i) {
    const Clock::time_point idle = Clock::now() + 2ms;
    while (taken.load() != i || Clock::now() < idle) rouse::detail::os::cpu_relax();
    given.store(Clock::now());
    baton.give();
  }
  sleeper.join();
  return median(std::move(latencies));
}

// --- what does not block -------------------------------------------------------------------------

double rouse_set_clear(std::size_t operations) {
  rouse::Event event;
  return time_per_operation(operations, [&] {
    event.set();
    event.clear();
    keep(event);
  });
}

double mutex_cv_set_clear(std::size_t operations) {
  std::mutex mutex;
  std::condition_variable cv;
  bool flag = false;
  return time_per_operation(operations, [&] {
    {
      const std::lock_guard lock(mutex);
      flag = true;
    }
    cv.notify_all();
    {
      const std::lock_guard lock(mutex);
      flag = false;
    }
    keep(flag);
  });
}

double rouse_wait_when_set(std::size_t operations) {
  const std::stop_source source;
  const rouse::this_thread::Bind bind(source.get_token());
  rouse::Event event(true);
  return time_per_operation(operations, [&] { keep(event.wait()); });
}

double rouse_wait_when_set_token(std::size_t operations) {
  const std::stop_source source;
  const std::stop_token stop = source.get_token();
  rouse::Event event(true);
  return time_per_operation(operations, [&] { keep(event.wait(stop)); });
}

double cv_any_wait_when_set(std::size_t operations) {
  const std::stop_source source;
  const std::stop_token stop = source.get_token();
  std::mutex mutex;
  std::condition_variable_any cv;
  bool flag = true;
  return time_per_operation(operations, [&] {
    std::unique_lock lock(mutex);
    keep(cv.wait(lock, stop, [&] { return flag; }));
  });
}

// --- is_set, by inspection -----------------------------------------------------------------------

extern "C" {
[[gnu::noinline, gnu::used]] bool rouse_bench_is_set(const rouse::Event& event) {
  return event.is_set();
}
[[gnu::noinline, gnu::used]] bool rouse_bench_atomic_load(const std::atomic<std::uint32_t>& word) {
  return word.load(std::memory_order_acquire) == 1;
}
struct LockedFlag {
  std::mutex mutex;
  bool value = false;
};
[[gnu::noinline, gnu::used]] bool rouse_bench_locked_flag(LockedFlag& flag) {
  const std::lock_guard lock(flag.mutex);
  return flag.value;
}
}

// How often a function goes to memory: instructions with an operand there, calls, and whatever
// locks the bus counts once more.
double memory_accesses(const std::string& function) {
  const std::string command = "objdump --disassemble=" + function + " --no-show-raw-insn /proc/" +
                              std::to_string(::getpid()) + "/exe";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> output(::popen(command.c_str(), "re"),
                                                               &::pclose);
  int accesses = 0;
  bool inside = false;
  char buffer[512];
  while (output != nullptr && std::fgets(buffer, sizeof buffer, output.get()) != nullptr) {
    const std::string line = buffer;
    const auto has = [&line](const char* text) { return line.find(text) != std::string::npos; };
    if (has("<") && has(">:")) {
      inside = true;
    } else if (inside && has("\tret")) {
      return accesses;
    } else if (inside && !has("\tlea") && !has("\tnop")) {
      accesses += has("(%") || has("[x") ? 1 : 0;
      accesses += has("\tcall") || has("\tbl\t") ? 1 : 0;
      accesses += has("lock ") || has("xchg") || has("fence") || has("\tdmb") ? 1 : 0;
    }
  }
  throw std::runtime_error("cannot read " + function + " with: " + command);
}

// --- fleets: many threads that sleep, and their end ----------------------------------------------

using Count = std::atomic<std::size_t>;

// What every sleeper does first.
void begin_to_sleep(std::size_t index, Count& begun) {
  pin_to(index);
  begun.fetch_add(1, std::memory_order_relaxed);
}

// A thread of the system, and no more, that waits for a Futex or an Event of its own.
template <class Flag>
class PlainSleeper {
 public:
  PlainSleeper(std::size_t index, Count& begun) : index_(index), begun_(begun) {
    const int error = ::pthread_create(&thread_, nullptr, &PlainSleeper::main, this);
    if (error != 0) throw std::system_error(error, std::generic_category(), "pthread_create");
  }
  void request_stop() { flag_.set(); }
  void join() { ::pthread_join(thread_, nullptr); }

 private:
  static void* main(void* self) {
    auto& sleeper = *static_cast<PlainSleeper*>(self);
    begin_to_sleep(sleeper.index_, sleeper.begun_);
    (void)sleeper.flag_.wait();
    return nullptr;
  }

  const std::size_t index_;
  Count& begun_;
  Flag flag_;
  ::pthread_t thread_{};
};

class CvAnySleeper {
 public:
  CvAnySleeper(std::size_t index, Count& begun)
      : thread_([this, index, &begun] {
          begin_to_sleep(index, begun);
          std::unique_lock lock(mutex_);
          (void)cv_.wait(lock, source_.get_token(), [] { return false; });
        }) {}
  void request_stop() { source_.request_stop(); }
  void join() { thread_.join(); }

 private:
  std::mutex mutex_;
  std::condition_variable_any cv_;
  std::stop_source source_;
  std::thread thread_;
};

class BoostSleeper {
 public:
  BoostSleeper(std::size_t index, Count& begun)
      : thread_([this, index, &begun] {
          begin_to_sleep(index, begun);
          boost::unique_lock<boost::mutex> lock(mutex_);
          cv_.wait(lock, [] { return false; });
        }) {}
  void request_stop() { thread_.interrupt(); }
  void join() { thread_.join(); }

 private:
  boost::mutex mutex_;
  boost::condition_variable cv_;
  boost::thread thread_;
};

template <class Sleeper>
class Fleet {
 public:
  Fleet() = default;
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;
  ~Fleet() { stop(); }
  void add(std::size_t index, Count& begun) { sleepers_.emplace_back(index, begun); }
  void stop() {
    for (Sleeper& each : sleepers_) each.request_stop();
    for (Sleeper& each : sleepers_) each.join();
    sleepers_.clear();
  }

 private:
  std::deque<Sleeper> sleepers_;
};

// As a program does it that has nothing but std::jthread: each destructor stops, and joins.
class JthreadFleet {
 public:
  void add(std::size_t index, Count& begun) {
    threads_.emplace_back([index, &begun](const std::stop_token& stop) {
      begin_to_sleep(index, begun);
      std::mutex mutex;
      std::condition_variable_any cv;
      std::unique_lock lock(mutex);
      (void)cv.wait(lock, stop, [] { return false; });
    });
  }
  void stop() { threads_.clear(); }

 private:
  std::deque<std::jthread> threads_;
};

// Every second one sleeps, the others wait for an event: one each, or one for all.
template <bool OneEvent>
class RouseFleet {
 public:
  RouseFleet() = default;
  RouseFleet(const RouseFleet&) = delete;
  RouseFleet& operator=(const RouseFleet&) = delete;
  ~RouseFleet() { stop(); }
  void add(std::size_t index, Count& begun) {
    threads_.emplace_back([this, index, &begun] {
      begin_to_sleep(index, begun);
      if (OneEvent) {
        (void)event_.wait();
      } else if (index / usable_cpus() % 2 == 0) {
        (void)rouse::sleep_for(24h);
      } else {
        rouse::Event event;
        (void)event.wait();
      }
    });
    threads_.back().start();
  }
  void stop() {
    keep(rouse::stop_all(threads_, 1h).stopped);
    threads_.clear();
  }

 private:
  rouse::Event event_;
  std::deque<rouse::StoppableThread> threads_;
};

template <class Fleet>
void fill(Fleet& fleet, std::size_t threads, Count& begun) {
  for (std::size_t i = 0; i < threads; ++i) fleet.add(i, begun);
  while (begun.load(std::memory_order_relaxed) < threads) std::this_thread::sleep_for(1ms);
  settle();
}

// From the first request to the end of the last thread.
template <class Fleet>
double stop_sleepers(std::size_t threads) {
  Count begun{0};
  Fleet fleet;
  fill(fleet, threads, begun);
  pin_to(0);
  const Clock::time_point begin = Clock::now();
  fleet.stop();
  return nanoseconds(Clock::now() - begin);
}

// What this process has more for each thread that sleeps.
template <class Fleet>
double memory_of_sleeper(std::size_t threads) {
  const double before = memory_in_use();
  Count begun{0};
  Fleet fleet;
  fill(fleet, threads, begun);
  return (memory_in_use() - before) / static_cast<double>(threads);
}

}  // namespace

rouse::bench::Area rouse::bench::area() {
  return {
      "event",
      {
          {.targets = {{"round_trip_same_cpu", "futex", 1.10}},
           .contestants = {{"rouse", &round_trip<RouseBaton, 0>},
                           {"futex", &round_trip<FutexBaton, 0>},
                           {"cv_any_stop", &round_trip<CvAnyBaton, 0>},
                           {"boost_cv", &round_trip<BoostBaton, 0>},
                           {"absl_mutex", &round_trip<AbslBaton, 0>}},
           .operations = 10'000},
          {.targets = {{"round_trip_two_cpus", "cv_any_stop", 0.06}},
           .contestants = {{"rouse", &round_trip<RouseBaton, 1>},
                           {"cv_any_stop", &round_trip<CvAnyBaton, 1>},
                           {"futex", &round_trip<FutexBaton, 1>},
                           {"spin", &round_trip<SpinBaton, 1>}},
           .operations = 2'000,
           .cpus = 2},
          {.targets = {{"wake_of_long_sleeper", "futex", 1.05}},
           .contestants = {{"rouse", &wake_of_long_sleeper<RouseBaton>},
                           {"futex", &wake_of_long_sleeper<FutexBaton>},
                           {"cv_any_stop", &wake_of_long_sleeper<CvAnyBaton>}},
           .operations = 100,
           .cpus = 2},
          {.targets = {{"is_set", "atomic_load", 1.00}},
           .contestants =
               {{"rouse", [](std::size_t) { return memory_accesses("rouse_bench_is_set"); }},
                {"atomic_load",
                 [](std::size_t) { return memory_accesses("rouse_bench_atomic_load"); }},
                {"mutex_flag",
                 [](std::size_t) { return memory_accesses("rouse_bench_locked_flag"); }}},
           .unit = Unit::count,
           .repetitions = 1},
          {.targets = {{"set_clear", "mutex_cv", 0.30}},
           .contestants = {{"rouse", &rouse_set_clear}, {"mutex_cv", &mutex_cv_set_clear}},
           .operations = 1'000'000},
          {.targets = {{"wait_when_set", "cv_any_stop", 0.05}},
           .contestants = {{"rouse", &rouse_wait_when_set},
                           {"cv_any_stop", &cv_any_wait_when_set},
                           {"rouse_with_a_token", &rouse_wait_when_set_token}},
           .operations = 1'000'000},
          {.targets = {{"stop_10000", "cv_any_stop", 0.50}, {"stop_10000_to_futex", "futex", 1.15}},
           .contestants = {{"rouse", &stop_sleepers<RouseFleet<false>>},
                           {"cv_any_stop", &stop_sleepers<Fleet<CvAnySleeper>>},
                           {"futex", &stop_sleepers<Fleet<PlainSleeper<Futex>>>},
                           {"rouse_one_event", &stop_sleepers<RouseFleet<true>>},
                           {"boost_interrupt", &stop_sleepers<Fleet<BoostSleeper>>},
                           {"jthread_destructors", &stop_sleepers<JthreadFleet>}},
           .operations = 10'000,
           .repetitions = 7,
           .own_process = true},
          {.targets = {{"memory_per_sleeper", "futex", 1.05}},
           .contestants = {{"rouse", &memory_of_sleeper<Fleet<PlainSleeper<rouse::Event>>>},
                           {"futex", &memory_of_sleeper<Fleet<PlainSleeper<Futex>>>}},
           .operations = 10'000,
           .unit = Unit::bytes,
           .repetitions = 7,
           .own_process = true},
          {.targets = {{"memory_per_stoppable_thread", "futex", 1.05}},
           .contestants = {{"rouse", &memory_of_sleeper<RouseFleet<false>>},
                           {"futex", &memory_of_sleeper<Fleet<PlainSleeper<Futex>>>},
                           {"cv_any_stop", &memory_of_sleeper<Fleet<CvAnySleeper>>},
                           {"jthread", &memory_of_sleeper<JthreadFleet>},
                           {"boost_thread", &memory_of_sleeper<Fleet<BoostSleeper>>}},
           .operations = 10'000,
           .unit = Unit::bytes,
           .repetitions = 7,
           .own_process = true},
      }};
}
