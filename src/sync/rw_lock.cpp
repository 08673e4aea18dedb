#include "rouse/sync/rw_lock.hpp"

#include "rouse/wait/shield.hpp"

#include "sync/held_locks.hpp"
#include "sync/reader_slots.hpp"
#include "wait/blocking.hpp"
#include "wait/parking_table.hpp"

#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace rouse {

using detail::HeldLocks;
using detail::ParkingTable;
using detail::ReaderSlots;
using detail::WaitNode;
using Mode = HeldLocks::Mode;

namespace {

// After so many writers that found the slots in use, though readers may not have met since.
constexpr std::uint32_t searches_per_spread = 32;

// Who has waited so long is served by the next who gives the lock up.
constexpr std::int64_t patience_ns = 1'000'000;

// A place in the queue of those who wait because there is a writer.
struct Queued : WaitNode {
  Mode mode;
  std::int64_t since = 0;  // when this call first slept
  bool served = false;     // written before the node is signalled
};

// A few pauses, for a partner that runs on another CPU; then yields, for one that was put aside on
// ours and could not leave otherwise. To sleep instead costs twice as much.
class Backoff {
 public:
  explicit Backoff(bool may_spin) noexcept : left_(may_spin ? rounds_ + yields_ : 0) {}

  bool spin(detail::Blocking& blocking) noexcept {
    if (left_ == 0) return false;
    if (left_-- > yields_) {
      for (int i = left_; i < rounds_ + yields_; ++i) detail::os::cpu_relax();
      return true;
    }
    if (blocking.ended()) return false;
    // On a busy CPU each yield may take a slice of the others' time.
    const std::int64_t now = detail::os::now_ns();
    if (until_ == 0) until_ = now + longest_ns_;
    if (now >= until_) return false;
    detail::os::yield();
    return true;
  }

 private:
  static constexpr int rounds_ = 2;
  static constexpr int yields_ = 32;
  static constexpr std::int64_t longest_ns_ = 5'000'000;

  int left_;
  std::int64_t until_ = 0;  // when no yield begins any more
};

}  // namespace

const std::uint32_t RWLock::checks_ = detail::locks_are_checked ? ~std::uint32_t{0} : 0;

RWLock::~RWLock() {
  if constexpr (detail::locks_are_checked) {
    if ((word_.load(std::memory_order_relaxed) & ~(spread_ | queued_)) != 0 || in_slots()) {
      HeldLocks::destroyed_while_held(*this);
    }
  }
}

// --- without blocking ----------------------------------------------------------------------------

inline bool RWLock::share_in_slot(std::uint32_t& seen) noexcept {
  if ((seen & (writer_ | spread_)) != spread_) return false;
  ReaderSlots::Slot* const slot = ReaderSlots::mine(this);
  if (slot == nullptr) return false;
  // Sequentially consistent, both, as are the writer's steps in become_writer() and in_slots():
  // either we see the writer, or it sees us.
  slot->exchange(ReaderSlots::address(this), std::memory_order_seq_cst);
  seen = word_.load(std::memory_order_seq_cst);
  if ((seen & (writer_ | spread_)) == spread_) return true;
  ReaderSlots::leave(*slot);
  return false;
}

// False only if there is a writer.
bool RWLock::share(std::uint32_t seen) noexcept {
  bool met = false;  // another reader
  while ((seen & writer_) == 0) {
    if (share_in_slot(seen)) return true;
    if ((seen & writer_) != 0) break;
    const std::uint32_t spread = met || seen >= one_reader_ ? spread_ : 0;
    if (word_.compare_exchange_weak(seen, (seen + one_reader_) | spread, std::memory_order_acquire,
                                    std::memory_order_relaxed)) {
      return true;
    }
    met = true;
  }
  return false;
}

// False only if there is a writer. Readers may still be in.
bool RWLock::become_writer() noexcept {
  std::uint32_t seen = word_.load(std::memory_order_relaxed);
  while ((seen & writer_) == 0) {
    if (word_.compare_exchange_weak(seen, seen | writer_, std::memory_order_seq_cst,
                                    std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

bool RWLock::in_slots() const noexcept {
  return !ReaderSlots::all_of(this, [this](const ReaderSlots::Slot& slot) {
    return (slot.load(std::memory_order_seq_cst) & ~ReaderSlots::tag) != ReaderSlots::address(this);
  });
}

// The writer gives that up. `stay` is what the caller keeps of the lock. Whoever has waited long is
// served: then all readers in the queue are in, and the first writer in it is the writer. Otherwise
// they are woken to compete with those who run, which costs no switch of threads while the lock is
// free. The compare-and-swap is the last touch of the lock.
void RWLock::hand_over(std::uint32_t stay) noexcept {
  std::uint32_t seen = word_.load(std::memory_order_relaxed);
  while ((seen & queued_) == 0) {
    if (word_.compare_exchange_weak(seen, (seen & ~(writer_ | draining_)) + stay,
                                    std::memory_order_release, std::memory_order_relaxed)) {
      return;
    }
  }
  const std::int64_t long_ago = detail::os::now_ns() - patience_ns;
  ParkingTable::wake(this, [&](ParkingTable::Waiters& waiters) {
    bool serve = false;
    for (WaitNode* node = waiters.first(); node != nullptr; node = waiters.after(*node)) {
      serve = serve || static_cast<Queued*>(node)->since <= long_ago;
    }
    std::uint32_t given = stay;
    bool writer = false;
    std::uint32_t left = 0;
    for (WaitNode* next = waiters.first(); next != nullptr;) {
      auto* const node = static_cast<Queued*>(next);
      next = waiters.after(*next);
      if (node->mode == Mode::exclusive && std::exchange(writer, true)) {
        left = queued_;
        continue;
      }
      node->served = serve;
      if (serve) given += node->mode == Mode::exclusive ? writer_ : one_reader_;
      waiters.take(*node);
    }
    seen = word_.load(std::memory_order_relaxed);
    while (!word_.compare_exchange_weak(seen,
                                        ((seen & ~(writer_ | draining_ | queued_)) + given) | left,
                                        std::memory_order_release, std::memory_order_relaxed)) {
    }
  });
}

void RWLock::wake_writer() noexcept {
  ParkingTable::wake_all(drained_key(), [] {});
}

bool RWLock::try_lock_slow() noexcept {
  std::uint32_t seen = word_.load(std::memory_order_relaxed);
  if ((seen & ~(spread_ | queued_)) != 0 || ((seen & spread_) != 0 && in_slots())) return false;
  if (!word_.compare_exchange_strong(seen, seen | writer_, std::memory_order_seq_cst,
                                     std::memory_order_relaxed)) {
    return false;
  }
  if ((seen & spread_) != 0 && in_slots()) {
    hand_over(0);
    return false;
  }
  HeldLocks::add(*this, Mode::exclusive);
  return true;
}

bool RWLock::try_lock_shared_slow() noexcept {
  if (!share(word_.load(std::memory_order_relaxed))) return false;
  HeldLocks::add(*this, Mode::shared);
  return true;
}

void RWLock::unlock_slow() noexcept {
  HeldLocks::expect_held(*this, Mode::exclusive, "unlock");
  HeldLocks::remove(*this, Mode::exclusive);
  hand_over(0);
}

void RWLock::unlock_shared_slow() noexcept {
  HeldLocks::expect_held(*this, Mode::shared, "unlock_shared");
  HeldLocks::remove(*this, Mode::shared);
  if (ReaderSlots::Slot* const slot = ReaderSlots::held(this)) {
    ReaderSlots::leave(*slot);
  } else if (last_of_drained(word_.fetch_sub(one_reader_, std::memory_order_release))) {
    wake_writer();
  }
}

bool RWLock::try_upgrade() noexcept {
  HeldLocks::expect_held(*this, Mode::shared, "try_upgrade");
  std::uint32_t seen = word_.load(std::memory_order_relaxed);
  do {
    if ((seen & writer_) != 0) return false;
  } while (!word_.compare_exchange_weak(seen, seen | writer_, std::memory_order_seq_cst,
                                        std::memory_order_relaxed));
  ReaderSlots::Slot* const mine = ReaderSlots::held(this);
  const bool alone = seen / one_reader_ == (mine == nullptr ? 1 : 0) &&
                     ReaderSlots::all_of(this, [&](const ReaderSlots::Slot& slot) {
                       return &slot == mine || (slot.load(std::memory_order_seq_cst) &
                                                ~ReaderSlots::tag) != ReaderSlots::address(this);
                     });
  if (!alone) {
    hand_over(0);
    return false;
  }
  if (mine != nullptr) {
    ReaderSlots::leave(*mine);
  } else {
    word_.fetch_sub(one_reader_, std::memory_order_relaxed);
  }
  HeldLocks::remove(*this, Mode::shared);
  HeldLocks::add(*this, Mode::exclusive);
  return true;
}

void RWLock::downgrade() noexcept {
  HeldLocks::expect_held(*this, Mode::exclusive, "downgrade");
  HeldLocks::remove(*this, Mode::exclusive);
  HeldLocks::add(*this, Mode::shared);
  hand_over(one_reader_);
}

// --- blocking ------------------------------------------------------------------------------------

// One blocking call: compete for a while, then queue; a writer then waits for the readers.
class RWLock::Wait {
 public:
  Wait(RWLock& lock, const char* what, detail::Deadline deadline, const std::stop_token* stop)
      : lock_(lock),
        shield_(stop == nullptr ? std::optional<Shield>(std::in_place) : std::nullopt),
        blocking_({what, ReaderSlots::address(&lock)}, deadline, stop == nullptr ? none_ : *stop),
        may_spin_(!deadline.expired()) {}

  WaitStatus lock() {
    if (!compete(Mode::exclusive)) return blocking_.finish();
    if (drain()) return WaitStatus::ready;
    // Also lets in the readers that were held back.
    lock_.hand_over(0);
    return blocking_.finish();
  }

  WaitStatus lock_shared() {
    return compete(Mode::shared) ? WaitStatus::ready : blocking_.finish();
  }

 private:
  enum class Outcome : std::uint8_t {
    signalled,  // somebody woke us by name
    ended,      // by the deadline, a stop or a raise
    look,       // there was no reason to sleep any more
  };

  // Until we share the lock, or are the writer; false if something ended the wait first.
  bool compete(Mode mode) {
    Queued node;
    node.mode = mode;
    for (Backoff backoff(may_spin_); !try_once(mode);) {
      if (backoff.spin(blocking_)) continue;
      if (node.since == 0) node.since = detail::os::now_ns();
      const Outcome outcome = sleep_on(&lock_, node, [this] {
        std::uint32_t seen = lock_.word_.load(std::memory_order_relaxed);
        while ((seen & writer_) != 0) {
          if (lock_.word_.compare_exchange_weak(seen, seen | queued_, std::memory_order_relaxed)) {
            return true;
          }
        }
        return false;
      });
      if (outcome == Outcome::ended) return false;
      if (outcome == Outcome::signalled) {
        if (node.served) return true;
        backoff = Backoff(may_spin_);
      }
    }
    return true;
  }

  bool try_once(Mode mode) noexcept {
    return mode == Mode::exclusive ? lock_.become_writer()
                                   : lock_.share(lock_.word_.load(std::memory_order_relaxed));
  }

  // The writer, until no reader is in any more; false if something ended the wait first.
  bool drain() {
    const bool spread = (lock_.word_.load(std::memory_order_relaxed) & spread_) != 0;
    if (spread && !ReaderSlots::all_of(
                      &lock_, [this](ReaderSlots::Slot& slot) { return drain_slot(slot); })) {
      return false;
    }
    if (!drain_count()) return false;
    std::uint32_t done = draining_;
    if (spread && ++lock_.searches_ == searches_per_spread) {
      lock_.searches_ = 0;
      done |= spread_;
    }
    if ((lock_.word_.load(std::memory_order_relaxed) & done) != 0) {
      lock_.word_.fetch_and(~done, std::memory_order_relaxed);
    }
    return true;
  }

  bool drain_slot(ReaderSlots::Slot& slot) {
    const std::uintptr_t address = ReaderSlots::address(&lock_);
    for (Backoff backoff(may_spin_);
         (slot.load(std::memory_order_seq_cst) & ~ReaderSlots::tag) == address;) {
      if (backoff.spin(blocking_)) continue;
      WaitNode node;
      const Outcome outcome = sleep_on(&slot, node, [&] {
        std::uintptr_t seen = address;
        return slot.compare_exchange_strong(seen, address | ReaderSlots::tag,
                                            std::memory_order_relaxed) ||
               seen == (address | ReaderSlots::tag);
      });
      if (outcome == Outcome::ended) return false;
    }
    return true;
  }

  bool drain_count() {
    for (Backoff backoff(may_spin_); lock_.word_.load(std::memory_order_acquire) >= one_reader_;) {
      if (backoff.spin(blocking_)) continue;
      WaitNode node;
      const Outcome outcome = sleep_on(lock_.drained_key(), node, [this] {
        std::uint32_t seen = lock_.word_.load(std::memory_order_relaxed);
        while (seen >= one_reader_) {
          if (lock_.word_.compare_exchange_weak(seen, seen | draining_,
                                                std::memory_order_relaxed)) {
            return true;
          }
        }
        return false;
      });
      if (outcome == Outcome::ended) return false;
    }
    return true;
  }

  // Sleeps until a wake on `key`, unless `validate` says under the bucket's lock that there is no
  // need to.
  template <class Validate>
  Outcome sleep_on(const void* key, WaitNode& node, Validate&& validate) {
    if (blocking_.ended()) return Outcome::ended;
    blocking_.arm();
    node.waker = detail::Waker::thread(blocking_.thread());
    if (!ParkingTable::enqueue(node, key, validate)) return Outcome::look;
    do {
      blocking_.park();
    } while (!node.signalled.load(std::memory_order_relaxed) && !blocking_.ended());
    return ParkingTable::dequeue(node).signalled ? Outcome::signalled : Outcome::ended;
  }

  RWLock& lock_;
  std::optional<Shield> shield_;  // without a token nothing but the deadline is obeyed
  const std::stop_token none_;
  detail::Blocking blocking_;
  const bool may_spin_;
};

WaitStatus RWLock::lock_slow(detail::Deadline deadline, const std::stop_token* stop) {
  if (deadline.is_never()) HeldLocks::expect_free(*this, "lock");
  if (try_lock_slow()) return WaitStatus::ready;
  const WaitStatus status = Wait(*this, "RWLock::lock", deadline, stop).lock();
  if (status == WaitStatus::ready) HeldLocks::add(*this, Mode::exclusive);
  return status;
}

WaitStatus RWLock::lock_shared_slow(detail::Deadline deadline, const std::stop_token* stop) {
  // What nearly every call comes for stands alone, so that it keeps no registers.
  if constexpr (!detail::locks_are_checked) {
    std::uint32_t seen = word_.load(std::memory_order_relaxed);
    if (share_in_slot(seen)) return WaitStatus::ready;
  }
  return wait_shared(deadline, stop);
}

WaitStatus RWLock::wait_shared(detail::Deadline deadline, const std::stop_token* stop) {
  if (deadline.is_never()) HeldLocks::expect_free(*this, "lock_shared");
  if (try_lock_shared_slow()) return WaitStatus::ready;
  const WaitStatus status = Wait(*this, "RWLock::lock_shared", deadline, stop).lock_shared();
  if (status == WaitStatus::ready) HeldLocks::add(*this, Mode::shared);
  return status;
}

void detail::throw_not_locked(WaitStatus status, const char* for_what) {
  if (status == WaitStatus::stopped) {
    throw Stopped(std::string("rouse: stopped while waiting for an RWLock for ") + for_what);
  }
  throw std::system_error(std::make_error_code(std::errc::timed_out),
                          std::string("rouse: RWLock not free in time for ") + for_what);
}

}  // namespace rouse
