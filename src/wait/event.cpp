#include "rouse/wait/event.hpp"

#include "wait/event_wait.hpp"

#include <algorithm>

namespace rouse {

using detail::ParkingTable;
using detail::WaitNode;

void Event::set_and_wake() noexcept {
  ParkingTable::wake_all(this, [this] { word_.exchange(set_word_, std::memory_order_release); });
}

WaitStatus Event::wait_slow(detail::Deadline deadline, const std::stop_token& stop) {
  return EventWait::wait(*this, {"Event::wait", reinterpret_cast<std::uintptr_t>(this)}, deadline,
                         stop);
}

WaitStatus EventWait::wait(Event& event, detail::BlockSite site, detail::Deadline deadline,
                           const std::stop_token& stop) {
  Event* const only = &event;
  WaitNode node;
  return wait({&only, 1}, {&node, 1}, site, deadline, stop).status;
}

bool EventWait::enqueue(Event& event, WaitNode& node) noexcept {
  return ParkingTable::enqueue(node, &event, [&event] {
    // set() and clear() change the word without the lock while nobody waits.
    std::uint32_t seen = event.word_.load(std::memory_order_acquire);
    while (seen != Event::waited_word_) {
      if (seen == Event::set_word_) return false;
      if (event.word_.compare_exchange_weak(seen, Event::waited_word_, std::memory_order_acquire)) {
        break;
      }
    }
    return true;
  });
}

bool EventWait::any_signalled(std::span<const WaitNode> nodes) noexcept {
  return std::ranges::any_of(
      nodes, [](const WaitNode& node) { return node.signalled.load(std::memory_order_relaxed); });
}

AnyReady EventWait::wait(std::span<Event* const> events, std::span<WaitNode> nodes,
                         detail::BlockSite site, detail::Deadline deadline,
                         const std::stop_token& stop) {
  detail::Blocking blocking(site, deadline, stop);
  if (blocking.ended()) return {blocking.finish(), 0};
  blocking.arm();

  std::size_t enqueued = 0;
  for (; enqueued < events.size(); ++enqueued) {
    nodes[enqueued].waker = detail::Waker::thread(blocking.thread());
    if (!enqueue(*events[enqueued], nodes[enqueued])) break;
  }
  bool ready = enqueued < events.size();
  std::size_t index = enqueued;
  if (!ready) {
    do {
      blocking.park();
    } while (!any_signalled(nodes) && !blocking.ended());
  }
  // A hint, a stop or a time-out ended the loop: what decides are the nodes, read under the locks.
  for (std::size_t i = enqueued; i-- > 0;) {
    if (ParkingTable::dequeue(nodes[i]).signalled) {
      ready = true;
      index = i;
    }
  }
  if (ready) return {WaitStatus::ready, index};
  return {blocking.finish(), 0};
}

}  // namespace rouse
