// The core, the roster and the watch of the pool, the blocks of the buffer pool, and the lead of
// the waits for files, compiled once more over the scheduler's seam, from the varied copies of
// their sources.

#include "detail/complain.cpp"
#include "detail/one_copy.cpp"
#include "detail/thread_name.cpp"
#include "exec/roster.cpp"
#include "exec/watch.cpp"
#include "resource/block_store.cpp"
#include "resource/shelves.cpp"
#include "service/lead.cpp"
#include "sync/held_locks.cpp"
#include "sync/reader_slots.cpp"
#include "sync/rw_lock.cpp"
#include "thread/interruptible_thread.cpp"
#include "thread/stop_all.cpp"
#include "thread/stoppable_thread.cpp"
#include "thread/thread_activity.cpp"
#include "wait/blocking.cpp"
#include "wait/control_block.cpp"
#include "wait/event.cpp"
#include "wait/event_watch.cpp"
#include "wait/fd.cpp"
#include "wait/parking_table.cpp"
#include "wait/permits.cpp"
#include "wait/shield.cpp"
#include "wait/sleep.cpp"
#include "wait/stop_scope.cpp"
#include "wait/this_thread.cpp"
#include "wait/wait_any.cpp"
#include "wait/wait_hint.cpp"

namespace rouse::detail {

// Threads are fibers here, on stacks of the scheduler.
bool ThreadStack::suit_threads() noexcept { return false; }
ThreadStack::~ThreadStack() = default;
ThreadStack ThreadStack::take(std::size_t /*size*/) noexcept { return {}; }
void* ThreadStack::lowest() const noexcept { return nullptr; }
std::size_t ThreadStack::size() const noexcept { return 0; }

}  // namespace rouse::detail
