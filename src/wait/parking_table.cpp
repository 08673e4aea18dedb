#include "wait/parking_table.hpp"

namespace rouse::detail {
namespace {

void link_before(WaitNode& position, WaitNode& node) noexcept {
  node.prev = position.prev;
  node.next = &position;
  position.prev->next = &node;
  position.prev = &node;
}

void unlink(WaitNode& node) noexcept {
  node.prev->next = node.next;
  node.next->prev = node.prev;
  node.next = node.prev = nullptr;
}

}  // namespace

constinit ParkingTable::Bucket ParkingTable::buckets_[std::size_t{1} << bucket_bits_];
constinit std::uint32_t ParkingTable::forks_ = 0;

void ParkingTable::Bucket::append(WaitNode& node) noexcept {
  if (head.next == nullptr) head.next = head.prev = &head;
  link_before(head, node);
}

ParkingTable::Dequeued ParkingTable::dequeue(WaitNode& node) noexcept {
  LockGuard guard(bucket_of(node.key).lock);
  return leave(node);
}

// Under the bucket's lock.
ParkingTable::Dequeued ParkingTable::leave(WaitNode& node) noexcept {
  // The links of before a fork lead into lists that were emptied, and to nodes that nobody owns.
  const bool inherited = node.forks != forks_;
  const bool linked = node.next != nullptr && !inherited;
  if (linked) unlink(node);
  return {.signalled = node.signalled.load(std::memory_order_relaxed),
          .call_due = !linked && !inherited && node.waker.function != nullptr};
}

WaitNode* ParkingTable::Waiters::find(WaitNode* node) noexcept {
  if (node == nullptr) return nullptr;  // no node was ever in this bucket
  while (node != &bucket_.head && node->key != key_) node = node->next;
  return node == &bucket_.head ? nullptr : node;
}

void ParkingTable::Waiters::take(WaitNode& node) noexcept {
  unlink(node);
  node.signalled.store(true, std::memory_order_relaxed);
  link_before(taken_, node);
}

void ParkingTable::Waiters::take_all() noexcept {
  for (WaitNode* node = first(); node != nullptr;) {
    WaitNode* const next = after(*node);
    take(*node);
    node = next;
  }
}

// All nodes were marked and moved before the lock is left for the first time: after that the
// primitive may be gone, and another may wait at its address. Until a batch reaches them they hang
// in the list of `taken`, under the bucket's lock as before, so that their waits can leave at any
// time.
void ParkingTable::unlock_and_wake(Bucket& bucket, WaitNode& taken) noexcept {
  constexpr std::size_t batch_size = 32;
  struct Due {
    Waker waker;
    ControlBlock::Wake wake;
  };
  for (;;) {
    Due batch[batch_size];
    std::size_t count = 0;
    while (count < batch_size && taken.next != &taken) {
      WaitNode& node = *taken.next;
      unlink(node);
      Due& due = batch[count];
      due = {node.waker, ControlBlock::Wake::nothing};
      if (node.waker.function == nullptr) {
        due.wake = static_cast<ControlBlock*>(node.waker.context)->exchange_notified();
        if (due.wake == ControlBlock::Wake::nothing) continue;
      }
      ++count;
    }
    const bool last = taken.next == &taken;
    bucket.lock.unlock();
    for (std::size_t i = 0; i < count; ++i) {
      const Due& due = batch[i];
      if (due.waker.function != nullptr) {
        due.waker.function(due.waker.context);
      } else {
        static_cast<ControlBlock*>(due.waker.context)->wake(due.wake);
      }
    }
    if (last) return;
    bucket.lock.lock();
  }
}

void ParkingTable::reset_after_fork() noexcept {
  ++forks_;
  for (Bucket& bucket : buckets_) {
    bucket.lock.reset_after_fork();
    // Only where there is something to forget: the child shares the other pages with its parent.
    if (bucket.head.next != nullptr) bucket.head.next = bucket.head.prev = nullptr;
  }
}

}  // namespace rouse::detail
