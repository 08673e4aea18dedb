#pragma once
// HeldLocks: which locks the calling thread has, to catch their misuse in debug builds of the
// library. In other builds every function is empty.
//
// What is wrong ends the program: complains on stderr, with the lock's address, and terminates.

namespace rouse {
class RWLock;
}

namespace rouse::detail {

#ifdef ROUSE_CHECK_LOCKS
inline constexpr bool locks_are_checked = true;
#else
inline constexpr bool locks_are_checked = false;
#endif

class HeldLocks {
 public:
  enum class Mode : bool { shared, exclusive };

  /// Before a lock without a time limit: this thread must not have it, or it would wait for itself.
  static void expect_free(const RWLock& lock, const char* call) noexcept {
    if constexpr (locks_are_checked) check_free(lock, call);
  }
  /// Before unlock, upgrade and the like: this thread must have it so.
  static void expect_held(const RWLock& lock, Mode mode, const char* call) noexcept {
    if constexpr (locks_are_checked) check_held(lock, mode, call);
  }
  static void add(const RWLock& lock, Mode mode) noexcept {
    if constexpr (locks_are_checked) record(lock, mode);
  }
  static void remove(const RWLock& lock, Mode mode) noexcept {
    if constexpr (locks_are_checked) erase(lock, mode);
  }
  [[noreturn]] static void destroyed_while_held(const RWLock& lock) noexcept;

 private:
  static void check_free(const RWLock& lock, const char* call) noexcept;
  static void check_held(const RWLock& lock, Mode mode, const char* call) noexcept;
  static void record(const RWLock& lock, Mode mode) noexcept;
  static void erase(const RWLock& lock, Mode mode) noexcept;
};

}  // namespace rouse::detail
