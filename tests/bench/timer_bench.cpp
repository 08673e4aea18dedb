// What timers cost: setting, taking back, being late, firing, setting anew, memory.

#include "rouse/exec/delay_executor.hpp"
#include "rouse/wait/event.hpp"

#include "bench/harness.hpp"
#include "support/rendezvous.hpp"

#include <malloc.h>
#include <sys/time.h>
#include <time.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <queue>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <event2/event.h>
#include <event2/event_struct.h>

namespace {

using namespace rouse::bench;
using namespace std::chrono_literals;

// --- what timers call ----------------------------------------------------------------------------

// When each call began.
class Fires {
 public:
  explicit Fires(std::size_t count) : begun_(count) {}

  void begin(std::size_t index) {
    begun_[index] = Clock::now();
    if (calls_.fetch_add(1) + 1 == begun_.size()) all_begun_.set();
  }
  std::size_t calls() const { return calls_.load(); }
  bool wait_for_all(Clock::duration d) {
    return all_begun_.wait_for(d) == rouse::WaitStatus::ready;
  }
  Clock::time_point begun(std::size_t index) const { return begun_[index]; }

 private:
  std::vector<Clock::time_point> begun_;
  std::atomic<std::size_t> calls_{0};
  rouse::Event all_begun_;
};

// Two words, as most have.
struct Call {
  Fires* fires;
  std::size_t index;

  void operator()() const { fires->begin(index); }
};

// --- timers --------------------------------------------------------------------------------------
// A kind of timers has a Handle, whose place its user provides, and insert(). Most have cancel()
// and rearm() too, which tell whether the call was still to come and may leave something to do for
// give_back(). Some have threads, which stay on the CPU of their creator. The others make calls in
// the threads of run(), which end when no timer is left.

class RouseTimers {
 public:
  using Handle = rouse::Timer;

  void insert(Handle& handle, Clock::time_point deadline, const Call& call) {
    handle = executor_.run_at(deadline, call);
  }
  static bool cancel(Handle& handle) {
    const bool cancelled = handle.cancel();
    handle = Handle();
    return cancelled;
  }
  static bool rearm(Handle& handle, Clock::duration d) { return handle.reschedule(d); }
  void give_back() {}
  std::vector<std::jthread> run() { return {}; }

 private:
  rouse::DelayExecutor executor_{
      {.pool_options = {.min_threads = 2, .max_threads = 2, .on_thread_start = &pin_to}}};
};

// The quickest to fill of what many programs have. It cannot cancel, and nobody waits for it.
class PriorityQueue {
 public:
  struct Handle {};

  void insert(Handle& /*handle*/, Clock::time_point deadline, const Call& call) {
    const std::lock_guard lock(mutex_);
    queue_.emplace(deadline, call);
  }
  // Some of them; which, does not matter.
  void forget(std::size_t count) {
    const std::lock_guard lock(mutex_);
    queue_.forget(count);
  }

 private:
  struct Entry {
    Entry(Clock::time_point when, const Call& call) : deadline(when), function(call) {}
    Clock::time_point deadline;
    std::function<void()> function;
    bool operator>(const Entry& other) const { return deadline > other.deadline; }
  };
  struct Queue : std::priority_queue<Entry, std::vector<Entry>, std::greater<>> {
    // Keeps their memory.
    void forget(std::size_t count) {
      c.erase(c.end() - static_cast<std::ptrdiff_t>(count), c.end());
      std::make_heap(c.begin(), c.end(), comp);
    }
  };

  std::mutex mutex_;
  Queue queue_;
};

// What many programs have that cancel. Its thread makes the calls itself.
class MultimapCv {
  using Map = std::multimap<Clock::time_point, std::function<void()>>;

 public:
  using Handle = Map::iterator;

  MultimapCv() : thread_([this] { work(); }) {}
  MultimapCv(const MultimapCv&) = delete;
  MultimapCv& operator=(const MultimapCv&) = delete;
  ~MultimapCv() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    changed_.notify_one();
  }

  void insert(Handle& handle, Clock::time_point deadline, const Call& call) {
    std::unique_lock lock(mutex_);
    handle = timers_.emplace(deadline, call);
    unlock_and_tell(lock, handle);
  }
  // The call is still to come: nobody may ask otherwise.
  bool cancel(Handle& handle) {
    const std::lock_guard lock(mutex_);
    timers_.erase(handle);
    return true;
  }
  bool rearm(Handle& handle, Clock::duration d) {
    const Clock::time_point deadline = Clock::now() + d;
    std::unique_lock lock(mutex_);
    std::function<void()> function = std::move(handle->second);
    timers_.erase(handle);
    handle = timers_.emplace(deadline, std::move(function));
    unlock_and_tell(lock, handle);
    return true;
  }
  void give_back() {}
  std::vector<std::jthread> run() { return {}; }

 private:
  void unlock_and_tell(std::unique_lock<std::mutex>& lock, Handle changed) {
    const bool is_first = changed == timers_.begin();
    lock.unlock();
    if (is_first) changed_.notify_one();
  }
  void work() {
    std::unique_lock lock(mutex_);
    while (!over_) {
      if (timers_.empty()) {
        changed_.wait(lock);
        continue;
      }
      const Clock::time_point deadline = timers_.begin()->first;
      if (Clock::now() < deadline) {
        changed_.wait_until(lock, deadline);
        continue;
      }
      const Map::node_type timer = timers_.extract(timers_.begin());
      lock.unlock();
      timer.mapped()();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  Map timers_;
  bool over_ = false;
  std::jthread thread_;
};

class AsioTimers {
 public:
  using Handle = std::optional<boost::asio::steady_timer>;

  void insert(Handle& handle, Clock::time_point deadline, const Call& call) {
    handle.emplace(context_, deadline);
    wait(*handle, call);
  }
  static bool cancel(Handle& handle) {
    const bool cancelled = handle->cancel() == 1;
    handle.reset();
    return cancelled;
  }
  bool rearm(Handle& handle, Clock::duration d) {
    const bool cancelled = handle->expires_after(d) == 1;
    wait(*handle, Call{});
    return cancelled;
  }
  // The handlers of what was cancelled are called.
  void give_back() {
    context_.restart();
    context_.poll();
  }
  std::vector<std::jthread> run() {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < 2; ++i) {
      threads.emplace_back([this, i] {
        pin_to(i);
        context_.run();
      });
    }
    return threads;
  }

 private:
  static void wait(boost::asio::steady_timer& timer, const Call& call) {
    timer.async_wait([call](const boost::system::error_code& error) {
      if (!error) call();
    });
  }

  boost::asio::io_context context_;
};

class LibuvTimers {
  struct Timer {
    uv_timer_t timer;
    Call call;
  };

 public:
  using Handle = Timer*;

  LibuvTimers() { expect_success(uv_loop_init(&loop_)); }
  LibuvTimers(const LibuvTimers&) = delete;
  LibuvTimers& operator=(const LibuvTimers&) = delete;
  ~LibuvTimers() { uv_loop_close(&loop_); }

  void insert(Handle& handle, Clock::time_point deadline, const Call& call) {
    handle = new Timer;
    handle->call = call;
    uv_timer_init(&loop_, &handle->timer);
    handle->timer.data = handle;
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(deadline.time_since_epoch());
    start(handle, static_cast<std::uint64_t>(ms.count()) - uv_now(&loop_));
  }
  static bool cancel(Handle& handle) {
    const bool cancelled = uv_is_active(generic(&handle->timer)) != 0;
    uv_timer_stop(&handle->timer);
    uv_close(generic(&handle->timer), &free);
    return cancelled;
  }
  static bool rearm(Handle& handle, Clock::duration d) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(d);
    return start(handle, static_cast<std::uint64_t>(ms.count()));
  }
  // The memory of what was closed comes back in the loop.
  void give_back() { uv_run(&loop_, UV_RUN_NOWAIT); }
  std::vector<std::jthread> run() {
    std::vector<std::jthread> threads;
    threads.emplace_back([this] { uv_run(&loop_, UV_RUN_DEFAULT); });
    return threads;
  }

 private:
  static uv_handle_t* generic(uv_timer_t* timer) { return reinterpret_cast<uv_handle_t*>(timer); }
  static void expect_success(int result) {
    if (result != 0) throw std::runtime_error(uv_strerror(result));
  }
  static bool start(Handle handle, std::uint64_t ms) {
    const auto make_call = [](uv_timer_t* timer) {
      static_cast<Handle>(timer->data)->call();
      uv_close(generic(timer), &free);
    };
    return uv_timer_start(&handle->timer, make_call, ms, 0) == 0;
  }
  static void free(uv_handle_t* handle) { delete static_cast<Handle>(handle->data); }

  uv_loop_t loop_;
};

class LibeventTimers {
  // What event_new() would allocate, and the call.
  struct Timer {
    event timer;
    Call call;
  };

 public:
  using Handle = Timer*;

  void insert(Handle& handle, Clock::time_point deadline, const Call& call) {
    handle = new Timer;
    handle->call = call;
    const auto make_call = [](evutil_socket_t, short, void* argument) {
      const std::unique_ptr<Timer> fired(static_cast<Handle>(argument));
      fired->call();
    };
    evtimer_assign(&handle->timer, base_.get(), make_call, handle);
    add(handle, deadline - Clock::now());
  }
  static bool cancel(Handle& handle) {
    const bool cancelled = evtimer_pending(&handle->timer, nullptr) != 0;
    evtimer_del(&handle->timer);
    delete handle;
    return cancelled;
  }
  static bool rearm(Handle& handle, Clock::duration d) { return add(handle, d); }
  void give_back() {}
  std::vector<std::jthread> run() {
    std::vector<std::jthread> threads;
    threads.emplace_back([this] { event_base_dispatch(base_.get()); });
    return threads;
  }

 private:
  // Its usual clock is some milliseconds late.
  static event_base* make_base() {
    const std::unique_ptr<event_config, void (*)(event_config*)> config(event_config_new(),
                                                                        &event_config_free);
    event_config_set_flag(config.get(), EVENT_BASE_FLAG_PRECISE_TIMER);
    event_base* const base = event_base_new_with_config(config.get());
    if (base == nullptr) throw std::runtime_error("no event_base");
    return base;
  }
  static bool add(Handle handle, Clock::duration d) {
    const auto us = std::chrono::ceil<std::chrono::microseconds>(d).count();
    const timeval in{us / 1'000'000, us % 1'000'000};
    return evtimer_add(&handle->timer, &in) == 0;
  }

  std::unique_ptr<event_base, void (*)(event_base*)> base_{make_base(), &event_base_free};
};

// --- loads ---------------------------------------------------------------------------------------

struct Span {
  Clock::duration first;
  Clock::duration last;
};
constexpr Span in_the_next_hour{1min, 61min};

// The same for all who take part.
std::vector<Clock::duration> random_delays(std::size_t count, const Span& span) {
  std::mt19937_64 random;
  std::uniform_int_distribution<Clock::rep> any(span.first.count(), span.last.count());
  std::vector<Clock::duration> delays(count);
  for (Clock::duration& delay : delays) delay = Clock::duration(any(random));
  return delays;
}

std::vector<Clock::time_point> random_deadlines(std::size_t count, const Span& span) {
  const Clock::time_point now = Clock::now();
  std::vector<Clock::time_point> deadlines;
  for (const Clock::duration delay : random_delays(count, span)) deadlines.push_back(now + delay);
  return deadlines;
}

void expect_equal(std::size_t found, std::size_t expected) {
  if (found == expected) return;
  throw std::runtime_error(std::to_string(found) + " instead of " + std::to_string(expected));
}

// Timers that are set and taken back; none of them is due meanwhile.
template <class Timers>
class Pending {
  using Handle = typename Timers::Handle;

 public:
  explicit Pending(std::size_t count)
      : deadlines_(random_deadlines(count, in_the_next_hour)), handles_(count), order_(count) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
  }

  // They are cancelled in random order, otherwise in that of their insertion.
  void shuffle() { std::shuffle(order_.begin(), order_.end(), std::mt19937_64()); }

  // Those from `first` up to, but without, `last`.
  void insert(std::size_t first, std::size_t last) {
    for (std::size_t i = first; i < last; ++i) {
      timers_.insert(handles_[i], deadlines_[i], {&unexpected_, 0});
    }
  }
  // The same in the order of cancelling. Throws if one was called or cancelled before.
  void cancel(std::size_t first, std::size_t last) {
    std::size_t cancelled = 0;
    for (std::size_t i = first; i < last; ++i) {
      if (timers_.cancel(handles_[order_[i]])) ++cancelled;
    }
    timers_.give_back();
    expect_equal(cancelled, last - first);
    expect_equal(unexpected_.calls(), 0);
  }
  void take_out(std::size_t first, std::size_t last) {
    if constexpr (requires { timers_.forget(last - first); }) {
      timers_.forget(last - first);
    } else {
      cancel(first, last);
    }
  }
  // One after the other, again and again. Returns how many were still to come.
  std::size_t rearm(const std::vector<Clock::duration>& delays) {
    std::size_t rearmed = 0;
    std::size_t next = 0;
    for (const Clock::duration delay : delays) {
      if (timers_.rearm(handles_[next], delay)) ++rearmed;
      if (++next < handles_.size()) continue;
      timers_.give_back();
      next = 0;
    }
    return rearmed;
  }

 private:
  Fires unexpected_{1};
  Timers timers_;
  std::vector<Clock::time_point> deadlines_;
  std::vector<Handle> handles_;
  std::vector<std::size_t> order_;
};

// Those from `first` up to, but without, `last`, by several threads, a share each: until the last
// thread is through, per timer.
template <std::size_t Threads, class Timers>
double insert_by_threads(Pending<Timers>& pending, std::size_t first, std::size_t last) {
  const std::size_t count = last - first;
  rouse::test::Rendezvous start(Threads);
  std::array<Clock::time_point, Threads> begins;
  std::array<Clock::time_point, Threads> ends;
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < Threads; ++i) {
      threads.emplace_back([&, i] {
        pin_to(i);
        start.arrive();
        begins[i] = Clock::now();
        pending.insert(first + count * i / Threads, first + count * (i + 1) / Threads);
        ends[i] = Clock::now();
      });
    }
  }
  return nanoseconds(std::ranges::max(ends) - std::ranges::min(begins)) /
         static_cast<double>(count);
}

// The last eighth of them, while the others are pending. They were there before and were taken out
// again, so that there is memory.
template <class Timers, std::size_t Threads>
double insert(std::size_t operations) {
  pin_to(0);
  Pending<Timers> pending(operations);
  const std::size_t first = operations / 8 * 7;
  pending.insert(0, operations);
  pending.take_out(first, operations);
  const double figure = insert_by_threads<Threads>(pending, first, operations);
  pending.take_out(0, operations);
  return figure;
}

template <class Timers>
double cancel_most(std::size_t operations) {
  pin_to(0);
  const std::size_t cancelled = (operations * 9 + 9) / 10;
  Pending<Timers> pending(operations);
  pending.shuffle();
  pending.insert(0, operations);
  const Clock::time_point begin = Clock::now();
  pending.cancel(0, cancelled);
  const Clock::time_point end = Clock::now();
  pending.cancel(cancelled, operations);
  return nanoseconds(end - begin) / static_cast<double>(cancelled);
}

template <class Timers>
double rearm(std::size_t operations) {
  pin_to(0);
  constexpr std::size_t count = 1000;
  Pending<Timers> pending(count);
  pending.insert(0, count);
  const std::vector<Clock::duration> delays = random_delays(operations, in_the_next_hour);
  const Clock::time_point begin = Clock::now();
  const std::size_t rearmed = pending.rearm(delays);
  const Clock::time_point end = Clock::now();
  expect_equal(rearmed, operations);
  pending.cancel(0, count);
  return nanoseconds(end - begin) / static_cast<double>(operations);
}

double cpu_time() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

struct Firing {
  std::vector<double> lateness;  // from the deadline until the call begins, sorted
  double cpu_time;               // of the process, from the first to the last
};

// So dense that a thread that sleeps until the next deadline has hardly more than one to call.
template <class Timers>
Firing fire(std::size_t count) {
  constexpr Clock::duration lead = 30ms;
  const Span span{lead, lead + count * 100us};
  pin_to(0);
  Fires fires(count);
  Timers timers;
  std::vector<typename Timers::Handle> handles(count);
  const std::vector<Clock::time_point> deadlines = random_deadlines(count, span);
  for (std::size_t i = 0; i < count; ++i) timers.insert(handles[i], deadlines[i], {&fires, i});

  Firing result{};
  const double begin = cpu_time();
  {
    const std::vector<std::jthread> threads = timers.run();
    if (!fires.wait_for_all(span.last + 10s)) expect_equal(fires.calls(), count);
  }
  result.cpu_time = cpu_time() - begin;
  for (std::size_t i = 0; i < count; ++i) {
    result.lateness.push_back(nanoseconds(fires.begun(i) - deadlines[i]));
  }
  std::ranges::sort(result.lateness);
  if (result.lateness.front() < 0) throw std::runtime_error("called early, or twice");
  return result;
}

template <class Timers, std::size_t Percentile>
double lateness(std::size_t operations) {
  return fire<Timers>(operations).lateness[(operations - 1) * Percentile / 100];
}

template <class Timers>
double cpu_per_fire(std::size_t operations) {
  return fire<Timers>(operations).cpu_time / static_cast<double>(operations);
}

// What this process has more for each timer whose handle nobody keeps.
template <class Timers>
double memory_of_timer(std::size_t operations) {
  Fires unexpected(1);
  Timers timers;
  const std::vector<Clock::time_point> deadlines = random_deadlines(operations, in_the_next_hour);
  const double before = memory_in_use();
  for (const Clock::time_point deadline : deadlines) {
    typename Timers::Handle handle{};
    timers.insert(handle, deadline, {&unexpected, 0});
  }
  const double memory = memory_in_use() - before;
  expect_equal(unexpected.calls(), 0);
  return memory / static_cast<double>(operations);
}

// --- rows ----------------------------------------------------------------------------------------

template <std::size_t Percentile>
Row late(const std::string& slug) {
  return {.targets = {{slug, "multimap_cv", 1.1}},
          .contestants = {{"rouse", &lateness<RouseTimers, Percentile>},
                          {"multimap_cv", &lateness<MultimapCv, Percentile>},
                          {"asio", &lateness<AsioTimers, Percentile>},
                          {"libuv", &lateness<LibuvTimers, Percentile>},
                          {"libevent", &lateness<LibeventTimers, Percentile>}},
          .operations = 10'000,
          .cpus = 2,
          .repetitions = 7};
}

// The C library keeps what was freed, in one place: a row that comes later, or a second round, does
// not pay the system for memory once more.
void keep_freed_memory() {
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

}  // namespace

rouse::bench::Area rouse::bench::area() {
  keep_freed_memory();
  return {"timer",
          {
              {.targets = {{"insert_1m", "priority_queue", 0.60}},
               .contestants = {{"rouse", &insert<RouseTimers, 1>},
                               {"priority_queue", &insert<PriorityQueue, 1>},
                               {"multimap_cv", &insert<MultimapCv, 1>},
                               {"asio", &insert<AsioTimers, 1>},
                               {"libuv", &insert<LibuvTimers, 1>},
                               {"libevent", &insert<LibeventTimers, 1>}},
               .operations = 1'000'000,
               .repetitions = 7},
              {.targets = {{"insert_2_threads", "priority_queue", 0.60}},
               .contestants = {{"rouse", &insert<RouseTimers, 2>},
                               {"priority_queue", &insert<PriorityQueue, 2>}},
               .operations = 1'000'000,
               .cpus = 2,
               .repetitions = 7},
              {.targets = {{"cancel_90_of_1m", "libuv", 0.35}},
               .contestants = {{"rouse", &cancel_most<RouseTimers>},
                               {"libuv", &cancel_most<LibuvTimers>},
                               {"multimap_cv", &cancel_most<MultimapCv>},
                               {"asio", &cancel_most<AsioTimers>},
                               {"libevent", &cancel_most<LibeventTimers>}},
               .operations = 1'000'000,
               .repetitions = 7},
              late<50>("lateness_p50"),
              late<99>("lateness_p99"),
              {.targets = {{"cpu_per_fire", "multimap_cv", 0.80}},
               .contestants = {{"rouse", &cpu_per_fire<RouseTimers>},
                               {"multimap_cv", &cpu_per_fire<MultimapCv>},
                               {"asio", &cpu_per_fire<AsioTimers>},
                               {"libuv", &cpu_per_fire<LibuvTimers>},
                               {"libevent", &cpu_per_fire<LibeventTimers>}},
               .operations = 10'000,
               .cpus = 2,
               .repetitions = 7},
              {.targets = {{"rearm", "multimap_cv", 0.50}},
               .contestants = {{"rouse", &rearm<RouseTimers>},
                               {"multimap_cv", &rearm<MultimapCv>},
                               {"asio", &rearm<AsioTimers>},
                               {"libuv", &rearm<LibuvTimers>},
                               {"libevent", &rearm<LibeventTimers>}},
               .operations = 500'000},
              {.targets = {{"memory_per_timer", "multimap_cv", 1.25}},
               .contestants = {{"rouse", &memory_of_timer<RouseTimers>},
                               {"priority_queue", &memory_of_timer<PriorityQueue>},
                               {"multimap_cv", &memory_of_timer<MultimapCv>}},
               .operations = 1'000'000,
               .unit = Unit::bytes,
               .repetitions = 7,
               .own_process = true},
          }};
}
