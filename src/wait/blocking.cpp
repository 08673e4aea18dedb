#include "wait/blocking.hpp"

#include <algorithm>

namespace rouse::detail {

Blocking::Blocking(BlockSite site, Deadline deadline, const std::stop_token& stop)
    : thread_(ControlBlock::current()),
      ambient_(thread_.shields == 0 ? thread_.ambient : nullptr),
      stop_(stop),
      deadline_(ambient_ == nullptr ? deadline : std::min(deadline, ambient_->deadline())),
      site_(site),
      foreign_(stop.stop_possible() && (ambient_ == nullptr || !ambient_->obeys(stop))) {}

bool Blocking::stop_requested() const noexcept {
  return (ambient_ != nullptr && ambient_->stop_requested()) ||
         (foreign_ && stop_.stop_requested());
}

bool Blocking::ended() noexcept {
  if (ending_ != Ending::none) return true;
  if (thread_.raise_due()) {
    ending_ = Ending::raised;
  } else if (stop_requested()) {
    ending_ = Ending::stopped;
  } else if (deadline_.expired()) {
    ending_ = Ending::timeout;
  }
  return ending_ != Ending::none;
}

void Blocking::arm() {
  if (foreign_ && !callback_) callback_.emplace(stop_, NotifyThread{&thread_});
}

int Blocking::poll(::pollfd* fds, unsigned count, bool may_block, bool may_be_hinted) {
  if (!may_block) return thread_.poll(fds, count, Deadline::past(), false, site_);
  arm();
  const bool hear_hints = may_be_hinted || ambient_ != nullptr || foreign_;
  return thread_.poll(fds, count, deadline_, hear_hints, site_);
}

WaitStatus Blocking::finish() {
  switch (ending_) {
    case Ending::raised:
      thread_.throw_raised();
    case Ending::timeout:
      // The scope's deadline may be the one that passed: who notices stops the scope.
      if (ambient_ != nullptr && ambient_->deadline().expired()) {
        ambient_->deadline_passed();
        return WaitStatus::stopped;
      }
      return WaitStatus::timeout;
    case Ending::stopped:
    case Ending::none:
      break;
  }
  return WaitStatus::stopped;
}

}  // namespace rouse::detail
