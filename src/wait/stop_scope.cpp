#include "rouse/wait/stop_scope.hpp"

namespace rouse {
StopScope::StopScope() : StopScope(Parent{}, Parent{}, detail::Deadline::never()) {}

StopScope::StopScope(StopScope& parent)
    : StopScope(Parent{&parent, parent.token()}, Parent{}, detail::Deadline::never()) {}

StopScope::StopScope(std::stop_token parent)
    : StopScope(Parent{nullptr, std::move(parent)}, Parent{}, detail::Deadline::never()) {}

StopScope::StopScope(Parent first, Parent second, detail::Deadline own)
    : parents_{std::move(first), std::move(second)}, deadline_(own), deadline_owner_(this) {
  for (const Parent& parent : parents_) {
    if (parent.scope != nullptr && parent.scope->deadline_ < deadline_) {
      deadline_ = parent.scope->deadline_;
      deadline_owner_ = parent.scope->deadline_owner_;
    }
  }
  // Last: a parent that is stopped already stops this scope from here.
  for (std::size_t i = 0; i < std::size(parents_); ++i) {
    if (parents_[i].token.stop_possible()) {
      links_[i].emplace(parents_[i].token, Follow{this, parents_[i].scope});
    }
  }
}

void StopScope::Follow::operator()() const noexcept {
  self->request_stop(parent == nullptr ? StopReason{} : parent->reason());
}

bool StopScope::request_stop(StopReason reason) noexcept {
  bool decides = false;
  {
    const detail::LockGuard guard(reason_lock_);
    decides = reason_.kind == StopReason::none;
    if (decides) {
      reason_ = reason;
      if (reason_.kind == StopReason::none) reason_.kind = StopReason::requested;
    }
  }
  // Also whoever did not decide: when its call returns, the token is stopped.
  source_.request_stop();
  return decides;
}

StopReason StopScope::reason() const noexcept {
  if (!source_.stop_requested()) return {StopReason::none};
  const detail::LockGuard guard(reason_lock_);
  return reason_;
}

std::chrono::steady_clock::time_point StopScope::deadline() const noexcept {
  return deadline_.time_point();
}

bool StopScope::inside(const std::stop_token& token) const noexcept {
  for (const Parent& parent : parents_) {
    if (!parent.token.stop_possible()) continue;
    if (parent.token == token) return true;
    if (parent.scope != nullptr && parent.scope->inside(token)) return true;
  }
  return false;
}

// From the owner of the deadline down to this scope: another thread may have been first at the
// owner and still be on its way down, but when a wait of this scope tells `stopped`, this scope is.
void StopScope::stop_by_deadline() noexcept {
  if (deadline_owner_ != this) {
    for (const Parent& parent : parents_) {
      if (parent.scope != nullptr && parent.scope->deadline_owner_ == deadline_owner_) {
        parent.scope->stop_by_deadline();
      }
    }
  }
  request_stop(StopReason::deadline);
}

}  // namespace rouse
