#pragma once
// Scheduler: runs the threads of a scenario one at a time, and decides at each operation of the
// seam who goes on and what a load sees.
//
// One thread of the system per modelled thread, which has made its stack and its thread-local state
// and sleeps while the driver's thread goes on with them (fiber.hpp).
//
// Memory: each atomic keeps its stores in the order in which they were made. A thread's view says
// which of them it knows of; a load may give any that is not older. A release store carries the
// view of its thread, an acquire load takes it over, a read-modify-write reads the newest and hands
// on what its predecessor carried. The sequentially consistent operations are in the order in which
// they run: such a load gives nothing older than what another one made or saw. So stale values are
// found where the orders permit them.

#include "rouse/detail/os.hpp"

#include "model/schedule/fiber.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace rouse::test::model {

const char* order_name(std::memory_order order);

inline constexpr int max_threads = 10;
inline constexpr int clock_thread = -1;  // a candidate of Strategy::pick: time goes on

/// Decides. The same answers give the same schedule.
class Strategy {
 public:
  virtual ~Strategy() = default;

  /// Why another thread may go on.
  enum class Turn : std::uint8_t {
    may_go_on,  // the first candidate runs and could go on: every other is a preemption
    spins,      // it waits for another: those come in the order of their turns
    ended,      // it is blocked, or has ended
  };
  /// Which of the candidates goes on. Steps are numbered through a schedule, in the same way
  /// whatever is left out of it.
  virtual unsigned pick(std::span<const int> candidates, Turn turn, unsigned step) = 0;
  /// One of `count` outcomes, the first of which is the plain one.
  virtual unsigned choose(unsigned count, unsigned step) = 0;
  /// To repeat this schedule: a value for ROUSE_MODEL_REPLAY.
  virtual std::string replay() const = 0;
};

/// An atomic operation in the source.
struct Site {
  std::string place;  // file:line:column, and which of the two orders of a compare-and-swap
  std::string name;   // "wait/x.cpp Class::function: exchange acquire", for people and tables
  std::memory_order order;
  char kind;            // 'l'oad, 's'tore, 'x' for both
  bool shared = false;  // touches what other threads touch too
};

/// Replaces the memory order at one site by a weaker one.
struct WeakOrder {
  std::string place;
  std::memory_order order;
};

class Scheduler {
 public:
  static Scheduler& instance();

  // --- the driver
  // ---------------------------------------------------------------------------------
  using Body = std::function<void()>;

  /// Runs the bodies as threads until all have ended. Failures end the process by way of
  /// on_failure.
  void run(std::span<const Body> bodies, Strategy& strategy);

  std::function<void(const std::string&)> on_failure;
  std::function<void()> on_worker_start;  // on each new worker thread, before its first schedule
  bool cpus_differ = false;               // each thread is told a CPU of its own
  unsigned ticks_allowed = 2;             // how often time may pass without need
  bool switch_at_shared_only = false;     // leaves out switches that can make no difference
  unsigned steps() const { return steps_; }
  /// True once if the last run has shown a site to be shared that was not known to be.
  bool take_new_shared_site();

  void set_weak_order(WeakOrder weak) { weak_ = std::move(weak); }
  void set_mutant(std::string name) { mutant_ = std::move(name); }
  const std::string& mutant() const { return mutant_; }
  const std::vector<Site>& sites() const { return sites_; }

  // --- what scenarios ask
  // -------------------------------------------------------------------------
  [[noreturn]] void fail(const std::string& reason);
  static int self() noexcept;  // -1 outside of a schedule
  /// Plain data: the clocks of the reads and writes must be ordered.
  struct Access {
    std::array<std::uint32_t, max_threads> reads{};
    std::array<std::uint32_t, max_threads> writes{};
  };
  void access(Access& data, bool write, const char* what);

  int make_fd();
  void make_ready(int fd);
  void take_ready(int fd);

  // --- the seam
  // -----------------------------------------------------------------------------------
  std::uint64_t load(const Cell& cell, std::memory_order order, const Where& where);
  void store(Cell& cell, std::uint64_t value, std::memory_order order, const Where& where);
  std::uint64_t update(Cell& cell, const char* what, Cell::Change* change, std::uint64_t operand,
                       std::memory_order order, const Where& where);
  bool compare_exchange(Cell& cell, std::uint64_t& expected, std::uint64_t desired,
                        std::memory_order success, std::memory_order failure, bool weak,
                        const Where& where);
  void point();
  std::int64_t now();
  std::int64_t coarse_now() const { return now_; }
  void relax();
  void wait_address(const void* address, std::uint32_t expected, std::int64_t deadline);
  void wake_address(const void* address, int count);
  int event_fd_create();
  void post(int fd);
  void drain(int fd);
  int poll(::pollfd* fds, unsigned count, std::int64_t deadline);

  // --- threads that the code under test makes
  // -----------------------------------------------------
  int add_thread(Fiber& fiber);  // by its maker
  void attach(int thread);       // by the new thread, first
  void detach();                 // last
  void join(int thread);         // until it has ended

 private:
  struct View {
    std::array<std::uint32_t, max_threads> clock{};
    std::vector<std::uint32_t> seen;  // by location: the oldest store that may still be read

    void join(const View& other);
    std::uint32_t& of(std::uint32_t location);
  };
  struct Message {
    std::uint64_t value;
    bool carries = false;
    View view;
  };
  struct Location {
    std::vector<Message> history;
    std::size_t agreed = 0;     // the newest that a sequentially consistent operation made or saw
    std::uint32_t threads = 0;  // who touched it
    std::vector<std::uint32_t> sites;
  };
  enum class State : std::uint8_t { runs, blocked, ended };
  struct Thread {
    Fiber* fiber = nullptr;
    State state = State::ended;
    const void* address = nullptr;  // blocked on it, or
    ::pollfd* fds = nullptr;        // on these, or
    unsigned fd_count = 0;
    int joins = -1;  // on the end of this thread
    std::int64_t deadline = INT64_MAX;
    View view;
  };
  struct Worker;
  static constexpr std::uint32_t no_site = UINT32_MAX;
  struct TraceEvent {
    int thread;
    const char* what;
    std::uint32_t site;
    std::uint64_t value;
    bool old;  // not the newest value
  };

  int pick_next(int current, bool spins);
  void block(Thread& me);
  Fiber& fiber_of(int thread);
  void switch_to(int next);
  Fiber& end(int thread);
  void work(Worker& worker);
  void advance_clock(std::int64_t to);
  std::int64_t earliest_deadline() const;
  int ready_fds(::pollfd* fds, unsigned count) const;

  std::uint32_t locate(const Cell& cell);
  std::uint32_t site_of(const Where& where, const char* what, char kind, std::uint32_t part,
                        std::memory_order& order);
  void point_at(std::uint32_t site);
  unsigned choose(unsigned count);
  Location& touch(const Cell& cell, std::uint32_t site);
  std::size_t oldest_for(const Cell& cell, const Location& location, std::memory_order order);
  void append(const Cell& cell, Location& location, std::uint64_t value, std::memory_order order,
              bool hands_on);
  void see(const Cell& cell, Location& location, std::size_t index, std::memory_order order);
  void trace(const char* what, std::uint32_t site, std::uint64_t value, bool old = false);
  std::string report(const std::string& reason) const;

  struct SiteKey {
    const char* file;
    std::uint32_t line;
    std::uint32_t column;
    std::uint32_t part;
    bool operator==(const SiteKey&) const = default;
  };
  struct SiteHash {
    std::size_t operator()(const SiteKey& key) const noexcept {
      return reinterpret_cast<std::size_t>(key.file) * 31 + key.line * 1009 + key.column * 7 +
             key.part;
    }
  };

  Strategy* strategy_ = nullptr;
  std::uint32_t schedule_ = 0;
  unsigned steps_ = 0;
  unsigned ticks_ = 0;
  bool uses_time_ = false;
  std::int64_t now_ = 0;
  int thread_count_ = 0;
  std::array<Thread, max_threads> threads_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Fiber driver_;
  std::vector<Location> locations_;
  std::uint32_t location_count_ = 0;
  unsigned threads_made_ = 0;
  std::vector<std::uint64_t> fds_;
  std::vector<TraceEvent> trace_;
  std::unordered_map<SiteKey, std::uint32_t, SiteHash> site_index_;
  std::vector<Site> sites_;
  bool new_shared_site_ = false;
  WeakOrder weak_;
  std::uint32_t weak_site_ = no_site;
  std::string mutant_;
};

}  // namespace rouse::test::model
