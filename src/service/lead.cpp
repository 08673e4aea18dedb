#include "service/lead.hpp"

#include <optional>
#include <utility>

namespace rouse::detail {

void Lead::after_fork_in_child() noexcept {
  led_ = false;
  first_ = last_ = nullptr;
  ++forks_;
  lock_.unlock();
}

bool LeadMember::take() noexcept {
  const LockGuard guard(lead_.lock_);
  if (forks_ != lead_.forks_) {
    forks_ = lead_.forks_;
    role_ = Role::none;
  }
  if (role_ == Role::leads) return true;
  if (lead_.led_) {
    if (role_ == Role::none) link();
    role_ = Role::follows;
    return false;
  }
  if (role_ == Role::follows) unlink();
  role_ = Role::leads;
  lead_.led_ = true;
  return true;
}

void LeadMember::resign() noexcept {
  if (role_ == Role::none) return;
  const Role role = std::exchange(role_, Role::none);
  std::optional<WaitHint::Wake> wake;
  {
    const LockGuard guard(lead_.lock_);
    if (forks_ != lead_.forks_) return;
    if (role == Role::leads) lead_.led_ = false;
    // It may be the one who has been hinted: then that goes on to the next.
    if (role == Role::follows) unlink();
    if (!lead_.led_ && lead_.first_ != nullptr) wake = lead_.first_->hint_.mark();
  }
  if (wake) (*wake)();
}

void LeadMember::link() noexcept {
  next_ = nullptr;
  prev_ = lead_.last_;
  (prev_ == nullptr ? lead_.first_ : prev_->next_) = this;
  lead_.last_ = this;
}

void LeadMember::unlink() noexcept {
  (prev_ == nullptr ? lead_.first_ : prev_->next_) = next_;
  (next_ == nullptr ? lead_.last_ : next_->prev_) = prev_;
}

}  // namespace rouse::detail
