#include "wait/control_block.hpp"

#include "detail/one_copy.hpp"
#include "wait/parking_table.hpp"

#include <poll.h>
#include <pthread.h>

#include <cerrno>
#include <climits>
#include <new>
#include <system_error>
#include <utility>

namespace rouse::detail {

constinit thread_local ControlBlock* this_block = nullptr;

namespace {

// How often a waiter looks at its own state before it parks. Only where its last waker ran on
// another CPU: then the next one is likely to come within a round trip between caches, and a futex
// costs twenty of those. On the waker's own CPU spinning only keeps the waker from running.
constexpr int spins = 200;

struct Pool {
  Lock lock;
  ControlBlock* free = nullptr;
  ControlBlock* ever_made = nullptr;
};
constinit Pool pool;

void give_back_at_exit(void* block) noexcept;
void forget_after_fork() noexcept;

struct ExitKey {
  pthread_key_t key;
  int error;
  bool made;
};
constinit ExitKey exit_key{};

// When the program, or the shared library, is loaded: while there is one thread, since a fork in
// the middle of it would leave a child in which it is never finished.
[[gnu::constructor(101)]] void make_exit_key() noexcept {
  if (exit_key.made) return;
  exit_key.made = true;
  report_other_copy();
  exit_key.error = ::pthread_key_create(&exit_key.key, &give_back_at_exit);
  if (exit_key.error == 0) {
    exit_key.error =
        ::pthread_atfork([] { pool.lock.lock(); }, [] { pool.lock.unlock(); }, &forget_after_fork);
  }
}

thread_local int exit_rounds = 0;

// The thread's last act: other destructors of thread-specific data may still wait, and their order
// is unspecified, so the key arms itself again until the last round but one.
void give_back_at_exit(void* block) noexcept {
  if (this_block != block) return;
  if (++exit_rounds < PTHREAD_DESTRUCTOR_ITERATIONS - 1 &&
      ::pthread_setspecific(exit_key.key, block) == 0) {
    return;
  }
  this_block = nullptr;
  ControlBlock::release(static_cast<ControlBlock*>(block));
}

// Only the forking thread lives on, with a copy of everything: locks that others held, nodes on
// stacks that nobody will unwind, and eventfds that are shared with the parent, whose counts must
// not be taken from it.
void forget_after_fork() noexcept {
  pool.lock.reset_after_fork();
  ParkingTable::reset_after_fork();
  for (ControlBlock* block = pool.ever_made; block != nullptr; block = block->next_ever_made) {
    block->raise_lock.reset_after_fork();
    // A raiser may have been with it, in the middle of something.
    if (block->addressee != nullptr) block->addressee = nullptr;
    const int fd = block->event_fd.exchange(-1, std::memory_order_relaxed);
    if (fd >= 0) os::close_fd(fd);
    block->blocked_in.store(nullptr, std::memory_order_relaxed);
  }
  if (this_block != nullptr) {
    this_block->native_id.store(os::thread_id(), std::memory_order_relaxed);
  }
}

}  // namespace

ControlBlock& ControlBlock::current() {
  if (this_block != nullptr) [[likely]] {
    return *this_block;
  }
  ControlBlock* block = acquire();
  const int error = ::pthread_setspecific(exit_key.key, block);
  if (error != 0) {
    release(block);
    throw std::system_error(error, std::generic_category(),
                            "rouse: thread-specific data for a thread's first wait");
  }
  adopt(block);
  return *block;
}

ControlBlock* ControlBlock::acquire() {
  make_exit_key();  // for what is constructed still earlier
  if (exit_key.error != 0) {
    throw std::system_error(exit_key.error, std::generic_category(),
                            "rouse: pthread_key_create for the control blocks of threads");
  }
  {
    LockGuard guard(pool.lock);
    if (ControlBlock* block = pool.free) {
      pool.free = block->next_free;
      block->next_free = nullptr;
      return block;
    }
  }
  auto* block = new ControlBlock;
  LockGuard guard(pool.lock);
  block->next_ever_made = pool.ever_made;
  pool.ever_made = block;
  return block;
}

void ControlBlock::adopt(ControlBlock* block) noexcept {
  block->native_id.store(os::thread_id(), std::memory_order_relaxed);
  this_block = block;
}

void ControlBlock::release(ControlBlock* block) noexcept {
  const std::exception_ptr leftover = block->refuse_raises();
  block->ambient = nullptr;
  block->shields = 0;
  block->unwinding = 0;
  block->native_id.store(0, std::memory_order_relaxed);
  LockGuard guard(pool.lock);
  block->next_free = pool.free;
  pool.free = block;
}

ControlBlock::Wake ControlBlock::exchange_notified() noexcept {
  last_waker_cpu.store(os::cpu(), std::memory_order_relaxed);
  // Release: the owner that takes the hint sees the token or node the hint is about. Acquire: who
  // finds `polling` sees the eventfd that was made before.
  switch (state.exchange(notified, std::memory_order_acq_rel)) {
    case parked:
      return Wake::futex;
    case polling:
      return Wake::event_fd;
    default:
      return Wake::nothing;
  }
}

void ControlBlock::wake(Wake wake) noexcept {
  switch (wake) {
    case Wake::nothing:
      break;
    case Wake::futex:
      os::futex_wake_one(state);
      break;
    case Wake::event_fd:
      os::event_fd_post(event_fd.load(std::memory_order_relaxed));
      break;
  }
}

void ControlBlock::enter(BlockSite site) noexcept {
  blocked_on.store(site.object, std::memory_order_relaxed);
  blocked_since.store(os::coarse_now_ns(), std::memory_order_relaxed);
  blocked_in.store(site.what, std::memory_order_release);
}

void ControlBlock::leave() noexcept { blocked_in.store(nullptr, std::memory_order_relaxed); }

void ControlBlock::park(Deadline deadline, bool may_spin, BlockSite site) noexcept {
  const std::int32_t waker_cpu = last_waker_cpu.load(std::memory_order_relaxed);
  if (may_spin && waker_cpu >= 0 && waker_cpu != os::cpu()) {
    for (int i = 0; i < spins && state.load(std::memory_order_relaxed) == empty; ++i) {
      os::cpu_relax();
    }
  }
  // Relaxed to park: coherence of this one word decides between us and a waker; what the waker
  // published is acquired by the exchange below, whichever way the wait ends.
  std::uint32_t expected = empty;
  if (state.compare_exchange_strong(expected, parked, std::memory_order_relaxed)) {
    enter(site);
    os::futex_wait(state, parked, deadline.ns());
    leave();
  }
  if (state.exchange(empty, std::memory_order_acquire) == parked) {
    // The time has ended it; the next wait is not likely to be shorter.
    last_waker_cpu.store(-1, std::memory_order_relaxed);
  }
}

void ControlBlock::ensure_event_fd() {
  if (event_fd.load(std::memory_order_relaxed) >= 0) return;
  const int fd = os::event_fd_create();
  if (fd < 0) {
    throw std::system_error(errno, std::generic_category(),
                            "rouse: eventfd for a wait on descriptors that can be stopped");
  }
  event_fd.store(fd, std::memory_order_relaxed);
}

int ControlBlock::poll(::pollfd* fds, unsigned count, Deadline deadline, bool hear_hints,
                       BlockSite site) {
  if (hear_hints) {
    ensure_event_fd();
    // Release: a waker that finds `polling` must find the eventfd.
    std::uint32_t expected = empty;
    if (!state.compare_exchange_strong(expected, polling, std::memory_order_release,
                                       std::memory_order_relaxed)) {
      state.exchange(empty, std::memory_order_acquire);
      return 0;
    }
    fds[count] = {event_fd.load(std::memory_order_relaxed), POLLIN, 0};
  }
  enter(site);
  int ready = os::poll_until(fds, hear_hints ? count + 1 : count, deadline.ns());
  const int error = errno;
  leave();
  if (hear_hints) {
    state.exchange(empty, std::memory_order_acquire);
    if (ready > 0 && fds[count].revents != 0) {
      if ((fds[count].revents & POLLNVAL) != 0) {
        // Somebody closed all descriptors, as daemons do: the next turn makes another.
        event_fd.store(-1, std::memory_order_relaxed);
      } else {
        os::event_fd_drain(fds[count].fd);
      }
      --ready;
    }
  }
  if (ready < 0) throw std::system_error(error, std::generic_category(), "rouse: ppoll");
  return ready;
}

void ControlBlock::accept_raises(Addressee& to) noexcept {
  const LockGuard guard(raise_lock);
  addressee = &to;
}

std::exception_ptr ControlBlock::refuse_raises() noexcept {
  const LockGuard guard(raise_lock);
  std::exception_ptr pending = take_raised();
  addressee = nullptr;
  return pending;
}

bool ControlBlock::raise(std::exception_ptr exception, const Addressee* to) noexcept {
  {
    const LockGuard guard(raise_lock);
    if (addressee != to) return false;
    const bool pending = raised_exception != nullptr;
    if (!pending) {
      raised_exception = std::move(exception);
      raised.store(1, std::memory_order_relaxed);
    }
    if (addressee != nullptr) addressee->raised();
    if (pending) return false;
  }
  notify();
  return true;
}

bool ControlBlock::raise_withheld() const noexcept {
  return shields != 0 || std::uncaught_exceptions() > unwinding;
}

// Under raise_lock.
std::exception_ptr ControlBlock::take_raised() noexcept {
  if (raised_exception == nullptr) return nullptr;
  raised.store(0, std::memory_order_relaxed);
  if (addressee != nullptr) addressee->taken();
  return std::exchange(raised_exception, nullptr);
}

void ControlBlock::throw_raised() {
  std::exception_ptr exception;
  {
    const LockGuard guard(raise_lock);
    exception = take_raised();
  }
  std::rethrow_exception(std::move(exception));
}

void ControlBlock::shield() noexcept {
  if (shields++ == 0 && addressee != nullptr) addressee->shielded(true);
}

void ControlBlock::unshield() noexcept {
  if (--shields == 0 && addressee != nullptr) addressee->shielded(false);
}

}  // namespace rouse::detail
