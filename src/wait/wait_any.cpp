#include "rouse/wait/wait_any.hpp"

#include "wait/event_wait.hpp"

#include <memory>

namespace rouse::detail {

AnyReady wait_any(std::span<Event* const> events, Deadline deadline, const std::stop_token& stop) {
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (events[i]->is_set()) return {WaitStatus::ready, i};
  }
  constexpr std::size_t on_stack = 16;
  WaitNode few[on_stack];
  std::unique_ptr<WaitNode[]> many;
  std::span<WaitNode> nodes(few);
  if (events.size() > on_stack) {
    many = std::make_unique<WaitNode[]>(events.size());
    nodes = {many.get(), events.size()};
  }
  return EventWait::wait(events, nodes.first(events.size()), {"wait_any", events.size()}, deadline,
                         stop);
}

}  // namespace rouse::detail
