#pragma once
// StateTracker: from the results of a check to its state, so that one odd result wakes nobody.
//
// The first result decides at once. After it, `fall` results in a row that are not ok end the state
// ok, and `rise` results in a row that are ok bring it back. From one failure to another (warning,
// critical, unknown) the state follows at once: somebody is looking already.
// Thread safety: none of its own; one thread's.

#include "base_checker.hpp"

#include <optional>

namespace health {

class StateTracker {
 public:
  /// Both at least 1.
  StateTracker(int rise, int fall) noexcept : rise_(rise), fall_(fall) {}

  /// Takes the next result. Returns whether the state changed; the first result changes it.
  bool add(Status result) noexcept {
    const std::optional<Status> before = state_;
    const bool speaks_against = state_ && (*state_ == Status::ok) != (result == Status::ok);
    if (!speaks_against || ++against_ >= needed()) {
      against_ = 0;
      state_ = result;
    }
    return state_ != before;
  }

  /// Empty before the first result.
  [[nodiscard]] std::optional<Status> state() const noexcept { return state_; }

  /// How many results in a row, up to the last, speak for leaving the state.
  [[nodiscard]] int against() const noexcept { return against_; }

  /// How many of them change it.
  [[nodiscard]] int needed() const noexcept { return state_ == Status::ok ? fall_ : rise_; }

 private:
  const int rise_;
  const int fall_;
  int against_ = 0;
  std::optional<Status> state_;
};

}  // namespace health
