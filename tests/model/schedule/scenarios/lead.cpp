// Threads that wait for changes which one of them polls for: nobody misses a change, whoever leads
// and whoever leaves, and while one of them is busy with a look somebody else leads.

#include "service/lead.hpp"

#include "model/schedule/scenarios/areas.hpp"
#include "model/schedule/scenarios/told.hpp"

#include <poll.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

namespace rouse::test::model {
namespace {

using namespace std::chrono_literals;
using detail::Atomic;
using detail::BlockSite;
using detail::Deadline;
using detail::Lead;
using detail::LeadMember;
using detail::Lock;
using detail::LockGuard;
using detail::WaitHint;

constexpr BlockSite site{"lead", 0};
constexpr std::size_t most = 3;

// What a wait shares with the leader, as a FileWatcher does.
struct Watcher {
  WaitHint& hint;
  Atomic<std::uint32_t> has_news{0};
};

// As FileEvents: the descriptor is readable while a change is queued that was watched for.
struct Changes {
  Lead lead;
  Plain<int> leads{-1, "the lead"};
  Lock mutex;  // and the kernel's
  int fd = -1;
  std::uint32_t queued = 0;  // a bit for each watcher
  std::array<Watcher*, most> watchers{};
  std::array<Atomic<std::uint32_t>, most> changed{};  // what is looked up
  std::array<Atomic<std::uint32_t>, most> found{};
  std::stop_source source;

  void change(std::size_t of) {
    changed.at(of).store(1, std::memory_order_release);
    const LockGuard guard(mutex);
    if (watchers.at(of) == nullptr) return;
    queued |= 1U << of;
    Scheduler::instance().make_ready(fd);
  }
  void dispatch() {
    std::array<std::optional<WaitHint::Wake>, most> wakes;
    {
      const LockGuard guard(mutex);
      Scheduler::instance().take_ready(fd);
      for (std::size_t i = 0; i < most; ++i) {
        if ((queued & 1U << i) == 0 || watchers.at(i) == nullptr) continue;
        watchers.at(i)->has_news.store(1, std::memory_order_release);
        wakes.at(i) = watchers.at(i)->hint.mark();
      }
      queued = 0;
    }
    for (const auto& wake : wakes) {
      if (wake) (*wake)();
    }
  }
};

// One wait, in the order of WaitLoop.
class Waiting {
 public:
  /// With `busy_until` a look that finds its change lasts until another has found its own.
  Waiting(Changes& changes, std::size_t me, std::size_t busy_until = most)
      : s_(changes), me_(me), busy_until_(busy_until) {
    const LockGuard guard(s_.mutex);
    if (s_.fd < 0) s_.fd = Scheduler::instance().make_fd();
    s_.watchers.at(me_) = &watcher_;
  }
  ~Waiting() {
    drop_lead();
    const LockGuard guard(s_.mutex);
    s_.watchers.at(me_) = nullptr;
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  WaitStatus run(Deadline deadline = Deadline::never(), const std::stop_token& stop = {}) {
    for (bool due = true;;) {
      if (due) {
        drop_lead();
        member_.resign();
        if (look()) return WaitStatus::ready;
      }
      (void)hint_.take();
      due = watcher_.has_news.exchange(0, std::memory_order_acquire) != 0;
      if (due) continue;
      const WaitStatus status = block(deadline, stop);
      if (status != WaitStatus::ready) return status;
    }
  }

 private:
  bool look() {
    if (s_.changed.at(me_).load(std::memory_order_acquire) == 0) return false;
    while (busy_until_ < most && s_.found.at(busy_until_).load(std::memory_order_acquire) == 0) {
      detail::os::cpu_relax();
    }
    s_.found.at(me_).store(1, std::memory_order_release);
    return true;
  }

  WaitStatus block(Deadline deadline, const std::stop_token& stop) {
    leads_ = member_.take();
    if (!leads_) return hint_.wait({}, site, deadline, stop);
    s_.leads.write(static_cast<int>(me_));
    ::pollfd shared{s_.fd, POLLIN, 0};
    const WaitStatus status = hint_.wait({&shared, 1}, site, deadline, stop);
    if (status == WaitStatus::ready && shared.revents != 0) s_.dispatch();
    return status;
  }

  // Before the member does.
  void drop_lead() {
    if (!leads_) return;
    check(s_.leads.read() == static_cast<int>(me_), "one leads");
    s_.leads.write(-1);
    leads_ = false;
  }

  Changes& s_;
  const std::size_t me_;
  const std::size_t busy_until_;
  WaitHint hint_;
  LeadMember member_{s_.lead, hint_};
  Watcher watcher_{hint_, {}};
  bool leads_ = false;
};

// A thread that waits until it has found its change.
void finder(Model& model, Changes& s, std::size_t me, std::size_t busy_until = most) {
  model.thread([&s, me, busy_until] {
    Waiting wait(s, me, busy_until);
    check(wait.run() == WaitStatus::ready, "ready");
  });
}

void changer(Model& model, Changes& s, std::initializer_list<std::size_t> order) {
  model.thread([&s, order = std::vector(order)] {
    for (const std::size_t of : order) s.change(of);
  });
}

template <std::size_t Waits>
void all_find(Model& model) {
  auto& s = model.make<Changes>();
  for (std::size_t i = 0; i < Waits; ++i) finder(model, s, i);
  model.thread([&s] {
    for (std::size_t i = 0; i < Waits; ++i) s.change(i);
  });
}

void one_is_stopped(Model& model) {
  auto& s = model.make<Changes>();
  model.thread([&s] {
    Waiting wait(s, 0);
    check(wait.run(Deadline::never(), s.source.get_token()) == WaitStatus::stopped, "stopped");
  });
  finder(model, s, 1);
  model.thread([&s] {
    s.source.request_stop();
    s.change(1);
  });
}

void one_runs_out_of_time(Model& model) {
  auto& s = model.make<Changes>();
  model.thread([&s] {
    Waiting wait(s, 0);
    check(wait.run(Deadline::after(1ms)) == WaitStatus::timeout, "its time is over");
  });
  finder(model, s, 1);
  changer(model, s, {1});
}

// Who is told to lead next may leave instead.
void heir_leaves(Model& model) {
  auto& s = model.make<Changes>();
  finder(model, s, 0);
  model.thread([&s] {
    Waiting wait(s, 1);
    check(wait.run(Deadline::after(1ms)) == WaitStatus::timeout, "its time is over");
  });
  finder(model, s, 2);
  changer(model, s, {0, 2});
}

// A wait that begins while others come and go.
void comes_again(Model& model) {
  auto& s = model.make<Changes>();
  model.thread([&s] {
    {
      Waiting wait(s, 0);
      check(wait.run() == WaitStatus::ready, "ready");
    }
    Waiting wait(s, 2);
    check(wait.run() == WaitStatus::ready, "ready");
  });
  finder(model, s, 1);
  changer(model, s, {0, 1, 2});
}

void one_is_busy(Model& model) {
  auto& s = model.make<Changes>();
  finder(model, s, 0, 1);
  finder(model, s, 1);
  changer(model, s, {0, 1});
}

// Also if the one who is told to lead next has a change of its own to look at.
void two_are_busy(Model& model) {
  auto& s = model.make<Changes>();
  finder(model, s, 0, 2);
  finder(model, s, 1, 2);
  finder(model, s, 2);
  changer(model, s, {0, 1, 2});
}

constexpr Scenario scenarios[] = {
    {"two_find", all_find<2>},          {"three_find", all_find<3>},
    {"one_is_stopped", one_is_stopped}, {"one_runs_out_of_time", one_runs_out_of_time},
    {"heir_leaves", heir_leaves},       {"comes_again", comes_again},
    {"one_is_busy", one_is_busy},       {"two_are_busy", two_are_busy},
};

}  // namespace

std::span<const Scenario> lead_scenarios() { return scenarios; }

}  // namespace rouse::test::model
