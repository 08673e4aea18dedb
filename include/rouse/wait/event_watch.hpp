#pragma once
// EventWatch: a function that is called when an Event is set, for waits that own no thread.
//
/// @code
///   rouse::Event loaded;
///   rouse::detail::EventWatch watch(
///       [](void* event) noexcept { static_cast<rouse::Event*>(event)->set(); }, &loaded);
///   rouse::Event read;
///   const bool pending = watch.start(read);  // read.set() will call the function
///   if (pending && watch.cancel()) {         // ... which it does not any more
///   }
/// @endcode
//
// Thread safety: distinct objects: any thread. One object: start() and cancel() one after the
//   other; set() of the event at any time.
// Ordering: what happened before start() is visible to the function, which runs in the thread that
//   sets the event. What happened before set() is visible after a start() that found the event set.
// Lifetime: the function may destroy the watch and the event, or start the watch again on any
//   event. From start() until it has been called or taken back the watch must live; the event must
//   live until then too, but for the rest of the set() that calls.
// Cost: no allocation. Design: docs/design/wait_core.md.

#include "rouse/detail/os.hpp"
#include "rouse/wait/event.hpp"

#include <cstddef>
#include <cstdint>

namespace rouse::detail {

struct WaitNode;

class [[gnu::visibility("default")]] EventWatch {
 public:
  /// What is called; it must not block, throw or fork.
  using Function = void(void* context) noexcept;

  EventWatch(Function * function, void* context) noexcept;

  /// Precondition: not started, called, or taken back. In a forked child also if it was started
  /// before the fork.
  ~EventWatch();

  EventWatch(const EventWatch&) = delete;
  EventWatch& operator=(const EventWatch&) = delete;

  /// False if `event` is set: nothing is left to wait for, and the function is not called. Else it
  /// is called once, by the next set(), after it has let go of the event. Never blocks.
  /// Precondition: as for the destructor.
  [[nodiscard]] bool start(Event & event) noexcept;

  /// Takes back what start() has begun. True if the function has not been called and will not be;
  /// false if it has been called or will be. In a forked child nobody calls what was started before
  /// the fork: true, unless the function had been called by then. Never blocks. Precondition:
  /// start() has returned true, and cancel() has not been called since.
  [[nodiscard]] bool cancel() noexcept;

 private:
  // A WaitNode, which is the library's own: five pointers, a flag and a count.
  static constexpr std::size_t node_size_ =
      5 * sizeof(void*) + sizeof(Atomic<bool>) + sizeof(std::uint32_t);

  static void call(void* watch) noexcept;
  WaitNode& node() noexcept;

  Function* const function_;
  void* const context_;
  alignas(void*) std::byte node_[(node_size_ + 7) / 8 * 8];
  bool called_ = false;  // written by the setter, before the call
};

}  // namespace rouse::detail
