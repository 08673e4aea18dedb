#pragma once
// ParkingTable: who waits for what. Lists of nodes, found by the address they wait for.
//
// A node lies on the stack of its wait (or in an asynchronous operation) and belongs to the bucket
// of its key from enqueue() to the dequeue() that every enqueue() owes, or to the wake that took
// it.
//
// Thread safety: all functions, any thread. No function of user code runs under a bucket's lock,
// but for the short ones given to enqueue() and wake_all(). Design: docs/design/wait_core.md.

#include "rouse/detail/lock.hpp"
#include "rouse/detail/os.hpp"

#include "wait/control_block.hpp"

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rouse::detail {

/// Whom a node wakes: a thread, or a function that must not throw and not block, which is called
/// after the bucket's lock was left.
struct Waker {
  using Function = void(void* context) noexcept;

  Function* function = nullptr;  // null: context is a ControlBlock
  void* context = nullptr;

  static Waker thread(ControlBlock& block) noexcept { return {nullptr, &block}; }
};

struct WaitNode {
  WaitNode* next = nullptr;  // both null: in no list
  WaitNode* prev = nullptr;
  const void* key = nullptr;
  Waker waker;
  // Written under the bucket's lock. Read without it only to learn whether taking it is worth
  // while.
  Atomic<bool> signalled{false};
  std::uint32_t forks = 0;  // of the process, when the node was put in
};

class ParkingTable {
  struct alignas(64) Bucket {
    Lock lock;
    WaitNode head;  // of a circular list; links are made with the first node

    void append(WaitNode& node) noexcept;
  };

 public:
  /// The nodes of one key, the longest waiting first. For the function given to wake().
  class Waiters {
   public:
    /// Null behind the last.
    WaitNode* first() noexcept { return find(bucket_.head.next); }
    WaitNode* after(WaitNode& node) noexcept { return find(node.next); }

    /// Signals a node and ends its stay. Ask for the one after it before.
    void take(WaitNode& node) noexcept;
    void take_all() noexcept;

   private:
    friend class ParkingTable;

    Waiters(Bucket& bucket, const void* key) noexcept : bucket_(bucket), key_(key) {
      taken_.next = taken_.prev = &taken_;
    }
    WaitNode* find(WaitNode* node) noexcept;

    Bucket& bucket_;
    const void* const key_;
    WaitNode taken_;  // the head of a list
  };

  /// Under the lock of `key`'s bucket: if `validate()` holds, puts the node in and returns true.
  /// validate() looks at the primitive's word and marks there that it has waiters. It may take a
  /// `bool`: whether others wait.
  template <class Validate>
  static bool enqueue(WaitNode& node, const void* key, Validate&& validate) {
    Bucket& bucket = bucket_of(key);
    LockGuard guard(bucket.lock);
    if constexpr (std::is_invocable_v<Validate, bool>) {
      if (!validate(Waiters(bucket, key).first() != nullptr)) return false;
    } else {
      if (!validate()) return false;
    }
    node.key = key;
    node.signalled.store(false, std::memory_order_relaxed);
    node.forks = forks_;
    bucket.append(node);
    return true;
  }

  struct Dequeued {
    bool signalled;  // a wake was first: what was waited for has happened
    bool call_due;   // the waker's function has been called or will be: `context` must live until
                     // then
  };

  /// Ends the node's stay. After it nobody touches the node. One that was put in before a fork has
  /// left already in the child, and no call is due.
  static Dequeued dequeue(WaitNode& node) noexcept;

  /// The same, and if no wake was first also what wake() does with `choose`, without the node, in
  /// the same hold of the lock.
  template <class Choose>
  static Dequeued dequeue(WaitNode& node, Choose&& choose) {
    Bucket& bucket = bucket_of(node.key);
    Waiters waiters(bucket, node.key);
    bucket.lock.lock();
    const Dequeued left = leave(node);
    if (!left.signalled) choose(waiters);
    unlock_and_wake(bucket, waiters.taken_);
    return left;
  }

  /// Under the lock of `key`'s bucket calls `choose(Waiters&)`, which looks at the nodes of `key`
  /// and takes some or all; its last act is the last touch of the primitive. Wakes whom it took
  /// after the lock was left.
  template <class Choose>
  static void wake(const void* key, Choose&& choose) {
    Bucket& bucket = bucket_of(key);
    Waiters waiters(bucket, key);
    bucket.lock.lock();
    choose(waiters);
    unlock_and_wake(bucket, waiters.taken_);
  }

  /// The same, with all nodes, after `update()`, which is the last touch of the primitive.
  template <class Update>
  static void wake_all(const void* key, Update&& update) {
    wake(key, [&](Waiters& waiters) {
      update();
      waiters.take_all();
    });
  }

  /// Fibonacci hashing: neighbours in memory land far apart.
  static std::size_t bucket_index(const void* key) noexcept {
    const auto bits = reinterpret_cast<std::uintptr_t>(key) * std::uint64_t{0x9E3779B97F4A7C15};
    return bits >> (64 - bucket_bits_);
  }

  /// In the child, where the only thread that is left waits for nothing.
  static void reset_after_fork() noexcept;

 private:
  static Bucket& bucket_of(const void* key) noexcept { return buckets_[bucket_index(key)]; }

  static Dequeued leave(WaitNode& node) noexcept;
  static void unlock_and_wake(Bucket& bucket, WaitNode& taken) noexcept;

  static constexpr unsigned bucket_bits_ = 10;
  static Bucket buckets_[std::size_t{1} << bucket_bits_];
  static std::uint32_t forks_;  // between this process and the first; written by the only thread
};

}  // namespace rouse::detail
