#pragma once
// EventWait: what Event and wait_any share, the nodes of one wait and their outcome.

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
  /// Waits for the first of `events`; `nodes` has a node for each.
  static AnyReady wait(std::span<Event* const> events, std::span<detail::WaitNode> nodes,
                       detail::BlockSite site, detail::Deadline deadline,
                       const std::stop_token& stop);

 private:
  static bool enqueue(Event& event, detail::WaitNode& node);
  static bool any_signalled(std::span<const detail::WaitNode> nodes) noexcept;
};

}  // namespace rouse
