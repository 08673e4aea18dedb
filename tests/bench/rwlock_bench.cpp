// What a reader-writer lock costs: alone, among readers, with some writers, and how long a writer
// waits.

#include "rouse/sync/rw_lock.hpp"

#include "bench/harness.hpp"
#include "support/rendezvous.hpp"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <shared_mutex>
#include <thread>
#include <utility>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <boost/thread/shared_mutex.hpp>
#include <oneapi/tbb/rw_mutex.h>
#include <oneapi/tbb/spin_rw_mutex.h>

namespace {

using namespace rouse::bench;
using namespace std::chrono_literals;

// --- peers that have other names for the same ----------------------------------------------------

class AbslMutex {
 public:
  void lock() { mutex_.Lock(); }
  void unlock() { mutex_.Unlock(); }
  void lock_shared() { mutex_.ReaderLock(); }
  void unlock_shared() { mutex_.ReaderUnlock(); }

 private:
  absl::Mutex mutex_;
};

// The C library's lock in the one kind that does not starve writers; std::shared_mutex is the
// other.
class PthreadWriterFirst {
 public:
  void lock() { ::pthread_rwlock_wrlock(&lock_); }
  void unlock() { ::pthread_rwlock_unlock(&lock_); }
  void lock_shared() { ::pthread_rwlock_rdlock(&lock_); }
  void unlock_shared() { ::pthread_rwlock_unlock(&lock_); }

 private:
  ::pthread_rwlock_t lock_ = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
};

// --- loads: what the threads do with a lock ------------------------------------------------------

// The lock and what it guards, each on lines of its own: only the lock is compared.
template <class Lock>
struct Guarded {
  alignas(128) Lock lock;
  alignas(128) std::uint64_t word = 0;

  void read() {
    lock.lock_shared();
    keep(std::uint64_t{word});
    lock.unlock_shared();
  }
  void write() {
    lock.lock();
    ++word;
    lock.unlock();
  }
};

// Cheap, and different for each thread.
class Xorshift {
 public:
  explicit Xorshift(std::size_t seed) : state_(static_cast<std::uint32_t>(seed) + 1) {}
  std::uint32_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_;
  }

 private:
  std::uint32_t state_;
};

struct UncontendedRead {
  template <class Lock>
  static double run(std::size_t operations) {
    pin_to(0);
    Guarded<Lock> guarded;
    return time_per_operation(operations, [&] { guarded.read(); });
  }
};

// Threads that read and write as fast as they can: wall time by all that they did together. Whoever
// is done first ends it for all, so that nobody is measured who has the lock to itself by then.
template <std::size_t Threads, std::uint32_t ReadsPerMille>
struct Together {
  struct Work {
    Clock::time_point begin;
    Clock::time_point end;
    std::size_t done = 0;
  };

  template <class Lock>
  static double run(std::size_t operations) {
    Guarded<Lock> guarded;
    rouse::test::Rendezvous start(Threads);
    std::atomic<bool> over{false};
    std::array<Work, Threads> works;
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < Threads; ++i) {
        threads.emplace_back([&, i] {
          pin_to(i);
          Xorshift random(i);
          Work work;
          start.arrive();
          work.begin = Clock::now();
          while (work.done < operations && !over.load(std::memory_order_relaxed)) {
            if (ReadsPerMille == 1000 || random.next() % 1000 < ReadsPerMille) {
              guarded.read();
            } else {
              guarded.write();
            }
            ++work.done;
          }
          over.store(true, std::memory_order_relaxed);
          work.end = Clock::now();
          works[i] = work;
        });
      }
    }
    const auto begin = std::ranges::min(works, {}, &Work::begin).begin;
    const auto end = std::ranges::max(works, {}, &Work::end).end;
    std::size_t done = 0;
    for (const Work& each : works) done += each.done;
    return nanoseconds(end - begin) / static_cast<double>(done);
  }
};

// How long a writer waits among readers who take the lock again as soon as they have given it back.
// It shares its CPU with a reader, which may have been put aside in the middle of a section.
template <std::size_t Readers>
struct WritersWait {
  template <class Lock>
  static double run(std::size_t operations) {
    Guarded<Lock> guarded;
    rouse::test::Rendezvous start(Readers + 1);
    std::atomic<bool> over{false};
    std::vector<std::jthread> readers;
    for (std::size_t i = 0; i < Readers; ++i) {
      readers.emplace_back([&, i] {
        pin_to(i);
        Xorshift random(i);
        start.arrive();
        while (!over.load(std::memory_order_relaxed)) {
          guarded.lock.lock_shared();
          for (int step = 0; step < steps_of_100_ns; ++step) keep(random.next());
          guarded.lock.unlock_shared();
        }
      });
    }
    pin_to(0);
    std::vector<double> waits(operations);
    start.arrive();
    for (double& wait : waits) {
      std::this_thread::sleep_for(20us);
      const Clock::time_point begin = Clock::now();
      guarded.lock.lock();
      wait = nanoseconds(Clock::now() - begin);
      ++guarded.word;
      guarded.lock.unlock();
    }
    over.store(true, std::memory_order_relaxed);
    return median(std::move(waits));
  }

 private:
  static constexpr int steps_of_100_ns = 35;
};

// --- who takes part ------------------------------------------------------------------------------

// Those with which a writer gets in among endless readers. With std::shared_mutex it does not until
// they end, which they never would; with boost::shared_mutex it takes tens of milliseconds.
template <class Load>
std::vector<Contestant> locks_that_let_writers_in() {
  return {{"rouse", &Load::template run<rouse::RWLock>},
          {"tbb_spin", &Load::template run<tbb::spin_rw_mutex>},
          {"tbb_rw_mutex", &Load::template run<tbb::rw_mutex>},
          {"pthread_writer_first", &Load::template run<PthreadWriterFirst>},
          {"absl_mutex", &Load::template run<AbslMutex>}};
}

template <class Load>
std::vector<Contestant> all_locks() {
  std::vector<Contestant> locks = locks_that_let_writers_in<Load>();
  locks.push_back({"std_shared_mutex", &Load::template run<std::shared_mutex>});
  locks.push_back({"boost_shared_mutex", &Load::template run<boost::shared_mutex>});
  return locks;
}

}  // namespace

rouse::bench::Area rouse::bench::area() {
  return {"rwlock",
          {
              {.targets = {{"uncontended_read", "tbb_spin", 1.25}},
               .contestants = all_locks<UncontendedRead>(),
               .operations = 500'000},
              {.targets = {{"reads_2_threads", "tbb_spin", 0.28}},
               .contestants = all_locks<Together<2, 1000>>(),
               .operations = 300'000,
               .cpus = 2},
              {.targets = {{"reads_4_threads", "tbb_spin", 0.28}},
               .contestants = all_locks<Together<4, 1000>>(),
               .operations = 150'000,
               .cpus = 2},
              {.targets = {{"mixed_999", "tbb_spin", 0.36}},
               .contestants = all_locks<Together<2, 999>>(),
               .operations = 300'000,
               .cpus = 2},
              {.targets = {{"mixed_90", "tbb_spin", 0.80}},
               .contestants = all_locks<Together<2, 900>>(),
               .operations = 200'000,
               .cpus = 2},
              {.targets = {{"writers_wait_2_readers", "tbb_rw_mutex", 1.00}},
               .contestants = locks_that_let_writers_in<WritersWait<2>>(),
               .operations = 200,
               .cpus = 2},
              {.targets = {{"writers_wait_4_readers", "tbb_rw_mutex", 1.00}},
               .contestants = locks_that_let_writers_in<WritersWait<4>>(),
               .operations = 200,
               .cpus = 2},
          }};
}
