#include "rouse/wait/stop_scope.hpp"

namespace rouse {
namespace {

constexpr std::uint64_t packed(StopReason reason) noexcept {
  // Kind none would read as "nobody decided yet".
  const auto kind = reason.kind == StopReason::none ? StopReason::requested : reason.kind;
  return static_cast<std::uint64_t>(kind) << 32 | static_cast<std::uint32_t>(reason.code);
}

}  // namespace

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
  // Relaxed: source_.request_stop() publishes it to everybody who sees the stop.
  std::uint64_t undecided = 0;
  const bool decides =
      reason_.compare_exchange_strong(undecided, packed(reason), std::memory_order_relaxed);
  if (decides) reason_text_.store(reason.text, std::memory_order_relaxed);
  // Also the loser of the race: when its call returns, the token is stopped.
  source_.request_stop();
  return decides;
}

StopReason StopScope::reason() const noexcept {
  if (!source_.stop_requested()) return {StopReason::none};
  const std::uint64_t decided = reason_.load(std::memory_order_relaxed);
  return {static_cast<StopReason::Kind>(decided >> 32),
          static_cast<int>(static_cast<std::uint32_t>(decided)),
          reason_text_.load(std::memory_order_relaxed)};
}

std::chrono::steady_clock::time_point StopScope::deadline() const noexcept {
  if (deadline_.is_never()) return std::chrono::steady_clock::time_point::max();
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(deadline_.ns()));
}

bool StopScope::inside(const std::stop_token& token) const noexcept {
  for (const Parent& parent : parents_) {
    if (!parent.token.stop_possible()) continue;
    if (parent.token == token) return true;
    if (parent.scope != nullptr && parent.scope->inside(token)) return true;
  }
  return false;
}

}  // namespace rouse
