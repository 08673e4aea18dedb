// Conditions that need no more than a line or two: a predicate, an Event.

#include "rouse/service/condition.hpp"
#include "rouse/wait/event.hpp"
#include "rouse/wait/event_watch.hpp"
#include "rouse/wait/shield.hpp"

#include "service/condition_state.hpp"

#include <stdexcept>
#include <utility>

namespace rouse {
namespace {

using detail::ConditionState;
using detail::Deadline;
using detail::Look;
using detail::Sources;

class PredicateState final : public ConditionState {
 public:
  PredicateState(std::function<bool()> predicate, const PredicateOptions& options)
      : predicate_(std::move(predicate)),
        interval_(detail::checked_interval("wait_until", options.interval.nanoseconds())) {
    if (!predicate_) throw std::invalid_argument("rouse: wait_until: the predicate is empty");
  }

  Look look(Sources& sources) override {
    if (predicate_()) return Look::yes;
    // Counted from the end of the call: one that takes long is not called without a pause.
    sources.look_again(Deadline::after(interval_));
    return Look::no;
  }
  std::string describe() const override { return "a predicate"; }
  const char* wait_name() const noexcept override { return "wait_until"; }

 private:
  const std::function<bool()> predicate_;
  const std::chrono::nanoseconds interval_;
};

class EventState final : public ConditionState {
 public:
  explicit EventState(Event& event) noexcept : event_(event) {}

  // Who was waiting at a set() is released, though clear() may have followed. Asked again, that
  // set() does not count any more.
  Look look(Sources& sources) override {
    const bool released = watches_ && called_.load(std::memory_order_acquire);
    if (released) end();
    if (released || event_.is_set()) return Look::yes;
    if (watches_) return Look::no;
    sources_ = &sources;
    watches_ = watch_.start(event_);
    return watches_ ? Look::no : Look::yes;
  }

  void end() noexcept override {
    if (!std::exchange(watches_, false)) return;
    if (!watch_.cancel()) {
      // The call has a few instructions left to do with this wait.
      const Shield shield;
      (void)call_ended_.wait();
    }
    called_.store(false, std::memory_order_relaxed);
    call_ended_.clear();
  }

  std::string describe() const override { return "an Event that is set"; }
  const char* wait_name() const noexcept override { return "wait_until_event_set"; }

 private:
  static void call(void* state) noexcept {
    auto& self = *static_cast<EventState*>(state);
    // Before the hint: whoever takes it finds what it is about.
    self.called_.store(true, std::memory_order_release);
    self.sources_->look_now();
    self.call_ended_.set();
  }

  Event& event_;
  detail::Atomic<bool> called_{false};
  Event call_ended_;
  Sources* sources_ = nullptr;
  bool watches_ = false;
  detail::EventWatch watch_{&call, this};
};

}  // namespace

Condition until::holds(std::function<bool()> predicate, PredicateOptions options) {
  return Condition(std::make_shared<PredicateState>(std::move(predicate), options));
}

Condition until::event_set(Event& event) { return Condition(std::make_shared<EventState>(event)); }

}  // namespace rouse
