#include "wait/permits.hpp"

#include "wait/blocking.hpp"

namespace rouse::detail {
namespace {

struct Waiting : WaitNode {
  std::uint32_t wanted = 0;
  bool refused = false;  // written before the node is signalled
};

}  // namespace

// Under the bucket's lock: what is returned and what is free goes to those who wait, in their
// order, as far as it goes. The addition is the last touch. Returns how many are free then.
std::uint32_t Permits::serve(ParkingTable::Waiters& waiters, std::uint32_t returned) noexcept {
  const std::uint32_t seen = word_.load(std::memory_order_relaxed);
  std::uint32_t free = free_of(seen) + returned;
  std::uint32_t change = returned;
  WaitNode* node = waiters.first();
  while (node != nullptr) {
    const std::uint32_t wanted = static_cast<Waiting*>(node)->wanted;
    if (wanted > free) break;
    WaitNode* const next = waiters.after(*node);
    waiters.take(*node);
    node = next;
    free -= wanted;
    change -= wanted;
  }
  if (node == nullptr) change -= seen & waited_;
  // Without waiters others may change the word meanwhile: so it is not stored, but added to. Those
  // who are served have acquired what it said when they came.
  return free_of(word_.fetch_add(change, std::memory_order_release) + change);
}

std::uint32_t Permits::release_slow(std::uint32_t n) noexcept {
  std::uint32_t free = 0;
  ParkingTable::wake(this, [&](ParkingTable::Waiters& waiters) { free = serve(waiters, n); });
  return free;
}

void Permits::close() noexcept {
  ParkingTable::wake(this, [this](ParkingTable::Waiters& waiters) {
    for (WaitNode* node = waiters.first(); node != nullptr; node = waiters.after(*node)) {
      static_cast<Waiting*>(node)->refused = true;
    }
    waiters.take_all();
    word_.fetch_or(closed_, std::memory_order_release);
    word_.fetch_and(~waited_, std::memory_order_relaxed);
  });
}

Acquired Permits::acquire_slow(Deadline deadline, const std::stop_token& stop, BlockSite site,
                               std::uint32_t n) {
  if ((word_.load(std::memory_order_acquire) & closed_) != 0) return Acquired::closed;
  Blocking blocking(site, deadline, stop);
  const auto told = [&] {
    return blocking.finish() == WaitStatus::stopped ? Acquired::stopped : Acquired::timeout;
  };
  if (blocking.ended()) return told();
  blocking.arm();

  Waiting node;
  node.waker = Waker::thread(blocking.thread());
  node.wanted = n;
  bool closed = false;
  const bool waits = ParkingTable::enqueue(node, this, [&](bool others) {
    std::uint32_t seen = word_.load(std::memory_order_relaxed);
    for (;;) {
      closed = (seen & closed_) != 0;
      if (closed) return false;
      // Without others `waited_` is left over from before a fork.
      const bool enough = !others && (seen & ~waited_) >= n;
      const std::uint32_t then = enough ? (seen & ~waited_) - n : seen | waited_;
      if (word_.compare_exchange_weak(seen, then, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
        return !enough;
      }
    }
  });
  if (!waits) return closed ? Acquired::closed : Acquired::yes;
  do {
    blocking.park();
  } while (!node.signalled.load(std::memory_order_relaxed) && !blocking.ended());
  // Who leaves may have held up others that ask for less.
  const auto leave = [this](ParkingTable::Waiters& others) { serve(others, 0); };
  const bool signalled = ParkingTable::dequeue(node, leave).signalled;
  if (!signalled) return told();
  return node.refused ? Acquired::closed : Acquired::yes;
}

}  // namespace rouse::detail
