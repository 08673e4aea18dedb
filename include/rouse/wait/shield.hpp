#pragma once
// Shield: for clean-up code, holds this thread's own stop and raised exceptions back.
//
/// @code
///   struct Session {
///     rouse::Event flushed;
///     ~Session() {
///       rouse::Shield shield;  // the thread may be stopping: this wait is still a wait
///       (void)flushed.wait_for(100ms);
///     }
///   };
///   Session session;
/// @endcode
//
// Thread safety: belongs to the thread that made it. Shields nest.
// While one lives, waits of this thread do not see its ambient stop (nor the deadline of a bound
// scope), this_thread::stop_token() is empty, and raised exceptions wait; in an InterruptibleThread
// so does Boost's interruption. A token that is given to a wait by name is obeyed as ever. What was
// held back takes effect in the first wait after it.

namespace rouse {

class [[gnu::visibility("default")]] Shield {
 public:
  /// Throws std::bad_alloc if this thread has never waited and there is no memory for it.
  Shield();
  ~Shield();

  Shield(const Shield&) = delete;
  Shield& operator=(const Shield&) = delete;
};

}  // namespace rouse
