#pragma once
// StopScope: a stop source in a tree, with a deadline and a reason.
//
/// @code
///   rouse::StopScope service;                                             // the root
///   rouse::StopScope request = rouse::StopScope::with_deadline(2s, service);  // ends with it
///   rouse::this_thread::Bind bind(request);  // every wait below obeys both
///   if (rouse::sleep_for(1h) == rouse::WaitStatus::stopped) {
///     const rouse::StopReason why = request.reason();  // deadline, after two seconds
///     (void)why;
///   }
/// @endcode
//
// Thread safety: all functions may be called from any thread, but not from a signal handler.
// Ordering: what happened before the request_stop() that stopped a scope is visible to whoever sees
//   it stopped, here or through a token.
// Lifetime: a scope outlives its children and the Binds to it; its tokens may outlive it.
// Destroying
//   a scope does not request a stop.
// Cost: one allocation (the stop state of std::stop_source). No thread watches the deadline: waits
//   of threads that are bound to the scope end at it, and the first that does stops the scope. A
//   bare token of the scope is not stopped by time alone.

#include "rouse/detail/deadline.hpp"
#include "rouse/detail/lock.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <utility>

namespace rouse {
namespace detail {
class AmbientStop;
}

/// Why a scope was stopped. `text` is a string literal, or lives as long as the program.
struct StopReason {
  enum Kind : std::uint8_t { none, requested, deadline, signal };

  Kind kind = requested;
  int code = 0;  ///< The signal's number, or whatever the requester wants to say.
  const char* text = "";

  constexpr StopReason() noexcept = default;
  constexpr StopReason(Kind k, int c = 0, const char* t = "") noexcept
      : kind(k), code(c), text(t) {}
  constexpr StopReason(const char* why) noexcept : text(why) {}
};

class [[gnu::visibility("default")]] StopScope {
 public:
  /// A root: stopped only by its own request_stop().
  StopScope();
  /// A child: also stopped when `parent` is, for the same reason, and by its deadline.
  explicit StopScope(StopScope & parent);
  /// Also stopped when `parent` is. An empty token makes a root.
  explicit StopScope(std::stop_token parent);

  /// Scopes that end by themselves: `when` is a duration from now or a time_point of steady_clock.
  /// They end earlier with their parent, which is a StopScope or a stop_token.
  template <class When>
  static StopScope with_deadline(const When& when) {
    return StopScope(Parent{}, Parent{}, detail::to_deadline(when));
  }
  template <class When>
  static StopScope with_deadline(const When& when, StopScope& parent) {
    return StopScope(Parent{&parent, parent.token()}, Parent{}, detail::to_deadline(when));
  }
  template <class When>
  static StopScope with_deadline(const When& when, std::stop_token parent) {
    return StopScope(Parent{nullptr, std::move(parent)}, Parent{}, detail::to_deadline(when));
  }

  StopScope(const StopScope&) = delete;
  StopScope& operator=(const StopScope&) = delete;
  ~StopScope() = default;

  /// Stops this scope and everything below it. Returns true in the call that decided the reason.
  /// After it, token().stop_requested() holds. Never blocks on waits; runs the stop callbacks of
  /// user code that hang on the token.
  bool request_stop(StopReason reason = {}) noexcept;

  [[nodiscard]] bool stop_requested() const noexcept { return source_.stop_requested(); }
  [[nodiscard]] std::stop_token token() const noexcept { return source_.get_token(); }

  /// Kind `none` until it is stopped.
  [[nodiscard]] StopReason reason() const noexcept;

  /// The earliest deadline of this scope and its ancestors; time_point::max() where there is none.
  [[nodiscard]] std::chrono::steady_clock::time_point deadline() const noexcept;

 private:
  friend class detail::AmbientStop;

  struct Parent {
    StopScope* scope = nullptr;  // null where only a token is known
    std::stop_token token;
  };

  // The stop callback on a parent's token.
  struct Follow {
    StopScope* self;
    const StopScope* parent;
    void operator()() const noexcept;
  };

  StopScope(Parent first, Parent second, detail::Deadline own);
  bool inside(const std::stop_token& token) const noexcept;
  void stop_by_deadline() noexcept;

  std::stop_source source_;
  mutable detail::Lock reason_lock_;
  // Written once, by the first request and before the source is stopped: nobody sees a stopped
  // scope without its reason.
  StopReason reason_{StopReason::none};
  const Parent parents_[2];
  detail::Deadline deadline_;  // the earliest up the tree
  StopScope* deadline_owner_;  // the scope that it belongs to, and that it stops
  std::optional<std::stop_callback<Follow>> links_[2];
};

}  // namespace rouse
