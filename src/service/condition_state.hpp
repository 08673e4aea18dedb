#pragma once
// ConditionState: what is behind a Condition, and what the wait loop asks of it.
//
// A look first subscribes to whatever may tell of a change (Sources), then asks the system: so no
// change between the two is missed. What it subscribed to is only a hint to look again.
// Thread safety: belongs to the wait that it is part of. Design: docs/design/autowait.md.

#include "rouse/detail/deadline.hpp"

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace rouse::detail {

class FileWatcher;

/// What a look subscribes to. The condition is looked at again when any of it has news.
class Sources {
 public:
  /// This condition's share of the inotify instance. What is watched stays so for the wait. A look
  /// takes all news of it.
  virtual FileWatcher& files() = 0;
  /// Until the next look: a descriptor, which stays open as long, and what poll(2) asks of it.
  virtual void poll(int fd, short events) = 0;
  /// Until the next look: this is due again at `deadline`, whatever happens.
  virtual void look_again(Deadline deadline) = 0;
  /// From any thread until end(): this is due now.
  virtual void look_now() noexcept = 0;
  /// Whether the time is over: no look follows, so that this one should not end in `more`.
  virtual bool is_last() const noexcept = 0;

 protected:
  ~Sources() = default;
};

enum class Look : std::uint8_t {
  no,
  yes,
  more,  ///< Not known yet: after a glance at stop and deadline the look goes on.
};

class ConditionState {
 public:
  ConditionState() = default;
  ConditionState(const ConditionState&) = delete;
  ConditionState& operator=(const ConditionState&) = delete;
  virtual ~ConditionState() = default;

  /// A wait begins: what the last one found is forgotten, and nothing is subscribed to.
  virtual void begin() {}
  /// Subscribes and looks. Throws std::system_error where the system fails. After a yes it may be
  /// asked again in the same wait, whether that still holds.
  virtual Look look(Sources& sources) = 0;
  /// The wait has ended: whatever only a wait needs is given up.
  virtual void end() noexcept {}

  /// What is waited for, for people: "a file *.pid in /run".
  virtual std::string describe() const = 0;
  /// The name of the wait in reports of who blocks where: a string literal.
  virtual const char* wait_name() const noexcept = 0;
};

/// Throws std::invalid_argument for an interval that would have a wait look without a pause.
inline std::chrono::nanoseconds checked_interval(const char* who,
                                                 std::chrono::nanoseconds interval) {
  if (interval.count() <= 0) {
    throw std::invalid_argument(std::string("rouse: ") + who +
                                ": the interval must be more than zero");
  }
  return interval;
}

}  // namespace rouse::detail
