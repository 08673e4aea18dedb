#pragma once
// Explorer: runs a scenario under many schedules, and tells of one in which it fails.
//
//   void hand_over(Model& model) {
//     auto& s = model.make<State>();
//     model.thread([&s] { s.data.write(1); s.event.set(); });
//     model.thread([&s] { check(s.event.wait() == WaitStatus::ready, "ready"); s.data.read(); });
//   }
//
// Every exploration runs in a child process: a schedule that fails leaves threads in the middle of
// something, and ends with the child. Design: docs/design/testing.md.

#include "model/schedule/scheduler.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace rouse::test::model {

/// A limit that never comes: with another, time would pass over a wake-up that was lost.
inline constexpr auto forever = std::chrono::hours::max();

/// In a modelled thread, or at the end: what does not hold fails the schedule.
void check(bool holds, const char* what);

/// Data without atomics: an access that is not ordered after another thread's fails the schedule.
template <class T>
class Plain {
 public:
  explicit Plain(T value = {}, const char* name = "plain data") : value_(value), name_(name) {}

  T read() const {
    Scheduler::instance().access(access_, false, name_);
    return value_;
  }
  void write(T value) {
    Scheduler::instance().access(access_, true, name_);
    value_ = value;
  }

 private:
  T value_;
  const char* name_;
  mutable Scheduler::Access access_;
};

/// One schedule's threads and objects, made anew for each.
class Model {
 public:
  void thread(Scheduler::Body body) { bodies_.push_back(std::move(body)); }
  /// Runs when all threads have ended.
  void at_end(Scheduler::Body body) { at_end_.push_back(std::move(body)); }

  /// Lives until after at_end.
  template <class T, class... Args>
  T& make(Args&&... args) {
    auto object = std::make_shared<T>(std::forward<Args>(args)...);
    T& result = *object;
    objects_.push_back(std::move(object));
    return result;
  }

  /// Each thread is told a CPU of its own, so that waits spin.
  void on_different_cpus() { cpus_differ_ = true; }

 private:
  friend class Explorer;

  std::vector<Scheduler::Body> bodies_;
  std::vector<Scheduler::Body> at_end_;
  std::vector<std::shared_ptr<void>> objects_;
  bool cpus_differ_ = false;
};

struct Scenario {
  const char* name;
  void (*build)(Model& model);
};

/// The scenarios of the core, by area: "parker", "event", ...
struct Area {
  const char* name;
  std::span<const Scenario> scenarios;
};
std::span<const Area> areas();

struct Effort {
  std::uint64_t random = 0;  // schedules
  std::uint64_t seed = 1;
  /// The exhaustive search takes 1, 2, ... preemptions, up to this bound, while it has not seen as
  /// many schedules.
  unsigned preemptions = 0;
  std::uint64_t exhaustive = UINT64_MAX;
  WeakOrder weak = {};
  std::string mutant = {};
  unsigned seconds = 0;  // after which the child is ended as one that hangs; 0: no limit
};

struct Exploration {
  std::uint64_t random = 0;
  std::uint64_t exhaustive = 0;
  unsigned preemptions = 0;  // the bound up to which the exhaustive search has come to its end
  bool failed = false;
  std::string report;       // of the schedule that failed
  std::vector<Site> sites;  // that were reached
};

Exploration explore(const Scenario& scenario, const Effort& effort);

}  // namespace rouse::test::model
