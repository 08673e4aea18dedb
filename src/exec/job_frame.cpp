#include "exec/job_frame.hpp"

#include <exception>
#include <utility>

namespace rouse::detail {

Frames::Entry::Entry(Frames& frames, const StoppableCall* call) : frames_(frames), call_(call) {
  const LockGuard guard(frames_.lock_);
  next_ = frames_.first_;
  if (next_ != nullptr) next_->prev_ = this;
  frames_.first_ = this;
}

Frames::Entry::~Entry() {
  const LockGuard guard(frames_.lock_);
  (prev_ != nullptr ? prev_->next_ : frames_.first_) = next_;
  if (next_ != nullptr) next_->prev_ = prev_;
}

std::stop_source Frames::source_of(const StoppableCall* call) noexcept {
  const LockGuard guard(lock_);
  for (Entry* entry = first_; entry != nullptr; entry = entry->next_) {
    if (entry->given_out_) continue;
    // A timer's next call is not the one that was to stop.
    if (call != nullptr && (entry->call_ != call || !call->stop_requested())) continue;
    entry->given_out_ = true;
    return entry->source_;
  }
  return std::stop_source(std::nostopstate);
}

// What runs here obeys its own stop only, and is no part of what the thread was doing before.
JobFrame::JobFrame(ControlBlock& thread, Frames& frames, const Atomic<bool>& all_stop) noexcept
    : thread_(thread),
      frames_(frames),
      all_stop_(all_stop),
      shields_(std::exchange(thread.shields, 0)),
      unwinding_(std::exchange(thread.unwinding, std::uncaught_exceptions())),
      ambient_(thread, *this) {}

JobFrame::~JobFrame() {
  leave();
  thread_.shields = shields_;
  thread_.unwinding = unwinding_;
}

// Whoever requests the stop sets its bit, then looks for the source among the frames; here it is
// put there before we look at the bit.
std::stop_token JobFrame::make_token() {
  entry_.emplace(frames_, call_);
  if (stop_requested()) entry_->source().request_stop();
  return entry_->source().get_token();
}

void JobFrame::forget_token() noexcept {
  entry_.reset();
  ambient_.forget_token();
}

}  // namespace rouse::detail
