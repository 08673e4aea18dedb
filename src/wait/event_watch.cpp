#include "rouse/wait/event_watch.hpp"

#include "wait/event_wait.hpp"
#include "wait/parking_table.hpp"

#include <new>

namespace rouse::detail {

EventWatch::EventWatch(Function* function, void* context) noexcept
    : function_(function), context_(context) {
  static_assert(sizeof(WaitNode) == sizeof node_ && alignof(WaitNode) == alignof(void*));
  (::new (node_) WaitNode)->waker = {&call, this};
}

EventWatch::~EventWatch() { node().~WaitNode(); }

WaitNode& EventWatch::node() noexcept { return *std::launder(reinterpret_cast<WaitNode*>(node_)); }

bool EventWatch::start(Event& event) noexcept {
  if (event.is_set()) return false;
  called_ = false;
  return EventWait::enqueue(event, node());
}

bool EventWatch::cancel() noexcept {
  // The flag is for a forked child, where no call is due any more. Elsewhere it is looked at only
  // if nobody calls: then nobody writes it.
  return !ParkingTable::dequeue(node()).call_due && !called_;
}

// In the thread that sets the event. After the call the watch may be gone.
void EventWatch::call(void* watch) noexcept {
  auto& self = *static_cast<EventWatch*>(watch);
  self.called_ = true;
  self.function_(self.context_);
}

}  // namespace rouse::detail
