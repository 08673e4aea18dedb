#include "rouse/wait/this_thread.hpp"

#include "wait/control_block.hpp"

#include <utility>

namespace rouse {
namespace detail {

void NotifyThread::operator()() const noexcept { thread->notify(); }

AmbientStop::Joined::Joined(StopScope* scope, std::stop_token token, const AmbientStop& outer)
    : StopScope(Parent{scope, std::move(token)}, Parent{outer.scope_, outer.token_},
                Deadline::never()) {}

AmbientStop::AmbientStop(std::stop_token token) : AmbientStop(nullptr, std::move(token)) {}

AmbientStop::AmbientStop(StopScope& scope) : AmbientStop(&scope, scope.token()) {}

AmbientStop::AmbientStop(StopScope* scope, std::stop_token token)
    : thread_(&ControlBlock::current()),
      outer_(thread_->ambient),
      scope_(scope),
      token_(std::move(token)) {
  const bool outer_counts = outer_ != nullptr && outer_->token().stop_possible();
  bool heard = false;  // the outer frame's callback wakes this thread for our token too
  if (outer_counts && (!token_.stop_possible() || token_ == outer_->token_)) {
    if (scope_ == nullptr) scope_ = outer_->scope_;
    token_ = outer_->token_;
    heard = true;
  } else if (outer_counts && !obeys_outer(*outer_)) {
    joined_.emplace(scope_, std::move(token_), *outer_);
    scope_ = &*joined_;
    token_ = joined_->token();
  }
  if (!heard && token_.stop_possible()) notify_.emplace(token_, NotifyThread{thread_});
  thread_->ambient = this;
}

AmbientStop::AmbientStop(ControlBlock& thread, LazyStop& stop) noexcept
    : thread_(&thread), outer_(thread.ambient), scope_(nullptr), lazy_(&stop) {
  thread.ambient = this;
}

const std::stop_token& AmbientStop::token() const {
  if (lazy_ != nullptr && !token_.stop_possible()) token_ = lazy_->make_token();
  return token_;
}

// Whether stop and deadline of the outer frame reach what is bound here anyway.
bool AmbientStop::obeys_outer(const AmbientStop& outer) const noexcept {
  return scope_ != nullptr && scope_->inside(outer.token_) &&
         !(outer.deadline() < scope_->deadline_);
}

AmbientStop::~AmbientStop() { thread_->ambient = outer_; }

void AmbientStop::deadline_passed() const noexcept {
  // Stop callbacks of user code run here: a wait in them must not throw what was raised.
  thread_->shield();
  scope_->stop_by_deadline();
  thread_->unshield();
}

}  // namespace detail

std::stop_token this_thread::stop_token() {
  const detail::ControlBlock* thread = detail::ControlBlock::current_or_null();
  if (thread == nullptr || thread->shields != 0 || thread->ambient == nullptr) return {};
  return thread->ambient->token();
}

}  // namespace rouse
