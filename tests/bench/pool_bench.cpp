// What a thread pool costs: posting, results, trees of jobs, waking up, too many workers, memory.

#include "rouse/exec/thread_pool.hpp"
#include "rouse/wait/event.hpp"

#include "bench/harness.hpp"
#include "support/rendezvous.hpp"

#include <blockingconcurrentqueue.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

namespace {

using namespace rouse::bench;
using namespace std::chrono_literals;
using rouse::test::Rendezvous;

// --- pools ---------------------------------------------------------------------------------------

class RousePool : public rouse::ThreadPool {
 public:
  explicit RousePool(std::size_t workers)
      : ThreadPool({.min_threads = workers, .max_threads = workers}) {}
};

using Function = std::function<void()>;
using ResultTask = std::packaged_task<std::size_t()>;

// What many programs have.
template <class Task>
class LockedDeque {
 public:
  explicit LockedDeque(std::size_t workers) {
    for (std::size_t i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
  }
  LockedDeque(const LockedDeque&) = delete;
  LockedDeque& operator=(const LockedDeque&) = delete;
  ~LockedDeque() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    changed_.notify_all();
  }

  template <class F>
  void post(F&& f) {
    {
      const std::lock_guard lock(mutex_);
      tasks_.emplace_back(std::forward<F>(f));
    }
    changed_.notify_one();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return over_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  bool over_ = false;
  std::vector<std::jthread> threads_;
};

bool is_callable(const Function& task) { return task != nullptr; }
bool is_callable(const ResultTask& task) { return task.valid(); }

// The queue of moodycamel, with workers.
template <class Task>
class Moodycamel {
 public:
  using Queue = moodycamel::BlockingConcurrentQueue<Task>;

  explicit Moodycamel(std::size_t workers) {
    for (std::size_t i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
  }
  Moodycamel(const Moodycamel&) = delete;
  Moodycamel& operator=(const Moodycamel&) = delete;
  ~Moodycamel() {
    // An empty task ends a worker.
    for (std::size_t i = 0; i < threads_.size(); ++i) queue_.enqueue(Task());
  }

  template <class F>
  void post(F&& f) {
    queue_.enqueue(Task(std::forward<F>(f)));
  }
  Queue& queue() { return queue_; }

 private:
  void work() {
    moodycamel::ConsumerToken token(queue_);
    for (;;) {
      Task task;
      queue_.wait_dequeue(token, task);
      if (!is_callable(task)) return;
      task();
    }
  }

  Queue queue_;
  std::vector<std::jthread> threads_;
};

class Asio {
 public:
  explicit Asio(std::size_t workers) : pool_(workers) {}

  template <class F>
  void post(F&& f) {
    boost::asio::post(pool_, std::forward<F>(f));
  }

 private:
  boost::asio::thread_pool pool_;
};

class Tbb {
 public:
  explicit Tbb(std::size_t workers)
      : threads_(tbb::global_control::max_allowed_parallelism, workers + 1),
        arena_(static_cast<int>(workers), 0) {}

  template <class F>
  void post(F&& f) {
    arena_.enqueue(Task<std::decay_t<F>>{std::forward<F>(f)});
  }

 private:
  // TBB calls a constant.
  template <class F>
  struct Task {
    mutable F f;
    void operator()() const { f(); }
  };

  // Besides the workers one thread counts that is not TBB's.
  tbb::global_control threads_;
  tbb::task_arena arena_;
};

// Through which one thread posts.
template <class Pool>
class Producer {
 public:
  explicit Producer(Pool& pool) : pool_(pool) {}

  template <class F>
  void post(F&& f) {
    pool_.post(std::forward<F>(f));
  }

 private:
  Pool& pool_;
};

template <class Task>
class Producer<Moodycamel<Task>> {
 public:
  explicit Producer(Moodycamel<Task>& pool) : queue_(pool.queue()), token_(queue_) {}

  template <class F>
  void post(F&& f) {
    queue_.enqueue(token_, Task(std::forward<F>(f)));
  }

 private:
  typename Moodycamel<Task>::Queue& queue_;
  moodycamel::ProducerToken token_;
};

// Returns what gives the result.
template <class Pool, class F>
auto submit(Pool& pool, Producer<Pool>& producer, F f) {
  if constexpr (std::is_same_v<Pool, RousePool>) {
    return pool.submit(f);
  } else {
    ResultTask task(f);
    std::future<std::size_t> result = task.get_future();
    producer.post(std::move(task));
    return result;
  }
}

// --- workers that are known ----------------------------------------------------------------------

thread_local std::size_t worker_index = 0;

enum class Pinned { in_turn, to_second_cpu };

// A pool whose workers are numbered, pinned, and asleep.
template <class Pool>
class Crew {
 public:
  explicit Crew(std::size_t workers, Pinned pinned = Pinned::in_turn) : pool_(workers) {
    // None of these jobs ends before all have begun, so each has a worker to itself.
    Rendezvous all(static_cast<int>(workers));
    std::atomic<std::size_t> begun{0};
    std::atomic<std::size_t> ended{0};
    for (std::size_t i = 0; i < workers; ++i) {
      pool_.post([&] {
        worker_index = begun.fetch_add(1);
        pin_to(pinned == Pinned::in_turn ? worker_index : 1);
        all.arrive();
        return ended.fetch_add(1);
      });
    }
    while (ended.load() < workers) std::this_thread::sleep_for(100us);
    settle();
  }

  Pool& pool() { return pool_; }

 private:
  Pool pool_;
};

void expect_equal(std::size_t found, std::size_t expected) {
  if (found == expected) return;
  throw std::runtime_error(std::to_string(found) + " instead of " + std::to_string(expected));
}

// How much jobs have added. Each worker has a line of its own: only the pools are compared.
class Tally {
 public:
  void add(std::size_t amount) {
    parts_[worker_index % parts_.size()].sum.fetch_add(amount, std::memory_order_relaxed);
  }
  std::size_t total() const {
    std::size_t result = 0;
    for (const Part& each : parts_) result += each.sum.load();
    return result;
  }
  // Throws if it takes too long: then a job was lost.
  void wait_until_at_least(std::size_t amount) const {
    const Clock::time_point limit = Clock::now() + 1min;
    while (total() < amount) {
      if (Clock::now() > limit) expect_equal(total(), amount);
      std::this_thread::sleep_for(50us);
    }
  }

 private:
  struct alignas(128) Part {
    std::atomic<std::size_t> sum{0};
  };
  std::array<Part, 64> parts_;
};

// --- loads ---------------------------------------------------------------------------------------

// From the first post until all have run, per job.
template <class Pool, std::size_t Producers, std::size_t Workers>
double post(std::size_t operations) {
  Tally tally;
  std::array<Clock::time_point, Producers> begins;
  Clock::time_point end;
  {
    Crew<Pool> crew(Workers);
    Rendezvous start(Producers);
    {
      std::vector<std::jthread> producers;
      for (std::size_t i = 0; i < Producers; ++i) {
        producers.emplace_back([&, i] {
          pin_to(i);
          Producer<Pool> producer(crew.pool());
          const std::size_t share = (operations + i) / Producers;
          start.arrive();
          begins[i] = Clock::now();
          for (std::size_t job = 0; job < share; ++job) {
            producer.post([&tally, amount = std::size_t{1}] { tally.add(amount); });
          }
        });
      }
    }
    tally.wait_until_at_least(operations);
    end = Clock::now();
  }
  expect_equal(tally.total(), operations);
  return nanoseconds(end - std::ranges::min(begins)) / static_cast<double>(operations);
}

// From the first submit until the last result was taken, per job.
template <class Pool>
double submit_result(std::size_t operations) {
  Crew<Pool> crew(2);
  pin_to(0);
  Producer<Pool> producer(crew.pool());
  const auto submit_one = [&](std::size_t amount) {
    return submit(crew.pool(), producer, [amount] { return amount; });
  };
  std::vector<decltype(submit_one(0))> results;
  results.reserve(operations);
  std::size_t sum = 0;
  const Clock::time_point begin = Clock::now();
  for (std::size_t i = 0; i < operations; ++i) results.push_back(submit_one(i));
  for (auto& result : results) sum += result.get();
  results.clear();
  const Clock::time_point end = Clock::now();
  expect_equal(sum, operations * (operations - 1) / 2);
  return nanoseconds(end - begin) / static_cast<double>(operations);
}

// Each node of the tree leaves one half to whoever is free, does the other, and waits for the
// first.
struct RouseTree {
  using Pool = RousePool;
  static std::size_t leaves(Pool& pool, std::size_t count) {
    if (count == 1) return 1;
    auto half = pool.submit([&pool, count] { return leaves(pool, count / 2); });
    const std::size_t rest = leaves(pool, count - count / 2);
    return rest + half.get();
  }
};

struct TbbTree {
  using Pool = Tbb;
  static std::size_t leaves(Pool& pool, std::size_t count) {
    if (count == 1) return 1;
    std::size_t half = 0;
    tbb::task_group group;
    group.run([&] { half = leaves(pool, count / 2); });
    const std::size_t rest = leaves(pool, count - count / 2);
    group.wait();
    return rest + half;
  }
};

template <class Tree>
double fork_join(std::size_t operations) {
  using Pool = typename Tree::Pool;
  Crew<Pool> crew(2);
  std::promise<std::size_t> found;
  const Clock::time_point begin = Clock::now();
  crew.pool().post([&] { found.set_value(Tree::leaves(crew.pool(), operations)); });
  const std::size_t count = found.get_future().get();
  const Clock::time_point end = Clock::now();
  expect_equal(count, operations);
  return nanoseconds(end - begin) / static_cast<double>(operations);
}

// From the post on one CPU to the start of the job on the other, when all workers sleep. A worker
// on the poster's own CPU starts in a third of the time, and which one is woken differs between
// pools.
template <class Pool, std::size_t Percentile>
double idle_submit(std::size_t operations) {
  struct Sample {
    Clock::time_point posted;
    Clock::time_point begun;
  };
  std::vector<Sample> samples(operations);
  std::atomic<std::size_t> begun{0};
  {
    Crew<Pool> crew(2, Pinned::to_second_cpu);
    pin_to(0);
    Producer<Pool> producer(crew.pool());
    for (std::size_t i = 0; i < operations; ++i) {
      samples[i].posted = Clock::now();
      producer.post([&begun, &sample = samples[i]] {
        sample.begun = Clock::now();
        begun.fetch_add(1);
      });
      do {
        std::this_thread::sleep_for(1ms);
      } while (begun.load() <= i);
    }
  }
  expect_equal(begun.load(), operations);
  std::vector<double> latencies;
  for (const Sample& each : samples) latencies.push_back(nanoseconds(each.begun - each.posted));
  std::ranges::sort(latencies);
  return latencies[(operations - 1) * Percentile / 100];
}

// What this process has more for each job that waits for a worker.
template <class Pool>
double memory_of_queued_job(std::size_t operations) {
  constexpr std::size_t workers = 2;
  Tally tally;
  double memory = 0;
  {
    Crew<Pool> crew(workers);
    rouse::Event gate;
    for (std::size_t i = 0; i < workers; ++i) {
      crew.pool().post([&] {
        tally.add(1);
        (void)gate.wait();
      });
    }
    tally.wait_until_at_least(workers);
    Producer<Pool> producer(crew.pool());
    const double before = memory_in_use();
    for (std::size_t i = 0; i < operations; ++i) {
      producer.post([&tally, amount = std::size_t{1}] { tally.add(amount); });
    }
    memory = memory_in_use() - before;
    gate.set();
    tally.wait_until_at_least(workers + operations);
  }
  expect_equal(tally.total(), workers + operations);
  return memory / static_cast<double>(operations);
}

// --- rows ----------------------------------------------------------------------------------------

template <std::size_t Producers>
Row posting(const std::string& slug) {
  return {.targets = {{slug, best_peer, 0.50}},
          .contestants = {{"rouse", &post<RousePool, Producers, 2>},
                          {"locked_deque", &post<LockedDeque<Function>, Producers, 2>},
                          {"moodycamel", &post<Moodycamel<Function>, Producers, 2>},
                          {"asio", &post<Asio, Producers, 2>},
                          {"tbb", &post<Tbb, Producers, 2>}},
          .operations = 200'000,
          .cpus = 2};
}

template <std::size_t Percentile>
Row idle(const std::string& slug, double target) {
  return {.targets = {{slug, "locked_deque", target}},
          .contestants = {{"rouse", &idle_submit<RousePool, Percentile>},
                          {"locked_deque", &idle_submit<LockedDeque<Function>, Percentile>},
                          {"moodycamel", &idle_submit<Moodycamel<Function>, Percentile>},
                          {"asio", &idle_submit<Asio, Percentile>},
                          {"tbb", &idle_submit<Tbb, Percentile>}},
          .operations = 300,
          .cpus = 2};
}

// Two CPUs have two workers' work, whatever the number of workers.
template <std::size_t Workers>
Row oversubscribed(const std::string& slug) {
  return {.targets = {{slug, "rouse_2", 1.5}},
          .contestants = {{"rouse", &post<RousePool, 1, Workers>},
                          {"rouse_2", &post<RousePool, 1, 2>},
                          {"locked_deque", &post<LockedDeque<Function>, 1, Workers>}},
          .operations = 100'000,
          .cpus = 2};
}

}  // namespace

rouse::bench::Area rouse::bench::area() {
  return {"pool",
          {
              posting<1>("post_1_producer"),
              posting<2>("post_2_producers"),
              {.targets = {{"fork_join_2e20", "tbb", 0.90}},
               .contestants = {{"rouse", &fork_join<RouseTree>}, {"tbb", &fork_join<TbbTree>}},
               .operations = std::size_t{1} << 20,
               .cpus = 2},
              {.targets = {{"submit_result", best_peer, 0.50}},
               .contestants = {{"rouse", &submit_result<RousePool>},
                               {"locked_deque", &submit_result<LockedDeque<ResultTask>>},
                               {"moodycamel", &submit_result<Moodycamel<ResultTask>>},
                               {"asio", &submit_result<Asio>},
                               {"tbb", &submit_result<Tbb>}},
               .operations = 200'000,
               .cpus = 2},
              idle<50>("idle_submit_p50", 1.05),
              idle<99>("idle_submit_p99", 2.0),
              oversubscribed<1>("workers_1"),
              oversubscribed<8>("workers_8"),
              oversubscribed<64>("workers_64"),
              {.targets = {{"memory_per_queued_job", "locked_deque", 1.0}},
               .contestants = {{"rouse", &memory_of_queued_job<RousePool>},
                               {"locked_deque", &memory_of_queued_job<LockedDeque<Function>>},
                               {"moodycamel", &memory_of_queued_job<Moodycamel<Function>>},
                               {"asio", &memory_of_queued_job<Asio>},
                               {"tbb", &memory_of_queued_job<Tbb>}},
               .operations = 1'000'000,
               .unit = Unit::bytes,
               .repetitions = 7,
               .own_process = true},
          }};
}
