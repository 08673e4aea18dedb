#pragma once
// this_thread: the ambient stop of the calling thread, and Bind, which sets it.
//
/// @code
///   std::jthread worker([](std::stop_token stop) {
///     rouse::this_thread::Bind bind(stop);  // from here every wait obeys the jthread's stop
///     while (rouse::sleep_for(1s) == rouse::WaitStatus::timeout) {
///     }
///   });
/// @endcode
//
// The ambient stop is the token that every stoppable wait of a thread obeys besides the one it is
// given, so that nobody passes a token through ten functions. StoppableThread and the jobs of a
// pool bind their own.
// Thread safety: all of it concerns the calling thread only.

#include "rouse/wait/stop_scope.hpp"

#include <optional>
#include <stop_token>

namespace rouse {
namespace detail {

struct ControlBlock;

/// The stop callback that makes a thread look at its tokens again.
struct NotifyThread {
  ControlBlock* thread;
  void operator()() const noexcept;
};

/// A stop without a token as long as nobody asks for one: a job's. Whoever requests it notifies the
/// thread.
class LazyStop {
 public:
  virtual bool stop_requested() const noexcept = 0;
  /// Throws std::bad_alloc.
  virtual std::stop_token make_token() = 0;

 protected:
  ~LazyStop() = default;
};

/// What a thread's waits obey besides what they are given; one frame per Bind.
class AmbientStop {
 public:
  [[gnu::visibility("default")]] explicit AmbientStop(std::stop_token token);
  [[gnu::visibility("default")]] explicit AmbientStop(StopScope& scope);
  /// Instead of what was bound before, not besides.
  AmbientStop(ControlBlock& thread, LazyStop& stop) noexcept;
  [[gnu::visibility("default")]] ~AmbientStop();

  AmbientStop(const AmbientStop&) = delete;
  AmbientStop& operator=(const AmbientStop&) = delete;

  /// Throws std::bad_alloc, the first time in a job.
  const std::stop_token& token() const;
  /// Whether it is the token that stops these waits, made or not.
  bool obeys(const std::stop_token& token) const noexcept { return token == token_; }
  bool stop_requested() const noexcept {
    return lazy_ == nullptr ? token_.stop_requested() : lazy_->stop_requested();
  }
  /// With the job it belongs to, whose token it was.
  void forget_token() noexcept { token_ = std::stop_token(); }
  Deadline deadline() const noexcept {
    return scope_ == nullptr ? Deadline::never() : scope_->deadline_;
  }
  /// The scope's deadline has passed: stops the scope it belongs to, and all between.
  void deadline_passed() const noexcept;

 private:
  // Stops with the outer frame as well as with what was bound.
  struct Joined : StopScope {
    Joined(StopScope* scope, std::stop_token token, const AmbientStop& outer);
  };

  AmbientStop(StopScope* scope, std::stop_token token);

  bool obeys_outer(const AmbientStop& outer) const noexcept;

  ControlBlock* const thread_;
  const AmbientStop* const outer_;
  std::optional<Joined> joined_;
  StopScope* scope_;
  LazyStop* const lazy_ = nullptr;
  mutable std::stop_token token_;
  std::optional<std::stop_callback<NotifyThread>> notify_;
};

}  // namespace detail

namespace this_thread {

/// The ambient stop: every stop that a wait of this thread obeys. Empty outside of rouse's threads,
/// jobs and Binds, and under a Shield. Throws std::bad_alloc, in a job's first call.
[[nodiscard, gnu::visibility("default")]] std::stop_token stop_token();

/// While it lives, this thread's waits obey `token` or `scope` too: what was bound before stays in
/// force. Destroy Binds in reverse order, on the same thread (as a local variable does).
/// Throws std::bad_alloc. A scope must outlive the Bind.
class [[nodiscard]] Bind {
 public:
  explicit Bind(std::stop_token token) : ambient_(std::move(token)) {}
  explicit Bind(StopScope& scope) : ambient_(scope) {}

 private:
  detail::AmbientStop ambient_;
};

}  // namespace this_thread
}  // namespace rouse
