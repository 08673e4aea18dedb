#pragma once
// ControlBlock: what the rest of the program may touch of a thread that waits.
//
// Blocks are pooled and never freed, so that a waker that comes late may still touch one: it then
// gives a hint to whoever owns the block by now, and a hint costs one turn of a loop.
//
// Thread safety: each member says who writes it. Design: docs/design/wait_core.md.

#include "rouse/detail/deadline.hpp"
#include "rouse/detail/lock.hpp"
#include "rouse/detail/os.hpp"
#include "rouse/wait/wait_hint.hpp"

#include <cstdint>
#include <exception>

struct pollfd;

namespace rouse::detail {

class AmbientStop;

/// Whom an exception is raised at: the `run` of one thread, while its block may go on to others.
/// Hears what becomes of it, so that another library's interruption keeps in step.
class Addressee {
 public:
  virtual void raised() noexcept = 0;           // any thread, under raise_lock
  virtual void taken() noexcept = 0;            // the addressed thread, under raise_lock
  virtual void shielded(bool on) noexcept = 0;  // the addressed thread

 protected:
  ~Addressee() = default;
};

struct alignas(64) ControlBlock {
  enum State : std::uint32_t {
    empty,     // runs, and no hint is waiting
    notified,  // a hint is waiting: look at the nodes and tokens again
    parked,    // in a futex wait on `state`
    polling,   // in ppoll, with the eventfd
  };

  /// What a waker owes the thread whose state it exchanged.
  enum class Wake : std::uint8_t { nothing, futex, event_fd };

  // --- touched by wakers -------------------------------------------------------------------------
  Atomic<std::uint32_t> state{empty};
  Atomic<std::int32_t> last_waker_cpu{-1};
  Atomic<std::int32_t> event_fd{-1};  // made by the owner, kept as long as the block

  // --- raising: any thread, under raise_lock. As a hint `raised` is read without it.
  Atomic<std::uint32_t> raised{0};
  Lock raise_lock;
  std::exception_ptr raised_exception;
  Addressee* addressee = nullptr;  // written before the owner starts and by the owner

  // --- the owner only ----------------------------------------------------------------------------
  const AmbientStop* ambient = nullptr;
  std::uint32_t shields = 0;
  int unwinding = 0;  // exceptions in flight where the job that runs was entered

  // --- written by the owner, read by reports -----------------------------------------------------
  Atomic<std::int32_t> native_id{0};
  Atomic<const char*> blocked_in{nullptr};
  Atomic<std::uintptr_t> blocked_on{0};
  Atomic<std::int64_t> blocked_since{0};

  // --- the pool's --------------------------------------------------------------------------------
  ControlBlock* next_free = nullptr;
  ControlBlock* next_ever_made = nullptr;

  /// Hints; returns what is left to do. Never a system call: may be called under a bucket's lock.
  Wake exchange_notified() noexcept;
  /// Does it. Not under a lock.
  void wake(Wake wake) noexcept;
  /// Both.
  void notify() noexcept { wake(exchange_notified()); }

  /// Owner: blocks until there is a hint, the deadline passes, or for no reason. With `may_spin` it
  /// first spins a moment where the last hint came from another CPU.
  void park(Deadline deadline, bool may_spin, BlockSite site) noexcept;
  /// Owner: ppoll; with `hear_hints` a hint ends it too. Returns how many of `fds` are ready. One
  /// entry behind `fds` must be free. Throws std::system_error.
  int poll(::pollfd* fds, unsigned count, Deadline deadline, bool hear_hints, BlockSite site);

  /// Owner: makes the eventfd for poll() if there is none. Throws std::system_error.
  void ensure_event_fd();

  /// Whoever starts the owner, before: exceptions may be raised at `addressee` from here on.
  void accept_raises(Addressee& addressee) noexcept;
  /// Owner: at nobody any more. Returns what was raised and not thrown, or null.
  std::exception_ptr refuse_raises() noexcept;
  /// Any thread: gives the owner an exception for its next blocking call. False if the block does
  /// not belong to `to`, or if one is pending, of which the addressee then hears once more.
  bool raise(std::exception_ptr exception, const Addressee* to = nullptr) noexcept;
  /// Owner: whether a raised exception is to be thrown now.
  bool raise_due() const noexcept {
    return raised.load(std::memory_order_relaxed) != 0 && !raise_withheld();
  }
  /// Under a Shield, and while an exception unwinds that the job itself has thrown.
  bool raise_withheld() const noexcept;
  /// Owner, if raise_due().
  [[noreturn]] void throw_raised();

  /// Owner: what a Shield does. They nest.
  void shield() noexcept;
  void unshield() noexcept;

  /// The calling thread's. Throws std::bad_alloc in a thread's first call.
  static ControlBlock& current();
  /// The same, or null if this thread has none yet.
  static ControlBlock* current_or_null() noexcept;

  /// For threads of our own: a block is acquired before the thread starts, adopted by it as its
  /// first act, and released by whoever has joined it.
  static ControlBlock* acquire();
  static void adopt(ControlBlock* block) noexcept;
  static void release(ControlBlock* block) noexcept;

 private:
  std::exception_ptr take_raised() noexcept;
  void enter(BlockSite site) noexcept;
  void leave() noexcept;
};

// Initial-exec: a load, where the default is a call. docs/design/linking.md has the price.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local ControlBlock* this_block;

inline ControlBlock* ControlBlock::current_or_null() noexcept { return this_block; }

}  // namespace rouse::detail
