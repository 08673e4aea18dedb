#include "rouse/exec/manual_clock.hpp"

#include "exec/manual_clock_state.hpp"

namespace rouse {
namespace {

// Not 0, so that there are times before.
constexpr std::int64_t begin_ns = 1'000'000'000'000;

}  // namespace

ManualClock::ManualClock(std::chrono::system_clock::time_point calendar)
    : state_(std::make_unique<State>()) {
  state_->now_ns = begin_ns;
  state_->calendar_ns = detail::saturated_ns(calendar.time_since_epoch());
}

ManualClock::~ManualClock() = default;

std::chrono::steady_clock::time_point ManualClock::now() const noexcept {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(state_->now_ns));
}

std::chrono::system_clock::time_point ManualClock::calendar() const noexcept {
  return detail::to_system_time(state_->calendar_ns);
}

// With the lock. What it returns is to be finished without.
detail::TimerState* ManualClock::State::ring() noexcept {
  detail::TimerState* due = nullptr;
  queues.for_each([&](detail::TimerQueue& each) {
    due = detail::TimerQueue::merge(due, each.take_due(now_ns));
  });
  return detail::TimerQueue::hand_over(due, detail::Caller::anybody);
}

void ManualClock::advance_ns(std::int64_t ns) noexcept {
  if (ns <= 0) return;
  detail::TimerState* over = nullptr;
  {
    const std::lock_guard lock(state_->mutex);
    state_->now_ns = detail::saturated_sum(state_->now_ns, ns);
    state_->calendar_ns = detail::saturated_sum(state_->calendar_ns, ns);
    over = state_->ring();
  }
  detail::TimerQueue::finish(over);
}

void ManualClock::set_calendar(std::chrono::system_clock::time_point calendar) noexcept {
  detail::TimerState* over = nullptr;
  {
    const std::lock_guard lock(state_->mutex);
    state_->calendar_ns = detail::saturated_ns(calendar.time_since_epoch());
    state_->queues.for_each([](detail::TimerQueue& each) { each.follow_calendar(); });
    over = state_->ring();
  }
  detail::TimerQueue::finish(over);
}

}  // namespace rouse
