#pragma once
// WaitLoop: one wait for one condition or several. Watches, looks, blocks, until enough of them
// hold.
//
// Thread safety: the calling thread. Design: docs/design/autowait.md.

#include "rouse/service/condition.hpp"
#include "rouse/wait/wait_hint.hpp"
#include "rouse/wait/wait_status.hpp"

#include "service/condition_state.hpp"
#include "service/file_events.hpp"

#include <poll.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

namespace rouse::detail {

class WaitLoop {
 public:
  enum class Until { any, all };

  WaitLoop(std::span<const Condition> conditions, Until until, Deadline deadline,
           const std::stop_token& stop);

  WaitLoop(const WaitLoop&) = delete;
  WaitLoop& operator=(const WaitLoop&) = delete;

  /// Throws what was raised at the thread, and what a look throws.
  WaitStatus run();

  /// Afterwards: whether the condition held when the wait ended.
  bool held(std::size_t index) const noexcept { return slots_[index].holds; }

 private:
  // One condition, and what its last look subscribed to.
  struct Slot final : Sources {
    Slot(WaitLoop& wait, ConditionState& condition) : loop(wait), state(condition) {
      state.begin();
    }
    ~Slot() { state.end(); }

    FileWatcher& files() override;
    void poll(int fd, short events) override { fds.push_back({fd, events, 0}); }
    void look_again(Deadline deadline) override { next = std::min(next, deadline); }

    void look_now() noexcept override {
      called.store(true, std::memory_order_release);
      loop.hint_.give();
    }

    bool is_last() const noexcept override { return loop.time_is_over_; }

    bool has_news() noexcept {
      return (watcher && watcher->has_news()) || called.exchange(false, std::memory_order_acquire);
    }

    WaitLoop& loop;
    ConditionState& state;
    std::optional<FileWatcher> watcher;
    std::vector<::pollfd> fds;
    Deadline next = Deadline::never();
    Atomic<bool> called{false};
    bool due = true;
    bool holds = false;
    std::size_t looked_in = 0;  // the turn of its last look
  };

  void look(Slot& slot);
  bool look_at_due();
  bool recheck();
  std::optional<WaitStatus> glance();
  std::optional<WaitStatus> block();
  void mark_due(bool last_time);

  const Until until_;
  const Deadline deadline_;
  const std::stop_token& stop_;
  const char* const name_;
  WaitHint hint_;
  std::optional<LeadMember> member_;
  std::deque<Slot> slots_;  // in the order given
  std::vector<::pollfd> fds_;
  std::size_t turn_ = 0;
  bool time_is_over_ = false;
};

}  // namespace rouse::detail
