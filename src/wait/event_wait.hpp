#pragma once
// EventWait: what Event, wait_any and EventWatch share, the nodes of one wait and their outcome.

#include "rouse/wait/event.hpp"
#include "rouse/wait/wait_any.hpp"

#include "wait/blocking.hpp"
#include "wait/parking_table.hpp"

#include <cstddef>
#include <span>
#include <stop_token>

namespace rouse {

class EventWait {
 public:
  /// Waits for one, which was not set a moment ago.
  static WaitStatus wait(Event& event, detail::BlockSite site, detail::Deadline deadline,
                         const std::stop_token& stop);
  /// Waits for the first of `events`; `nodes` has a node for each.
  static AnyReady wait(std::span<Event* const> events, std::span<detail::WaitNode> nodes,
                       detail::BlockSite site, detail::Deadline deadline,
                       const std::stop_token& stop);

  /// Puts the node in, whose waker is set, to wait for the next set(). False if `event` is set.
  static bool enqueue(Event& event, detail::WaitNode& node) noexcept;

 private:
  static bool any_signalled(std::span<const detail::WaitNode> nodes) noexcept;
};

}  // namespace rouse
