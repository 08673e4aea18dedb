#pragma once
// wait_any: wait for the first of several Events.
//
/// @code
///   rouse::Event work, reload;
///   const auto deadline = std::chrono::steady_clock::now() + 10s;
///   const rouse::AnyReady woken = rouse::wait_any(work, reload, deadline);
///   if (woken.status == rouse::WaitStatus::ready && woken.index == 1) {
///     // reload was set
///   }
/// @endcode
//
// Thread safety, ordering and lifetime are those of Event::wait, for each of the events; an event
// may be given more than once. If several are set, the first of them in the order given is told.
// Cost: no allocation for up to 16 events; more need one, before anything is waited for.

#include "rouse/wait/event.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <span>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace rouse {

/// How a wait_any ended. `index` says which event, and is meant only when `status` is ready.
struct AnyReady {
  WaitStatus status = WaitStatus::timeout;
  std::size_t index = 0;

  friend bool operator==(const AnyReady&, const AnyReady&) = default;
};

namespace detail {
[[gnu::visibility("default")]] AnyReady wait_any(std::span<Event* const> events, Deadline deadline,
                                                 const std::stop_token& stop);
}

/// Blocks until one of `events` is set (`ready`), or a stop is requested. An empty span waits for
/// the stop alone.
[[nodiscard]] inline AnyReady wait_any(std::span<Event* const> events, std::stop_token stop = {}) {
  return detail::wait_any(events, detail::Deadline::never(), stop);
}
template <class Rep, class Period>
[[nodiscard]] AnyReady wait_any_for(std::span<Event* const> events,
                                    const std::chrono::duration<Rep, Period>& d,
                                    std::stop_token stop = {}) {
  return detail::wait_any(events, detail::Deadline::after(d), stop);
}
template <class Clock, class Duration>
[[nodiscard]] AnyReady wait_any_until(std::span<Event* const> events,
                                      const std::chrono::time_point<Clock, Duration>& t,
                                      std::stop_token stop = {}) {
  AnyReady result;
  (void)detail::wait_until_on(t, [&](detail::Deadline d) {
    result = detail::wait_any(events, d, stop);
    return result.status;
  });
  return result;
}

namespace detail {

/// The arguments of a wait_any whose events are named one by one, in any order behind the first.
template <std::size_t Count>
struct WaitAnyArguments {
  std::array<Event*, Count> events{};
  std::size_t filled = 0;
  Deadline deadline = Deadline::never();
  std::stop_token stop;

  void take(Event& event) noexcept { events[filled++] = &event; }
  template <class Duration>
  void take(const std::chrono::time_point<std::chrono::steady_clock, Duration>& t) noexcept {
    deadline = Deadline::at(t);
  }
  void take(std::stop_token token) noexcept { stop = std::move(token); }
};

}  // namespace detail

/// The same for events that are named one by one: wait_any(a, b, ..., [deadline], [stop]), where
/// the deadline is a time_point of steady_clock.
template <class... Rest>
[[nodiscard]] AnyReady wait_any(Event& first, Rest&&... rest) {
  constexpr std::size_t count =
      1 + (std::size_t{std::is_convertible_v<Rest, Event&>} + ... + std::size_t{0});
  detail::WaitAnyArguments<count> arguments;
  arguments.take(first);
  (arguments.take(rest), ...);
  return detail::wait_any(arguments.events, arguments.deadline, arguments.stop);
}

}  // namespace rouse
