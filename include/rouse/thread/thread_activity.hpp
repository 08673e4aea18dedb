#pragma once
// ThreadActivity: what a thread is doing right now, for people who look for what holds up a
// shutdown.

#include <chrono>
#include <optional>
#include <string>

namespace rouse {

/// A snapshot: by the time it is read the thread may have gone on.
struct ThreadActivity {
  /// "Event::wait (0x7f…)", "sleep", "wait_readable (fd 5)" for a wait of this library; "system
  /// call read" for a call of the kernel; "running"; "not started" or "ended".
  std::string blocked_in;
  /// For how long. Known for waits of this library only.
  std::optional<std::chrono::nanoseconds> blocked_for;
};

}  // namespace rouse
